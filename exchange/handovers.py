"""The handover tables, and every statement on them. Never commits."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    bindparam,
    delete,
    insert,
    select,
    tuple_,
    update,
)
from sqlmodel import Field, SQLModel

from audit.prepared import Prepared, together
from exchange import receivers
from policies.vocabulary import ClientId, HandoverId, HandoverState, OrganisationId

OPEN = (HandoverState.OFFERED, HandoverState.ACCEPTED, HandoverState.FIRST_CONTACT)
"""While a handover is in one of these, its recipient has a care relation with the client."""

_STATES = ", ".join(f"'{state}'" for state in HandoverState)


class HandoverRow(SQLModel, table=True):
    """One handover. `sealed`: what is shared and withheld, contact, appointment, outcome.

    `deadline_at` is when an offer that nobody took up ends, and its access with it. `read_at`
    is when its recipient first read the summary: from then on it may hold a copy.
    """

    __tablename__ = "handover"
    __table_args__ = (
        ForeignKeyConstraint(
            ["shard", "client"], ["client.shard", "client.id"], name="fk_handover_client"
        ),
        Index("ix_handover_inbox", "shard", "recipient", "offered_at", "id"),
        Index("ix_handover_outbox", "shard", "sender", "offered_at", "id"),
        Index("ix_handover_client", "shard", "client", "recipient"),
        Index("ix_handover_deadline", "shard", "state", "deadline_at"),
        Index("uq_handover_key", "shard", "sender", "idempotency_key", unique=True),
        CheckConstraint(f"state IN ({_STATES})", name="ck_handover_state"),
    )

    shard: int = Field(primary_key=True)
    id: str = Field(primary_key=True)
    client: str
    sender: str
    recipient: str
    purpose: str
    agreement: str
    reason_code: str
    urgency: str
    masked: bool
    state: str
    offered_at: int = Field(sa_type=BigInteger)
    deadline_at: int = Field(sa_type=BigInteger)
    events: int
    idempotency_key: bytes
    fingerprint: bytes
    sealed: bytes
    first_contact_at: int | None = Field(default=None, sa_type=BigInteger)
    read_at: int | None = Field(default=None, sa_type=BigInteger)
    erasure_asked: bool = False


class HandoverEventRow(SQLModel, table=True):
    """One step of a handover, numbered without gap; `sealed` holds what was said with it."""

    __tablename__ = "handover_event"
    __table_args__ = (
        ForeignKeyConstraint(
            ["shard", "handover"],
            ["handover.shard", "handover.id"],
            name="fk_handover_event_handover",
        ),
    )

    shard: int = Field(primary_key=True)
    handover: str = Field(primary_key=True)
    sequence: int = Field(primary_key=True)
    id: str
    type: str
    at: int = Field(sa_type=BigInteger)
    actor_org: str
    sealed: bytes


@dataclass(slots=True)
class Handover:
    """One handover as it is read and written; see `HandoverRow`."""

    shard: int
    id: str
    client: ClientId
    sender: OrganisationId
    recipient: OrganisationId
    purpose: str
    agreement: str
    reason_code: str
    urgency: str
    masked: bool
    state: str
    offered_at: int
    deadline_at: int
    events: int
    idempotency_key: bytes
    fingerprint: bytes
    sealed: bytes
    first_contact_at: int | None = None
    read_at: int | None = None
    erasure_asked: bool = False


class HandoverEvent(NamedTuple):
    """One step of a handover; see `HandoverEventRow`."""

    shard: int
    handover: str
    sequence: int
    id: str
    type: str
    at: int
    actor_org: OrganisationId
    sealed: bytes


class OpenHandover(NamedTuple):
    """One open handover of a client, to whom and for what."""

    client: ClientId
    id: HandoverId
    recipient: OrganisationId
    purpose: str
    first_contact_at: int | None


class Relation(NamedTuple):
    """One open handover that gives its recipient a care relation.

    `received` is what the recipient has received of the client before: see `receivers.KNOWN`.
    """

    handover: HandoverId
    purpose: str
    first_contact_at: int | None
    read_at: int | None
    received: str | None


_TABLE = SQLModel.metadata.tables["handover"]
_EVENTS = SQLModel.metadata.tables["handover_event"]
_MINE = (_TABLE.c.shard == bindparam("shard")) & (_TABLE.c.id == bindparam("handover"))
_BY_ID = select(_TABLE).where(_MINE).limit(1)
_BY_KEY = (
    select(_TABLE)
    .where(
        _TABLE.c.shard == bindparam("shard"),
        _TABLE.c.sender == bindparam("sender"),
        _TABLE.c.idempotency_key == bindparam("key"),
    )
    .limit(1)
)
OPEN_FOR = Prepared(
    select(
        _TABLE.c.id,
        _TABLE.c.purpose,
        _TABLE.c.first_contact_at,
        _TABLE.c.read_at,
        receivers.KNOWN,
    )
    .where(
        _TABLE.c.shard == bindparam("shard"),
        _TABLE.c.client == bindparam("client"),
        _TABLE.c.recipient == bindparam("recipient"),
        _TABLE.c.state.in_(OPEN),
        (_TABLE.c.state != HandoverState.OFFERED) | (_TABLE.c.deadline_at > bindparam("now")),
    )
    .order_by(_TABLE.c.offered_at.desc())
    .limit(8)
)
_OPEN_OF = select(
    _TABLE.c.client, _TABLE.c.id, _TABLE.c.recipient, _TABLE.c.purpose, _TABLE.c.first_contact_at
).where(
    _TABLE.c.shard == bindparam("shard"),
    _TABLE.c.client.in_(bindparam("clients", expanding=True)),
    _TABLE.c.state.in_(OPEN),
    (_TABLE.c.state != HandoverState.OFFERED) | (_TABLE.c.deadline_at > bindparam("now")),
)
_CONCERNED = (
    select(_TABLE)
    .where(
        _TABLE.c.shard == bindparam("shard"),
        _TABLE.c.client == bindparam("client"),
        _TABLE.c.sender == bindparam("sender"),
        _TABLE.c.id > bindparam("after"),
        _TABLE.c.state.in_(OPEN) | (_TABLE.c.read_at.is_not(None) & ~_TABLE.c.erasure_asked),
    )
    .order_by(_TABLE.c.id)
    .limit(bindparam("most"))
)
_READ = Prepared("UPDATE handover SET read_at = ? WHERE shard = ? AND id = ?")
_OVERDUE = (
    select(_TABLE)
    .where(
        _TABLE.c.shard == bindparam("shard"),
        _TABLE.c.state == HandoverState.OFFERED,
        _TABLE.c.deadline_at <= bindparam("now"),
        tuple_(_TABLE.c.deadline_at, _TABLE.c.id)
        > tuple_(bindparam("after_deadline"), bindparam("after_id")),
    )
    .order_by(_TABLE.c.deadline_at, _TABLE.c.id)
    .limit(bindparam("most"))
)
_STEP = (
    update(_TABLE)
    .where((_TABLE.c.shard == bindparam("of_shard")) & (_TABLE.c.id == bindparam("of_handover")))
    .values(
        state=bindparam("new_state"),
        events=bindparam("new_events"),
        first_contact_at=bindparam("new_first_contact_at"),
        erasure_asked=bindparam("new_erasure_asked"),
    )
)
_EVENTS_OF = (
    select(_EVENTS)
    .where(_EVENTS.c.shard == bindparam("shard"), _EVENTS.c.handover == bindparam("handover"))
    .order_by(_EVENTS.c.sequence)
    .limit(1000)
)
_ADD, _ADD_EVENT = insert(_TABLE), insert(_EVENTS)


def _one(row: Any) -> Handover | None:
    return None if row is None else Handover(*row)


def handover_with_id(
    connection: Connection, *, shard: int, handover: HandoverId
) -> Handover | None:
    """The handover, whoever asks: the caller of this compares sender and recipient."""
    return _one(connection.execute(_BY_ID, {"shard": shard, "handover": handover}).first())


def handover_by_key(
    connection: Connection, *, shard: int, sender: OrganisationId, key: bytes
) -> Handover | None:
    """What the sender pushed before under this idempotency key (a hash)."""
    row = connection.execute(_BY_KEY, {"shard": shard, "sender": sender, "key": key}).first()
    return _one(row)


def add_handover(connection: Connection, handover: Handover) -> None:
    connection.execute(_ADD, asdict(handover))


def relations_in(rows: Iterable[Sequence[Any]]) -> list[Relation]:
    """What `OPEN_FOR` found: the recipient's open handovers of the client, newest first.

    An offer past its deadline is not open, also before the sweep has marked it.
    """
    return list(map(Relation._make, rows))


def open_of(
    connection: Connection, *, shard: int, clients: Sequence[ClientId], now: int
) -> list[OpenHandover]:
    """Every open handover of these clients, whoever it is to."""
    key = {"shard": shard, "clients": list(clients), "now": now}
    return [OpenHandover(*row) for row in connection.execute(_OPEN_OF, key)]


def first_contact(relations: Iterable[Relation], purpose: str) -> int | None:
    """When recipient and client first met for this purpose: some grants end soon after."""
    met = (each.first_contact_at for each in relations if each.purpose == purpose)
    return min((at for at in met if at is not None), default=None)


def mark_read(
    connection: Connection, *, shard: int, relations: Sequence[Relation], at: int
) -> None:
    """Keep when the recipient first read: written once for each handover, not with each fetch."""
    unread = [(at, shard, each.handover) for each in relations if each.read_at is None]
    if unread:
        together(connection, (_READ, unread))


def handovers_concerned(
    connection: Connection,
    *,
    shard: int,
    client: ClientId,
    sender: OrganisationId,
    after: str,
    most: int,
) -> list[Handover]:
    """The sender's handovers of the client that are open, or whose recipient may hold a copy.

    By id, from the one `after` on, at most `most`.
    """
    key = {"shard": shard, "client": client, "sender": sender, "after": after, "most": most}
    return [Handover(*row) for row in connection.execute(_CONCERNED, key)]


def masked_for(
    connection: Connection, *, shard: int, client: ClientId, recipient: OrganisationId
) -> bool:
    """Whether some handover of the client hides from this recipient who its sender is."""
    asked = select(_TABLE.c.id).where(
        _TABLE.c.shard == shard,
        _TABLE.c.client == client,
        _TABLE.c.recipient == recipient,
        _TABLE.c.masked.is_(True),
    )
    return connection.execute(asked.limit(1)).first() is not None


def forget_client(
    connection: Connection, *, shard: int, client: ClientId
) -> tuple[OrganisationId, ...]:
    """Take away every handover of a client; the recipients that read, and may hold a copy."""
    mine = (_TABLE.c.shard == shard) & (_TABLE.c.client == client)
    found = connection.execute(
        select(_TABLE.c.id, _TABLE.c.recipient, _TABLE.c.read_at).where(mine)
    )
    rows = found.all()
    of_these = (_EVENTS.c.shard == shard) & _EVENTS.c.handover.in_([row.id for row in rows])
    connection.execute(delete(_EVENTS).where(of_these))
    connection.execute(delete(_TABLE).where(mine))
    return tuple(sorted({row.recipient for row in rows if row.read_at is not None}))


def overdue(
    connection: Connection, *, shard: int, now: int, most: int, after: Handover | None = None
) -> list[Handover]:
    """Offers whose deadline has passed, the longest overdue first; those `after` one of them."""
    deadline, id = (-1, "") if after is None else (after.deadline_at, after.id)
    place = {"after_deadline": deadline, "after_id": id}
    key = {"shard": shard, "now": now, "most": most}
    return [Handover(*row) for row in connection.execute(_OVERDUE, key | place)]


def step(
    connection: Connection,
    handover: Handover,
    *,
    to: HandoverState,
    event: HandoverEvent,
) -> None:
    """Move a handover on, and keep the event that moved it."""
    first = event.at if to == HandoverState.FIRST_CONTACT else handover.first_contact_at
    key = {"of_shard": handover.shard, "of_handover": handover.id}
    new = {"new_state": to, "new_events": event.sequence, "new_first_contact_at": first}
    asked = {"new_erasure_asked": handover.erasure_asked or event.type == "erasure_notice"}
    connection.execute(_STEP, key | new | asked)
    connection.execute(_ADD_EVENT, event._asdict())


def add_event(connection: Connection, event: HandoverEvent) -> None:
    """Keep the first event of a handover; later ones come with `step`."""
    connection.execute(_ADD_EVENT, event._asdict())


def events_of(connection: Connection, *, shard: int, handover: HandoverId) -> list[HandoverEvent]:
    rows = connection.execute(_EVENTS_OF, {"shard": shard, "handover": handover}).all()
    return [HandoverEvent(*row) for row in rows]


def page(
    connection: Connection,
    *,
    shard: int,
    organisation: OrganisationId,
    inbox: bool,
    state: HandoverState | None,
    before: tuple[int, str] | None,
    limit: int,
) -> list[Handover]:
    """The newest handovers of one box, from a place on: keyset, never a count, never an offset."""
    side = _TABLE.c.recipient if inbox else _TABLE.c.sender
    statement = select(_TABLE).where(_TABLE.c.shard == shard, side == organisation)
    if state is not None:
        statement = statement.where(_TABLE.c.state == state)
    if before is not None:
        at, last = before
        statement = statement.where(
            (_TABLE.c.offered_at < at) | ((_TABLE.c.offered_at == at) & (_TABLE.c.id < last))
        )
    statement = statement.order_by(_TABLE.c.offered_at.desc(), _TABLE.c.id.desc()).limit(limit)
    return [Handover(*row) for row in connection.execute(statement).all()]
