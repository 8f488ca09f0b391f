"""Who counts in the volume of an agreement, and what somebody must hear of.

A person takes a place with the first offer or release of a calendar year: exactly once, since
what says so is written under the lock that the count is written under.
"""

from collections.abc import Collection
from dataclasses import replace

from exchange import directory, records, volumes
from exchange.alerts import Alert, AlertKind
from exchange.considering import Considered, Rulebook, record_of
from exchange.records import KnownClient
from exchange.security.tokens import Caller
from exchange.transaction import Transaction
from policies.decision import Decision, ReleaseRequest
from policies.purposes import is_prohibited
from policies.vocabulary import Reason
from policies.volumes import WHOLLY, is_full, reached, scopes

_AGREEMENT = "an_agreement_covers_it"


def count(
    tx: Transaction,
    caller: Caller,
    rulebook: Rulebook,
    request: ReleaseRequest,
    client: KnownClient,
    considered: Considered,
) -> tuple[Alert, ...]:
    """Count the client where the decision lets something go; what is to be told of that."""
    flow = considered.decision.flow
    if flow is None:
        return ()
    year = tx.day.year
    agreed = dict(scopes(flow, request.purpose, year))
    new = sorted(agreed.keys() - considered.served)
    if not new:
        return ()
    _remember(tx, client, new, year)
    counted = volumes.one_more(tx.connection, shard=tx.shard, scopes=new)
    persons = dict(zip(new, counted, strict=True))
    if any(is_full(persons[each], agreed[each], rulebook.refused_at) for each in new):
        directory.moved(tx.connection, shard=tx.shard)
    levels = [level for each in new if (level := reached(persons[each], agreed[each]))]
    if not levels:
        return ()
    kind = AlertKind.VOLUME_REACHED if max(levels) == WHOLLY else AlertKind.VOLUME_NEARLY
    return (_alert(kind, caller, request, flow.agreement),)


def _remember(tx: Transaction, client: KnownClient, new: Collection[str], year: int) -> None:
    """Keep in the client's own record where they count; of years that are over, nothing."""
    record = record_of(tx, client)
    served = frozenset(each for each in record.served if each.endswith(f"/{year}")).union(new)
    sealed = tx.vault.seal(client.id, replace(record, served=served).to_bytes(), "client")
    records.set_client_sealed(tx.connection, shard=tx.shard, client=client.id, sealed=sealed)


def prohibited(
    caller: Caller, request: ReleaseRequest, reason: Reason | None = None
) -> tuple[Alert, ...]:
    """What is to be told of a no: that a prohibited purpose was asked for (H3, P90 to P95).

    The same whoever the client is. That an agreement is full is not told of a query: what is
    written then would take time that a query about nobody does not take.
    """
    if is_prohibited(request.purpose) or reason is Reason.HARD_RULE_H3:
        return (_alert(AlertKind.PROHIBITED_PURPOSE, caller, request),)
    return ()


def full(
    tx: Transaction,
    caller: Caller,
    request: ReleaseRequest,
    client: KnownClient,
    decision: Decision,
) -> tuple[Alert, ...]:
    """What is to be told of a no to the holder's own order: that an agreement is full."""
    if (_AGREEMENT, Reason.USES_EXHAUSTED) not in decision.trace or client.holder == "":
        return ()
    flows = tx.directory.flows(client.holder, request.recipient, request.purpose, tx.day)
    return tuple(
        _alert(AlertKind.VOLUME_REFUSED, caller, request, each)
        for each in sorted({flow.agreement for flow in flows})
    )


def _alert(kind: AlertKind, caller: Caller, request: ReleaseRequest, agreement: str = "") -> Alert:
    return Alert(kind, caller.organisation, caller.application, request.purpose, agreement)
