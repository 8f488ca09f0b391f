"""The bytes of a log entry, version 1: how they are written, and what is refused on reading.

A leaf is canonical JSON (RFC 8785 on printable ASCII) with a closed set of keys for every kind.
It is stored, served and exported as it is; nobody serialises it again to verify it.
Standard library only, so that an auditor can run it without us.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from json import JSONDecoder, JSONEncoder
from typing import Any, Final, NamedTuple, NoReturn

VERSION = 1
MAX_BYTES = 65_535
"""An entry bundle gives the length in 16 bits."""
LIMIT = 2**53
"""Integers stay below this, so that every JSON reader sees the same number."""
LABELS = ("a", "s", "y")
"""The parts of a person kind: actor, subject, detail."""
UNDISCLOSED = "org:undisclosed"
"""The provider in the leaf of a refusal: naming the real one would tell who holds a file."""

PUBLIC = {"application": "ap", "consumer": "c", "sections": "d", "provider": "p", "purpose": "u"}
"""The fields of an event that stand in its leaf for ever, and their keys there."""

_PERMIT = (
    "summary.released summary.authorised handover.offered breakglass.used",
    "permit",
)
_REFUSED = ("summary.refused handover.refused breakglass.refused", "deny")
_DONE = (
    "summary.delivered summary.received handover.accepted handover.declined"
    " handover.first_contact handover.closed handover.expired handover.revoked"
    " appointment.booked appointment.moved appointment.cancelled"
    " notice.delivered notice.acknowledged"
    " breakglass.requested breakglass.approved breakglass.disclosed",
    "ok",
)
_FAILED = ("summary.undelivered summary.unavailable notice.undelivered", "error")
_ABOUT_A_CLIENT = (
    "client.registered client.recognised client.viewed client.corrected client.restricted"
    " client.unrestricted client.objected summary.deposited summary.viewed summary.expired"
    " consent.requested consent.answered consent.given consent.narrowed consent.renewed"
    " consent.withdrawn consent.expired consent.invalidated consent.revoked consent.suspended"
    " consent.resumed disclosure.exported disclosure.recorded audit.inspected audit.exported",
    "ok",
)
_NOT_DONE = ("client.refused consent.refused", "deny")
_LOG_KINDS = {
    "log.opened": ("epoch", "epoch prev prev_size prev_root prev_ck lost_from lost_to reason"),
    "key.rotated": ("use old new from",),
    "subject.erased": ("kf n lb rq",),
    "log.closed": ("next reason",),
    "log.pruned": ("min policy root",),
    "parts.expired": ("n policy",),
    "parts.lost": ("n from to",),
    "policy.changed": ("new old",),
    "admin.changed": ("what act id",),
    "admin.started": ("ver cfg",),
    "auth.failures": ("n app",),
    "intake.imported": ("adapter drop n quar rej",),
}
_NUMBERS = frozenset(
    ("epoch", "prev_size", "lost_from", "lost_to", "n", "from", "to", "min", "quar", "rej")
)
_EITHER = frozenset({"drop"})  # the name of a drop, or a count of dropped fields


class Kind(NamedTuple):
    """What a leaf of one kind looks like. `extra` is empty for what concerns a person."""

    outcome: str
    required: frozenset[str]
    allowed: frozenset[str]
    extra: tuple[frozenset[str], ...] = ()


def _kinds() -> dict[str, Kind]:
    always = frozenset({"v", "id", "t", "k", "o"})
    least = always | {"ap", "pv", "q", "x"}
    whole = least | {"p", "c", "u", "d"}
    kinds: dict[str, Kind] = {}
    for names, outcome in (_PERMIT, _REFUSED, _DONE, _FAILED):
        kinds |= dict.fromkeys(names.split(), Kind(outcome, whole, whole))
    for names, outcome in (_ABOUT_A_CLIENT, _NOT_DONE):
        kinds |= dict.fromkeys(names.split(), Kind(outcome, least, whole))
    for name, shapes in _LOG_KINDS.items():
        extra = tuple(frozenset(shape.split()) for shape in shapes)
        kinds[name] = Kind("ok", always | {"e"}, always | {"e", "q", "x"}, extra)
    return kinds


KINDS: Final[Mapping[str, Kind]] = _kinds()
"""Every kind there is. A new one is known here, to the reader, before anybody writes it."""
WITHHOLD_PROVIDER = frozenset(_REFUSED[0].split())

_CODE = r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}"
_is_code = re.compile(_CODE).fullmatch
_is_long_code = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,4095}").fullmatch
_is_organisation = re.compile(r"org:[A-Za-z0-9._:/+=@-]{1,124}").fullmatch
_is_application = re.compile(r"app:[A-Za-z0-9._:/+=@-]{1,124}").fullmatch
_is_error = re.compile(rf"error:{_CODE}").fullmatch
# 43 characters carry 258 bits: the last may only use the upper four of its six.
_is_hash = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]").fullmatch
_HEX = "[0-9a-f]"
_is_event_id = re.compile(f"{_HEX}{{8}}-{_HEX}{{4}}-7{_HEX}{{3}}-[89ab]{_HEX}{{3}}-{_HEX}{{12}}")
_is_request_id = re.compile(f"{_HEX}{{8}}-{_HEX}{{4}}-4{_HEX}{{3}}-[89ab]{_HEX}{{3}}-{_HEX}{{12}}")
_is_uuid = re.compile(f"{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}").fullmatch
_is_printable = re.compile(rb"[\x20-\x7e]+").fullmatch
_encode = JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
MAX_SECTIONS = 64


class NotALeaf(ValueError):
    """These bytes, or these values, are no entry of this version; the text says why."""


class Stated(NamedTuple):
    """The public side of an event about a person, checked and ready to be written."""

    outcome: str
    application: str
    consumer: str | None
    provider: str | None
    purpose: str | None
    before_id: str
    before_policy: str
    after_time: str


def canon(body: Mapping[str, Any]) -> bytes:
    """The one byte string for a body: RFC 8785 for text, whole numbers, lists and objects."""
    return _encode(body).encode()


def prefixed(prefix: str, name: str) -> str:
    """`name` with the prefix of its sort (`org:`, `app:`), which it may carry already."""
    return prefix + name.removeprefix(prefix)


@lru_cache(maxsize=4096)
def state(
    kind: str,
    outcome: str,
    *,
    application: str,
    consumer: str | None,
    provider: str | None,
    purpose: str | None,
    sections: tuple[str, ...] | None,
) -> Stated:
    """The public side of an event of a person kind; raises `NotALeaf` if it cannot be written.

    Organisations and applications are given with or without their prefix, sections in any
    order. Checked here once, so that a bad event fails in the command that made it; the same
    few are asked for again and again, and are remembered: there is nothing personal in them.
    """
    # Adding to a string also makes a plain one of an enumeration's member.
    body: dict[str, Any] = {"k": kind, "o": outcome, "ap": prefixed("app:", application)}
    if consumer is not None:
        body["c"] = prefixed("org:", consumer)
    if provider is not None:
        body["p"] = prefixed("org:", provider)
    if purpose is not None:
        body["u"] = "" + purpose
    if sections is not None:
        body["d"] = sorted({"" + each for each in sections})
    known = _kind_of(body)
    if known.extra:
        raise NotALeaf(f"{kind} is about the log, not about a person")
    _check_keys(body.keys() | {"v", "id", "t", "pv", "q", "x"}, known)
    _check_public(body)
    return _stated(body)


def _stated(body: dict[str, Any]) -> Stated:
    """The pieces round id, policy and time. Codes hold nothing that JSON would escape."""
    said = {key: f'"{key}":"{value}",' for key, value in body.items()}
    if "d" in body:
        said["d"] = '"d":["' + '","'.join(body["d"]) + '"],'
    ap, c, d, k, o, p, u = (said.get(key, "") for key in ("ap", "c", "d", "k", "o", "p", "u"))
    return Stated(
        body["o"],
        body["ap"],
        body.get("c"),
        body.get("p"),
        body.get("u"),
        before_id=f'{{{ap}{c}{d}"id":"',
        before_policy=f'",{k}{o}{p}"pv":"',
        after_time=f',{u}"v":{VERSION},"x":{{"a":"',
    )


def person_leaf(
    stated: Stated, *, event_id: str, policy: str, request: str, t: int, commitments: bytes
) -> bytes:
    """The leaf of an event about a person, without serialising anything twice.

    `commitments` are those of the parts a, s and y, each followed by one zero byte: 33 bytes
    are 44 characters of base64, and the last of them says nothing. The other values must
    have passed `check_policy` and `check_request`.
    """
    x = urlsafe_b64encode(commitments).decode()
    return (
        f'{stated.before_id}{event_id}{stated.before_policy}{policy}","q":"{request}","t":{t}'
        f'{stated.after_time}{x[:43]}","s":"{x[44:87]}","y":"{x[88:131]}"}}}}'
    ).encode()


def log_leaf(
    kind: str,
    extra: Mapping[str, int | str],
    *,
    event_id: str,
    t: int,
    request: str = "",
    actor: bytes | None = None,
) -> bytes:
    """The leaf of an event about the log itself; `actor` is the commitment of its part a."""
    body: dict[str, Any] = {"v": VERSION, "id": event_id, "t": t, "k": kind, "o": "ok"}
    body["e"] = extra
    if request:
        body["q"] = request
    if actor is not None:
        body["x"] = {"a": urlsafe_b64encode(actor).decode()[:43]}
    return canon(body)


def check_extra(kind: str, extra: Mapping[str, Any]) -> None:
    """Raise `NotALeaf` unless these are the public values that a log kind must carry."""
    known = KINDS.get(kind)
    if known is None or not known.extra:
        raise NotALeaf("No such log kind")
    _check_extra(extra, known)


def check_client(client: Any) -> None:
    """Raise `NotALeaf` unless this is a UUID in lower case, or the empty text of nobody."""
    if not (isinstance(client, str) and (not client or _is_uuid(client))):
        raise NotALeaf("The client is not a UUID")


def check_policy(policy: Any) -> None:
    """Raise `NotALeaf` unless this is a SHA-256 in 43 characters of base64url."""
    if not (type(policy) is str and _is_hash(policy)):
        raise NotALeaf("The policy version is not a hash in base64url")


def check_request(request: Any) -> None:
    """Raise `NotALeaf` unless this is a UUID of version 4 in lower case."""
    if not (type(request) is str and _is_request_id.fullmatch(request)):
        raise NotALeaf("The request id is not a UUID of version 4")


def read(leaf: bytes) -> dict[str, Any]:
    """The values of a leaf; raises `NotALeaf` unless every byte is as version 1 prescribes."""
    if not 0 < len(leaf) <= MAX_BYTES:
        raise NotALeaf("Empty, or longer than 65,535 bytes")
    if not _is_printable(leaf):
        raise NotALeaf("A byte outside printable ASCII")
    try:
        body, _ = _decode(leaf.decode())
    except (ValueError, RecursionError) as error:
        raise NotALeaf("Not JSON without fractions") from error
    # Also refuses duplicate keys, blanks, needless escapes, minus zero, another order, a rest.
    if type(body) is not dict or canon(body) != leaf:
        raise NotALeaf("Not the canonical form of an object")
    _check(body)
    return body


def _refuse(_text: str) -> NoReturn:
    raise NotALeaf("A number that is no whole number")


_decode = JSONDecoder(parse_float=_refuse, parse_constant=_refuse).raw_decode


def _check(body: dict[str, Any]) -> None:
    known = _kind_of(body)
    _check_keys(body.keys(), known)
    if not (_whole(body["v"]) and body["v"] == VERSION and _whole(body["t"])):
        raise NotALeaf("Not version 1, or a time that is no count of microseconds")
    if not (type(body["id"]) is str and _is_event_id.fullmatch(body["id"])):
        raise NotALeaf("The event id is not a UUID of version 7")
    if "q" in body:
        check_request(body["q"])
    if known.extra:
        _check_extra(body["e"], known)
        _check_commitments(body.get("x", {"a": _A_HASH}), ("a",))
        return
    check_policy(body["pv"])
    _check_public(body)
    _check_commitments(body["x"], LABELS)


_A_HASH = "A" * 43


def _kind_of(body: Mapping[str, Any]) -> Kind:
    kind, outcome = body.get("k"), body.get("o")
    known = KINDS.get(kind) if type(kind) is str else None
    if known is None:
        raise NotALeaf("An unknown kind")
    failed = known.outcome == "error" and type(outcome) is str and _is_error(outcome)
    if not failed and (outcome != known.outcome or outcome == "error"):
        raise NotALeaf("The outcome does not fit the kind")
    return known


def _check_keys(keys: Iterable[str], known: Kind) -> None:
    if not known.required <= set(keys) <= known.allowed:
        raise NotALeaf("A key is missing, or one too many")


def _check_public(body: Mapping[str, Any]) -> None:
    """The members that say who asked whom for what; they are strings, or a list of them."""
    for key, matches in (("ap", _is_application), ("c", _is_organisation),
                         ("p", _is_organisation), ("u", _is_code)):  # fmt: skip
        if key in body and not (isinstance(body[key], str) and matches(body[key])):
            raise NotALeaf(f"The value of {key} is no code of its sort")
    if "d" in body:
        sections = body["d"]
        if type(sections) is not list or not 0 < len(sections) <= MAX_SECTIONS:
            raise NotALeaf("Not a list of 1 to 64 sections")
        if not all(isinstance(each, str) and _is_code(each) for each in sections):
            raise NotALeaf("A section that is no code")
        if sections != sorted(set(sections)):
            raise NotALeaf("Sections out of order, or twice")


def _check_extra(extra: Any, known: Kind) -> None:
    if type(extra) is not dict or frozenset(extra) not in known.extra:
        raise NotALeaf("Not the public values of this kind")
    for key, value in extra.items():
        number = _whole(value)
        code = type(value) is str and _is_long_code(value) is not None
        if not (number if key in _NUMBERS else (number or code) if key in _EITHER else code):
            raise NotALeaf(f"The value of {key} is of the wrong sort")


def _check_commitments(commitments: Any, labels: tuple[str, ...]) -> None:
    if type(commitments) is not dict or tuple(commitments) != labels:
        raise NotALeaf("Not the commitments of this kind")
    if not all(type(each) is str and _is_hash(each) for each in commitments.values()):
        raise NotALeaf("A commitment that is no hash in base64url")


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < LIMIT
