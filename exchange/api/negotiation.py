"""What a caller would rather have: the headers of preferences (RFC 9110, section 12.5)."""

import re
from collections.abc import Sequence

from fastapi import Request

_QUALITY = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_UNSAID = 1.0


def liked_best(request: Request, header: str, offered: Sequence[str]) -> str | None:
    """Of what is offered, what the header likes best; at equal liking what is offered first.

    The first of all without such a header. Nothing when the header leaves nothing: then it is
    for the caller to say what it gets all the same.
    """
    given = request.headers.getlist(header)
    if not given:
        return offered[0]
    wanted = [_wanted(each) for each in ",".join(given).split(",")]
    liking = {each: max((q for w, q in _fitting(each, wanted)), default=0.0) for each in offered}
    best = max(offered, key=lambda each: liking[each])
    return best if liking[best] > 0 else None


def _wanted(text: str) -> tuple[str, float]:
    name, *parameters = (each.strip().lower() for each in text.split(";"))
    found = [match for each in parameters if (match := _QUALITY.fullmatch(each))]
    return name, float(found[0][1]) if found else _UNSAID


def _fitting(offer: str, wanted: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """What is said of an offer as closely as anything is: `text/html`, `text/*`, `*/*`."""
    group, slash, _ = offer.partition("/")
    for names in ((offer,), (f"{group}/*",), ("*/*", "*")):
        said = [each for each in wanted if each[0] in names or _language(offer, slash, each[0])]
        if said:
            return said
    return []


def _language(offer: str, slash: str, name: str) -> bool:
    """Whether a wanted language is a kind of the one that is offered (`nl-BE` of `nl`)."""
    return not slash and name.partition("-")[0] == offer
