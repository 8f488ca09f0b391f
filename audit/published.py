"""What the log has said of itself: the table of signed heads, and the statements on it.

Rows are added; a witness's line alone may be replaced, by a later one for the same head.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Text,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlmodel import Field, SQLModel, col

from audit.records import CHUNK, of_shard

_BIG = BigInteger().with_variant(Integer(), "sqlite")
_STRICT = {"sqlite_strict": True, "sqlite_with_rowid": False}


class AuditCheckpoint(SQLModel, table=True):
    """A head as it was signed; one root for each size, for ever. Times in µs since 1970."""

    __tablename__ = "audit_checkpoint"
    __table_args__ = _STRICT

    shard: int = Field(primary_key=True)
    size: int = Field(primary_key=True, sa_type=_BIG)
    root: bytes
    note: str = Field(sa_type=Text)
    signed_at: int = Field(sa_type=_BIG)
    published_at: int = Field(sa_type=_BIG)


class AuditCosig(SQLModel, table=True):
    """A witness's signature line under a head, verified before it was kept; `at` in seconds."""

    __tablename__ = "audit_cosig"
    __table_args__ = _STRICT

    shard: int = Field(primary_key=True)
    size: int = Field(primary_key=True, sa_type=_BIG)
    witness: str = Field(primary_key=True, sa_type=Text)
    at: int = Field(sa_type=_BIG)
    line: str = Field(sa_type=Text)


class AuditSignerKey(SQLModel, table=True):
    """A key that signs or has signed, kept for ever: what it signed must go on opening."""

    __tablename__ = "audit_signer_key"
    __table_args__ = _STRICT

    shard: int = Field(primary_key=True)
    vkey: str = Field(primary_key=True, sa_type=Text)
    use: str = Field(sa_type=Text)
    from_size: int = Field(sa_type=_BIG)
    to_size: int | None = Field(sa_type=_BIG)


class AnotherRoot(Exception):
    """A head of this size was published before, with another root: the log has forked."""


class Head(NamedTuple):
    """A head as it was signed; `note` has the lines of the log's own keys."""

    size: int
    root: bytes
    note: str
    signed_at: int


class Cosigned(NamedTuple):
    """A witness's line: by the name that the policy gives it, at a time in seconds."""

    witness: str
    at: int
    line: str


class SignerKey(NamedTuple):
    """A key of the log's history: the first size it signed, and the last, once it was ended."""

    vkey: str
    from_size: int
    to_size: int | None


_HEAD = tuple(col(getattr(AuditCheckpoint, name)) for name in Head._fields)
_LATEST = (
    select(*_HEAD)
    .where(of_shard(AuditCheckpoint))
    .order_by(col(AuditCheckpoint.size).desc())
    .limit(1)
)
_AT_SIZE = select(*_HEAD).where(
    of_shard(AuditCheckpoint), col(AuditCheckpoint.size) == bindparam("of_size")
)
_AFTER = (
    select(*_HEAD)
    .where(of_shard(AuditCheckpoint), col(AuditCheckpoint.size) > bindparam("of_size"))
    .order_by(col(AuditCheckpoint.size))
    .limit(CHUNK)
)
_BEFORE_LAST = (
    select(col(AuditCheckpoint.size))
    .where(of_shard(AuditCheckpoint))
    .order_by(col(AuditCheckpoint.size).desc())
    .offset(bindparam("passed"))
    .limit(1)
)
_FIRST_TIME = select(func.min(col(AuditCheckpoint.published_at))).where(of_shard(AuditCheckpoint))
_COSIGNED = (
    select(*(col(getattr(AuditCosig, name)) for name in Cosigned._fields))
    .where(of_shard(AuditCosig), col(AuditCosig.size) == bindparam("of_size"))
    .order_by(col(AuditCosig.witness))
)
_COSIGNED_SIZES = (
    select(col(AuditCosig.size))
    .where(of_shard(AuditCosig))
    .distinct()
    .order_by(col(AuditCosig.size).desc())
    .limit(bindparam("most"))
)
_SEEN = (
    select(col(AuditCosig.witness), func.max(col(AuditCosig.size)))
    .where(of_shard(AuditCosig))
    .group_by(col(AuditCosig.witness))
)
_RENEW = (
    update(AuditCosig)
    .where(
        of_shard(AuditCosig),
        col(AuditCosig.size) == bindparam("of_size"),
        col(AuditCosig.witness) == bindparam("by"),
    )
    .values(at=bindparam("new_at"), line=bindparam("new_line"))
)
_KEYS = (
    select(*(col(getattr(AuditSignerKey, name)) for name in SignerKey._fields))
    .where(of_shard(AuditSignerKey), col(AuditSignerKey.use) == bindparam("for_use"))
    .order_by(col(AuditSignerKey.from_size), col(AuditSignerKey.vkey))
)


def latest(connection: Connection, *, shard: int) -> Head | None:
    """The largest head that was published, or nothing before the first."""
    row = connection.execute(_LATEST, {"at_shard": shard}).first()
    return Head(*row) if row else None


def head_at(connection: Connection, *, shard: int, size: int) -> Head | None:
    """The head of exactly this size, if one was published."""
    row = connection.execute(_AT_SIZE, {"at_shard": shard, "of_size": size}).first()
    return Head(*row) if row else None


def heads(connection: Connection, *, shard: int, after: int = 0) -> Iterator[Head]:
    """Every head of more than `after` entries, smallest first, some in memory at a time."""
    while True:
        rows = connection.execute(_AFTER, {"at_shard": shard, "of_size": after}).fetchall()
        yield from (Head(*row) for row in rows)
        if len(rows) < CHUNK:
            return
        after = rows[-1].size


def size_before_last(connection: Connection, count: int, *, shard: int) -> int:
    """The size after which the last `count` heads come; 0 when there are no more than that."""
    found = connection.scalar(_BEFORE_LAST, {"at_shard": shard, "passed": count})
    return found or 0


def first_published_at(connection: Connection, *, shard: int) -> int | None:
    """When the first head was published, in µs."""
    found: int | None = connection.scalar(_FIRST_TIME, {"at_shard": shard})
    return found


def cosigned(connection: Connection, *, shard: int, size: int) -> list[Cosigned]:
    """The witnesses' lines under a head."""
    key = {"at_shard": shard, "of_size": size}
    return [Cosigned(*row) for row in connection.execute(_COSIGNED, key)]


def cosigned_sizes(connection: Connection, *, shard: int, most: int) -> list[int]:
    """The sizes of heads that some witness signed, largest first."""
    return list(connection.scalars(_COSIGNED_SIZES, {"at_shard": shard, "most": most}))


def seen_by_all(connection: Connection, witnesses: Collection[str], *, shard: int) -> int:
    """Up to which size the log was signed, and by each of these witnesses who ever signed it."""
    head = latest(connection, shard=shard)
    rows = connection.execute(_SEEN, {"at_shard": shard})
    sizes = [size for witness, size in rows if witness in witnesses]
    return 0 if head is None else min([head.size, *sizes])


def publish(connection: Connection, head: Head, *, shard: int, at: int) -> bool:
    """Add a head; whether it is new. Raises `AnotherRoot` for a second root of one size."""
    known = head_at(connection, shard=shard, size=head.size)
    if known is None:
        row = head._asdict() | {"shard": shard, "published_at": at}
        connection.execute(insert(AuditCheckpoint), row)
    elif known.root != head.root:
        raise AnotherRoot
    return known is None


def keep_cosigned(
    connection: Connection, lines: Sequence[Cosigned], *, shard: int, size: int
) -> None:
    """Keep the lines of witnesses; of two by one witness the later one."""
    known = {each.witness: each.at for each in cosigned(connection, shard=shard, size=size)}
    for each in lines:
        if each.witness not in known:
            row: dict[str, Any] = each._asdict() | {"shard": shard, "size": size}
            connection.execute(insert(AuditCosig), row)
        elif each.at > known[each.witness]:
            key = {"at_shard": shard, "of_size": size, "by": each.witness}
            connection.execute(_RENEW, key | {"new_at": each.at, "new_line": each.line})


def signer_keys(connection: Connection, *, shard: int, use: str = "log") -> list[str]:
    """Every key that ever signed for this use, as its text."""
    return [each.vkey for each in key_history(connection, shard=shard, use=use)]


def key_history(connection: Connection, *, shard: int, use: str = "log") -> list[SignerKey]:
    """Every key that ever signed for this use, and from which size to which (section 17)."""
    rows = connection.execute(_KEYS, {"at_shard": shard, "for_use": use})
    return [SignerKey(*row) for row in rows]


def keys_for(history: Sequence[SignerKey], size: int) -> list[str]:
    """The keys whose word counts for a head of this size: not those that had ended before."""
    return [each.vkey for each in history if each.to_size is None or size <= each.to_size]


def keep_signer_keys(
    connection: Connection, vkeys: Sequence[str], *, shard: int, from_size: int, use: str = "log"
) -> None:
    """Remember keys that sign from this size on; those that are known stay as they are."""
    known = set(signer_keys(connection, shard=shard, use=use))
    for vkey in vkeys:
        if vkey not in known:
            row = {"shard": shard, "vkey": vkey, "use": use, "from_size": from_size}
            connection.execute(insert(AuditSignerKey), row | {"to_size": None})


def end_signer_key(connection: Connection, vkey: str, *, shard: int, to_size: int) -> None:
    """Note that a key signs no more; it goes on opening what it signed."""
    connection.execute(
        update(AuditSignerKey)
        .where(of_shard(AuditSignerKey), col(AuditSignerKey.vkey) == bindparam("of_vkey"))
        .values(to_size=bindparam("last_size")),
        {"at_shard": shard, "of_vkey": vkey, "last_size": to_size},
    )
