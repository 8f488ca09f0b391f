"""Whose entries are counted, and in which of two series (audit-log.md, section 4.3).

Every entry about a client has a number of theirs, so that nothing can be hidden from them. What
law keeps from them for a time has numbers of a second series: so the first has no gap that would
betray it, and when the time is over the second shows that nothing is hidden still.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, bindparam, case, insert, literal, select, update
from sqlmodel import col

from audit.prepared import Prepared
from audit.records import AuditSubject, of_shard

KEPT_BACK = "d"
"""What the part s of an entry calls its series, if that is the second."""

_KNOWN = "SELECT key_id, n, blind, delayed_until FROM audit_subject WHERE shard = "
# A few widths only, so that the driver can keep what it has prepared.
_MOST_KEYS = 256
_SUBJECTS = {
    1 << power: Prepared(f"{_KNOWN}? AND key_id IN ({', '.join('?' * (1 << power))})")
    for power in range(_MOST_KEYS.bit_length())
}
_COUNTS = select(col(AuditSubject.key_id), col(AuditSubject.n), col(AuditSubject.n_delayed)).where(
    of_shard(AuditSubject)
)
_at: Any = bindparam("at")
_of_client = (of_shard(AuditSubject), col(AuditSubject.key_id) == bindparam("of_key"))
_in_force = col(AuditSubject.delayed_until) > _at
# The one that is in force goes on: what it keeps back was never shown.
_DELAY = (
    update(AuditSubject)
    .where(*_of_client)
    .values(
        delayed_after=case(
            (_in_force, col(AuditSubject.delayed_after)), else_=col(AuditSubject.n_delayed)
        ),
        delayed_until=bindparam("until"),
    )
)
_END = update(AuditSubject).where(*_of_client, _in_force).values(delayed_until=_at)


Known: TypeAlias = tuple[int, bytes, int | None]
"""How many entries somebody has in the first series, their blind, and when a delay ends."""


class Counted(NamedTuple):
    """How many entries a client has in each series; times are in µs since 1970.

    Entries of the second series after number `delayed_after` are kept back until `delayed_until`.
    """

    n: int = 0
    n_delayed: int = 0
    delayed_after: int | None = None
    delayed_until: int | None = None

    def delayed(self, at: int) -> bool:
        """Whether entries made at this time are kept from the client."""
        return self.delayed_until is not None and at < self.delayed_until

    def shown(self, at: int) -> int:
        """Up to which number of the second series entries are shown to the client by then."""
        return self.delayed_after or 0 if self.delayed(at) else self.n_delayed


_COUNTED = select(*(col(getattr(AuditSubject, name)) for name in Counted._fields)).where(
    *_of_client
)


def known(connection: Connection, *, shard: int, key_ids: Iterable[bytes]) -> dict[bytes, Known]:
    """Every person among these who has a counter already: as little as each batch must know."""
    wanted, found = list(key_ids), list[Any]()
    for at in range(0, len(wanted), _MOST_KEYS):
        keys = wanted[at : at + _MOST_KEYS]
        width = 1 << (len(keys) - 1).bit_length()
        keys += keys[-1:] * (width - len(keys))
        found += _SUBJECTS[width].rows(connection, (shard, *keys))
    return {key_id: (n, blind, until) for key_id, n, blind, until in found}


def counted(connection: Connection, *, shard: int, client: str) -> Counted:
    """What is counted of a client (the UUID as text); of one who has no entry, nothing."""
    key = {"at_shard": shard, "of_key": bytes.fromhex(client.replace("-", ""))}
    row = connection.execute(_COUNTED, key).first()
    return Counted() if row is None else Counted(*row)


def counts(connection: Connection, *, shard: int) -> dict[bytes, tuple[int, int]]:
    """How many entries each person has who has any, in both series, by key id."""
    rows = connection.execute(_COUNTS, {"at_shard": shard})
    return {bytes(key_id): (n, n_delayed) for key_id, n, n_delayed in rows}


def delay(connection: Connection, *, shard: int, key_id: bytes, at: int, until: int) -> bool:
    """Keep the client's entries from them until then; whether there is such a client.

    From this batch on, the whole of it, since all of it is decided at one time. Where entries
    are kept back already, only the end moves.
    """
    key = {"at_shard": shard, "of_key": key_id, "at": at, "until": until}
    return connection.execute(_DELAY, key).rowcount == 1


def end_delay(connection: Connection, *, shard: int, key_id: bytes, at: int) -> bool:
    """Show what was kept back, from now on; whether anything could be."""
    key = {"at_shard": shard, "of_key": key_id, "at": at}
    return connection.execute(_END, key).rowcount == 1


def keep_delays(connection: Connection, *, aside: int, shard: int) -> None:
    """Have the delays of a log that was set aside hold in the one that takes its place."""
    columns = (AuditSubject.key_id, AuditSubject.blind, AuditSubject.delayed_until)
    held = (col(AuditSubject.shard) == aside, col(AuditSubject.delayed_until).is_not(None))
    nothing = literal(0)
    old = select(literal(shard), nothing, nothing, nothing, *map(col, columns)).where(*held)
    names = ["shard", "n", "n_delayed", "delayed_after", "key_id", "blind", "delayed_until"]
    connection.execute(insert(AuditSubject).from_select(names, old))
