"""Inspect the log: who saw what of whom, and why. The question itself is logged, before its answer.

An organisation sees its own entries, an oversight auditor all of them, the back office none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit import log, records, search
from audit.events import Actor, AuditInspected
from audit.search import Filter, Hit
from consent import records as consents
from exchange import records as clients
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import NOBODY, ClientId, ConsentId, Handle, OrganisationId, Reason

EVERYTHING = "audit-all"
"""The scope that sees more than the organisation's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """What is looked for; `client` is a handle of `organisation`. Times are in µs since 1970."""

    organisation: OrganisationId | None = None
    client: Handle | None = None
    actor: str | None = None
    consent: ConsentId | None = None
    agreement: str | None = None
    kinds: tuple[str, ...] = ()
    purpose: str | None = None
    outcome: str | None = None
    start: int | None = None
    stop: int | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Answered:
    """What was found, newest first, as of a size of the log; parts are still sealed.

    `everything`: whoever asked may see all parts. `following`: where another page goes on,
    which there may be although this one is empty.
    """

    size: int
    hits: tuple[Hit, ...]
    parts: Mapping[int, Sequence[records.PartRow]]
    everything: bool
    following: int | None


@by_application
def inspect_audit(tx: Transaction, caller: Caller, query: AuditQuery) -> Outcome[Answered]:
    """Look, and log who looked for what; a client whom the asker does not know is nobody."""
    everything = EVERYTHING in caller.scopes
    own = OrganisationId(caller.organisation)
    organisation = query.organisation if everything else own
    client = NOBODY
    if query.client is not None:
        client = _client(tx, organisation or own, query.client)
        if client == NOBODY:
            return Outcome(Refused(Reason.NOT_THE_HOLDER), (_asked(caller, query, NOBODY, 0),))
    wanted = _filter(tx, query, client, own=None if everything else own)
    hits, following = search.find(
        tx.connection,
        shard=tx.shard,
        wanted=wanted,
        limit=query.limit,
        before=query.before,
        keys=tx.keys,
    )
    parts = records.parts_at(tx.connection, shard=tx.shard, indexes=[hit.index for hit in hits])
    size = log.head(tx.connection, shard=tx.shard).size
    answered = Answered(size, hits, parts, everything, following)
    return Outcome(answered, (_asked(caller, query, client, len(hits)),))


def _client(tx: Transaction, organisation: OrganisationId, handle: Handle) -> ClientId:
    return clients.client_known_as(
        tx.connection, shard=tx.shard, organisation=organisation, handle=handle
    ).id


def _giver(tx: Transaction, consent: ConsentId) -> ClientId:
    return consents.client_of(tx.connection, shard=tx.shard, consent=consent) or NOBODY


def _filter(
    tx: Transaction, query: AuditQuery, client: ClientId, *, own: OrganisationId | None
) -> Filter:
    blind = tx.keys.blind
    party = None if query.organisation is None else f"org:{query.organisation}"
    providers, purposes = _flows(tx, query.agreement, own=own)
    return Filter(
        subject=blind("sub", client) if client else None,
        actor=blind("act", query.actor) if query.actor else None,
        consent=blind("con", query.consent) if query.consent else None,
        whose=blind("sub", _giver(tx, query.consent)) if query.consent else None,
        agreement=query.agreement,
        providers=providers,
        purposes=purposes,
        kinds=query.kinds,
        outcome=query.outcome,
        own=None if own is None else f"org:{own}",
        party=None if query.client is not None else party,
        purpose=query.purpose,
        start=query.start,
        stop=query.stop,
    )


def _flows(
    tx: Transaction, agreement: str | None, *, own: OrganisationId | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who may give under an agreement, for what: as the directory has it now, whatever its state.

    An organisation is shown the grounds of what it gave itself, and of nothing else.
    """
    flows = [
        flow for each in tx.directory.agreements if each.id == agreement for flow in each.flows
    ]
    givers = {giver for flow in flows for giver in flow.from_ if own in (None, giver)}
    purposes = {purpose for flow in flows for purpose in flow.purposes}
    return tuple(f"org:{each}" for each in sorted(givers)), tuple(sorted(purposes))


def _asked(caller: Caller, query: AuditQuery, client: ClientId, found: int) -> AuditInspected:
    said: dict[str, str | int | None] = {
        "actor": query.actor,
        "agreement": query.agreement,
        "consent": query.consent,
        "kinds": " ".join(query.kinds) or None,
        "organisation": query.organisation,
        "outcome": query.outcome,
        "purpose": query.purpose,
        "from": query.start,
        "to": query.stop,
        "before": query.before,
    }
    return AuditInspected(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client,
        consumer=caller.organisation,
        filter={name: value for name, value in said.items() if value is not None},
        found=found,
    )
