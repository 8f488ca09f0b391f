"""The tables of consents, asked for what is due: without opening any of them."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select, tuple_, update
from sqlmodel import col

from consent.lifecycle import releases
from consent.records import Consent
from policies.vocabulary import ClientId, ConsentId, ConsentState, OrganisationId

LATER = 86_400_000_000
"""When to look again at what can not be opened, or waits for another end (µs): a day."""
LATEST = 2**63 - 1
"""Later than anything is due."""
FIRST = (1, "")
"""The place before all that is due; what is due at 0 nobody has looked at yet."""


class Due(NamedTuple):
    """One consent that wants somebody to look at it, from `due_at` on (an instant)."""

    id: ConsentId
    client: ClientId
    state: ConsentState
    version: int
    due_at: int


_IN_SHARD = col(Consent.shard) == bindparam("in_shard")
_DUE_AT = col(Consent.due_at)
_BY_THEN = _DUE_AT.between(0, bindparam("until"))
_DUE = select(col(Consent.id)).where(_IN_SHARD, _BY_THEN).order_by(_DUE_AT).limit(bindparam("most"))
_NEXT_DUE = (
    update(Consent)
    .where(_IN_SHARD, col(Consent.id) == bindparam("of_id"))
    .values(due_at=bindparam("new_due_at"))
)
_OF_CONTROLLER = (
    select(
        *(col(each) for each in (Consent.id, Consent.client, Consent.state, Consent.version)),
        _DUE_AT,
    )
    .where(
        _IN_SHARD,
        col(Consent.controller) == bindparam("of_controller"),
        col(Consent.suspended) == bindparam("held"),
        _BY_THEN,
        tuple_(_DUE_AT, col(Consent.id)) > tuple_(bindparam("after_due"), bindparam("after_id")),
    )
    .order_by(_DUE_AT, col(Consent.id))
    .limit(bindparam("most"))
)
_STANDING = (
    select(col(Consent.id))
    .where(
        _IN_SHARD,
        col(Consent.id) > bindparam("after_id"),
        col(Consent.renewed_at) <= bindparam("by"),
        col(Consent.state).in_([state for state in ConsentState if releases(state)]),
        col(Consent.suspended).is_(False)
        | col(Consent.id).in_(bindparam("besides", expanding=True)),
    )
    .order_by(col(Consent.id))
    .limit(bindparam("most"))
)


def due(connection: Connection, *, shard: int, until: int, most: int) -> list[ConsentId]:
    """What is due by then, longest first."""
    key = {"in_shard": shard, "until": until, "most": most}
    return [ConsentId(each) for each in connection.scalars(_DUE, key)]


def put_off(connection: Connection, *, shard: int, consent: ConsentId, due_at: int | None) -> None:
    """Look at it then, and not before. How the consent stands is not touched."""
    key = {"in_shard": shard, "of_id": consent, "new_due_at": due_at}
    connection.execute(_NEXT_DUE, key)


def due_of(
    connection: Connection,
    *,
    shard: int,
    controller: OrganisationId,
    held: bool,
    until: int,
    after: tuple[int, str],
    most: int,
) -> list[Due]:
    """A controller's consents that are due by then, from a place on: held ones, or the others."""
    place = {"after_due": after[0], "after_id": after[1]}
    key = {"in_shard": shard, "of_controller": controller, "held": held, "until": until}
    rows: Iterable[Sequence[Any]] = connection.execute(_OF_CONTROLLER, key | place | {"most": most})
    return [
        Due(ConsentId(id), ClientId(client), ConsentState(state), version, due_at)
        for id, client, state, version, due_at in rows
    ]


def standing_since(
    connection: Connection,
    *,
    shard: int,
    by: int,
    after: str,
    most: int,
    besides: Sequence[ConsentId] = (),
) -> list[ConsentId]:
    """Consents that stand, were last agreed to by then, and are not held; by id.

    And, `besides`, those of these that are.
    """
    key = {"in_shard": shard, "by": by, "after_id": after, "most": most, "besides": besides}
    return [ConsentId(each) for each in connection.scalars(_STANDING, key)]
