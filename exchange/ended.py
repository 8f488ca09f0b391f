"""What counts no more before its time: tokens that were revoked, keys of ours that were replaced.

Both are few and short-lived; they are read with the directory.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Connection, delete, insert, select
from sqlmodel import Field, SQLModel, col


class EndedToken(SQLModel, table=True):
    """An access token that was revoked, by the hash of its id; forgotten when it has expired."""

    __tablename__ = "ended_token"

    shard: int = Field(primary_key=True)
    token: bytes = Field(primary_key=True)
    until: int = Field(sa_type=BigInteger)


class TokenKey(SQLModel, table=True):
    """A public key of ours that signs no more; its tokens count until then."""

    __tablename__ = "token_key"

    shard: int = Field(primary_key=True)
    kid: str = Field(primary_key=True)
    jwk: str
    until: int = Field(sa_type=BigInteger)


def token_name(token_id: str) -> bytes:
    """What a token that was ended is known by."""
    return hashlib.sha256(token_id.encode()).digest()


def ended_tokens(connection: Connection, *, shard: int) -> frozenset[bytes]:
    """Every token that was ended and might still be valid, by its name."""
    mine = select(col(EndedToken.token)).where(col(EndedToken.shard) == shard)
    return frozenset(bytes(each) for each in connection.scalars(mine))


def end_token(connection: Connection, *, shard: int, token: bytes, until: int, now: int) -> bool:
    """Whether the token counted so far; from now on it does not. Times in µs."""
    mine = col(EndedToken.shard) == shard
    connection.execute(delete(EndedToken).where(mine, col(EndedToken.until) < now))
    same = select(col(EndedToken.until)).where(mine, col(EndedToken.token) == token)
    if connection.scalars(same).first() is not None:
        return False
    connection.execute(insert(EndedToken), {"shard": shard, "token": token, "until": until})
    return True


def retired_keys(
    connection: Connection, *, shard: int
) -> tuple[tuple[Mapping[str, Any], int], ...]:
    """The public JWKs of ours that sign no more, and until when (µs) their tokens count."""
    mine = select(col(TokenKey.jwk), col(TokenKey.until)).where(col(TokenKey.shard) == shard)
    return tuple((json.loads(jwk), until) for jwk, until in connection.execute(mine))


def retire_key(connection: Connection, *, shard: int, jwk: Mapping[str, Any], until: int) -> None:
    """Let a key's tokens count until then and no longer."""
    mine = (col(TokenKey.shard) == shard) & (col(TokenKey.kid) == jwk["kid"])
    connection.execute(delete(TokenKey).where(mine))
    row = {"shard": shard, "kid": jwk["kid"], "jwk": json.dumps(jwk), "until": until}
    connection.execute(insert(TokenKey), row)
