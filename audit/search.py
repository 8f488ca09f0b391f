"""Find entries: who, about whom, what, when, why, with which outcome (audit-log.md, section 15).

The index is derived from leaves and parts, written with them, and erasable; what it finds is
read from the log itself, and every answer says as of which size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import loads
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, or_, select, text, true
from sqlmodel import col

from audit import records, tallies
from audit.leaf import WITHHOLD_PROVIDER
from audit.opening import KeyNotAtHand, PartGone, PartKeys, open_part
from audit.parts import PartChanged
from audit.records import AuditEntry, AuditIndex, PartRow
from audit.tree import leaf_hash

EXAMINED = 1024
"""Rows of the index that one page looks at: whoever asks holds everybody's lock meanwhile."""
_AT_ONCE = 256
"""Of those, how many are read with one statement."""
_places: Any = bindparam("places", expanding=True)

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
    `whose` is the person who gave the consent: by them its entries are found, and those about
    nobody by the consent, which has no index that every entry would pay for.
    """

    subject: bytes | None = None
    actor: bytes | None = None
    consent: bytes | None = None
    whose: bytes | None = None
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


class Page(NamedTuple):
    """What was found, newest first; `following` is the place to go on before, if there is more."""

    hits: tuple[Hit, ...]
    following: int | None


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
        """Nothing is missing from number `complete_from` on."""
        return not self.missing

    @property
    def complete_from(self) -> int:
        """The first number that is vouched for; before it, an entry could be hidden unseen.

        Above 1 where entries have expired or the log was pruned: what lacks is then owned up to
        as a count, and nothing tells whose it was.
        """
        return self.expired + 1


def find(
    connection: Connection,
    *,
    shard: int,
    wanted: Filter,
    limit: int,
    before: int | None = None,
    examine: int = EXAMINED,
) -> Page:
    """The newest entries that fit, from a place on (keyset: an index, never an offset).

    Looks at no more than `examine` rows, found by what is rarest of what is asked: where few of
    them fit, a page is short or empty, and says where to go on.
    """
    looked = _candidates(connection, shard, wanted, before, examine)
    statement = _selecting(shard, wanted).where(col(AuditIndex.idx).in_(_places))
    statement = statement.order_by(col(AuditIndex.idx).desc()).limit(limit + 1)
    hits: list[Hit] = []
    for at in range(0, len(looked.places), _AT_ONCE):
        rows = connection.execute(statement, {"places": looked.places[at : at + _AT_ONCE]})
        hits += [_hit(row) for row in rows]
        if len(hits) > limit:
            return Page(tuple(hits[:limit]), hits[limit - 1].index)
    return Page(tuple(hits), looked.following)


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
    told = opened(connection, shard=shard, hits=hits, labels=("s",), keys=keys).values()
    said = (each["s"].get("sn") for each in told if "s" in each)
    numbers = {number for number in said if type(number) is int}
    most = max(numbers, default=0)
    expired = min(numbers, default=counted + 1) - 1
    if expired > _expired(connection, shard):
        expired = 0
    due = range(expired + 1, max(counted, most) + 1)
    missing = tuple(number for number in due if number not in numbers)
    return Timeline(0 if state is None else state.size, hits, missing, expired)


def opened(
    connection: Connection,
    *,
    shard: int,
    hits: Sequence[Hit],
    labels: Sequence[str],
    keys: PartKeys,
) -> dict[int, dict[str, Any]]:
    """The parts of entries that may be shown and can be opened, by index and label.

    One statement for every `CHUNK` of entries.
    """
    told: dict[int, dict[str, Any]] = {}
    for at in range(0, len(hits), records.CHUNK):
        some = {hit.index: hit for hit in hits[at : at + records.CHUNK]}
        for index, parts in records.parts_at(connection, shard=shard, indexes=some).items():
            texts = {
                part.label: text_of(some[index].body, part, keys)
                for part in parts
                if part.label in labels
            }
            told[index] = {label: loads(text) for label, text in texts.items() if text is not None}
    return told


def text_of(body: Mapping[str, Any], part: PartRow, keys: PartKeys) -> bytes | None:
    """The plaintext of a part; nothing when it is gone, changed, or its key is."""
    try:
        return open_part(body, part, keys)
    except (PartGone, KeyNotAtHand, PartChanged):
        return None


def _expired(connection: Connection, shard: int) -> int:
    """How many numbers can be gone: as many as the log says expired, or could stand in a prefix.

    What was said of those that expired may have been pruned with it.
    """
    wanted = Filter(kinds=("parts.expired",))
    statement = _selecting(shard, wanted).where(text(records.OWNING_UP))
    least = tallies.min_index(connection, shard=shard)
    return least + sum(int(_hit(row).body["e"]["n"]) for row in connection.execute(statement))


class _Looked(NamedTuple):
    """Places to look at, newest first, and where those go on that were not looked at."""

    places: list[int]
    following: int | None


def _candidates(
    connection: Connection, shard: int, wanted: Filter, before: int | None, examine: int
) -> _Looked:
    """The newest places of each way to what is asked, as far down as all of them were walked."""
    low, high = _span(connection, shard, wanted, before)
    ways = _ways(wanted)
    most, floor = max(1, examine // len(ways)), low
    found: set[int] = set()
    for way in ways:
        statement = (
            select(col(AuditIndex.idx))
            .where(col(AuditIndex.shard) == shard, *way)
            .where(col(AuditIndex.idx) >= low, col(AuditIndex.idx) < high)
            .order_by(col(AuditIndex.idx).desc())
            .limit(most)
        )
        walked = connection.scalars(statement).all()
        found.update(walked)
        if len(walked) == most:
            floor = max(floor, walked[-1])
    places = sorted((each for each in found if each >= floor), reverse=True)
    return _Looked(places, floor if floor > low else None)


def _span(
    connection: Connection, shard: int, wanted: Filter, before: int | None
) -> tuple[int, int]:
    """The places between which the times asked for lie."""
    state = records.state_of(connection, shard=shard)
    low, high = 0, 0 if state is None else state.size
    bounds = {"shard": shard, "low": low, "high": high}
    if wanted.start is not None:
        low = records.first_since(connection, wanted.start, **bounds)
    if wanted.stop is not None:
        high = records.first_since(connection, wanted.stop, **bounds)
    return low, high if before is None else min(high, before)


def _ways(wanted: Filter) -> list[list[Any]]:
    """What to walk the index by: the first of these that is asked has an index of its own.

    By a person or an actor an organisation walks only what it is shown: where a page ends would
    else tell where entries of others lie.
    """
    shown = [] if wanted.own is None else _shown(wanted)
    if wanted.subject is None and wanted.whose is not None:
        whose, consent = col(AuditIndex.subject_blind), col(AuditIndex.consent_blind)
        about_nobody = [whose.is_(None), consent == wanted.consent]
        return [[whose == wanted.whose, *shown], [*about_nobody, *shown]]
    column: Any
    for column, value in (
        (AuditIndex.subject_blind, wanted.subject),
        (AuditIndex.actor_blind, wanted.actor),
    ):
        if value is not None:
            return [[col(column) == value, *shown]]
    party = wanted.own or wanted.party
    if party is not None:
        return [[col(AuditIndex.provider) == party], [col(AuditIndex.consumer) == party]]
    return [[col(AuditIndex.kind) == kind] for kind in wanted.kinds] or [[]]


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
