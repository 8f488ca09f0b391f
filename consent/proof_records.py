"""The tables of what proves a consent: documents, and codes that are waited for. Never commits.

Times are instants: whole microseconds since 1970, UTC.
"""

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

from consent.codes import MOST_TRIES
from consent.records import Consent
from consent.scans import KINDS, MOST_BYTES
from policies.vocabulary import NOBODY, ClientId, ConsentId

_KINDS = ", ".join(f"'{kind}'" for kind in sorted(KINDS))
_SEALING = 64
"""What sealing adds at most, in bytes."""


def _instant() -> Any:
    return Field(sa_column=Column(BigInteger, nullable=False))


class ConsentEvidence(SQLModel, table=True):
    """A signed page, sealed under the client's key. Only ever added to, and erased."""

    __tablename__ = "consent_evidence"
    __table_args__ = (
        PrimaryKeyConstraint("shard", "consent", "sha256", name="pk_consent_evidence"),
        ForeignKeyConstraint(
            ["shard", "consent"],
            ["consent.shard", "consent.id"],
            name="fk_consent_evidence_consent",
        ),
        CheckConstraint("length(sha256) = 64", name="ck_consent_evidence_sha256"),
        CheckConstraint(f"media_type IN ({_KINDS})", name="ck_consent_evidence_media_type"),
        CheckConstraint(
            f"length(sealed) <= {MOST_BYTES + _SEALING}", name="ck_consent_evidence_sealed"
        ),
    )

    shard: int
    consent: str
    sha256: str
    media_type: str
    kept_at: int = _instant()
    sealed: bytes


class ConsentConfirmation(SQLModel, table=True):
    """A code that a client was given and has not said back yet: its keyed hash, and the tries."""

    __tablename__ = "consent_confirmation"
    __table_args__ = (
        PrimaryKeyConstraint("shard", "consent", name="pk_consent_confirmation"),
        ForeignKeyConstraint(
            ["shard", "consent"],
            ["consent.shard", "consent.id"],
            name="fk_consent_confirmation_consent",
        ),
        CheckConstraint("length(digest) = 32", name="ck_consent_confirmation_digest"),
        CheckConstraint(f"tries BETWEEN 0 AND {MOST_TRIES}", name="ck_consent_confirmation_tries"),
        Index("ix_consent_confirmation_confirm_by", "shard", "confirm_by"),
    )

    shard: int
    consent: str
    confirm_by: int = _instant()
    tries: int
    digest: bytes


class Document(NamedTuple):
    """A document as it is kept."""

    sha256: str
    media_type: str
    sealed: bytes


class Awaited(NamedTuple):
    """A code that is waited for."""

    tries: int
    digest: bytes


def _one(table: Any) -> Any:
    return (col(table.shard) == bindparam("in_shard")) & (col(table.consent) == bindparam("of_id"))


_DOCUMENT = select(
    col(ConsentEvidence.sha256), col(ConsentEvidence.media_type), col(ConsentEvidence.sealed)
).where(_one(ConsentEvidence), col(ConsentEvidence.sha256) == bindparam("of_sha256"))
_AWAITED = select(col(ConsentConfirmation.tries), col(ConsentConfirmation.digest)).where(
    _one(ConsentConfirmation)
)
_OVERDUE = (
    select(col(ConsentConfirmation.consent))
    .where(
        col(ConsentConfirmation.shard) == bindparam("in_shard"),
        col(ConsentConfirmation.confirm_by) <= bindparam("now"),
    )
    .order_by(col(ConsentConfirmation.confirm_by), col(ConsentConfirmation.consent))
    .limit(bindparam("most"))
)
_TRIED = (
    update(ConsentConfirmation)
    .where(_one(ConsentConfirmation))
    .values(tries=col(ConsentConfirmation.tries) + 1)
)
_LATER = (
    update(ConsentConfirmation)
    .where(_one(ConsentConfirmation))
    .values(confirm_by=bindparam("later"))
)
_NO_MORE = delete(ConsentConfirmation).where(_one(ConsentConfirmation))


def client_of(
    connection: Connection, *, shard: int, consent: ConsentId, controller: str
) -> ClientId:
    """Whose consent it is, for the organisation that it was given to; else nobody's."""
    mine = (col(Consent.shard) == shard) & (col(Consent.id) == consent)
    asked = select(col(Consent.client)).where(mine, col(Consent.controller) == controller)
    return ClientId(connection.scalar(asked) or NOBODY)


def document_of(
    connection: Connection, *, shard: int, consent: ConsentId, sha256: str
) -> Document | None:
    """The document with this hash that is kept with the consent."""
    key = {"in_shard": shard, "of_id": consent, "of_sha256": sha256}
    row = connection.execute(_DOCUMENT, key).first()
    return None if row is None else Document._make(row)


def add_document(
    connection: Connection, *, shard: int, consent: ConsentId, document: Document, at: int
) -> None:
    """Keep a document. Raises `IntegrityError` when it is kept already or is too large."""
    row = {"shard": shard, "consent": consent, "kept_at": at, **document._asdict()}
    connection.execute(insert(ConsentEvidence), row)


def await_code(
    connection: Connection, *, shard: int, consent: ConsentId, confirm_by: int, digest: bytes
) -> None:
    """Wait for a code; the one that was waited for before counts no more."""
    no_more_code(connection, shard=shard, consent=consent)
    row = {"shard": shard, "consent": consent, "confirm_by": confirm_by, "tries": 0}
    connection.execute(insert(ConsentConfirmation), row | {"digest": digest})


def awaited(connection: Connection, *, shard: int, consent: ConsentId) -> Awaited | None:
    """The code that is waited for, if one is."""
    row = connection.execute(_AWAITED, {"in_shard": shard, "of_id": consent}).first()
    return None if row is None else Awaited._make(row)


def count_try(connection: Connection, *, shard: int, consent: ConsentId) -> None:
    """One wrong answer more."""
    connection.execute(_TRIED, {"in_shard": shard, "of_id": consent})


def no_more_code(connection: Connection, *, shard: int, consent: ConsentId) -> None:
    """No code is waited for any more."""
    connection.execute(_NO_MORE, {"in_shard": shard, "of_id": consent})


def overdue(connection: Connection, *, shard: int, now: int, most: int) -> list[ConsentId]:
    """Consents of which nobody said the code in time, longest ago first, at most `most`."""
    key = {"in_shard": shard, "now": now, "most": most}
    return [ConsentId(each) for each in connection.scalars(_OVERDUE, key)]


def look_later(connection: Connection, *, shard: int, consent: ConsentId, at: int) -> None:
    """Have its turn come again then, after all others. Until when to confirm is in the terms."""
    connection.execute(_LATER, {"in_shard": shard, "of_id": consent, "later": at})


def forget_client(connection: Connection, *, shard: int, client: ClientId) -> None:
    """Take away every document and every code of a client; before the consents themselves go."""
    mine = select(col(Consent.id)).where(col(Consent.shard) == shard, col(Consent.client) == client)
    for table in (ConsentEvidence, ConsentConfirmation):
        of_one = (col(table.shard) == shard) & (col(table.consent).in_(mine))
        connection.execute(delete(table).where(of_one))
