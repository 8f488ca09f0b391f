#!/usr/bin/env python3
"""Verify an exported log offline: one file, Python's standard library, nothing of its maker's.

    python -I -S verify.py BUNDLE.odaudit --policy MINE.txt [--checkpoint OLDER.note ...]
        [--receipt RECEIPT.note ...] [--json]

Take this file from the release, not from the bundle. Exit 0: all holds. 1: a contradiction, so
something was tampered with. 2: something could not be verified (incomplete, unknown version,
wrong use); the report says what. 1 beats 2. Every step runs, and none hides another.
"""

import argparse
import hmac
import json
import os
import re
import stat
import sys
import zipfile
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256, sha512
from multiprocessing import get_all_start_methods, get_context
from operator import ge
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

FORMAT = 1
HASH, WIDTH, ID = 32, 256, 16
MOST_INFLATED = 2**31
MOST_NOTE, MOST_SIGNATURES, LONGEST_NAME = 65_536, 100, 255
LIMIT = 2**53
SKEW = 300_000_000
"""Microseconds that the log's clock and a witness's may differ."""
ED25519, COSIGNATURE, ML_DSA_44 = 0x01, 0x04, 0x06
EMPTY_ROOT = sha256(b"").digest()


class Unfit(ValueError):
    """Something that cannot be read as what it should be; the text says why."""


def read_base64(text: str) -> bytes:
    """Standard base64 in its one form: padded, nothing else in it, spare bits zero."""
    try:
        raw = b64decode(text, validate=True)
    except ValueError:
        raise Unfit("not base64") from None
    if b64encode(raw).decode() != text:
        raise Unfit("not the one form of base64")
    return raw


def read_digest(text: str) -> bytes:
    """The 32 bytes in 43 characters of base64url."""
    raw = read_base64(text.translate(_STANDARD) + "=")
    if len(raw) != HASH or "+" in text or "/" in text:
        raise Unfit("not 32 bytes in base64url")
    return raw


_STANDARD = str.maketrans("-_", "+/")


# ---- Findings and report (step 12) ---------------------------------------------------------


class Finding(NamedTuple):
    """One thing that does not hold, at the first entry where it does not.

    `contradicts` tells what was tampered with from what could only not be verified.
    """

    code: str
    at: int | None
    text: str
    contradicts: bool
    times: int


class Findings:
    """Collects findings: of each code and sort the first entry, and how often it was met."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], Finding] = {}

    def add(self, code: str, at: int | None, text: str, *, contradicts: bool = True) -> None:
        """Note one; only the first entry of each code keeps its words."""
        self.take(Finding(code, at, text, contradicts, 1))

    def take(self, new: Finding) -> None:
        """Note what somebody else found."""
        known = self._known.get((new.code, new.contradicts))
        if known is not None:
            later = new.at is None or (known.at is not None and known.at <= new.at)
            new = (known if later else new)._replace(times=known.times + new.times)
        self._known[new.code, new.contradicts] = new

    def all(self) -> tuple[Finding, ...]:
        """Every finding: contradictions first, then by entry."""
        return tuple(
            sorted(
                self._known.values(),
                key=lambda each: (not each.contradicts, -1 if each.at is None else each.at),
            )
        )


class Report(NamedTuple):
    """The outcome of a verification: of which log, up to where, and what was found."""

    origin: str
    size: int
    root: bytes
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0: all holds. 1: something was tampered with. 2: something could not be verified."""
        if any(each.contradicts for each in self.findings):
            return 1
        return 2 if self.findings else 0


# ---- 1 The container ----------------------------------------------------------------------

_NUMBER = r"(?:x\d{3}/)*\d{3}"
_KNOWN_NAMES = re.compile(
    r"manifest\.json|checkpoint|policy\.txt|parts\.jsonl|verify\.py"
    r"|older/\d{1,16}\.note|older/\d{1,16}-\d{1,16}\.proof"
    rf"|tile/(?:\d|entries)/{_NUMBER}(?:\.p/\d{{1,3}})?"
    r"|leaves/\d{1,16}|proofs/\d{1,16}\.tlog-proof"
    r"|evidence/[a-z0-9][A-Za-z0-9._-]{0,99}",
    re.ASCII,
)
_PLAIN_FLAGS = (0, 0x800)


class Bundle:
    """A ZIP whose members have known names, each once, and are plain files. Raises `Unfit`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
            members = self._zip.infolist()
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
            raise Unfit(f"no bundle can be read there ({type(error).__name__})") from None
        self._members = {each.filename: each for each in members}
        if len(self._members) != len(members):
            raise Unfit("a name stands in the bundle twice")
        for each in members:
            _check_member(each)

    def names(self, start: str = "") -> list[str]:
        """The names that begin so."""
        return [name for name in self._members if name.startswith(start)]

    def read(self, name: str) -> bytes | None:
        """The bytes of a member, or nothing when there is none. Raises `Unfit`."""
        if name not in self._members:
            return None
        try:
            with self._zip.open(name) as stream:
                data = stream.read(MOST_INFLATED + 1)
        except Exception as error:  # noqa: BLE001 - whatever a broken ZIP makes its reader raise
            raise Unfit(f"{name} cannot be read ({type(error).__name__})") from None
        if len(data) > MOST_INFLATED:
            raise Unfit(f"{name} is larger than 2^31 bytes")
        return data

    def need(self, name: str) -> bytes:
        """As `read`; a member that is missing is `Unfit` too."""
        data = self.read(name)
        if data is None:
            raise Unfit(f"{name} is missing")
        return data


def _check_member(member: zipfile.ZipInfo) -> None:
    name = member.filename
    if not _KNOWN_NAMES.fullmatch(name):
        raise Unfit("a name that no bundle of this format has")
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG) or member.is_dir():
        raise Unfit(f"{name} is no plain file")
    if member.flag_bits not in _PLAIN_FLAGS or member.file_size > MOST_INFLATED:
        raise Unfit(f"{name} is encrypted, or larger than 2^31 bytes")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Unfit(f"{name} is packed in a way that is not ours")


# ---- 2 Notes and signatures ---------------------------------------------------------------

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]


def _point(encoded: bytes) -> _Point | None:
    """The point in 32 bytes, if that is its one encoding (RFC 8032, section 5.1.3)."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (not x and sign):
        return None
    x = x if x & 1 == sign else _P - x
    return x, y, 1, x * y % _P


def _add(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c, d = 2 * one[3] * other[3] * _D % _P, 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(number: int, point: _Point) -> _Point:
    total: _Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = _add(total, point)
        point, number = _add(point, point), number >> 1
    return total


_BASE = _point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))


def verify_ed25519(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature holds (RFC 8032). False for anything malformed; never raises.

    Strict where libraries differ: S below the group's order, points in their one encoding.
    """
    if len(public) != HASH or len(signature) != 2 * HASH:
        return False
    a, r = _point(public), _point(signature[:HASH])
    s = int.from_bytes(signature[HASH:], "little")
    if a is None or r is None or s >= _L or _BASE is None:
        return False
    digest = sha512(signature[:HASH] + public + message).digest()
    k = int.from_bytes(digest, "little") % _L
    left, right = _times(s, _BASE), _add(r, _times(k, a))
    return not (
        (left[0] * right[2] - right[0] * left[2]) % _P
        or (left[1] * right[2] - right[1] * left[2]) % _P
    )


def verify_ml_dsa(public: bytes, signature: bytes, message: bytes) -> bool | None:
    """Whether an ML-DSA-44 signature holds; nothing where `cryptography` cannot be asked."""
    try:
        from cryptography.hazmat.primitives.asymmetric import mldsa  # noqa: PLC0415 - may be absent
    except ImportError:
        return None
    try:
        mldsa.MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    except Exception as error:  # noqa: BLE001 - a false signature, a key that is none, no support
        return None if type(error).__name__ == "UnsupportedAlgorithm" else False
    return True


class Key(NamedTuple):
    """A key that notes are signed with: its name, and the sort of signature it makes."""

    name: str
    id: bytes
    type: int
    public: bytes


def read_vkey(text: str) -> Key:
    """The key behind `name+id+base64`. Raises `Unfit`, also for an id that is not the key's."""
    name, _, rest = text.partition("+")
    id_text, _, encoded = rest.partition("+")
    raw = read_base64(encoded)
    id = sha256(name.encode() + b"\n" + raw).digest()[:4]
    if not _is_key_name(name) or len(raw) - 1 != _PUBLIC.get(raw[:1]) or id.hex() != id_text:
        raise Unfit("a key of no known sort, or whose id is not its own")
    return Key(name, id, raw[0], raw[1:])


_PUBLIC = {bytes((ED25519,)): 32, bytes((COSIGNATURE,)): 32, bytes((ML_DSA_44,)): 1312}


def _is_key_name(name: str) -> bool:
    """Whether a key may be called so: no blanks, plus signs or control characters."""
    plain = re.search(r"[\s+\x00-\x1f]", name) is None
    return plain and 0 < len(name.encode(errors="replace")) <= LONGEST_NAME


class Note(NamedTuple):
    """A signed note: its text, and every line of signature as (name, key id, bytes)."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]


_has_control = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]").search


def read_note(raw: bytes) -> Note:
    """The parts of a signed note (C2SP signed-note). Raises `Unfit`."""
    try:
        whole = raw.decode()
    except UnicodeDecodeError:
        raise Unfit("a note that is not UTF-8") from None
    text, between, lines = whole.rpartition("\n\n")
    text += "\n"
    if len(raw) > MOST_NOTE or not between or not lines.endswith("\n"):
        raise Unfit("no signed note")
    if _has_control(whole):
        raise Unfit("a control character in a note")
    said = lines[:-1].split("\n")
    if len(said) > MOST_SIGNATURES:
        raise Unfit("more signatures than anybody reads")
    return Note(text, tuple(map(_signature_line, said)))


def _signature_line(line: str) -> tuple[str, bytes, bytes]:
    mark, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    try:
        raw = read_base64(encoded)
    except Unfit:
        raw = b""
    if mark != "\u2014" or not _is_key_name(name) or len(raw) < 5:  # noqa: PLR2004 - id and a byte
        raise Unfit("a line of signature that cannot be read")
    return name, raw[:4], raw[4:]


class Head(NamedTuple):
    """What a checkpoint says: of which log, how many leaves, under which root."""

    origin: str
    size: int
    root: bytes


def read_head(text: str) -> Head:
    """The three lines of a checkpoint. Raises `Unfit`; there are no extension lines."""
    lines = text.split("\n")
    try:
        origin, size, root, end = lines
        encoded = read_base64(root)
    except ValueError:
        raise Unfit("no checkpoint of three lines") from None
    number = re.fullmatch(r"0|[1-9][0-9]{0,18}", size, re.ASCII) is not None and int(size) < 2**63
    if end or not origin or not number or len(encoded) != HASH:
        raise Unfit("no checkpoint of origin, size and root")
    return Head(origin, int(size), encoded)


class Signed(NamedTuple):
    """What a known key signed: whether it holds (nothing: cannot be told), and when."""

    holds: bool | None
    at: int | None = None


def signed_by(note: Note, key: Key) -> list[Signed]:
    """What the note bears of this key: no line, or for each line whether it holds."""
    found = []
    for name, id, signature in note.signatures:
        if name == key.name and id == key.id:
            found.append(_signed(note.text, key, signature))
    return found


def _signed(text: str, key: Key, signature: bytes) -> Signed:
    if key.type == ED25519:
        return Signed(verify_ed25519(key.public, signature, text.encode()))
    at, rest = int.from_bytes(signature[:8], "big"), signature[8:]
    if at >= 2**63:  # no clock shows that
        return Signed(holds=False)
    if key.type == COSIGNATURE:
        said = f"cosignature/v1\ntime {at}\n{text}"
        return Signed(verify_ed25519(key.public, rest, said.encode()), at)
    message = _subtree(text, key, signature[:8])
    return Signed(message is not None and verify_ml_dsa(key.public, rest, message), at)


def _subtree(text: str, key: Key, time: bytes) -> bytes | None:
    """What an ML-DSA key signs; such a key signs checkpoints only."""
    try:
        head = read_head(text)
    except Unfit:
        return None
    origin, name = head.origin.encode(), key.name.encode()
    if max(len(origin), len(name)) > 0xFF:  # noqa: PLR2004 - a length of one byte
        return None
    said = b"subtree/v1\n\x00" + bytes((len(name),)) + name + time
    said += bytes((len(origin),)) + origin + bytes(8) + head.size.to_bytes(8, "big")
    return said + head.root


# ---- 3 The policy and its quorum ------------------------------------------------------------


@dataclass(frozen=True)
class Policy:
    """Whom to believe (C2SP tlog-policy). `groups` maps a name to how many of which members."""

    logs: tuple[Key, ...]
    witnesses: Mapping[str, Key]
    groups: Mapping[str, tuple[int, tuple[str, ...]]]
    quorum: str | None

    def reached(self, cosigned: Iterable[str], name: str | None = None) -> bool:
        """Whether these witnesses make the quorum, or the group of this name."""
        name = self.quorum if name is None else name
        if name is None:
            return True
        if name in self.witnesses:
            return name in cosigned
        least, members = self.groups[name]
        return sum(self.reached(cosigned, each) for each in members) >= least


def read_policy(raw: bytes) -> Policy:
    """The policy in a file. Raises `Unfit`, naming the line."""
    reader = _PolicyReader()
    try:
        lines = raw.decode().split("\n")
    except UnicodeDecodeError:
        raise Unfit("a policy that is not UTF-8") from None
    if len(lines) > MOST_LINES:
        raise Unfit("a policy of too many lines")
    for number, line in enumerate(lines, 1):
        plain = line.strip(" \t")
        if not plain or plain[0] == "#":
            continue
        if _is_broken(plain) or not reader.take(re.split(r"[ \t]+", plain)):
            raise Unfit(f"line {number} of the policy cannot be read")
    if not reader.logs or reader.quorum is None:
        raise Unfit("a policy names a log and has one line of quorum")
    quorum = None if reader.quorum == "none" else reader.quorum
    return Policy(tuple(reader.logs), reader.witnesses, reader.groups, quorum)


MOST_LINES = 10_000
_is_broken = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]").search
_is_count = re.compile(r"[1-9][0-9]{0,3}").fullmatch
_is_address = re.compile(r"(https?://[^\s?#]+)?").fullmatch


class _PolicyReader:
    def __init__(self) -> None:
        self.logs: list[Key] = []
        self.witnesses: dict[str, Key] = {}
        self.groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.quorum: str | None = None
        self._used: set[str] = set()
        self._keys: set[bytes] = set()

    def take(self, words: list[str]) -> bool:
        """Take the words of one line; false when they make none."""
        kind, *rest = words
        takers: dict[str, Callable[..., Any]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }
        try:
            return kind in takers and bool(takers[kind](*rest))
        except (TypeError, ValueError):
            return False

    def _log(self, vkey: str, url: str = "") -> bool:
        self.logs.append(self._key(vkey))
        return bool(_is_address(url))

    def _witness(self, name: str, vkey: str, url: str = "") -> bool:
        key = self.witnesses[self._new(name)] = self._key(vkey)
        return key.type != ED25519 and bool(_is_address(url))

    def _group(self, name: str, least: str, *members: str) -> bool:
        known = self.witnesses.keys() | self.groups.keys()
        fresh = set(members)
        if not members or len(fresh) != len(members) or not fresh <= known - self._used:
            return False
        counts = {"any": 1, "all": len(members)}
        number = counts[least] if least in counts else int(least) if _is_count(least) else 0
        self._used |= fresh
        self.groups[self._new(name)] = number, members
        return 1 <= number <= len(members)

    def _quorum(self, name: str) -> bool:
        known = (
            self.quorum is None and name in {"none"} | self.witnesses.keys() | self.groups.keys()
        )
        self.quorum = name
        return known

    def _new(self, name: str) -> str:
        if name in self.witnesses or name in self.groups or name == "none":
            raise Unfit("a name twice")
        return name

    def _key(self, vkey: str) -> Key:
        key = read_vkey(vkey)
        if key.public in self._keys:
            raise Unfit("a key twice")
        self._keys.add(key.public)
        return key


# ---- 4 Leaves -----------------------------------------------------------------------------

_WHOLE = {
    "permit": "summary.released summary.authorised handover.offered breakglass.used",
    "deny": "summary.refused handover.refused breakglass.refused",
    "ok": "summary.delivered summary.received handover.accepted handover.declined"
    " handover.first_contact handover.closed handover.expired handover.revoked"
    " appointment.booked appointment.moved appointment.cancelled notice.delivered"
    " notice.acknowledged breakglass.requested breakglass.approved breakglass.disclosed",
    "error": "summary.undelivered summary.unavailable notice.undelivered",
}
_PARTLY = {
    "ok": "client.registered client.recognised client.viewed client.corrected client.restricted"
    " client.unrestricted client.objected summary.deposited summary.viewed summary.expired"
    " consent.requested consent.answered consent.given consent.narrowed consent.renewed"
    " consent.withdrawn consent.expired consent.invalidated consent.revoked consent.suspended"
    " consent.resumed disclosure.exported disclosure.recorded audit.inspected audit.exported",
    "deny": "client.refused consent.refused",
}
PERSON_KINDS = {
    kind: (outcome, whole)
    for table, whole in ((_WHOLE, True), (_PARTLY, False))
    for outcome, kinds in table.items()
    for kind in kinds.split()
}
"""The outcome of each kind about a person, and whether it must say who, to whom and for what."""
LOG_KINDS = {
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
_SHAPES = {
    kind: tuple(frozenset(shape.split()) for shape in shapes) for kind, shapes in LOG_KINDS.items()
}
_NUMBERS = frozenset(
    ("epoch", "prev_size", "lost_from", "lost_to", "n", "from", "to", "min", "quar", "rej")
)
OWNING_UP = {"subject.erased": "shredded", "parts.expired": "expired", "parts.lost": "lost"}
"""The kinds that own up to tombstones, and what those tombstones are called."""

_CODE = r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}"
_NAME = r"[A-Za-z0-9._:/+=@-]{1,124}"
_UUID = "[0-9a-f]{{8}}-[0-9a-f]{{4}}-{}[0-9a-f]{{3}}-[89ab][0-9a-f]{{3}}-[0-9a-f]{{12}}"
_DIGEST = "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"
_COUNT = r"(?:0|[1-9][0-9]{0,15})"
# What concerns a person has one form alone: whatever matches is canonical, key for key.
_person = re.compile(
    rf'\{{"ap":"app:{_NAME}",(?P<c>"c":"org:{_NAME}",)?(?:"d":\[(?P<d>"{_CODE}"(?:,"{_CODE}")*)\],)?'
    rf'"id":"(?P<id>{_UUID.format(7)})","k":"(?P<k>[a-z_.]+)","o":"(?P<o>{_CODE})",'
    rf'(?P<p>"p":"org:{_NAME}",)?"pv":"{_DIGEST}","q":"(?P<q>{_UUID.format(4)})","t":(?P<t>{_COUNT}),'
    rf'(?P<u>"u":"{_CODE}",)?"v":1,"x":\{{"a":"{_DIGEST}","s":"{_DIGEST}","y":"{_DIGEST}"\}}\}}',
    re.ASCII,
).fullmatch
_is_code = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,4095}", re.ASCII).fullmatch
_is_event = re.compile(_UUID.format(7)).fullmatch
_is_request = re.compile(_UUID.format(4)).fullmatch
_is_digest = re.compile(_DIGEST).fullmatch
_is_error = re.compile(rf"error:{_CODE}").fullmatch
_is_printable = re.compile(rb"[\x20-\x7e]{1,65535}").fullmatch


class Leaf(NamedTuple):
    """What the checks need of a leaf. `extra`: the public values of a log kind."""

    kind: str
    id: str
    t: int
    request: str
    extra: Mapping[str, Any]


_NOTHING: Mapping[str, Any] = {}


def read_leaf(raw: bytes) -> Leaf:
    """The leaf in these bytes. Raises `Unfit` unless every one is as version 1 prescribes."""
    if not _is_printable(raw):
        raise Unfit("not 1 to 65,535 bytes of printable ASCII")
    found = _person(raw.decode("ascii"))
    if found is None:
        return _log_leaf(raw)
    c, d, id, kind, outcome, p, q, t, u = found.groups()
    expected, whole = PERSON_KINDS.get(kind, ("", False))
    if outcome != expected and not (expected == "error" and _is_error(outcome)):
        raise Unfit("an unknown kind, or an outcome that is not its own")
    if whole and not (c and d and p and u):
        raise Unfit("a kind that must say who asked whom for what, and does not")
    if outcome == "error" or int(t) >= LIMIT:
        raise Unfit("an error without its code, or a time beyond all readers")
    sections = d.split(",") if d else []
    if len(sections) > 64 or any(map(ge, sections, sections[1:])):  # noqa: PLR2004 - the most there may be
        raise Unfit("sections out of order, twice, or more than 64")
    return Leaf(kind, id, int(t), q, _NOTHING)


def canonical(body: Any) -> bytes:
    """RFC 8785 for what leaves and parts hold: text, whole numbers, lists, objects."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read_object(raw: bytes) -> dict[str, Any]:
    """The object in canonical JSON. Raises `Unfit` for anything else."""
    try:
        body = json.loads(raw.decode(), parse_float=_refuse, parse_constant=_refuse)
        if type(body) is not dict or canonical(body) != raw:
            raise Unfit("not the one form of an object")
    except (ValueError, RecursionError, TypeError) as error:
        raise Unfit(str(error) if isinstance(error, Unfit) else "not JSON that we write") from None
    return body


def _refuse(_text: str) -> NoReturn:
    raise Unfit("a number that is no whole number")


def _log_leaf(raw: bytes) -> Leaf:
    body = read_object(raw)
    kind, id, t, request = (body.get(name) for name in ("k", "id", "t", "q"))
    if not isinstance(kind, str) or kind not in _SHAPES:
        known = kind in PERSON_KINDS if isinstance(kind, str) else False
        raise Unfit("not the form of its kind" if known else "an unknown kind")
    if (
        not {"v", "id", "t", "k", "o", "e"}
        <= body.keys()
        <= {"v", "id", "t", "k", "o", "e", "q", "x"}
    ):
        raise Unfit("a key is missing, or one too many")
    whole = _is_whole(body["v"]) and body["v"] == FORMAT and _is_whole(t) and body["o"] == "ok"
    if not whole or not (isinstance(id, str) and _is_event(id)):
        raise Unfit("version, time, outcome or id of another form")
    if "q" in body and not (isinstance(request, str) and _is_request(request)):
        raise Unfit("a request id of another form")
    x = body.get("x", {"a": "A" * 43})
    if (
        type(x) is not dict
        or list(x) != ["a"]
        or not (isinstance(x["a"], str) and _is_digest(x["a"]))
    ):
        raise Unfit("a commitment of another form")
    _check_extra(kind, body["e"])
    return Leaf(kind, id, body["t"], request or "", body["e"])


def _check_extra(kind: str, extra: Any) -> None:
    if type(extra) is not dict or frozenset(extra) not in _SHAPES[kind]:
        raise Unfit("not the public values of its kind")
    for name, value in extra.items():
        code = isinstance(value, str) and _is_code(value) is not None
        whole = _is_whole(value)
        if not (whole if name in _NUMBERS else code or (whole and name == "drop")):
            raise Unfit(f"the value of {name} is of the wrong sort")


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < LIMIT


class SeenIds:
    """Event ids, 16 bytes each, in 256 heaps by their last byte, which is random."""

    def __init__(self) -> None:
        self.heaps = [bytearray() for _ in range(WIDTH)]

    def add(self, event_id: str) -> None:
        """Remember one."""
        raw = bytes.fromhex(event_id.replace("-", ""))
        self.heaps[raw[-1]] += raw

    def merge(self, other: "SeenIds") -> None:
        """Remember those that another remembers."""
        for mine, more in zip(self.heaps, other.heaps, strict=True):
            mine.extend(more)

    def repeated(self) -> Iterator[bytes]:
        """The ids that came more than once; one heap in memory at a time."""
        for heap in self.heaps:
            ids = [bytes(heap[at : at + ID]) for at in range(0, len(heap), ID)]
            if len(set(ids)) < len(ids):
                yield from (raw for raw, times in Counter(ids).items() if times > 1)


class LeafCheck:
    """Form, order and time of leaves in turn, and how many tombstones they own up to."""

    def __init__(self, findings: Findings) -> None:
        self._findings, self.ids = findings, SeenIds()
        self.first_t: int | None = None
        self.last_t = 0
        self.tombstones = dict.fromkeys(OWNING_UP.values(), 0)
        self.pruned: dict[int, str] = {}
        """Of prefixes that were let go: how many entries, and the root over them in hex."""
        self.pending: dict[str, int] = {}
        """Requests that asked a living holder, and have no outcome yet: the entry of each."""

    def take(self, index: int, raw: bytes) -> Leaf | None:
        """The next leaf, or nothing when it cannot be read."""
        try:
            leaf = read_leaf(raw)
        except Unfit as error:
            self._findings.add("leaf", index, f"not a leaf of version 1: {error}")
            return None
        kind, id, t, request, extra = leaf
        if (index == 0) != (kind == "log.opened"):
            self._findings.add("opening", index, "log.opened is the first leaf, and no other is")
        if t < self.last_t:
            self._findings.add("time", index, "earlier than the leaf before it")
        else:
            self.last_t = t
        if self.first_t is None:
            self.first_t = t
        if kind in OWNING_UP:
            self.tombstones[OWNING_UP[kind]] += extra["n"]
        if kind == "log.pruned":
            self.pruned[extra["min"]] = str(extra["root"])
            if not 0 < extra["min"] <= index or extra["min"] % WIDTH:
                self._findings.add("pruned", index, "entries that can not have been pruned yet")
        if kind == "summary.authorised":
            self.pending[request] = index
        elif self.pending and kind.startswith("summary."):
            self.pending.pop(request, None)
        self.ids.add(id)
        return leaf

    def merge(self, later: "LeafCheck", start: int) -> None:
        """Go on with what was found of the leaves that follow, from `start` on."""
        if later.first_t is not None and later.first_t < self.last_t:
            self._findings.add("time", start, "earlier than the leaf before it")
        self.first_t = later.first_t if self.first_t is None else self.first_t
        self.last_t = max(self.last_t, later.last_t)
        for state, n in later.tombstones.items():
            self.tombstones[state] += n
        self.pruned |= later.pruned
        self.pending |= later.pending
        self.ids.merge(later.ids)


# ---- 5 The tree ---------------------------------------------------------------------------


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of one entry's bytes (RFC 6962, section 2.1)."""
    return sha256(b"\x00" + leaf).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    level = list(hashes)
    while len(level) > 1:
        level = [
            sha256(b"\x01" + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=True)
        ]
    return level[0]


def root_of(peaks: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees, the largest first."""
    if not peaks:
        return EMPTY_ROOT
    digest = peaks[-1]
    for left in reversed(peaks[:-1]):
        digest = sha256(b"\x01" + left + digest).digest()
    return digest


def peaks_of(hashes: Sequence[bytes]) -> list[bytes]:
    """The roots of the perfect subtrees over these hashes, the largest first."""
    peaks, start = [], 0
    for bit in range(len(hashes).bit_length() - 1, -1, -1):
        if len(hashes) >> bit & 1:
            peaks.append(perfect_root(hashes[start : start + (1 << bit)]))
            start += 1 << bit
    return peaks


def included(index: int, size: int, digest: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows this leaf hash at `index` (RFC 6962, section 2.1.1)."""
    if not 0 <= index < size:
        return False
    number, last = index, size - 1
    for sibling in proof:
        if not last:
            return False
        if number & 1 or number == last:
            digest = sha256(b"\x01" + sibling + digest).digest()
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            digest = sha256(b"\x01" + digest + sibling).digest()
        number, last = number >> 1, last >> 1
    return not last and digest == root


def consistent(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the proof shows that the new tree begins with the old (section 2.1.2)."""
    if not 0 < old <= new:
        return False
    if old == new or not proof:
        return old == new and not proof and old_root == new_root
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    one = other = path[0]
    for sibling in path[1:]:
        if not last:
            return False
        if number & 1 or number == last:
            one = sha256(b"\x01" + sibling + one).digest()
            other = sha256(b"\x01" + sibling + other).digest()
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            other = sha256(b"\x01" + other + sibling).digest()
        number, last = number >> 1, last >> 1
    return not last and (one, other) == (old_root, new_root)


def tile_name(level: int | str, n: int, width: int) -> str:
    """The place of a tile, or of a bundle of entries (C2SP tlog-tiles)."""
    text = f"{n:03d}"
    text = text.zfill(-(-len(text) // 3) * 3)
    groups = [text[at : at + 3] for at in range(0, len(text), 3)]
    path = "/".join([f"x{each}" for each in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{path}" + ("" if width == WIDTH else f".p/{width}")


def width_of(size: int, level: int, n: int) -> int:
    """How many hashes the tile has in a tree of this size."""
    return max(0, min(WIDTH, (size >> 8 * level) - n * WIDTH))


class Tiles:
    """The tiles of a bundle for one size of the tree. Raises `Unfit` for one that is missing."""

    def __init__(self, bundle: Bundle, size: int) -> None:
        self._bundle, self.size = bundle, size

    def hashes(self, level: int, n: int) -> list[bytes]:
        """The hashes of one tile, each of 32 bytes."""
        width = width_of(self.size, level, n)
        data = self._bundle.need(tile_name(level, n, width))
        if len(data) != width * HASH:
            raise Unfit(f"tile {level}/{n} has not the bytes of {width} hashes")
        return [data[at : at + HASH] for at in range(0, len(data), HASH)]

    def entries(self, n: int) -> list[bytes]:
        """The leaves of one bundle of entries."""
        width = width_of(self.size, 0, n)
        data, leaves, at = self._bundle.need(tile_name("entries", n, width)), [], 0
        while at + 2 <= len(data):
            end = at + 2 + (data[at] << 8 | data[at + 1])
            leaves.append(data[at + 2 : end])
            at = end
        if at != len(data) or len(leaves) != width:
            raise Unfit(f"the entries of tile {n} are not framed as {width} leaves")
        return leaves

    def root_at(self, size: int) -> bytes:
        """The root that the tree had at an earlier size, or has now."""
        peaks: list[bytes] = []
        level = (size.bit_length() - 1) // 8 if size else -1
        for each in range(level, -1, -1):
            count = size >> 8 * each
            if width := count % WIDTH:
                peaks += peaks_of(self.hashes(each, count // WIDTH)[:width])
        return root_of(peaks)


class Segment(NamedTuple):
    """What one process found in its share of the leaves."""

    start: int
    findings: tuple[Finding, ...]
    leaves: LeafCheck


def check_segment(path: Path, size: int, first: int, last: int) -> Segment:
    """Frame, read and hash the leaves of the tiles `[first, last)`, under one tile of level 1."""
    findings = Findings()
    leaves, tiles = LeafCheck(findings), Tiles(Bundle(path), size)
    above: list[bytes] = []
    try:
        above = tiles.hashes(1, first // WIDTH) if size >= WIDTH else []
    except Unfit as error:
        findings.add("tile", first * WIDTH, str(error), contradicts=False)
    for n in range(first, last):
        try:
            raw, hashes = tiles.entries(n), tiles.hashes(0, n)
        except Unfit as error:
            findings.add("tile", n * WIDTH, str(error), contradicts=False)
            continue
        for index, leaf in enumerate(raw, n * WIDTH):
            leaves.take(index, leaf)
        made = [sha256(b"\x00" + leaf).digest() for leaf in raw]
        if made != hashes:
            wrong = next(
                at for at, pair in enumerate(zip(made, hashes, strict=True)) if pair[0] != pair[1]
            )
            findings.add("tile", n * WIDTH + wrong, f"tile 0/{n} is not the hash of its leaves")
        elif len(hashes) == WIDTH and above and perfect_root(hashes) != above[n % WIDTH]:
            findings.add("tile", n * WIDTH, f"tile 1/{n // WIDTH} is not the hash of tile 0/{n}")
    return Segment(first * WIDTH, findings.all(), leaves)


# ---- The twelve steps -----------------------------------------------------------------------


@dataclass
class Run:
    """What the steps hand on to each other."""

    path: Path
    policy_raw: bytes | None
    older_raw: Sequence[bytes]
    receipts_raw: Sequence[bytes] = ()
    findings: Findings = field(default_factory=Findings)
    notes: list[str] = field(default_factory=list)
    bundle: Any = None
    manifest: dict[str, Any] = field(default_factory=dict)
    policy: Policy | None = None
    note: Note | None = None
    head: Head | None = None
    cosigned: dict[str, int] = field(default_factory=dict)
    heads: list[tuple[Head, Sequence[int]]] = field(default_factory=list)
    """Every signed head, with the times at which witnesses saw it."""
    leaves: LeafCheck | None = None
    parts: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)
    texts: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    _held: tuple[int, list[bytes]] = (-1, [])

    @property
    def ranged(self) -> bool:
        return bool(self.manifest.get("mode") == "range")

    @property
    def whole(self) -> bool:
        """Whether the bundle holds every leaf there is."""
        return self.ranged and self.manifest["from"] == 0 and self.manifest["to"] == self.size

    @property
    def size(self) -> int:
        return self.head.size if self.head else int(self.manifest.get("size", 0))

    @property
    def tiles(self) -> Tiles:
        return Tiles(self.bundle, self.size)

    def span(self) -> tuple[int, int]:
        """The tiles of the range: first, and one past the last."""
        if not self.ranged:
            return 0, 0
        return self.manifest["from"] // WIDTH, -(-min(self.manifest["to"], self.size) // WIDTH)

    def leaf(self, index: int) -> bytes | None:
        """The leaf at an index, if the bundle holds it."""
        first, last = self.span()
        if first <= index // WIDTH < last and index < self.size:
            if self._held[0] != index // WIDTH:
                self._held = index // WIDTH, self.tiles.entries(index // WIDTH)
            return self._held[1][index % WIDTH]
        found: bytes | None = self.bundle.read(f"leaves/{index}")
        return found

    def missing(self, code: str, text: str, at: int | None = None) -> None:
        self.findings.add(code, at, text, contradicts=False)


_MANIFEST = {"format", "origin", "mode", "from", "to", "size", "root", "filters", "tool"}


def open_container(run: Run) -> None:
    """1. The container: names, sizes, and what the manifest says is inside."""
    run.bundle = Bundle(run.path)
    manifest = read_object(run.bundle.need("manifest.json"))
    if manifest.get("format") != FORMAT:
        raise Unfit("a bundle of another format; take a newer verify.py")
    numbers = all(_is_whole(manifest.get(name)) for name in ("from", "to", "size"))
    texts = all(isinstance(manifest.get(name), str) for name in ("origin", "root", "tool"))
    if (
        manifest.keys() != _MANIFEST
        or not numbers
        or not texts
        or type(manifest["filters"]) is not dict
    ):
        raise Unfit("a manifest of another form")
    if (
        manifest["mode"] not in ("range", "filtered")
        or not manifest["from"] <= manifest["to"] <= manifest["size"]
    ):
        raise Unfit("a manifest whose mode or range is none")
    run.manifest = manifest
    for name in run.bundle.names("evidence/notice-"):
        digest = name.removeprefix("evidence/notice-").partition(".")[0]
        if sha256(run.bundle.need(name)).hexdigest() != digest:
            run.findings.add("evidence", None, "a notice that is not the text its name says")


def check_note(run: Run) -> None:
    """2. The checkpoint, signed by the log's own key."""
    if run.policy_raw is None:
        run.missing(
            "policy", "the keys come out of the bundle itself; bring your own: --policy FILE"
        )
    run.policy = read_policy(
        run.bundle.need("policy.txt") if run.policy_raw is None else run.policy_raw
    )
    note = read_note(run.bundle.need("checkpoint"))
    run.note, run.head = note, read_head(note.text)
    if run.head.origin != run.manifest.get("origin") or run.head.size != run.manifest.get("size"):
        run.findings.add("manifest", None, "origin or size are not those of the checkpoint")
    if run.head.root.hex() != run.manifest.get("root"):
        run.findings.add("manifest", None, "the root is not that of the checkpoint")
    _check_log_signature(run, note, run.head, "the checkpoint")


def _check_log_signature(run: Run, note: Note, head: Head, what: str) -> bool:
    """Whether a key of the log signed it; a false signature of a known key is a finding."""
    keys = run.policy.logs if run.policy else ()
    signed = [
        (key, each) for key in keys if key.name == head.origin for each in signed_by(note, key)
    ]
    if any(each.holds is False for _, each in signed):
        run.findings.add("signature", None, f"the log's signature on {what} is false")
        return False
    if not any(key.type == ED25519 and each.holds for key, each in signed):
        run.missing("signature", f"{what} bears no signature of a log key that the policy names")
        return False
    return True


def check_quorum(run: Run) -> None:
    """3. Enough witnesses have cosigned the checkpoint."""
    if run.note is None or run.head is None or run.policy is None:
        raise Unfit("without checkpoint or policy no cosignature can be counted")
    run.cosigned = _cosigned(run, run.note)
    run.heads.append((run.head, tuple(run.cosigned.values())))
    if not run.policy.reached(run.cosigned):
        run.missing("quorum", "fewer witnesses than the policy asks for have cosigned")


def _cosigned(run: Run, note: Note) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, key in (run.policy.witnesses if run.policy else {}).items():
        for each in signed_by(note, key):
            if each.holds is False:
                run.findings.add("cosignature", None, f"the cosignature of {name} is false")
            elif each.holds is None:
                run.notes.append(f"the cosignature of {name} was not checked: needs `cryptography`")
            elif each.at is not None:
                found[name] = each.at
    return found


def check_leaves(run: Run) -> None:
    """4. Every leaf: framing, hash, form, order; ids once."""
    run.leaves = LeafCheck(run.findings)
    first, last = run.span()
    for segment in _segments(run, first, last):
        for each in segment.findings:
            run.findings.take(each)
        run.leaves.merge(segment.leaves, segment.start)
    last_t = 0
    for index in sorted(int(name.rpartition("/")[2]) for name in run.bundle.names("leaves/")):
        apart = LeafCheck(run.findings)
        leaf = apart.take(index, run.bundle.need(f"leaves/{index}"))
        if leaf is not None and leaf.t < last_t:
            run.findings.add("time", index, "earlier than a leaf before it")
        last_t = max(last_t, apart.last_t)
        run.leaves.ids.merge(apart.ids)
        for state, n in apart.tombstones.items():
            run.leaves.tombstones[state] += n
        run.leaves.pruned |= apart.pruned
        if first <= index // WIDTH < last:
            run.findings.add("container", index, "a leaf that stands in the range as well")
    for raw in run.leaves.ids.repeated():
        run.findings.add("id", None, f"the event id {raw.hex()} comes twice")


def _bundles(run: Run) -> set[int]:
    """The numbers of the bundles of entries that are there, whatever their widths."""
    paths = (name.removeprefix("tile/entries/") for name in run.bundle.names("tile/entries/"))
    digits = (re.sub("[x/]", "", path.partition(".p/")[0]) for path in paths)
    return {int(each) for each in digits if len(each) <= len(str(LIMIT)) + 2}


def _segments(run: Run, first: int, last: int) -> Iterator[Segment]:
    starts = sorted({max(first, n // WIDTH * WIDTH) for n in _bundles(run) if first <= n < last})
    # Size and range are only claimed as yet: the work is bounded by what the bundle holds.
    shares = -(-last // WIDTH) - first // WIDTH
    if len(starts) < shares:
        run.missing("tile", f"the entries of {shares - len(starts)} tiles of level 1 are missing")
    jobs = [(run.path, run.size, at, min(last, (at // WIDTH + 1) * WIDTH)) for at in starts]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if len(jobs) < 2 or cores < 2 or "fork" not in get_all_start_methods():  # noqa: PLR2004 - one alone
        yield from (check_segment(*job) for job in jobs)
        return
    with ProcessPoolExecutor(cores, mp_context=get_context("fork")) as pool:
        yield from pool.map(check_segment, *zip(*jobs, strict=True))


def check_tree(run: Run) -> None:
    """5. Tiles up to the root that was signed; or each leaf by its proof."""
    claimed = run.head.root if run.head else bytes.fromhex(run.manifest["root"])
    if not run.ranged:
        _check_proofs(run, claimed)
        return
    level = 1
    while run.size >> 8 * (level + 1):
        above, count = run.tiles, run.size >> 8 * (level + 1)
        for n in range(count):
            if (
                perfect_root(above.hashes(level, n))
                != above.hashes(level + 1, n // WIDTH)[n % WIDTH]
            ):
                at = n << 8 * (level + 1)
                run.findings.add(
                    "tile", at, f"tile {level + 1}/{n // WIDTH} is not the hash of those below"
                )
        level += 1
    if run.tiles.root_at(run.size) != claimed:
        run.findings.add("root", None, "the tiles do not lead to the root that was signed")
    _check_proofs(run, claimed)
    _check_pruned(run)


def _check_pruned(run: Run) -> None:
    """What was let go at the beginning is what the tiles above it still say it was."""
    pruned = run.leaves.pruned if run.leaves else {}
    for size, root in pruned.items():
        if run.tiles.root_at(size).hex() != root:
            words = f"the first {size} entries are not those that are said to be pruned"
            run.findings.add("pruned", 0, words)
    if pruned:
        run.notes.append(f"the log says of its first {max(pruned)} entries that they were pruned")


def _check_proofs(run: Run, root: bytes) -> None:
    apart = {int(name.rpartition("/")[2]) for name in run.bundle.names("leaves/")}
    proven = {
        int(name.rpartition("/")[2].partition(".")[0]) for name in run.bundle.names("proofs/")
    }
    checkpoint = run.bundle.read("checkpoint")
    for index in sorted(apart | proven):
        leaf, proof = (
            run.bundle.read(f"leaves/{index}"),
            run.bundle.read(f"proofs/{index}.tlog-proof"),
        )
        if leaf is None or proof is None:
            run.missing("proof", "a leaf without its proof, or a proof without its leaf", index)
            continue
        try:
            stated, path, note = read_proof(proof)
        except Unfit as error:
            run.missing("proof", f"a proof that cannot be read: {error}", index)
            continue
        if note != checkpoint:
            run.missing("proof", "a proof that is not made for the bundle's checkpoint", index)
        if stated != index:
            run.findings.add("proof", index, "a proof for another leaf")
        elif not included(index, run.size, leaf_hash(leaf), path, root):
            run.findings.add("proof", index, "this leaf is not in the tree that was signed")


def read_proof(raw: bytes) -> tuple[int, list[bytes], bytes]:
    """Index, path and checkpoint of a C2SP tlog-proof. Raises `Unfit`."""
    top, _, rest = raw.partition(b"\n\n")
    try:
        version, index, *path = top.decode("ascii").split("\n")
        hashes = [read_base64(each) for each in path]
        number = re.fullmatch(r"index (0|[1-9][0-9]{0,15})", index)
    except ValueError:
        raise Unfit("not its form") from None
    if (
        version != "c2sp.org/tlog-proof@v1"
        or number is None
        or any(len(each) != HASH for each in hashes)
    ):
        raise Unfit("not its form")
    return int(number[1]), hashes, rest


def check_older(run: Run) -> None:
    """6. Consistency with every earlier head: the auditor's own first, then the bundle's."""
    for raw in run.older_raw:
        _check_head(run, raw, "your older checkpoint", ours=False)
    for name in sorted(run.bundle.names("older/")):
        if name.endswith(".note"):
            _check_head(run, run.bundle.need(name), name, ours=True)


def _check_head(run: Run, raw: bytes, what: str, *, ours: bool) -> None:
    try:
        note = read_note(raw)
        head = read_head(note.text)
    except Unfit as error:
        run.missing("consistency", f"{what} cannot be read: {error}")
        return
    if run.head is None:
        run.missing("consistency", f"{what} has nothing to be compared with")
        return
    if head.origin != run.head.origin:
        run.findings.add("consistency", None, f"{what} is of another log", contradicts=ours)
        return
    if not _check_log_signature(run, note, head, what):
        return
    run.heads.append((head, tuple(_cosigned(run, note).values())))
    if head.size > run.head.size:
        run.missing("consistency", f"{what} is of a longer log; ask for a newer bundle")
    elif head.size == run.head.size or not head.size:
        if head.root != (run.head.root if head.size else EMPTY_ROOT):
            run.findings.add("consistency", head.size, f"{what} has another root at the same size")
    else:
        _check_consistency(run, head, run.head, what)


def _check_consistency(run: Run, old: Head, new: Head, what: str) -> None:
    proof = run.bundle.read(f"older/{old.size}-{new.size}.proof")
    if proof is not None:
        try:
            path = [read_base64(each) for each in proof.decode("ascii").split("\n")[:-1]]
        except ValueError:
            path = []
        holds = all(len(each) == HASH for each in path)
        if not (holds and consistent(old.size, new.size, old.root, new.root, path)):
            words = f"no proof that the log still begins with {what}"
            run.findings.add("consistency", None, words)
        return
    try:
        same = run.ranged and run.tiles.root_at(old.size) == old.root
    except Unfit:
        same = False
    if not same:
        contradicts = run.ranged and (not old.size % WIDTH or _holds_tile(run, old.size // WIDTH))
        words = f"the log does not begin with {what}" if contradicts else f"nothing proves {what}"
        run.findings.add("consistency", None, words, contradicts=contradicts)


def _holds_tile(run: Run, n: int) -> bool:
    return bool(run.bundle.read(tile_name(0, n, width_of(run.size, 0, n))))


_STATES = ("shredded", "expired", "lost", "withheld")


def check_parts(run: Run) -> None:
    """7. Every disclosed part against the commitment in its leaf."""
    raw = run.bundle.read("parts.jsonl") or b""
    lines = raw.split(b"\n")
    if lines.pop():
        run.missing("part", "the last part is cut off")
    before: tuple[Any, Any] = (-1, "")
    for line in lines:
        part = read_object(line)
        place: tuple[Any, Any] = (part.get("i"), part.get("l"))
        shown = part.keys() == {"i", "l", "salt", "pt"}
        gone = part.keys() == {"i", "l", "state"} and part["state"] in _STATES
        if not (_is_whole(place[0]) and place[1] in ("a", "s", "y") and (shown or gone)):
            raise Unfit("a part of another form")
        if place <= before:
            run.findings.add("part", place[0], "a part twice, or out of order")
        before = place
        run.parts[place] = part
        if shown:
            _check_part(run, *place, part)


def _check_part(run: Run, index: int, label: str, part: Mapping[str, Any]) -> None:
    leaf = run.leaf(index)
    if leaf is None:
        run.missing("part", "a part of a leaf that is not in the bundle", index)
        return
    try:
        body = read_object(leaf)
        event_id = bytes.fromhex(body["id"].replace("-", ""))
        committed = read_digest(body["x"][label])
        salt, text = read_digest(part["salt"]), part["pt"].encode()
        said = read_object(text)
    except (ValueError, KeyError, TypeError, AttributeError):
        run.findings.add("part", index, f"part {label} fits no commitment")
        return
    made = sha256(
        b"overdracht-audit-part-v1\x00" + label.encode() + b"\x00" + event_id + salt + text
    )
    if not hmac.compare_digest(made.digest(), committed):
        run.findings.add("part", index, f"part {label} is not what the leaf commits to")
        return
    run.texts.append((index, label, said))


def check_evidence(run: Run) -> None:
    """7. Documents against the hashes in the last entry that says they were exported."""
    filters = run.manifest["filters"]
    held = {name.removeprefix("evidence/") for name in run.bundle.names("evidence/")}
    if not held and "handover" not in filters:
        return
    named: dict[str, Any] = {}
    for index, label, said in run.texts:
        told = said.get("evidence") if label == "y" else None
        leaf = run.leaf(index) if type(told) is dict else None
        if leaf is not None and read_leaf(leaf).kind == "disclosure.exported":
            named = told if told and said.get("handover") == filters.get("handover") else named
    for name in sorted(held | named.keys()):
        if name not in held:
            run.missing("evidence", f"the document {name!a}, which was exported, is not here")
        elif name not in named:
            run.missing("evidence", f"{name} is not verified: no entry in the bundle names it")
        elif sha256(run.bundle.need(f"evidence/{name}")).hexdigest() != named[name]:
            run.missing("evidence", f"{name} is not verified: it is not what the entry names")


def check_numbers(run: Run) -> None:
    """8. The entries of each person disclosed are numbered without a gap.

    Where the first of them have expired, from the first on that is kept.
    """
    counted: Counter[tuple[str, str]] = Counter()
    begun: dict[tuple[str, str], int] = {}
    gap: int | None = None
    spare, gone = _expired_numbers(run), 0
    for index, label, said in run.texts:
        client, number = said.get("client"), said.get("sn", -1)
        if label != "s" or client is None:
            continue
        series = str(client), str(said.get("ser", ""))
        if not _is_whole(number) or not number > counted[series]:
            run.findings.add("number", index, "a number of a person twice, or out of order")
            continue
        skipped = number - counted[series] - 1
        if skipped and series not in counted and skipped <= spare:
            spare, gone = spare - skipped, gone + skipped
        elif skipped and gap is None:
            gap = index
        begun.setdefault(series, number)
        counted[series] = number
    if counted and gap is None:
        told = ", ".join(str(number) for number in counted.values())
        persons = len({client for client, _ in counted})
        run.notes.append(f"numbered without a gap: {told} entries of {persons} person(s)")
        if gone:
            run.notes.append(f"the first {gone} of these have expired, which the log owns up to")
        if gone and run.leaves and run.leaves.pruned:
            since = ", ".join(str(number) for number in begun.values())
            run.notes.append(
                f"complete from number {since} on: the log was pruned, and what it no longer holds"
                " of these persons can not be told from what was hidden"
            )
    if "client" in run.manifest["filters"] and (gap is not None or not counted):
        run.missing("number", "entries of this person are missing: the record is not complete", gap)
    elif (
        gap is not None
        and run.whole
        and not any(label == "s" and "state" in each for (_, label), each in run.parts.items())
    ):
        run.missing("number", "not every entry of a person who is disclosed is disclosed", gap)
    if not run.ranged and "client" not in run.manifest["filters"]:
        run.notes.append("a selection: that nothing was left out of it is not proven")


def _expired_numbers(run: Run) -> int:
    """How many numbers can be gone at most: as many as the log owns up to, or as are shown.

    Of entries that were pruned, each can have had one.
    """
    shown = sum(
        label == "s" and each.get("state") == "expired" for (_, label), each in run.parts.items()
    )
    owned = 0
    if run.leaves:
        owned = run.leaves.tombstones["expired"] + max(run.leaves.pruned, default=0)
    return shown if run.whole else owned


def check_balance(run: Run) -> None:
    """9. Tombstones are owned up to: erased, expired, lost, and nothing besides."""
    if run.leaves is None:
        raise Unfit("without leaves no tombstone can be balanced")
    shown = Counter(str(each["state"]) for each in run.parts.values() if "state" in each)
    for state, owned in run.leaves.tombstones.items():
        if shown[state] > owned or (run.whole and shown[state] != owned):
            words = f"{shown[state]} parts are {state}, and {owned} are owned up to"
            run.findings.add("balance", None, words, contradicts=run.whole)
    if run.whole:
        _check_expired(run)


def _check_expired(run: Run) -> None:
    """Numbers expire in order: called so for one person's sake, they leave older ones standing."""
    states = {
        index: each.get("state", "shown")
        for (index, label), each in run.parts.items()
        if label == "s"
    }
    gone = {index for index, state in states.items() if state not in ("shown", "withheld")}
    expired = (index for index in gone if states[index] == "expired")
    for index in range(min(run.size, max(expired, default=0))):
        leaf = run.leaf(index) if index not in gone else None
        if leaf is not None and read_leaf(leaf).kind in PERSON_KINDS:
            words = "a number is kept, and a later one has expired"
            run.findings.add("balance", index, words)
            return


def check_times(run: Run) -> None:
    """10. Times against those at which witnesses saw the log, give or take five minutes."""
    for head, seen in run.heads:
        for index in _round(run, head.size):
            raw = run.leaf(index)
            try:
                t = read_leaf(raw).t if raw is not None else None
            except Unfit:
                t = None
            for at in seen if t is not None else ():
                if t is not None and index < head.size and t > at * 1_000_000 + SKEW:
                    run.findings.add("dated", index, "dated after a witness had seen it")
                if t is not None and index >= head.size and t < at * 1_000_000 - SKEW:
                    run.findings.add(
                        "dated", index, "dated before a witness had seen the log without it"
                    )


def _round(run: Run, size: int) -> list[int]:
    """The entries that matter: in a range those on both sides of a head, since times only grow."""
    apart = [int(name.rpartition("/")[2]) for name in run.bundle.names("leaves/")]
    return apart + [each for each in (size - 1, size) if run.ranged and 0 <= each < run.size]


class Withdrawals:
    """Whether a release rests on a consent, or a grant of it, that was withdrawn before."""

    def __init__(self) -> None:
        self._ended: dict[str, set[str] | None] = {}

    def take(self, kind: str, said: Mapping[str, Any]) -> bool:
        """The next part y; false when it tells of a release after its withdrawal."""
        consent = said.get("consent")
        if kind == "consent.withdrawn" and isinstance(consent, str):
            self._ended[consent] = None
        if kind == "consent.narrowed" and isinstance(consent, str):
            ended = self._ended.setdefault(consent, set())
            if ended is not None:
                ended |= set(said.get("grants") or ())
        consents = said.get("consents") or ()
        if kind not in ("summary.released", "summary.authorised") or not isinstance(consents, list):
            return True
        grants = set(said.get("grants") or ())
        whole = any(each in self._ended and self._ended[each] is None for each in consents)
        ended = self._ended.get(consents[0]) if len(consents) == 1 else None
        return not whole and not (ended and grants & ended)


def check_rules(run: Run) -> None:
    """11. What kinds say of each other: no release after its withdrawal; asked, and answered."""
    withdrawals = Withdrawals()
    for index, label, said in run.texts:
        if label == "y":
            leaf = run.leaf(index)
            if leaf is not None and not withdrawals.take(read_leaf(leaf).kind, said):
                run.findings.add(
                    "withdrawn", index, "a release after the withdrawal of its consent"
                )
    for index in sorted(run.leaves.pending.values() if run.leaves else ()):
        run.notes.append(
            f"entry {index} asked a holder and has no outcome: a crash, or still waiting"
        )


class Receipt(NamedTuple):
    """The log's word on one entry: where, which, when (µs), and how soon a head must cover it."""

    origin: str
    index: int  # type: ignore[assignment]  # nobody looks a value up in a Receipt
    leaf_hash: bytes
    t: int
    within: int


_RECEIPT = re.compile(
    r"overdracht-audit-receipt/v1\n([^\n]+)\n(0|[1-9][0-9]{0,15})\n([^\n]+)\n"
    r"(0|[1-9][0-9]{0,15})\n(0|[1-9][0-9]{0,15})\n"
).fullmatch


def read_receipt(text: str) -> Receipt:
    """The six lines of a receipt. Raises `Unfit`."""
    found = _RECEIPT(text)
    digest = read_base64(found[3]) if found else b""
    if found is None or len(digest) != HASH:
        raise Unfit("no receipt of six lines")
    return Receipt(found[1], int(found[2]), digest, int(found[4]), int(found[5]))


def check_receipts(run: Run) -> None:
    """The receipts that were brought: each entry that was promised stands where it was promised."""
    for raw in run.receipts_raw:
        try:
            note = read_note(raw)
            receipt = read_receipt(note.text)
        except Unfit as error:
            run.missing("receipt", f"a receipt that cannot be read: {error}")
            continue
        name = f"{receipt.origin}/receipt"
        keys = [key for key in (run.policy.logs if run.policy else ()) if key.name == name]
        signed = [(key, each) for key in keys for each in signed_by(note, key)]
        if run.head is None or receipt.origin != run.head.origin:
            run.missing("receipt", "a receipt of another log", receipt.index)
        elif not signed or not all(key.type == ED25519 and each.holds for key, each in signed):
            # Anybody can write one that accuses the log; so it proves nothing.
            run.missing("receipt", "a receipt without the signature of a key in the policy")
        else:
            _check_receipt(run, receipt, run.head)


def _check_receipt(run: Run, receipt: Receipt, head: Head) -> None:
    if receipt.index >= head.size:
        due = receipt.t + receipt.within * 1_000_000 + SKEW
        if any(at * 1_000_000 > due for at in run.cosigned.values()):
            words = "promised, and not in a head that was signed when it had to be"
            run.findings.add("receipt", receipt.index, words)
        else:
            run.missing("receipt", "promised for later; ask for a newer bundle", receipt.index)
        return
    leaf = run.leaf(receipt.index)
    if leaf is None:
        run.missing("receipt", "the entry of a receipt is not in the bundle", receipt.index)
    elif leaf_hash(leaf) != receipt.leaf_hash:
        run.findings.add("receipt", receipt.index, "another entry than the one that was promised")


STEPS: tuple[tuple[str, Callable[[Run], None]], ...] = (
    ("container", open_container),
    ("note", check_note),
    ("quorum", check_quorum),
    ("leaf", check_leaves),
    ("tile", check_tree),
    ("consistency", check_older),
    ("part", check_parts),
    ("evidence", check_evidence),
    ("number", check_numbers),
    ("balance", check_balance),
    ("dated", check_times),
    ("rules", check_rules),
    ("receipt", check_receipts),
)


def verify_bundle(
    path: Path,
    policy: bytes | None,
    older: Sequence[bytes] = (),
    receipts: Sequence[bytes] = (),
) -> Report:
    """Run every step on the bundle at `path`. Never raises: what fails is a finding."""
    run = Run(path, policy, older, receipts)
    for name, step in STEPS:
        try:
            step(run)
        except Unfit as error:
            run.missing(name, str(error))
        except Exception as error:  # noqa: BLE001 - no bundle may silence the steps that follow
            run.missing(name, f"could not be verified ({type(error).__name__})")
        if name == "container" and not run.manifest:
            break
    origin = run.head.origin if run.head else str(run.manifest.get("origin", ""))
    root = run.head.root if run.head else b""
    return Report(origin, run.size, root, run.findings.all(), tuple(run.notes))


# ---- 12 The report ---------------------------------------------------------------------------

VERDICTS = {
    0: "All of it holds.",
    1: "It does not hold: something was tampered with. Keep the bundle as it is.",
    2: "Not all of it could be verified; the lines above say what is missing.",
}


def report_lines(report: Report) -> Iterator[str]:
    """The report in words: what was verified, what was found, the verdict."""
    yield f"{report.origin}: {report.size} entries, root {report.root.hex() or 'unknown'}"
    for each in report.findings:
        where = "" if each.at is None else f"entry {each.at}: "
        times = "" if each.times == 1 else f" ({each.times} times)"
        mark = "TAMPERED" if each.contradicts else "missing"
        yield f"{mark}  {where}{each.code}: {each.text}{times}"
    yield from report.notes
    yield VERDICTS[report.exit_code]


def report_document(report: Report) -> dict[str, Any]:
    """The report as one JSON document."""
    return {
        "origin": report.origin,
        "size": report.size,
        "root": report.root.hex(),
        "findings": [each._asdict() for each in report.findings],
        "notes": list(report.notes),
        "exit": report.exit_code,
    }


def main(arguments: Sequence[str]) -> int:
    """The command line; gives back the exit code."""
    parser = argparse.ArgumentParser(description="Verify an exported log, offline.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--policy", type=Path, help="the keys that you trust (C2SP tlog-policy)")
    parser.add_argument(
        "--checkpoint", type=Path, action="append", default=[], help="an older note"
    )
    parser.add_argument(
        "--receipt", type=Path, action="append", default=[], help="what the log promised you"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args(arguments)
    try:
        policy = asked.policy.read_bytes() if asked.policy else None
        older = [path.read_bytes() for path in asked.checkpoint]
        receipts = [path.read_bytes() for path in asked.receipt]
    except OSError as error:
        sys.stderr.write(f"{error.filename} cannot be read\n")
        return 2
    report = verify_bundle(asked.bundle, policy, older, receipts)
    said = json.dumps(report_document(report)) if asked.json else "\n".join(report_lines(report))
    sys.stdout.write(f"{said}\n")
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
