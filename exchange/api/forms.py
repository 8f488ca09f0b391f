"""The shapes that text takes in bodies, paths and queries; nothing longer or stranger passes."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Path, Request
from pydantic import StringConstraints

from consent.belgian_time import time_of
from exchange.problems import MALFORMED, RequestRefused

_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
HANDLE = r"^[a-z2-7]{26}$"
CONSENT = r"^c-[0-9a-z-]{4,40}$"

Line = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\n\t]+$")]
ShortCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,59}$")]
Purpose = Annotated[str, StringConstraints(pattern=r"^P[0-9]{1,3}$")]
"""Any code of that form may be asked; whether there is such a purpose is decided, not parsed."""

Organisation = Annotated[str, StringConstraints(pattern=r"^org:[a-z0-9][a-z0-9-]{1,39}$")]
HandleText = Annotated[str, StringConstraints(pattern=HANDLE)]
HandoverText = Annotated[str, StringConstraints(pattern=_UUID)]
Day = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Instant = Annotated[
    str,
    StringConstraints(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"
    ),
]

# In a path anything may stand: what has not the form of an id is nobody's, like any unknown id.
ClientPath = Annotated[str, Path(alias="client", max_length=200)]
ConsentPath = Annotated[str, Path(alias="consent", max_length=200)]
HandoverPath = Annotated[str, Path(alias="handover", max_length=200)]


def instant_text(moment: int) -> str:
    """Microseconds since 1970 as RFC 3339 in UTC, whole seconds."""
    return time_of(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_text(moment: int) -> str:
    """As `instant_text`, to the microsecond."""
    return time_of(moment).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def either(one: str, other: str) -> dict[str, Any]:
    """In JSON Schema: exactly one of two members is there, or the other is null."""
    return {
        "oneOf": [
            {"required": [here], "properties": {here: {"type": "string"}, left: {"type": "null"}}}
            for here, left in ((one, other), (other, one))
        ]
    }


def organisation_of(name: str) -> Any:
    """`org:vdab-gent` as the directory knows it."""
    return name.removeprefix("org:")


_MOST_FORM_BYTES = 4_096


def is_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/x-www-form-urlencoded"


async def fields_of(request: Request, names: Collection[str]) -> Mapping[str, str]:
    """The fields of a small form, each at most once; what can not be read is malformed."""
    raw = await request.body()
    if not is_form(request) or len(raw) > _MOST_FORM_BYTES:
        raise RequestRefused(MALFORMED)
    try:
        text = raw.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=len(names))
    except ValueError:
        raise RequestRefused(MALFORMED) from None
    if len(dict(pairs)) != len(pairs):
        raise RequestRefused(MALFORMED)
    return dict(pairs)
