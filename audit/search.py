"""Find entries: who, about whom, what, when, why, with which outcome (audit-log.md, section 15).

The index is derived from leaves and parts, written with them, and erasable; what it finds is
read from the log itself, and every answer says as of which size.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from json import loads
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, select, text
from sqlmodel import col

from audit import records, subjects, tallies
from audit.filters import Filter, conditions, ways
from audit.opening import KeyNotAtHand, PartGone, PartKeys, open_part
from audit.parts import PartChanged
from audit.records import AuditEntry, AuditIndex, PartRow
from audit.subjects import KEPT_BACK
from audit.tree import leaf_hash

__all__ = [
    "Filter",
    "Hit",
    "Page",
    "Timeline",
    "find",
    "indexes",
    "kept_back",
    "kinds_and_times",
    "opened",
    "owned_up",
    "text_of",
    "timeline",
]

EXAMINED = 1024
"""Rows of the index that one page looks at: whoever asks holds everybody's lock meanwhile."""
_AT_ONCE = 256
"""Of those, how many are read with one statement."""
OPENED = 256
"""Details that one page opens before it is full enough: no more than twice as many, ever."""
_places: Any = bindparam("places", expanding=True)

# Written out, not bound: only so can the database see that the small index holds them all.
_OWNED_UP = (
    select(col(AuditIndex.idx))
    .where(records.of_shard(AuditIndex), text(records.OWNING_UP))
    .order_by(col(AuditIndex.idx))
)


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

    `missing` are numbers of the person's own counter that no entry found has, `delayed_missing`
    those of the second one, which counts what law kept from them for a time. The first `expired`
    have had theirs, which the log owns up to.
    """

    size: int
    hits: tuple[Hit, ...]
    missing: tuple[int, ...]
    expired: int = 0
    delayed_missing: tuple[int, ...] = ()

    @property
    def complete(self) -> bool:
        """Nothing is missing from number `complete_from` on."""
        return not self.missing and not self.delayed_missing

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
    keys: PartKeys | None = None,
) -> Page:
    """The newest entries that fit, from a place on (keyset: an index, never an offset).

    Looks at no more than `examine` rows, found by what is rarest of what is asked: where few of
    them fit, a page is short or empty, and says where to go on. `keys` open what is known by its
    detail alone; of an entry that can not be opened, nobody can say that it fits.
    """
    looked = _candidates(connection, shard, wanted, before, examine)
    statement = _selecting(shard, wanted).where(col(AuditIndex.idx).in_(_places))
    statement = statement.order_by(col(AuditIndex.idx).desc())
    if wanted.agreement is None:
        statement = statement.limit(limit + 1)
    hits, details = list[Hit](), 0
    for at in range(0, len(looked.places), _AT_ONCE):
        some = looked.places[at : at + _AT_ONCE]
        found = [_hit(row) for row in connection.execute(statement, {"places": some})]
        if wanted.agreement is not None:
            details += len(found)
            found = _under(connection, shard, wanted.agreement, found, keys)
        hits += found
        if len(hits) > limit:
            return Page(tuple(hits[:limit]), hits[limit - 1].index)
        if details >= OPENED and at + _AT_ONCE < len(looked.places):
            return Page(tuple(hits), some[-1])
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


def timeline(
    connection: Connection,
    *,
    shard: int,
    client: str,
    keys: PartKeys,
    shown_at: int | None = None,
) -> Timeline:
    """A client's whole record, with the gaps in it: an entry that was hidden leaves its number.

    Counts both from the entries found and from the counters, so that a tail cut off is missed
    too. With `shown_at` (µs since 1970) it is what the client is shown then: without what law
    still keeps from them, of which nothing here tells.
    """
    state = records.state_of(connection, shard=shard)
    wanted = Filter(subject=keys.blind("sub", client))
    statement = _selecting(shard, wanted).order_by(col(AuditIndex.idx))
    hits = tuple(_hit(row) for row in connection.execute(statement))
    counted = subjects.counted(connection, shard=shard, client=client)
    shown = None if shown_at is None else counted.shown(shown_at)
    told = opened(connection, shard=shard, hits=hits, labels=("s",), keys=keys)
    said = {index: _number(each.get("s", {})) for index, each in told.items()}
    if shown is not None:
        hits = tuple(hit for hit in hits if not _kept_back(said[hit.index], shown))
    first = _gaps(said.values(), "", counted.n)
    second = _gaps(said.values(), KEPT_BACK, counted.n_delayed, most=shown)
    gone = first.before + second.before
    if gone > _expired(connection, shard):
        first, second, gone = _Gaps(0, first.all), _Gaps(0, second.all), 0
    size = 0 if state is None else state.size
    return Timeline(size, hits, first.missing, gone, second.missing)


def kept_back(
    connection: Connection, *, shard: int, client: str, keys: PartKeys, at: int
) -> frozenset[int]:
    """The places of those entries that law keeps from the client at this time (µs)."""
    if not subjects.counted(connection, shard=shard, client=client).delayed(at):
        return frozenset()
    whole = timeline(connection, shard=shard, client=client, keys=keys)
    shown = timeline(connection, shard=shard, client=client, keys=keys, shown_at=at)
    return frozenset(hit.index for hit in whole.hits) - {hit.index for hit in shown.hits}


class _Gaps(NamedTuple):
    """Numbers of one series that no entry has: `before` the first that one has, and all of them."""

    before: int
    all: tuple[int, ...]

    @property
    def missing(self) -> tuple[int, ...]:
        """Those that are missed, when what comes before the first has had its time."""
        return self.all[self.before :]


def _gaps(
    said: Iterable[tuple[str, int] | None], series: str, counted: int, most: int | None = None
) -> _Gaps:
    """What lacks of a series up to its counter, or to what an entry has; at `most` up to there."""
    numbers = {each[1] for each in said if each is not None and each[0] == series}
    last = max(counted, *numbers, 0) if most is None else most
    lacking = tuple(number for number in range(1, last + 1) if number not in numbers)
    return _Gaps(min(min(numbers, default=last + 1) - 1, last), lacking)


def _number(said: Mapping[str, Any]) -> tuple[str, int] | None:
    """Series and number that a part s tells; nothing when it is gone or can not be read."""
    number = said.get("sn")
    return (str(said.get("ser", "")), number) if type(number) is int else None


def _kept_back(said: tuple[str, int] | None, shown: int) -> bool:
    return said is not None and said[0] == KEPT_BACK and said[1] > shown


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


def _under(
    connection: Connection,
    shard: int,
    agreement: str,
    hits: Sequence[Hit],
    keys: PartKeys | None,
) -> list[Hit]:
    """Those that rest on the agreement, as their detail says."""
    if keys is None:
        return []
    told = opened(connection, shard=shard, hits=hits, labels=("y",), keys=keys)
    return [hit for hit in hits if told[hit.index].get("y", {}).get("protocol") == agreement]


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
    walks = ways(wanted)
    most, floor = max(1, examine // max(1, len(walks))), low
    found: set[int] = set()
    for way in walks:
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


def _hit(row: Any) -> Hit:
    leaf = bytes(row.leaf)
    return Hit(row.idx, leaf, leaf_hash(leaf), loads(leaf), row.provider)


def _selecting(shard: int, wanted: Filter) -> Any:
    same = (col(AuditEntry.shard) == col(AuditIndex.shard)) & (
        col(AuditEntry.idx) == col(AuditIndex.idx)
    )
    statement = select(col(AuditIndex.idx), col(AuditIndex.provider), col(AuditEntry.leaf))
    statement = statement.join(AuditEntry, same).where(col(AuditIndex.shard) == shard)
    return statement.where(and_(True, *conditions(wanted)))  # noqa: FBT003 - of none all are true
