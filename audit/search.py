"""Find entries: who, about whom, what, when, why, with which outcome (audit-log.md, section 15).

The index is derived from leaves and parts, written with them, and erasable; what it finds is
read from the log itself, and every answer says as of which size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import loads
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, or_, select, text, true
from sqlmodel import col

from audit import records
from audit.leaf import WITHHOLD_PROVIDER
from audit.opening import KeyNotAtHand, PartGone, PartKeys, open_part
from audit.parts import PartChanged
from audit.records import AuditEntry, AuditIndex, PartRow
from audit.tree import leaf_hash

# Written out, not bound: only so can the database see that the small index holds them all.
_OWNED_UP = (
    select(col(AuditIndex.idx))
    .where(records.of_shard(AuditIndex), text(records.OWNING_UP))
    .order_by(col(AuditIndex.idx))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What is looked for; what is empty is not asked. Blinds stand for people and consents.

    `own` limits to what one organisation gave or got, and everything else that is asked to what
    it is shown of these; `party` is either side. Times are in µs since 1970, half open.
    """

    subject: bytes | None = None
    actor: bytes | None = None
    consent: bytes | None = None
    kinds: tuple[str, ...] = ()
    outcome: str | None = None
    own: str | None = None
    party: str | None = None
    purpose: str | None = None
    application: str | None = None
    request: bytes | None = None
    start: int | None = None
    stop: int | None = None


class Hit(NamedTuple):
    """One entry that was found: its leaf's bytes and values, and the hash it can be proven by.

    `provider` is the one of record, also where the leaf withholds it.
    """

    index: int  # type: ignore[assignment]  # nobody looks a value up in a Hit
    leaf: bytes
    leaf_hash: bytes
    body: Mapping[str, Any]
    provider: str | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything about one person, oldest first, and whether that can be shown to be all.

    `missing` are numbers of the person's own counter that no entry found has; the first
    `expired` of them have had their time, which the log owns up to.
    """

    size: int
    hits: tuple[Hit, ...]
    missing: tuple[int, ...]
    expired: int = 0

    @property
    def complete(self) -> bool:
        return not self.missing


def find(
    connection: Connection, *, shard: int, wanted: Filter, limit: int, before: int | None = None
) -> list[Hit]:
    """The newest entries that fit, from a place on (keyset: an index, never an offset)."""
    statement = _selecting(shard, wanted).order_by(col(AuditIndex.idx).desc()).limit(limit)
    if before is not None:
        statement = statement.where(col(AuditIndex.idx) < before)
    return [_hit(row) for row in connection.execute(statement)]


def kinds_and_times(connection: Connection, *, shard: int, wanted: Filter) -> list[tuple[str, int]]:
    """Kind and time (µs) of all entries that fit, in order."""
    statement = _selecting(shard, wanted).with_only_columns(col(AuditIndex.kind), col(AuditIndex.t))
    rows = connection.execute(statement.order_by(col(AuditIndex.idx)))
    return [(kind, t) for kind, t in rows]


def indexes(connection: Connection, *, shard: int, wanted: Filter) -> list[int]:
    """The places of all entries that fit, in order."""
    statement = _selecting(shard, wanted).with_only_columns(col(AuditIndex.idx))
    return list(connection.scalars(statement.order_by(col(AuditIndex.idx))))


def owned_up(connection: Connection, *, shard: int) -> list[int]:
    """The places of the entries that say what is gone and which keys changed, in order."""
    key = {"at_shard": shard}
    return list(connection.scalars(_OWNED_UP, key))


def timeline(connection: Connection, *, shard: int, client: str, keys: PartKeys) -> Timeline:
    """A client's whole record, with the gaps in it: an entry that was hidden leaves its number.

    Counts both from the entries found and from the counter, so that a tail cut off is missed too.
    """
    state = records.state_of(connection, shard=shard)
    wanted = Filter(subject=keys.blind("sub", client))
    statement = _selecting(shard, wanted).order_by(col(AuditIndex.idx))
    hits = tuple(_hit(row) for row in connection.execute(statement))
    key_id = bytes.fromhex(client.replace("-", ""))
    known = records.subjects_of(connection, shard=shard, key_ids=[key_id])
    counted = known[key_id][0] if key_id in known else 0
    told = (_number(connection, shard, hit, keys) for hit in hits)
    numbers = {number for number in told if number is not None}
    most = max(numbers, default=0)
    expired = min(numbers, default=counted + 1) - 1
    if expired > _expired(connection, shard):
        expired = 0
    due = range(expired + 1, max(counted, most) + 1)
    missing = tuple(number for number in due if number not in numbers)
    return Timeline(0 if state is None else state.size, hits, missing, expired)


def opened(
    connection: Connection, *, shard: int, hit: Hit, labels: Sequence[str], keys: PartKeys
) -> dict[str, Any]:
    """The parts of an entry that may be shown and can be opened, by label."""
    parts = records.parts_between(connection, shard=shard, start=hit.index, stop=hit.index + 1)
    texts = {part.label: text_of(hit.body, part, keys) for part in parts if part.label in labels}
    return {label: loads(text) for label, text in texts.items() if text is not None}


def text_of(body: Mapping[str, Any], part: PartRow, keys: PartKeys) -> bytes | None:
    """The plaintext of a part; nothing when it is gone, changed, or its key is."""
    try:
        return open_part(body, part, keys)
    except (PartGone, KeyNotAtHand, PartChanged):
        return None


def _expired(connection: Connection, shard: int) -> int:
    """How many parts have expired, as the log owns up to it."""
    wanted = Filter(kinds=("parts.expired",))
    statement = _selecting(shard, wanted).where(text(records.OWNING_UP))
    return sum(int(_hit(row).body["e"]["n"]) for row in connection.execute(statement))


def _number(connection: Connection, shard: int, hit: Hit, keys: PartKeys) -> int | None:
    said = opened(connection, shard=shard, hit=hit, labels=("s",), keys=keys).get("s", {})
    number = said.get("sn")
    return number if type(number) is int else None


def _hit(row: Any) -> Hit:
    leaf = bytes(row.leaf)
    return Hit(row.idx, leaf, leaf_hash(leaf), loads(leaf), row.provider)


def _selecting(shard: int, wanted: Filter) -> Any:
    same = (col(AuditEntry.shard) == col(AuditIndex.shard)) & (
        col(AuditEntry.idx) == col(AuditIndex.idx)
    )
    statement = select(col(AuditIndex.idx), col(AuditIndex.provider), col(AuditEntry.leaf))
    statement = statement.join(AuditEntry, same).where(col(AuditIndex.shard) == shard)
    equal = {
        AuditIndex.purpose: wanted.purpose,
        AuditIndex.application: wanted.application,
        AuditIndex.request: wanted.request,
    }
    conditions = [col(column) == value for column, value in equal.items() if value is not None]
    if wanted.kinds:
        conditions.append(col(AuditIndex.kind).in_(wanted.kinds))
    if wanted.outcome is not None:
        conditions.append(_outcome(wanted.outcome))
    conditions += _shown(wanted)
    if wanted.start is not None:
        conditions.append(col(AuditIndex.t) >= wanted.start)
    if wanted.stop is not None:
        conditions.append(col(AuditIndex.t) < wanted.stop)
    return statement.where(and_(True, *conditions))  # noqa: FBT003 - of no condition all are true


def _shown(wanted: Filter) -> list[Any]:
    """The conditions on what an organisation may not be shown of its own entries.

    Whoever finds an entry by a value learns the value: so `own` finds none by a staff member of
    somebody else, nor by what stands in the detail, nor a refusal by who holds the person.
    """
    given, got = col(AuditIndex.provider), col(AuditIndex.consumer)
    every = wanted.own is None
    gave, asked = (true(), true()) if every else (given == wanted.own, got == wanted.own)
    told = or_(gave, col(AuditIndex.kind).not_in(sorted(WITHHOLD_PROVIDER)))
    conditions = [] if every else [or_(gave, asked)]
    if wanted.party is not None:
        conditions.append(or_(got == wanted.party, and_(given == wanted.party, told)))
    if wanted.subject is not None:
        conditions.append(and_(col(AuditIndex.subject_blind) == wanted.subject, told))
    if wanted.actor is not None:
        conditions.append(and_(col(AuditIndex.actor_blind) == wanted.actor, asked))
    if wanted.consent is not None:
        conditions.append(and_(col(AuditIndex.consent_blind) == wanted.consent, gave))
    return conditions


def _outcome(asked: str) -> Any:
    """An outcome; `error` stands for every code of it."""
    outcome = col(AuditIndex.outcome)
    return outcome.startswith("error:", autoescape=True) if asked == "error" else outcome == asked
