"""A notice as one client is shown it: its placeholders filled in with the case at hand. Pure."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle

from consent.belgian_time import day_of
from consent.content import Grant, Terms
from consent.notices import APPOINTMENT, front_and_body
from policies.vocabulary import OrganisationId

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_TRAINING = "P4"
_AND = {"nl": " en ", "en": " and ", "fr": " et ", "ar": " و", "tr": " ve "}
SUPERVISORS: Mapping[str, str] = {
    "GBA": "Gegevensbeschermingsautoriteit (contact@apd-gba.be)",
    "VTC": "Vlaamse Toezichtcommissie (contact@toezichtcommissie.be)",
}
"""Who supervises, and where to complain, by the directory's codes (vl-vtc).

A Flemish body is supervised by the second, an association by the first; the split is debated,
so the directory says it of each organisation, and the notice prints all that it names.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What a notice says of the controller. Nothing where the directory does not know it.

    `names` gives organisations and partnerships by id; `contact`, `officer` (for data
    protection) and `agreement_at` (an address) are those of the agreement with the recipient.
    """

    controller: OrganisationId
    names: Mapping[str, str]
    supervisors: tuple[str, ...] = ()
    contact: str | None = None
    officer: str | None = None
    agreement_at: str | None = None


@dataclass(frozen=True, slots=True)
class Filled:
    """The text as it was shown, with its SHA-256 in hex (UTF-8).

    `lacking` names the placeholders that nothing is known for; they stand in it in braces.
    """

    text: str
    sha256: str
    lacking: tuple[str, ...]


def filled(notice: str, terms: Terms, house: House) -> Filled:
    """The text of a notice (a file with front matter) for what this client is asked."""
    front, body = front_and_body(notice)
    purposes = (*front.get("purposes", ()), APPOINTMENT)
    values = _values(terms, house, purposes)
    lacking = {name for name in _names(body) if not values.get(name)}
    text = "".join(
        (values.get(each) or f"{{{each}}}") if odd else each
        for odd, each in zip(cycle((False, True)), _pieces(body), strict=False)
    )
    return Filled(text, hashlib.sha256(text.encode()).hexdigest(), tuple(sorted(lacking)))


@lru_cache(maxsize=256)
def _pieces(body: str) -> tuple[str, ...]:
    """Text and the names of placeholders by turns; it begins and ends with text."""
    return tuple(_PLACEHOLDER.split(body))


def _names(body: str) -> tuple[str, ...]:
    return _pieces(body)[1::2]


def recipients_asked(terms: Terms, purposes: Iterable[str], controller: str) -> tuple[str, ...]:
    """For whom the first of these purposes that anything is granted for is meant, as ids.

    The controller itself is not told of as a recipient: it asks.
    """
    for purpose in purposes:
        found = dict.fromkeys(_id(g.recipient) for g in terms.grants if g.purpose == purpose)
        found.pop(controller, None)
        if found:
            return tuple(found)
    return ()


def _values(terms: Terms, house: House, purposes: tuple[str, ...]) -> dict[str, str | None]:
    joined = _AND.get(terms.notice.lang.partition("-")[0], ", ")

    def named(ids: Iterable[str]) -> str:
        return joined.join(house.names.get(each, each) for each in ids)

    schools = recipients_asked(terms, (_TRAINING,), house.controller)
    return {
        "dienst": named([house.controller]),
        "ontvanger": named(recipients_asked(terms, purposes, house.controller)),
        "centrum": named(schools),
        "einddatum": _last_day(terms.grants),
        "contact": house.contact,
        "dpo": house.officer,
        "toezichthouder": joined.join(SUPERVISORS.get(each, each) for each in house.supervisors),
        "protocol_url": house.agreement_at,
    }


def _last_day(grants: Iterable[Grant]) -> str | None:
    """The last day of the grant that ends last, in figures: they are read in every language."""
    ends = [each.end for each in grants if each.end is not None and not each.withdrawn]
    return f"{day_of(max(ends) - 1):%d/%m/%Y}" if ends else None


def _id(recipient: str) -> str:
    """The organisation, partnership or type that a recipient names."""
    name = recipient.partition(":")[2].partition("/")[0].partition("@")[0]
    return name.rpartition(",")[2]
