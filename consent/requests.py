"""Requests for consent: the table, and every statement on it. Never commits.

A row stands for every question that was asked, also about somebody who is no client: what its
asker sees of it is made of what the asker did, and of a yes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, NewType

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlmodel import Field, SQLModel

from consent.sealed import Sealing
from policies.vocabulary import (
    NOBODY,
    ClientId,
    ConsentId,
    ConsentState,
    Handle,
    OrganisationId,
    Section,
)

RequestId = NewType("RequestId", str)

OPEN_FOR = timedelta(days=60)
"""How long a question stands. Then its asker sees it closed, whatever became of it."""
A_YEAR = timedelta(days=365)
KEPT_FOR = timedelta(days=400)
"""How long a row is kept: the questions of a year are counted, and no more is."""

YES = (ConsentState.GIVEN, ConsentState.NARROWED)
WAITING = (ConsentState.REQUESTED, ConsentState.DEFERRED)
"""While it is in one of these the client may still answer."""

_STATES = ", ".join(f"'{state}'" for state in ConsentState)
_MICROSECOND = timedelta(microseconds=1)


class ConsentRequest(SQLModel, table=True):
    """One question. Without a holder it reaches nobody, and its state is `unknown`.

    `sections` are those that were asked, with spaces between. `sealed`: the lines that reach
    the client, and what was said with a no.
    """

    __tablename__ = "consent_request"
    __table_args__ = (
        PrimaryKeyConstraint("shard", "id", name="pk_consent_request"),
        Index("ix_consent_request_outbox", "shard", "requester", "asked_at", "id"),
        Index("ix_consent_request_inbox", "shard", "holder", "asked_at", "id"),
        Index("ix_consent_request_asked", "shard", "requester", "handle", "purpose", "asked_at"),
        Index("ix_consent_request_client", "shard", "client"),
        Index("ix_consent_request_due", "shard", "state", "closes_at"),
        Index("ix_consent_request_age", "shard", "asked_at"),
        CheckConstraint(f"state IN ({_STATES})", name="ck_consent_request_state"),
        CheckConstraint("length(handle) = 26", name="ck_consent_request_handle"),
        CheckConstraint("length(purpose) <= 8", name="ck_consent_request_purpose"),
        CheckConstraint("length(sections) <= 400", name="ck_consent_request_sections"),
        CheckConstraint("length(reason_code) <= 40", name="ck_consent_request_reason_code"),
        CheckConstraint("length(consent) <= 42", name="ck_consent_request_consent"),
        CheckConstraint("length(sealed) <= 10000", name="ck_consent_request_sealed"),
    )

    shard: int
    id: str
    client: str
    holder: str
    requester: str
    handle: str
    purpose: str
    sections: str
    reason_code: str
    state: str
    asked_at: int = Field(sa_type=BigInteger)
    closes_at: int = Field(sa_type=BigInteger)
    deferred_until: int | None = Field(default=None, sa_type=BigInteger)
    consent: str | None = None
    sealed: bytes = Field(sa_type=LargeBinary)


@dataclass(frozen=True, slots=True)
class Request:
    """One question as it is read and written; see `ConsentRequest`."""

    shard: int
    id: RequestId
    client: ClientId
    holder: OrganisationId
    requester: OrganisationId
    handle: Handle
    purpose: str
    sections: str
    reason_code: str
    state: str
    asked_at: int
    closes_at: int
    deferred_until: int | None
    consent: ConsentId | None
    sealed: bytes

    def standing(self, now: int) -> ConsentState:
        """How it stands for the holder: deadlines are read, not waited for."""
        state = ConsentState(self.state)
        if state in WAITING and self.closes_at <= now:
            return ConsentState.EXPIRED
        if state is ConsentState.DEFERRED and (self.deferred_until or 0) <= now:
            return ConsentState.REQUESTED
        return state

    def told(self, now: int) -> str:
        """All that its asker is told: `requested`, `given` after a yes, `closed` in the end.

        A no, no answer, and nobody who could be asked are the same, and end at the same time.
        """
        if self.closes_at <= now:
            return "closed"
        return "given" if self.state in YES else "requested"


@dataclass(frozen=True, slots=True)
class Box:
    """Which questions: those that came in or those that went out, in which state, from where."""

    organisation: OrganisationId
    inbox: bool
    state: str | None
    before: tuple[int, str] | None
    limit: int


_TABLE = SQLModel.metadata.tables["consent_request"]
_COLUMNS = [_TABLE.c[name] for name in Request.__dataclass_fields__]
_BY_ID = (
    select(*_COLUMNS)
    .where(_TABLE.c.shard == bindparam("shard"), _TABLE.c.id == bindparam("request"))
    .limit(1)
)
_BEFORE = (
    select(*_COLUMNS)
    .where(
        _TABLE.c.shard == bindparam("shard"),
        _TABLE.c.requester == bindparam("requester"),
        _TABLE.c.handle == bindparam("handle"),
        _TABLE.c.purpose == bindparam("purpose"),
        _TABLE.c.asked_at > bindparam("since"),
    )
    .order_by(_TABLE.c.asked_at.desc(), _TABLE.c.id.desc())
    .limit(20)
)
_LATELY = select(func.count()).select_from(
    select(_TABLE.c.id)
    .where(
        _TABLE.c.shard == bindparam("shard"),
        _TABLE.c.requester == bindparam("requester"),
        _TABLE.c.asked_at > bindparam("since"),
    )
    .limit(bindparam("most"))
    .subquery()
)
_OVERDUE = (
    select(*_COLUMNS)
    .where(
        _TABLE.c.shard == bindparam("shard"),
        _TABLE.c.state.in_(WAITING),
        _TABLE.c.closes_at <= bindparam("now"),
    )
    .order_by(_TABLE.c.closes_at)
    .limit(bindparam("most"))
)
_OLD = (
    select(_TABLE.c.id)
    .where(_TABLE.c.shard == bindparam("shard"), _TABLE.c.asked_at <= bindparam("before"))
    .order_by(_TABLE.c.asked_at)
    .limit(bindparam("most"))
)
_ANSWER = (
    update(_TABLE)
    .where((_TABLE.c.shard == bindparam("of_shard")) & (_TABLE.c.id == bindparam("of_id")))
    .values({name: bindparam(f"new_{name}") for name in
             ("state", "deferred_until", "consent", "sealed")})
)  # fmt: skip
_ADD = insert(_TABLE)


def span(of: timedelta) -> int:
    """The same in microseconds, as the tables count."""
    return of // _MICROSECOND


def add(connection: Connection, request: Request) -> None:
    connection.execute(_ADD, asdict(request))


def request_with_id(connection: Connection, *, shard: int, request: RequestId) -> Request | None:
    """The question, whoever looks: the caller of this compares the holder."""
    row = connection.execute(_BY_ID, {"shard": shard, "request": request}).first()
    return None if row is None else Request(*row)


def asked_before(
    connection: Connection,
    *,
    shard: int,
    requester: OrganisationId,
    handle: Handle,
    purpose: str,
    since: int,
) -> list[Request]:
    """What the organisation asked about this handle for this purpose since then, newest first."""
    key = {"shard": shard, "requester": requester, "handle": handle}
    rows = connection.execute(_BEFORE, key | {"purpose": purpose, "since": since})
    return [Request(*row) for row in rows]


def asked_lately(
    connection: Connection, *, shard: int, requester: OrganisationId, since: int, most: int
) -> int:
    """How many questions the organisation asked since then; counted no further than `most`."""
    key = {"shard": shard, "requester": requester, "since": since, "most": most}
    return connection.scalars(_LATELY, key).one()


def settle(connection: Connection, request: Request) -> None:
    """Keep how the question stands now: state, day, consent and what was said."""
    new = {name: getattr(request, name) for name in ("state", "deferred_until", "consent")}
    key = {"of_shard": request.shard, "of_id": request.id, "new_sealed": request.sealed}
    connection.execute(_ANSWER, key | {f"new_{name}": value for name, value in new.items()})


def overdue(connection: Connection, *, shard: int, now: int, most: int) -> list[Request]:
    """Questions that closed while the client might still have answered, longest ago first."""
    rows = connection.execute(_OVERDUE, {"shard": shard, "now": now, "most": most})
    return [Request(*row) for row in rows]


def forget_old(connection: Connection, *, shard: int, before: int, most: int) -> int:
    """Take away questions of before then, the oldest first; how many there were."""
    key = {"shard": shard, "before": before, "most": most}
    old = list(connection.scalars(_OLD, key))
    if old:
        connection.execute(delete(_TABLE).where((_TABLE.c.shard == shard) & _TABLE.c.id.in_(old)))
    return len(old)


def forget_client(connection: Connection, *, shard: int, client: ClientId) -> None:
    """Make every question about the client one about nobody.

    The row stays until all such rows go: its asker would learn of the erasure otherwise. What
    is left is what the asker itself sent.
    """
    mine = (_TABLE.c.shard == shard) & (_TABLE.c.client == client)
    nobodys = {"client": NOBODY, "holder": "", "consent": None, "sealed": b""}
    unanswered = mine & _TABLE.c.state.not_in(YES)
    connection.execute(update(_TABLE).where(unanswered).values(state=ConsentState.UNKNOWN))
    connection.execute(update(_TABLE).where(mine).values(nobodys))


def page(connection: Connection, *, shard: int, box: Box, now: int) -> list[Request]:
    """The newest questions of a box, from a place on: keyset, never a count, never an offset."""
    side = _TABLE.c.holder if box.inbox else _TABLE.c.requester
    statement = select(*_COLUMNS).where(_TABLE.c.shard == shard, side == box.organisation)
    if box.state is not None:
        statement = statement.where(_seen_as(box, now))
    if box.before is not None:
        at, last = box.before
        older = (_TABLE.c.asked_at == at) & (_TABLE.c.id < last)
        statement = statement.where((_TABLE.c.asked_at < at) | older)
    statement = statement.order_by(_TABLE.c.asked_at.desc(), _TABLE.c.id.desc()).limit(box.limit)
    return [Request(*row) for row in connection.execute(statement)]


def _seen_as(box: Box, now: int) -> Any:
    """The condition of `standing` or `told`, in the words of the database."""
    state, closed = _TABLE.c.state, _TABLE.c.closes_at <= now
    if not box.inbox:
        return {"closed": closed, "given": state.in_(YES) & ~closed}.get(
            str(box.state), state.not_in(YES) & ~closed
        )
    due = (state == ConsentState.DEFERRED) & (_TABLE.c.deferred_until <= now)
    return {
        "expired": (state == ConsentState.EXPIRED) | (state.in_(WAITING) & closed),
        "requested": ((state == ConsentState.REQUESTED) | due) & ~closed,
        "deferred": (state == ConsentState.DEFERRED) & ~due & ~closed,
    }.get(str(box.state), state == box.state)


def sealed_lines(
    sealing: Sealing, client: ClientId, request: RequestId, said: Mapping[str, Any]
) -> bytes:
    """The lines of a question, and what was said to it, under the client's key."""
    plain = json.dumps(said, sort_keys=True, ensure_ascii=False).encode()
    return sealing.seal(client, plain, _context(request))


def lines_of(sealing: Sealing, request: Request) -> Sequence[Section]:
    """The lines that reach the client: what agreement and purpose could give, less denials."""
    said = json.loads(sealing.open(request.client, request.sealed, _context(request.id)))
    return tuple(map(Section, said["lines"]))


def _context(request: RequestId) -> str:
    return f"consent-request|{request}"
