"""The broker's own tables for clients, summaries and handovers, and every statement on them.

Never commits. Times are whole microseconds since 1970 (UTC). What is personal stands in
`sealed` columns alone; every other column holds ids, codes, numbers and keyed hashes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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

from audit.prepared import Prepared, together
from exchange.handovers import HandoverRow
from policies.vocabulary import (
    NOBODY,
    ClientId,
    Handle,
    HandoverId,
    OrganisationId,
    Section,
)


class Client(SQLModel, table=True):
    """One person as one organisation, its holder, knows them. `sealed`: identity and flags."""

    __tablename__ = "client"

    shard: int = Field(primary_key=True)
    id: str = Field(primary_key=True)
    holder: str
    summary_version: int = Field(sa_type=BigInteger)
    registered_at: int = Field(sa_type=BigInteger)
    sealed: bytes


class KnownAs(SQLModel, table=True):
    """By which handle an organisation knows a client."""

    __tablename__ = "known_as"
    __table_args__ = (
        ForeignKeyConstraint(
            ["shard", "client"], ["client.shard", "client.id"], name="fk_known_as_client"
        ),
        Index("uq_known_as_client", "shard", "client", "organisation", unique=True),
        CheckConstraint("length(handle) = 26", name="ck_known_as_handle"),
    )

    shard: int = Field(primary_key=True)
    organisation: str = Field(primary_key=True)
    handle: str = Field(primary_key=True)
    client: str


class Commitment(SQLModel, table=True):
    """By which number, reference or identity an organisation finds its client again (HMAC)."""

    __tablename__ = "commitment"

    shard: int = Field(primary_key=True)
    value: bytes = Field(primary_key=True)
    client: str


class SummarySection(SQLModel, table=True):
    """One section of a client's summary, sealed. `scanned` names the scanner that passed it."""

    __tablename__ = "summary_section"

    shard: int = Field(primary_key=True)
    client: str = Field(primary_key=True)
    section: str = Field(primary_key=True)
    version: int = Field(sa_type=BigInteger)
    scanned: str
    deposited_at: int = Field(sa_type=BigInteger)
    sealed: bytes


class Replay(SQLModel, table=True):
    """A token id that was used; forgotten when it could no longer be valid."""

    __tablename__ = "replay"

    shard: int = Field(primary_key=True)
    token: bytes = Field(primary_key=True)
    until: int = Field(sa_type=BigInteger, index=True)


@dataclass(frozen=True, slots=True)
class KnownClient:
    """A client as found by a handle. `NOBODY` has an empty holder and nothing sealed."""

    id: ClientId
    holder: OrganisationId
    summary_version: int
    sealed: bytes


NO_CLIENT = KnownClient(NOBODY, OrganisationId(""), 0, b"")


class SealedSection(NamedTuple):
    """A stored section. `version` and `section` are bound into the box."""

    section: Section
    version: int
    scanned: str
    sealed: bytes


_KNOWN = Prepared(
    select(col(Client.id), col(Client.holder), col(Client.summary_version), col(Client.sealed))
    .join(
        KnownAs,
        (col(KnownAs.shard) == col(Client.shard)) & (col(KnownAs.client) == col(Client.id)),
    )
    .where(
        col(KnownAs.shard) == bindparam("shard"),
        col(KnownAs.organisation) == bindparam("organisation"),
        col(KnownAs.handle) == bindparam("handle"),
    )
    .limit(1)
)
_HELD_BY = (
    select(
        col(KnownAs.handle),
        col(Client.id),
        col(Client.holder),
        col(Client.summary_version),
        col(Client.sealed),
    )
    .join(
        Client, (col(Client.shard) == col(KnownAs.shard)) & (col(Client.id) == col(KnownAs.client))
    )
    .where(
        col(KnownAs.shard) == bindparam("shard"),
        col(KnownAs.organisation) == bindparam("organisation"),
        col(KnownAs.handle) > bindparam("after"),
        col(Client.holder) == col(KnownAs.organisation),
    )
    .order_by(col(KnownAs.handle))
    .limit(bindparam("most"))
)
_BY_ID = (
    select(col(Client.id), col(Client.holder), col(Client.summary_version), col(Client.sealed))
    .where(col(Client.shard) == bindparam("shard"), col(Client.id) == bindparam("client"))
    .limit(1)
)
_HANDED_OVER = Prepared(
    select(
        col(Client.id),
        col(Client.holder),
        col(Client.summary_version),
        col(Client.sealed),
        col(KnownAs.handle),
    )
    .join(
        HandoverRow,
        (col(HandoverRow.shard) == col(Client.shard)) & (col(HandoverRow.client) == col(Client.id)),
    )
    .join(
        KnownAs,
        (col(KnownAs.shard) == col(Client.shard))
        & (col(KnownAs.client) == col(Client.id))
        & (col(KnownAs.organisation) == col(HandoverRow.recipient)),
    )
    .where(
        col(HandoverRow.shard) == bindparam("shard"),
        col(HandoverRow.id) == bindparam("handover"),
        col(HandoverRow.recipient) == bindparam("recipient"),
    )
    .limit(1)
)
_HANDLE = (
    select(col(KnownAs.handle))
    .where(
        col(KnownAs.shard) == bindparam("shard"),
        col(KnownAs.client) == bindparam("client"),
        col(KnownAs.organisation) == bindparam("organisation"),
    )
    .limit(1)
)
_COMMITTED = Prepared(
    select(col(Commitment.client))
    .where(col(Commitment.shard) == bindparam("shard"), col(Commitment.value) == bindparam("value"))
    .limit(1)
)
SECTIONS = Prepared(
    select(
        col(SummarySection.section),
        col(SummarySection.version),
        col(SummarySection.scanned),
        col(SummarySection.sealed),
    )
    .where(
        col(SummarySection.shard) == bindparam("shard"),
        col(SummarySection.client) == bindparam("client"),
    )
    .order_by(col(SummarySection.section))
    .limit(len(Section))
)
_SET_SEALED = (
    update(Client)
    .where(col(Client.shard) == bindparam("of_shard"), col(Client.id) == bindparam("of_client"))
    .values(sealed=bindparam("new_sealed"))
)
_REPLAYED = Prepared(
    select(col(Replay.until)).where(
        col(Replay.shard) == bindparam("shard"), col(Replay.token) == bindparam("token")
    )
)
_FORGET = Prepared("DELETE FROM replay WHERE shard = ? AND until < ?")
_REMEMBER = Prepared(
    "INSERT INTO replay (shard, token, until) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
)
_SECTION = {section.value: section for section in Section}
_ADD_CLIENT, _ADD_KNOWN, _ADD_COMMITMENT = insert(Client), insert(KnownAs), insert(Commitment)
_ADD_SECTION = insert(SummarySection)


def client_known_as(
    connection: Connection, *, shard: int, organisation: OrganisationId, handle: Handle
) -> KnownClient:
    """The client behind a handle, or `NO_CLIENT`; another organisation's handle is nobody's."""
    key = {"shard": shard, "organisation": organisation, "handle": handle}
    return _known(_KNOWN.rows(connection, key))


def client_handed_over(
    connection: Connection, *, shard: int, handover: HandoverId, recipient: OrganisationId
) -> tuple[KnownClient, Handle]:
    """The client of a handover to this recipient, and the recipient's name for them."""
    key = {"shard": shard, "handover": handover, "recipient": recipient}
    rows = _HANDED_OVER.rows(connection, key)
    handle = Handle(rows[0][4]) if rows else Handle("")
    return _known([row[:4] for row in rows]), handle


def _known(rows: Sequence[Sequence[Any]]) -> KnownClient:
    if not rows:
        return NO_CLIENT
    client, holder, version, sealed = rows[0]
    return KnownClient(client, holder, version, bytes(sealed))


def client_with_id(connection: Connection, *, shard: int, client: ClientId) -> KnownClient:
    return _known(connection.execute(_BY_ID, {"shard": shard, "client": client}).all())


def clients_held_by(
    connection: Connection, *, shard: int, organisation: OrganisationId, after: Handle, most: int
) -> list[tuple[Handle, KnownClient]]:
    """The clients that the organisation holds, by its own handles, from the one `after` on."""
    key = {"shard": shard, "organisation": organisation, "after": after, "most": most}
    found = connection.execute(_HELD_BY, key)
    return [(Handle(handle), _known([row])) for handle, *row in found]


def clients_in(connection: Connection, *, shard: int) -> int:
    """How many clients there are."""
    counted = select(func.count()).select_from(Client).where(col(Client.shard) == shard)
    return connection.scalar(counted) or 0


def every_client(connection: Connection, *, shard: int) -> list[KnownClient]:
    """All clients of the shard: for what is done once, while nothing else may be."""
    every = select(col(Client.id), col(Client.holder), col(Client.summary_version))
    rows = connection.execute(
        every.add_columns(col(Client.sealed)).where(col(Client.shard) == shard)
    )
    return [_known([row]) for row in rows]


def handle_of(
    connection: Connection, *, shard: int, client: ClientId, organisation: OrganisationId
) -> Handle | None:
    """By which handle the organisation knows the client, if it does."""
    key = {"shard": shard, "client": client, "organisation": organisation}
    found = connection.scalars(_HANDLE, key).first()
    return None if found is None else Handle(found)


def add_handle(
    connection: Connection,
    *,
    shard: int,
    client: ClientId,
    organisation: OrganisationId,
    handle: Handle,
) -> None:
    row = {"shard": shard, "client": client, "organisation": organisation, "handle": handle}
    connection.execute(_ADD_KNOWN, row)


def client_committed_to(connection: Connection, *, shard: int, value: bytes) -> ClientId:
    """Whom an organisation registered under this commitment, or `NOBODY`."""
    rows = _COMMITTED.rows(connection, {"shard": shard, "value": value})
    return ClientId(rows[0][0]) if rows else NOBODY


def add_client(
    connection: Connection,
    *,
    shard: int,
    client: ClientId,
    holder: OrganisationId,
    sealed: bytes,
    at: int,
) -> None:
    row = {"shard": shard, "id": client, "holder": holder, "sealed": sealed}
    connection.execute(_ADD_CLIENT, row | {"summary_version": 0, "registered_at": at})


def add_commitments(
    connection: Connection, *, shard: int, client: ClientId, values: Sequence[bytes]
) -> None:
    rows = [{"shard": shard, "value": value, "client": client} for value in values]
    if rows:
        connection.execute(_ADD_COMMITMENT, rows)


def set_client_sealed(
    connection: Connection, *, shard: int, client: ClientId, sealed: bytes
) -> None:
    key = {"of_shard": shard, "of_client": client}
    connection.execute(_SET_SEALED, key | {"new_sealed": sealed})


def sealed_sections(connection: Connection, *, shard: int, client: ClientId) -> list[SealedSection]:
    """Every section of the client's summary, still sealed."""
    return sections_in(SECTIONS.rows(connection, {"shard": shard, "client": client}))


def sections_in(rows: Iterable[Sequence[Any]]) -> list[SealedSection]:
    """What `SECTIONS` found."""
    return [
        SealedSection(_SECTION[section], version, scanned, sealed)
        for section, version, scanned, sealed in rows
    ]


def forget_client(connection: Connection, *, shard: int, client: ClientId) -> None:
    """Take away a client: summary, handles, and all that they could be found again by."""
    for table, column in (
        (SummarySection, SummarySection.client),
        (KnownAs, KnownAs.client),
        (Commitment, Commitment.client),
        (Client, Client.id),
    ):
        mine = (col(table.shard) == shard) & (col(column) == client)
        connection.execute(delete(table).where(mine))


def used_before(connection: Connection, *, shard: int, token: bytes) -> bool:
    """Whether the token id was used, by whichever process."""
    return bool(_REPLAYED.rows(connection, {"shard": shard, "token": token}))


def remember_uses(
    connection: Connection, *, shard: int, uses: Sequence[tuple[bytes, int]], over: int
) -> bool:
    """Keep token ids until they could no longer be valid (µs), and forget those over by then.

    Whether all of them were new; where one was not, the caller must roll back.
    """
    rows = [(shard, token, until) for token, until in uses]
    _, kept = together(connection, (_FORGET, [(shard, over)]), (_REMEMBER, rows))
    return kept.changed == len(rows)
