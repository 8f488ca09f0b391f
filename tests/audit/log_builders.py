"""Events, keys and logs that say only what a test is about."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, select, update
from sqlmodel import col

from audit import log
from audit.events import (
    Actor,
    AdminStarted,
    AuditEvent,
    ConsentGiven,
    LogOpened,
    SummaryRefused,
    SummaryReleased,
)
from audit.live import verify_log
from audit.parts import Mac, blind
from audit.records import AuditEntry
from audit.verify import Report

VECTORS = Path(__file__).parents[1] / "data" / "vectors"
NOON = datetime(2026, 9, 21, 12, tzinfo=UTC)
EPOCH_OF_NOON = int(NOON.timestamp()) * 1_000_000
POLICY = urlsafe_b64encode(hashlib.sha256(b"policy").digest()).decode().rstrip("=")
ANN, BEN = "6ef336c2-34b2-40f1-8b9f-19331c122f7a", "0d9c6b6e-5a68-4c43-9a5c-1f1e0c7f2a11"
COUNSELLOR = Actor(user="u-0b9e6c1a7d2f4c8b", capacity="begeleider")


class Ring:
    """A key ring that derives every key from its owner's name, and forgets on request."""

    def __init__(self) -> None:
        self.nobody = hashlib.sha256(b"nobody").digest()
        self._by_id: dict[bytes, bytes] = {}
        self._index = Mac(b"index key")

    def of_client(self, client: str) -> bytes:
        return self._key(UUID(client).bytes)

    def of_actor(self, actor: str) -> tuple[bytes, bytes]:
        key_id = hashlib.sha256(b"actor" + actor.encode()).digest()[:16]
        return key_id, self._key(key_id)

    def by_id(self, key_id: bytes) -> bytes | None:
        return self._by_id.get(key_id)

    def blind(self, use: str, identifier: str) -> bytes:
        return blind(self._index, use, identifier)

    def forget(self, client: str) -> None:
        del self._by_id[UUID(client).bytes]

    def _key(self, key_id: bytes) -> bytes:
        return self._by_id.setdefault(key_id, hashlib.sha256(b"key" + key_id).digest())


def about(client: str, **changes: Any) -> dict[str, Any]:
    """What every event about a person needs."""
    return {
        "application": "vdab-gent-1",
        "actor": COUNSELLOR,
        "client": client,
        "provider": "leerwinkel-wvl",
        "consumer": "vdab-gent",
        "purpose": "P2",
        "sections": ("goals", "contact"),
    } | changes


def released(client: str = ANN, **changes: Any) -> SummaryReleased:
    said = {"reason": "OK", "consents": ("c-canary-1",), "trace": (("a_consent_stands", None),)}
    return SummaryReleased(**about(client, **(said | changes)))


def refused(client: str = ANN, reason: str = "NO_CONSENT", **changes: Any) -> SummaryRefused:
    return SummaryRefused(**about(client, reason=reason, **changes))


def given(client: str = ANN) -> ConsentGiven:
    return ConsentGiven(**about(client, consent="c-canary-1", grants=("g1",), notice="N-P2.nl"))


def record(events: Sequence[AuditEvent]) -> list[log.Recorded]:
    return [log.Recorded(each, str(uuid4())) for each in events]


def begin(connection: Connection, keys: log.Keys, *, shard: int = 0) -> log.Head:
    """A log with its first entry."""
    head = log.open_log(connection, shard=shard, origin=f"broker.example/audit/tlog/s{shard}e1")
    return add(connection, keys, head, [LogOpened(epoch=1)])


def add(
    connection: Connection,
    keys: log.Keys,
    head: log.Head,
    events: Sequence[AuditEvent],
    *,
    later: timedelta = timedelta(0),
) -> log.Head:
    """The log after these events."""
    at = NOON + later
    return log.append(connection, record(events), after=head, at=at, keys=keys, policy=POLICY)[1]


def a_log(connection: Connection, keys: Ring, size: int = 40) -> log.Head:
    """Entries of every sort, two clients in turns."""
    head = begin(connection, keys)
    head = add(connection, keys, head, [given(ANN), given(BEN), AdminStarted(ver="1", cfg="c")])
    about = [(ANN, BEN, "")[n % 3] for n in range(size - head.size)]
    more = [refused(client) if n % 2 else released(client) for n, client in enumerate(about)]
    return add(connection, keys, head, more, later=timedelta(minutes=1))


def found(report: Report) -> dict[str, int | None]:
    return {each.code: each.at for each in report.findings}


def deep(connection: Connection, keys: Ring) -> Report:
    return verify_log(connection, shard=0, keys=keys, deep=True)


def change(connection: Connection, table: Any, idx: int, **values: Any) -> None:
    connection.execute(update(table).where(table.idx == idx).values(values))


def leaf_at(connection: Connection, idx: int) -> bytes:
    raw = connection.scalars(select(col(AuditEntry.leaf)).where(col(AuditEntry.idx) == idx)).one()
    return bytes(raw)
