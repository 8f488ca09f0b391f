"""How a consent ends, by whichever way its client said stop: at once, with a key or without."""

from dataclasses import dataclass, replace

from sqlalchemy.exc import DBAPIError

from audit.events import (
    Actor,
    ConsentNarrowed,
    ConsentResumed,
    ConsentSuspended,
    ConsentWithdrawn,
    PersonEvent,
)
from consent import held, register
from consent import records as consents
from consent.held import Held
from consent.lifecycle import transition
from exchange import telling
from exchange.transaction import Transaction
from policies.decision import Refused
from policies.vocabulary import (
    NOBODY,
    ClientId,
    ConsentId,
    ConsentState,
    GrantId,
    OrganisationId,
    Reason,
)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Which consent, or which of its grants (none: all), and by which way the client said so."""

    consent: ConsentId
    via: str
    grants: tuple[GrantId, ...] | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How the consent stands now. `at` in microseconds since 1970."""

    consent: ConsentId
    state: ConsentState
    at: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """A consent that ended, with all that must be logged of it."""

    ended: Ended
    events: tuple[PersonEvent, ...]


def end(
    tx: Transaction, application: str, order: Withdrawal, controller: OrganisationId
) -> Stopped | Refused:
    """End the consent now. In log order no release that rests on it can follow.

    Where the client's key is not at hand nobody can tell which grants there are: then all of it
    stops in this commit, and `finish` writes it into the consent when the key is back.
    """
    waiting = held.of(tx.connection, shard=tx.shard, consent=order.consent)
    if waiting is not None:
        return _besides(tx, application, order, controller, waiting)
    try:
        withdrawn = register.withdraw(
            tx.connection,
            shard=tx.shard,
            controller=controller,
            consent=order.consent,
            grants=order.grants,
            via=order.via,
            at=tx.at,
            sealing=tx.vault,
        )
    except DBAPIError:
        raise  # the database itself: nothing can be kept, and nothing is promised
    except Exception:  # noqa: BLE001 - whatever keeps the terms from being read, the client said stop
        return _end_without_key(tx, application, order, controller)
    if isinstance(withdrawn, Refused):
        return withdrawn
    event = _event(application, order, controller, withdrawn.client, withdrawn)
    told = telling.begin(
        tx,
        application,
        consent=order.consent,
        client=withdrawn.client,
        controller=controller,
        grants=None if order.grants is None else withdrawn.ended,
    )
    return Stopped(Ended(order.consent, withdrawn.state, tx.now), (event, *told))


def finish(tx: Transaction, waiting: Held) -> tuple[PersonEvent, ...]:
    """Write a held withdrawal into its consent; nothing when the key is still not there."""
    controller = OrganisationId(waiting.controller)
    order = Withdrawal(waiting.consent, waiting.via, waiting.parts)
    try:
        withdrawn = register.withdraw(
            tx.connection,
            shard=tx.shard,
            controller=controller,
            consent=order.consent,
            grants=order.grants,
            via=order.via,
            at=tx.at,
            sealing=tx.vault,
        )
    except DBAPIError:
        raise
    except Exception:  # noqa: BLE001 - it waits for as long as it can not be read
        held.tried(tx.connection, shard=tx.shard, consent=order.consent, at=tx.now)
        return ()
    if isinstance(withdrawn, Refused):
        return _nothing_written(tx, order, waiting, withdrawn.reason)
    ended = withdrawn.state == ConsentState.WITHDRAWN
    held.settle(tx.connection, shard=tx.shard, held=waiting, ended=ended)
    return (_event(waiting.application, order, controller, withdrawn.client, withdrawn),)


def _end_without_key(
    tx: Transaction, application: str, order: Withdrawal, controller: OrganisationId
) -> Stopped | Refused:
    row = consents.consent_to_change(tx.connection, shard=tx.shard, consent=order.consent)
    if row is None or row.controller != controller:
        return Refused(Reason.CONSENT_NOT_FOUND)
    if reason := transition(ConsentState(row.state), ConsentState.WITHDRAWN):
        return Refused(reason)
    parts = None if order.grants is None else " ".join(order.grants)
    waiting = Held(
        row.id, row.client, controller, order.via, application, parts, suspended=row.suspended
    )
    held.hold(tx.connection, shard=tx.shard, held=waiting, at=tx.now)
    return _owed(tx, application, order, controller, row.client)


def _besides(
    tx: Transaction,
    application: str,
    order: Withdrawal,
    controller: OrganisationId,
    waiting: Held,
) -> Stopped | Refused:
    """A withdrawal waits already: what this one adds is owed too."""
    if waiting.controller != controller:
        return Refused(Reason.CONSENT_NOT_FOUND)
    before = waiting.parts
    if before is None or (order.grants is not None and set(order.grants) <= set(before)):
        return Refused(Reason.ALREADY_WITHDRAWN)
    parts = None if order.grants is None else tuple(dict.fromkeys((*before, *order.grants)))
    if parts is not None and len(" ".join(parts)) > held.ROOM:
        # More than any consent has: rather all of it stops than that a word is lost.
        order, parts = replace(order, grants=None), None
    held.widen(tx.connection, shard=tx.shard, consent=order.consent, grants=parts)
    return _owed(tx, application, order, controller, waiting.client)


def _owed(
    tx: Transaction,
    application: str,
    order: Withdrawal,
    controller: OrganisationId,
    client: ClientId,
) -> Stopped:
    telling.begin_without_keys(
        tx,
        consent=order.consent,
        client=client,
        controller=controller,
        grants=order.grants,
    )
    # Nothing can be sealed under the client's key, so it is logged as about nobody.
    event = ConsentSuspended(
        application=application,
        actor=Actor(system=application),
        client=NOBODY,
        provider=controller,
        consent=order.consent,
        grants=order.grants,
        reason="withdrawn_without_key",
        via=order.via,
    )
    state = ConsentState.WITHDRAWN if order.grants is None else ConsentState.NARROWED
    return Stopped(Ended(order.consent, state, tx.now), (event,))


def _nothing_written(
    tx: Transaction, order: Withdrawal, waiting: Held, why: Reason
) -> tuple[PersonEvent, ...]:
    """What was withdrawn before ends its wait. Of grants that it never had, a person must say."""
    if why is not Reason.ALREADY_WITHDRAWN:
        held.tried(tx.connection, shard=tx.shard, consent=order.consent, at=tx.now)
        return ()
    held.settle(tx.connection, shard=tx.shard, held=waiting, ended=False)
    if waiting.suspended:
        return ()
    resumed = ConsentResumed(
        application=waiting.application,
        actor=Actor(system=waiting.application),
        client=waiting.client,
        provider=waiting.controller,
        consent=order.consent,
        reason="withdrawn_before",
        via=order.via,
    )
    return (resumed,)


def _event(
    application: str,
    order: Withdrawal,
    controller: OrganisationId,
    client: ClientId,
    withdrawn: register.Withdrawn,
) -> PersonEvent:
    whole = withdrawn.state == ConsentState.WITHDRAWN
    return (ConsentWithdrawn if whole else ConsentNarrowed)(
        application=application,
        actor=Actor(system=application),
        client=client,
        provider=controller,
        consent=order.consent,
        grants=tuple(withdrawn.ended),
        via=order.via,
    )
