"""What the log says of the rules: which bundle it named last, and which set was put in force."""

import json
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlmodel import col

from audit import tallies
from audit.leaf import KINDS
from audit.records import AuditIndex, entries_between

_SHARD = col(AuditIndex.shard) == bindparam("shard")
_KIND, _INDEX = col(AuditIndex.kind), col(AuditIndex.idx)
_OTHERS = {each for each, kind in KINDS.items() if kind.extra} - {"policy.changed"}
"""Kinds that name no bundle: they are about the log and the installation alone."""
_CHANGES = select(_INDEX).where(_SHARD, _KIND == "policy.changed").order_by(_INDEX.desc())
_NAMING = select(_INDEX).where(_SHARD, _KIND.not_in(_OTHERS)).order_by(_INDEX.desc()).limit(1)


def last_policy(connection: Connection, *, shard: int) -> str | None:
    """The bundle that was last put in force, or that the last entry about a person was made under.

    Nothing while the log has no such entry, or has none any more.
    """
    index = connection.scalar(_NAMING, {"shard": shard})
    body = None if index is None else _leaf(connection, shard, index)
    if body is None:
        return None
    named: str | None = body["e"]["new"] if body["k"] == "policy.changed" else body.get("pv")
    return named


def last_applied(connection: Connection, *, shard: int, what: str) -> str | None:
    """What was last put in force, by its id: of an `admin.changed` with its `policy.changed`."""
    for index in connection.scalars(_CHANGES, {"shard": shard}):
        body = _leaf(connection, shard, index - 1)
        said = body["e"] if body is not None and body["k"] == "admin.changed" else {}
        if said.get("what") == what and said.get("act") == "applied":
            return str(said["id"])
    return None


def is_pruned(connection: Connection, *, shard: int) -> bool:
    """Whether the beginning of the log is no longer kept, and what it said can not be read."""
    return tallies.min_index(connection, shard=shard) > 0


def _leaf(connection: Connection, shard: int, index: int) -> dict[str, Any] | None:
    if index < 0:
        return None
    for _, leaf in entries_between(connection, shard=shard, start=index, stop=index + 1):
        body: dict[str, Any] = json.loads(leaf)
        return body
    return None
