"""The tables of consents and notices, and every statement on them. Never commits.

Times are instants: whole microseconds since 1970, UTC. What a consent says is sealed; the
plain columns hold who asked, how it stands and since when.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlmodel import Field, SQLModel, col

from consent.notices import Notice
from policies.vocabulary import ClientId, ConsentId, ConsentState, GrantId

_STATES = ", ".join(f"'{state}'" for state in ConsentState)
_LONGEST_SEALED = 65_536
_VIA = 40


def _instant() -> Any:
    return Field(sa_column=Column(BigInteger, nullable=False))


class Consent(SQLModel, table=True):
    """One client's word to one controller, as it stands. `sealed` holds what it says.

    From `due_at` on somebody must look at it: 0 means now (rows of before the column are 0),
    nothing never again.
    """

    __table_args__ = (
        PrimaryKeyConstraint("shard", "id", name="pk_consent"),
        CheckConstraint("length(id) BETWEEN 1 AND 60", name="ck_consent_id"),
        CheckConstraint("length(client) BETWEEN 1 AND 60", name="ck_consent_client"),
        CheckConstraint("length(controller) BETWEEN 1 AND 60", name="ck_consent_controller"),
        CheckConstraint(f"state IN ({_STATES})", name="ck_consent_state"),
        CheckConstraint("version >= 1", name="ck_consent_version"),
        CheckConstraint(f"length(sealed) <= {_LONGEST_SEALED}", name="ck_consent_sealed"),
        Index("ix_consent_client", "shard", "client"),
        Index("ix_consent_due", "shard", "due_at"),
        Index("ix_consent_of_controller", "shard", "controller", "suspended", "due_at", "id"),
    )

    shard: int
    id: str
    client: str
    controller: str
    state: str
    version: int
    given_at: int = _instant()
    renewed_at: int = _instant()
    changed_at: int = _instant()
    suspended: bool
    sealed: bytes
    due_at: int | None = Field(
        default=None, sa_column=Column(BigInteger, nullable=True, server_default="0")
    )


class ConsentChange(SQLModel, table=True):
    """How a consent stood at each version, with its receipt. Only ever added to.

    `via` is the channel of the change as a code (`portal`, `sms_link`), never free text.
    """

    __tablename__ = "consent_change"
    __table_args__ = (
        PrimaryKeyConstraint("shard", "consent", "version", name="pk_consent_change"),
        ForeignKeyConstraint(
            ["shard", "consent"], ["consent.shard", "consent.id"], name="fk_consent_change_consent"
        ),
        CheckConstraint(f"state IN ({_STATES})", name="ck_consent_change_state"),
        CheckConstraint(f"length(via) <= {_VIA}", name="ck_consent_change_via"),
        CheckConstraint(f"length(sealed) <= {_LONGEST_SEALED}", name="ck_consent_change_sealed"),
    )

    shard: int
    consent: str
    version: int
    state: str
    suspended: bool
    changed_at: int = _instant()
    via: str | None = None
    sealed: bytes


class GrantUse(SQLModel, table=True):
    """How often a grant that may be used a number of times was used."""

    __tablename__ = "grant_use"
    __table_args__ = (
        PrimaryKeyConstraint("shard", "consent", "grant_id", name="pk_grant_use"),
        ForeignKeyConstraint(
            ["shard", "consent"], ["consent.shard", "consent.id"], name="fk_grant_use_consent"
        ),
        CheckConstraint("length(grant_id) BETWEEN 1 AND 20", name="ck_grant_use_grant_id"),
        CheckConstraint("uses >= 1", name="ck_grant_use_uses"),
    )

    shard: int
    consent: str
    grant_id: str
    uses: int


class NoticeText(SQLModel, table=True):
    """One notice in one language, as it was put into use. Never changed, never removed."""

    __tablename__ = "notice"
    __table_args__ = (
        PrimaryKeyConstraint("shard", "id", "version", "lang", name="pk_notice"),
        CheckConstraint("length(id) BETWEEN 1 AND 60", name="ck_notice_id"),
        CheckConstraint("length(version) BETWEEN 1 AND 20", name="ck_notice_version"),
        CheckConstraint("length(lang) BETWEEN 2 AND 20", name="ck_notice_lang"),
        CheckConstraint("length(sha256) = 64", name="ck_notice_sha256"),
        CheckConstraint("length(text) <= 100000", name="ck_notice_text"),
    )

    shard: int
    id: str
    version: str
    lang: str
    sha256: str
    substantive: bool
    text: str


class ConsentRow(NamedTuple):
    """The row of a consent, without its shard."""

    id: ConsentId
    client: ClientId
    controller: str
    state: str
    version: int
    given_at: int
    renewed_at: int
    changed_at: int
    suspended: bool
    sealed: bytes


_ROW = tuple(col(getattr(Consent, name)) for name in ConsentRow._fields)
_IN_SHARD = col(Consent.shard) == bindparam("in_shard")

_CONSENTS_OF = select(*_ROW).where(_IN_SHARD, col(Consent.client) == bindparam("of_client"))
_CONSENTS_OF_ALL = select(*_ROW).where(
    _IN_SHARD, col(Consent.client).in_(bindparam("of_clients", expanding=True))
)
TO_DECIDE = _CONSENTS_OF.order_by(col(Consent.id))
"""All consents of a client: asked with every release, and therefore open to be run elsewhere."""
_IN_ORDER = _CONSENTS_OF.order_by(col(Consent.given_at), col(Consent.id))
_STANDING = (
    select(col(Consent.id))
    .where(
        _IN_SHARD,
        col(Consent.state).in_(bindparam("in_states", expanding=True)),
        col(Consent.suspended).is_(False),
    )
    .order_by(col(Consent.id))
)
# The row lock is a second net on PostgreSQL, for statements from outside the writer.
_TO_CHANGE = select(*_ROW).where(_IN_SHARD, col(Consent.id) == bindparam("of_id")).with_for_update()
_ADDED = ("shard", *ConsentRow._fields, "due_at")
_CHANGED = ("shard", "consent", "version", "state", "suspended", "changed_at", "via", "sealed")
_CHANGING = ("state", "version", "renewed_at", "changed_at", "suspended", "sealed")
_CHANGE = (
    update(Consent)
    .where(_IN_SHARD, col(Consent.id) == bindparam("of_id"))
    .values({name: bindparam(f"new_{name}") for name in (*_CHANGING, "due_at")})
)
_CHANGES = (
    select(col(ConsentChange.version), col(ConsentChange.sealed))
    .where(
        col(ConsentChange.shard) == bindparam("in_shard"),
        col(ConsentChange.consent) == bindparam("of_id"),
    )
    .order_by(col(ConsentChange.version).desc())
)
_STATES_OF = (
    select(col(ConsentChange.state), col(ConsentChange.changed_at), col(ConsentChange.via))
    .where(
        col(ConsentChange.shard) == bindparam("in_shard"),
        col(ConsentChange.consent) == bindparam("of_id"),
    )
    .order_by(col(ConsentChange.version))
)
_USES = select(col(GrantUse.consent), col(GrantUse.grant_id), col(GrantUse.uses)).where(
    col(GrantUse.shard) == bindparam("in_shard"),
    col(GrantUse.consent).in_(bindparam("of_ids", expanding=True)),
)
_COUNT = (
    update(GrantUse)
    .where(
        col(GrantUse.shard) == bindparam("in_shard"),
        col(GrantUse.consent) == bindparam("of_id"),
        col(GrantUse.grant_id) == bindparam("of_grant"),
    )
    .values(uses=col(GrantUse.uses) + 1)
)
_FIRST_USE = insert(GrantUse)
_NOTICES = select(
    col(NoticeText.id),
    col(NoticeText.version),
    col(NoticeText.lang),
    col(NoticeText.sha256),
    col(NoticeText.substantive),
    col(NoticeText.text),
).where(col(NoticeText.shard) == bindparam("in_shard"))
_ADD_NOTICE = insert(NoticeText)


def consents_to_decide(
    connection: Connection, *, shard: int, client: ClientId
) -> Sequence[ConsentRow]:
    """Every consent of the client, oldest first, whoever it was given to and however it stands."""
    key = {"in_shard": shard, "of_client": client}
    return in_order(connection.execute(TO_DECIDE, key))


def in_order(found: Iterable[Sequence[Any]]) -> Sequence[ConsentRow]:
    """What `TO_DECIDE` found, oldest first."""
    rows = list(map(ConsentRow._make, found))
    return rows if len(rows) < 2 else sorted(rows, key=_age)  # noqa: PLR2004 - nothing to sort


def consents_of_all(
    connection: Connection, *, shard: int, clients: Collection[ClientId]
) -> dict[ClientId, Sequence[ConsentRow]]:
    """As `consents_to_decide`, of many clients at once; who has none is left out."""
    found: dict[ClientId, list[ConsentRow]] = {}
    key = {"in_shard": shard, "of_clients": list(clients)}
    for row in map(ConsentRow._make, connection.execute(_CONSENTS_OF_ALL, key)):
        found.setdefault(row.client, []).append(row)
    return {client: in_order(rows) for client, rows in found.items()}


def consents_to_show(
    connection: Connection, *, shard: int, client: ClientId
) -> Sequence[ConsentRow]:
    """The same rows, without a lock: for whoever only looks."""
    key = {"in_shard": shard, "of_client": client}
    return [ConsentRow._make(row) for row in connection.execute(_IN_ORDER, key)]


def _age(row: ConsentRow) -> tuple[int, str]:
    return row.given_at, row.id


def consent_to_change(
    connection: Connection, *, shard: int, consent: ConsentId
) -> ConsentRow | None:
    """The consent of that id, whoever's it is; on PostgreSQL its row is locked."""
    row = connection.execute(_TO_CHANGE, {"in_shard": shard, "of_id": consent}).first()
    return None if row is None else ConsentRow._make(row)


def client_of(connection: Connection, *, shard: int, consent: ConsentId) -> ClientId | None:
    """Whose consent it is; nobody's, where there is none or they were erased."""
    mine = (col(Consent.shard) == shard) & (col(Consent.id) == consent)
    found = connection.scalar(select(col(Consent.client)).where(mine).limit(1))
    return None if found is None else ClientId(found)


def standing(connection: Connection, *, shard: int, states: Sequence[str]) -> list[str]:
    """The ids of all consents in one of these states that are not suspended."""
    return list(connection.scalars(_STANDING, {"in_shard": shard, "in_states": list(states)}))


def add_consent(connection: Connection, *, shard: int, row: ConsentRow, due_at: int | None) -> None:
    """Add a consent. Raises `IntegrityError` when the id is taken or a column does not fit."""
    _add(connection, "consent", _ADDED, (shard, *row, due_at))


def change_consent(
    connection: Connection, *, shard: int, row: ConsentRow, due_at: int | None
) -> None:
    """Bring the row to how the consent stands now. Id, client, controller, giving stay."""
    new = {f"new_{name}": value for name, value in row._asdict().items() if name in _CHANGING}
    key = {"in_shard": shard, "of_id": row.id, "new_due_at": due_at}
    connection.execute(_CHANGE, key | new)


def add_change(
    connection: Connection, *, shard: int, row: ConsentRow, via: str | None, sealed: bytes
) -> None:
    """Add to the history how the consent stands from now on.

    The beginning of a longer `via` will do: the log holds all of it, and no change fails for it.
    """
    stands = (row.version, row.state, row.suspended, row.changed_at)
    way = None if via is None else via[:_VIA]
    _add(connection, "consent_change", _CHANGED, (shard, row.id, *stands, way, sealed))


def _add(connection: Connection, table: str, columns: Sequence[str], row: tuple[Any, ...]) -> None:
    """One row, straight to the driver: Core spends more on it than the database."""
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    marks = ", ".join([mark] * len(columns))
    connection.exec_driver_sql(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", row)  # noqa: S608  # our names


def forget_client(connection: Connection, *, shard: int, client: ClientId) -> int:
    """Take away every consent of a client, with its history; how many there were."""
    mine = select(col(Consent.id)).where(_IN_SHARD, col(Consent.client) == bindparam("of_client"))
    key = {"in_shard": shard, "of_client": client}
    consents = list(connection.scalars(mine, key))
    for table in (ConsentChange, GrantUse):
        of_one = (col(table.shard) == shard) & (col(table.consent).in_(consents))
        connection.execute(delete(table).where(of_one))
    connection.execute(
        delete(Consent).where(col(Consent.shard) == shard, col(Consent.client) == client)
    )
    return len(consents)


def changes_of(
    connection: Connection, *, shard: int, consent: ConsentId
) -> Sequence[tuple[int, bytes]]:
    """Version and sealed content of every change, newest first."""
    rows = connection.execute(_CHANGES, {"in_shard": shard, "of_id": consent})
    return [(version, sealed) for version, sealed in rows]


def states_of(
    connection: Connection, *, shard: int, consent: ConsentId
) -> Sequence[tuple[str, int, str | None]]:
    """State, instant and way of every change, oldest first."""
    rows = connection.execute(_STATES_OF, {"in_shard": shard, "of_id": consent})
    return [(state, changed_at, via) for state, changed_at, via in rows]


def uses_of(
    connection: Connection, *, shard: int, consents: Collection[ConsentId]
) -> dict[tuple[ConsentId, GrantId], int]:
    """How often the grants of these consents were used; a grant never used is left out."""
    rows = connection.execute(_USES, {"in_shard": shard, "of_ids": list(consents)})
    return {(ConsentId(consent), GrantId(grant)): uses for consent, grant, uses in rows}


def count_one_use(
    connection: Connection, *, shard: int, consent: ConsentId, grant: GrantId
) -> None:
    """One use more. Two at a time would count as one: so only the writer counts."""
    key = {"in_shard": shard, "of_id": consent, "of_grant": grant}
    if connection.execute(_COUNT, key).rowcount == 0:
        first = {"shard": shard, "consent": consent, "grant_id": grant, "uses": 1}
        connection.execute(_FIRST_USE, first)


def notices_in(connection: Connection, *, shard: int) -> Sequence[Notice]:
    """Every notice ever put into use."""
    return [Notice(*row) for row in connection.execute(_NOTICES, {"in_shard": shard})]


def add_notice(connection: Connection, *, shard: int, notice: Notice) -> None:
    """Add a notice. Raises `IntegrityError` when that version in that language exists."""
    row = {name: getattr(notice, name) for name in notice.__slots__}
    connection.execute(_ADD_NOTICE, {"shard": shard, **row})
