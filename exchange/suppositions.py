"""The documents that may be tried before they are applied, and the world that each would make."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from consent import records as consents
from consent.belgian_time import day_of, instant
from consent.notices import Notice, NoticeRefused, read_notice
from consent.standing import ConsentFacts
from exchange.directory import Directory, documents
from exchange.services import SHARD, Services
from exchange.supposing import (
    Lane,
    World,
    facts_in,
    with_agreements,
    with_notices,
    with_organisations,
)
from exchange.under_model import Documents, ModelRefused, under_model
from policies.agreements import read_agreement
from policies.documents import UnfitDocument
from policies.gates import Decider
from policies.risk_analysis import RISK_ANALYSIS
from policies.rule_texts import RulesRefused
from policies.site_rules import load_overlay
from policies.vocabulary import FieldId
from policies.what_if import compared

_NOBODY_SAID = ConsentFacts(grants=(), refs=(), denied=frozenset(), refused=False)


class NotSupposed(Exception):
    """The document could not be applied either. Says what is wrong with it."""


def world_today(services: Services) -> World:
    """What is decided under now, for a thread of its own."""
    return World(services.directory(), services.rulebook.decider.anew())


@contextmanager
def supposed(services: Services, today: World, kind: str, document: Any) -> Iterator[World]:
    """The world with the document in place of what it would take the place of.

    `agreement` and `organisations` are documents, `notices` texts by file name, `rules` the path
    of a folder, `model` the text of a summary model. Raises `NotSupposed`.
    """
    try:
        if kind == "model":
            day = day_of(instant(services.clock()))
            with under_model(today, document.encode(), _stored(services), day) as then:
                yield then
        else:
            yield _KINDS[kind](services, today, document)
    except (UnfitDocument, RulesRefused, NoticeRefused, ModelRefused) as error:
        raise NotSupposed(f"the {kind} can not be applied: {error}") from None


def _stored(services: Services) -> Documents:
    with services.database.reading() as connection:
        return {
            kind: documents(connection, shard=SHARD, kind=kind)
            for kind in ("organisation", "partnership", "agreement", RISK_ANALYSIS)
        }


def named(kind: str, document: Any) -> str:
    """The document as the log names it: its kind and the beginning of its hash."""
    plain = json.dumps(document, sort_keys=True, default=str)
    return f"{kind}/{hashlib.sha256(plain.encode()).hexdigest()[:16]}"


def asked_anew(today: World, then: World, day: date) -> Iterator[tuple[Lane, frozenset[FieldId]]]:
    """What the agreements let leave then and do not today, whoever consented: lane by lane.

    No consent is opened for it. Consents of before give none of it.
    """
    for lane in _lanes(today.directory, then.directory):
        was, would_be = (
            world.release(
                lane,
                facts_in(
                    world.directory,
                    day,
                    lane.request,
                    lane.holder,
                    _NOBODY_SAID,
                    known=True,
                    blocked=False,
                    care_relation=True,
                ),
                day,
            )
            for world in (today, then)
        )
        if asks := compared(was, would_be).asks:
            yield lane, asks


def asking(asks: Iterable[tuple[Lane, frozenset[FieldId]]]) -> list[dict[str, Any]]:
    """What is asked beyond today, lane by lane, as it is told."""
    return [
        {
            "holder": lane.holder,
            "recipient": lane.recipient,
            "purpose": lane.purpose,
            "fields": sorted(fields),
        }
        for lane, fields in asks
    ]


def asked_more(services: Services, agreements: Iterable[object]) -> list[dict[str, Any]]:
    """What these agreements ask beyond those in force, as it is told. Raises `UnfitDocument`."""
    today = world_today(services)
    then = World(with_agreements(today.directory, agreements), today.decider.anew())
    return asking(asked_anew(today, then, day_of(instant(services.clock()))))


def _lanes(*directories: Directory) -> list[Lane]:
    found = {
        Lane(giver, taker, purpose)
        for directory in directories
        for agreement in directory.agreements
        for flow in agreement.flows
        for giver in flow.from_
        for taker in flow.to
        for purpose in flow.purposes
        if giver != taker
    }
    return sorted(found, key=lambda lane: (lane.holder, lane.recipient, lane.purpose))


def _agreement(_services: Services, today: World, document: Any) -> World:
    return World(with_agreements(today.directory, [document]), today.decider.anew())


def _organisations(_services: Services, today: World, document: Any) -> World:
    return World(with_organisations(today.directory, document), today.decider.anew())


def _notices(services: Services, today: World, texts: Mapping[str, str]) -> World:
    new = [read_notice(text.encode()) for text in texts.values()]
    with services.database.reading() as connection:
        in_use = consents.notices_in(connection, shard=SHARD)
    _fits(in_use, new)
    return World(with_notices(today.directory, in_use, new), today.decider.anew())


def _fits(in_use: Sequence[Notice], new: Sequence[Notice]) -> None:
    known = {(each.id, each.version, each.lang): each.sha256 for each in in_use}
    for each in new:
        if known.get((each.id, each.version, each.lang), each.sha256) != each.sha256:
            name = f"{each.id}/{each.version}/{each.lang}"
            raise NotSupposed(f"{name} is in use with another text; give it a new version")


def _rules(_services: Services, today: World, folder: str) -> World:
    return World(today.directory, Decider(load_overlay(site=Path(folder))))


_KINDS: Mapping[str, Callable[[Services, World, Any], World]] = {
    "agreement": _agreement,
    "organisations": _organisations,
    "notices": _notices,
    "rules": _rules,
}


def parties_of(document: object) -> frozenset[str]:
    """Who is party to the agreement in the document. Raises `UnfitDocument`."""
    return frozenset(each.org for each in read_agreement(document).parties)
