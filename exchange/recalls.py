"""Recalls: each recipient is asked to erase what a client withdrew, and certifies what it did.

Tables and statements. Never commits. Times are whole microseconds since 1970 (UTC). A recall
holds ids and codes alone; the certificate, as it was signed, stands sealed.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlmodel import Field, SQLModel, col

from policies.vocabulary import ClientId, ConsentId, GrantId, OrganisationId

DAY = 86_400_000_000
DUE = 7 * DAY
"""How long a recipient has to say what became of what it received (µs)."""
LAWS: Final = frozenset(
    (
        "gdpr-basis",
        "vl-local-social",
        "vl-detainees-data",
        "be-ksz-deliberation",
        "gdpr-research",
        "esf-indicators",
        "audit-10y",
    )
)
"""The laws that let a recipient keep something for a time, by the keys of the legal references."""
REMINDED_EVERY = 3 * DAY
REMINDERS = 3
"""So often a recipient is reminded after the day that it was due, and never again."""


class RecallState(StrEnum):
    """How far a recall has come. Only `answered` is final."""

    OPEN = "open"
    OVERDUE = "overdue"
    ESCALATED = "escalated"
    ANSWERED = "answered"


class RecallOutcome(StrEnum):
    """What a recipient says. `acknowledged` is the notice's old answer, which nobody signed."""

    ERASED = "erased"
    KEPT = "kept"
    NEVER_OPENED = "never_opened"
    ACKNOWLEDGED = "acknowledged"


_STATES = ", ".join(f"'{state}'" for state in RecallState)
_OUTCOMES = ", ".join(f"'{outcome}'" for outcome in RecallOutcome)


class RecallRow(SQLModel, table=True):
    """What one recipient is asked after one withdrawal; see `Recall`."""

    __tablename__ = "recall"
    __table_args__ = (
        ForeignKeyConstraint(
            ["shard", "client"], ["client.shard", "client.id"], name="fk_recall_client"
        ),
        ForeignKeyConstraint(
            ["shard", "consent"], ["consent.shard", "consent.id"], name="fk_recall_consent"
        ),
        Index("uq_recall_round", "shard", "round", "recipient", "purpose", unique=True),
        Index("ix_recall_inbox", "shard", "recipient", "made_at", "id"),
        Index("ix_recall_outbox", "shard", "controller", "made_at", "id"),
        Index("ix_recall_client", "shard", "client", "recipient"),
        Index("ix_recall_next", "shard", "next_at"),
        CheckConstraint("length(id) = 36", name="ck_recall_id"),
        CheckConstraint("length(round) = 36", name="ck_recall_round"),
        CheckConstraint("length(consent) BETWEEN 1 AND 60", name="ck_recall_consent"),
        CheckConstraint("length(client) BETWEEN 1 AND 60", name="ck_recall_client"),
        CheckConstraint("length(controller) BETWEEN 1 AND 60", name="ck_recall_controller"),
        CheckConstraint("length(recipient) BETWEEN 1 AND 60", name="ck_recall_recipient"),
        CheckConstraint("length(purpose) BETWEEN 2 AND 4", name="ck_recall_purpose"),
        CheckConstraint(f"state IN ({_STATES})", name="ck_recall_state"),
        CheckConstraint(f"outcome IN ({_OUTCOMES})", name="ck_recall_outcome"),
        CheckConstraint("length(law) BETWEEN 1 AND 60", name="ck_recall_law"),
        CheckConstraint("length(until) = 10", name="ck_recall_until"),
        CheckConstraint("length(certificate) <= 8192", name="ck_recall_certificate"),
    )

    shard: int = Field(primary_key=True)
    id: str = Field(primary_key=True)
    round: str
    consent: str
    client: str
    controller: str
    recipient: str
    purpose: str
    released_at: int | None = Field(default=None, sa_type=BigInteger)
    made_at: int = Field(sa_type=BigInteger)
    due_at: int = Field(sa_type=BigInteger)
    state: str
    reminders: int
    next_at: int | None = Field(default=None, sa_type=BigInteger)
    answered_at: int | None = Field(default=None, sa_type=BigInteger)
    outcome: str | None = None
    law: str | None = None
    until: str | None = None
    contradicted: bool
    certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class Recall:
    """What one recipient is asked, and its answer.

    `released_at`: since when our log has a release to it. `next_at`: when something is due by
    itself. `contradicted`: it says that it never opened what the log says it was given.
    """

    shard: int
    id: str
    round: str
    consent: ConsentId
    client: ClientId
    controller: OrganisationId
    recipient: OrganisationId
    purpose: str
    released_at: int | None
    made_at: int
    due_at: int
    state: str = RecallState.OPEN
    reminders: int = 0
    next_at: int | None = None
    answered_at: int | None = None
    outcome: str | None = None
    law: str | None = None
    until: str | None = None
    contradicted: bool = False
    certificate: bytes | None = None

    def state_at(self, now: int) -> RecallState:
        """As it stands: what is overdue is so before anything has marked it."""
        late = self.state == RecallState.OPEN and self.due_at <= now
        return RecallState.OVERDUE if late else RecallState(self.state)


class RoundRow(SQLModel, table=True):
    """A withdrawal of which more are still to be told; see `Round`."""

    __tablename__ = "recall_round"
    __table_args__ = (
        ForeignKeyConstraint(
            ["shard", "client"], ["client.shard", "client.id"], name="fk_recall_round_client"
        ),
        ForeignKeyConstraint(
            ["shard", "consent"], ["consent.shard", "consent.id"], name="fk_recall_round_consent"
        ),
        Index("ix_recall_round_client", "shard", "client"),
        Index("ix_recall_round_tried", "shard", "tried_at", "id"),
        CheckConstraint("length(id) = 36", name="ck_recall_round_id"),
        CheckConstraint("length(consent) BETWEEN 1 AND 60", name="ck_recall_round_consent"),
        CheckConstraint("length(client) BETWEEN 1 AND 60", name="ck_recall_round_client"),
        CheckConstraint("length(controller) BETWEEN 1 AND 60", name="ck_recall_round_controller"),
        CheckConstraint("length(grants) <= 2000", name="ck_recall_round_grants"),
        CheckConstraint("length(handovers_after) <= 36", name="ck_recall_round_handovers"),
        CheckConstraint("length(recipients_after) <= 70", name="ck_recall_round_recipients"),
    )

    shard: int = Field(primary_key=True)
    id: str = Field(primary_key=True)
    consent: str
    client: str
    controller: str
    grants: str | None = None
    at: int = Field(sa_type=BigInteger)
    tried_at: int = Field(sa_type=BigInteger)
    handovers_after: str | None = None
    recipients_after: str | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One withdrawal and how far its telling has come. `grants`: those that ended; none: all.

    The two `after` are the last handover and recipient that were seen to; `None` when all were.
    """

    shard: int
    id: str
    consent: ConsentId
    client: ClientId
    controller: OrganisationId
    grants: str | None
    at: int
    tried_at: int
    handovers_after: str | None = ""
    recipients_after: str | None = ""

    @property
    def done(self) -> bool:
        return self.handovers_after is None and self.recipients_after is None

    @property
    def ended(self) -> tuple[GrantId, ...] | None:
        """The grants that ended; none: every one of the consent."""
        return None if self.grants is None else tuple(map(GrantId, self.grants.split()))


_TABLE = SQLModel.metadata.tables["recall"]
_ROUNDS = SQLModel.metadata.tables["recall_round"]
_BY_ID = (
    select(_TABLE)
    .where(_TABLE.c.shard == bindparam("shard"), _TABLE.c.id == bindparam("recall"))
    .limit(1)
)
_NEXT = (
    select(_TABLE)
    .where(_TABLE.c.shard == bindparam("shard"), _TABLE.c.next_at <= bindparam("now"))
    .order_by(_TABLE.c.next_at)
    .limit(bindparam("most"))
)
_WAITING = (
    select(_ROUNDS)
    .where(_ROUNDS.c.shard == bindparam("shard"))
    .order_by(_ROUNDS.c.tried_at, _ROUNDS.c.id)
    .limit(bindparam("most"))
)
_ADD, _ADD_ROUND = insert(_TABLE), insert(_ROUNDS)


def add(connection: Connection, recalls: Sequence[Recall]) -> None:
    """Ask these; raises `IntegrityError` for one that was asked in the same round."""
    if recalls:
        connection.execute(_ADD, [asdict(each) for each in recalls])


def asked(round: Round, recipient: OrganisationId, purpose: str, since: int, id: str) -> Recall:
    """The recall of a recipient that received something since then (µs)."""
    return Recall(
        shard=round.shard,
        id=id,
        round=round.id,
        consent=round.consent,
        client=round.client,
        controller=round.controller,
        recipient=recipient,
        purpose=purpose,
        released_at=since,
        made_at=round.at,
        due_at=round.at + DUE,
        next_at=round.at + DUE,
    )


def recall_with_id(connection: Connection, *, shard: int, recall: str) -> Recall | None:
    """The recall, whoever asks: the caller of this compares the recipient."""
    row = connection.execute(_BY_ID, {"shard": shard, "recall": recall}).first()
    return None if row is None else Recall(*row)


def change(connection: Connection, recall: Recall) -> None:
    """Bring its row to how a recall stands now."""
    mine = (_TABLE.c.shard == recall.shard) & (_TABLE.c.id == recall.id)
    names = ("state", "reminders", "next_at", "answered_at", "outcome", "law", "until")
    new = {name: getattr(recall, name) for name in (*names, "contradicted", "certificate")}
    connection.execute(update(_TABLE).where(mine).values(new))


def acknowledge(
    connection: Connection,
    *,
    shard: int,
    client: ClientId,
    recipient: OrganisationId,
    purpose: str,
    at: int,
) -> None:
    """Take the old answer to a notice as one to the recalls that it was about."""
    mine = (
        (_TABLE.c.shard == shard)
        & (_TABLE.c.client == client)
        & (_TABLE.c.recipient == recipient)
        & (_TABLE.c.purpose == purpose)
        & (_TABLE.c.state != RecallState.ANSWERED)
    )
    said = {"state": RecallState.ANSWERED, "outcome": RecallOutcome.ACKNOWLEDGED}
    connection.execute(update(_TABLE).where(mine).values(**said, answered_at=at, next_at=None))


def due(connection: Connection, *, shard: int, now: int, most: int) -> list[Recall]:
    """Recalls for which something is due by itself, the longest overdue first."""
    rows = connection.execute(_NEXT, {"shard": shard, "now": now, "most": most})
    return [Recall(*row) for row in rows]


def page(
    connection: Connection,
    *,
    shard: int,
    organisation: OrganisationId,
    inbox: bool,
    state: RecallState | None,
    now: int,
    before: tuple[int, str] | None,
    limit: int,
    client: ClientId | None = None,
) -> list[Recall]:
    """The newest recalls of one box, from a place on: keyset, never a count, never an offset."""
    side = _TABLE.c.recipient if inbox else _TABLE.c.controller
    statement = select(_TABLE).where(_TABLE.c.shard == shard, side == organisation)
    if client is not None:
        statement = statement.where(_TABLE.c.client == client)
    if state is not None:
        statement = statement.where(_in(state, now))
    if before is not None:
        at, last = before
        statement = statement.where(
            (_TABLE.c.made_at < at) | ((_TABLE.c.made_at == at) & (_TABLE.c.id < last))
        )
    statement = statement.order_by(_TABLE.c.made_at.desc(), _TABLE.c.id.desc()).limit(limit)
    return [Recall(*row) for row in connection.execute(statement)]


def states_between(
    connection: Connection,
    *,
    shard: int,
    controllers: Sequence[OrganisationId],
    start: int,
    stop: int,
) -> list[tuple[str, str, str, str, int]]:
    """How many recalls of a time (µs) there are by controller, recipient, purpose and state."""
    by = (_TABLE.c.controller, _TABLE.c.recipient, _TABLE.c.purpose, _TABLE.c.state)
    mine = (_TABLE.c.shard == shard) & _TABLE.c.controller.in_(controllers)
    made = (_TABLE.c.made_at >= start) & (_TABLE.c.made_at < stop)
    rows = connection.execute(select(*by, func.count()).where(mine, made).group_by(*by))
    return [(*map(str, names), int(times)) for *names, times in rows]  # type: ignore[misc]  # four


def _in(state: RecallState, now: int) -> Any:
    late = (_TABLE.c.state == RecallState.OPEN) & (_TABLE.c.due_at <= now)
    if state == RecallState.OVERDUE:
        return (_TABLE.c.state == state) | late
    return (_TABLE.c.state == state) & ~late


def add_round(connection: Connection, round: Round) -> None:
    connection.execute(_ADD_ROUND, asdict(round))


def waiting(connection: Connection, *, shard: int, most: int) -> list[Round]:
    """Rounds in which more are still to be told, what was tried longest ago first."""
    rows = connection.execute(_WAITING, {"shard": shard, "most": most})
    return [Round(*row) for row in rows]


def keep_round(connection: Connection, round: Round, *, at: int) -> None:
    """How far a round has come; one that is done goes."""
    mine = (_ROUNDS.c.shard == round.shard) & (_ROUNDS.c.id == round.id)
    if round.done:
        connection.execute(delete(_ROUNDS).where(mine))
        return
    new = asdict(replace(round, tried_at=at))
    places = {name: new[name] for name in ("tried_at", "handovers_after", "recipients_after")}
    connection.execute(update(_ROUNDS).where(mine).values(places))


def forget_client(connection: Connection, *, shard: int, client: ClientId) -> None:
    for table in (RecallRow, RoundRow):
        mine = (col(table.shard) == shard) & (col(table.client) == client)
        connection.execute(delete(table).where(mine))
