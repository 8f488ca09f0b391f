"""Hold consents that speak of organisations that merged, until their clients are asked anew."""

from dataclasses import replace

from audit.events import Actor, ConsentSuspended
from consent import agenda, register
from consent.held import hold_unopened, owed
from exchange import mergings
from exchange.mergings import Merging
from exchange.security.keys import KeyDestroyed
from exchange.transaction import BROKER, Outcome, Transaction
from policies.vocabulary import NOBODY, ConsentId, OrganisationId

REASON = "organisation_merged"


def hold_merged(tx: Transaction, most: int = 100) -> Outcome[int]:
    """Look at the next `most` consents for one merger; how many are held for it.

    Nothing goes to the old organisation from the moment of the merger, whether this has run
    or not; it holds what goes to the other, whom the client knows as it was. Nobody can tell of
    whom a consent speaks that can not be opened now: it is held, and logged as about nobody.
    """
    merging = mergings.unfinished(tx.connection, shard=tx.shard)
    if merging is None:
        return Outcome(0)
    found = agenda.standing_since(
        tx.connection,
        shard=tx.shard,
        by=merging.at,
        after=merging.after,
        most=most,
        besides=owed(tx.connection, shard=tx.shard),
    )
    events = [event for each in found if (event := _held(tx, each, merging)) is not None]
    done = len(found) < most
    merging = replace(merging, after=merging.after if done else found[-1], done=done)
    mergings.keep(tx.connection, shard=tx.shard, merging=merging)
    return Outcome(len(events), tuple(events), requests=len(events) or 1)


def _held(tx: Transaction, consent: ConsentId, merging: Merging) -> ConsentSuspended | None:
    try:
        held = register.suspend_speaking_of(
            tx.connection,
            shard=tx.shard,
            consent=consent,
            organisations=(merging.organisation, merging.into),
            at=tx.at,
            sealing=tx.vault,
        )
    except KeyDestroyed:
        hold_unopened(tx.connection, shard=tx.shard, consent=consent)
        return _suspended(NOBODY, None, consent)
    return None if held is None else _suspended(held.client, held.controller, consent)


def _suspended(
    client: str, controller: OrganisationId | None, consent: ConsentId
) -> ConsentSuspended:
    return ConsentSuspended(
        application=BROKER,
        actor=Actor(system=BROKER),
        client=client,
        provider=controller,
        consent=consent,
        reason=REASON,
    )
