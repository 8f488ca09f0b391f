"""Keep out: a client does not want one member of some staff to see anything of them."""

from dataclasses import dataclass, replace

from audit.events import Actor, ClientObjected, ClientRefused
from exchange import records
from exchange.considering import person, record_of
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import NOBODY, ClientId, Handle, OrganisationId, Reason

MOST = 50
"""Persons whom one client may keep out; one more is refused."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Whom the client keeps out, by the number that their own organisation gave them.

    `lifted`: the client lets them in again.
    """

    client: Handle
    organisation: OrganisationId
    member: str
    lifted: bool = False


@by_application
def keep_out(tx: Transaction, caller: Caller, order: Exclusion) -> Outcome[frozenset[str]]:
    """Keep the person out, or no longer; everybody whom the client keeps out then.

    Only the holder is told; the person, and their organisation, never: they are answered as if
    there were no consent.
    """
    holder = OrganisationId(caller.organisation)
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=holder, handle=order.client
    )
    if client.id == NOBODY or client.holder != holder:
        return _refuse(caller, NOBODY, Refused(Reason.NOT_THE_HOLDER))
    who = person(order.organisation, order.member)
    record = record_of(tx, client)
    kept_out = record.kept_out - {who} if order.lifted else record.kept_out | {who}
    unknown = tx.directory.type_of(order.organisation) is None
    if unknown or len(kept_out) > MOST:
        details = ("organisation: unknown" if unknown else "member: too_many",)
        told = Reason.CONTENT_REFUSED
        return _refuse(caller, client.id, Refused(told, told=told, details=details))
    sealed = tx.vault.seal(client.id, replace(record, kept_out=kept_out).to_bytes(), "client")
    records.set_client_sealed(tx.connection, shard=tx.shard, client=client.id, sealed=sealed)
    event = ClientObjected(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client.id,
        provider=holder,
        reason="lifted" if order.lifted else "kept_out",
        flags=(who,),
    )
    return Outcome(kept_out, (event,))


def _refuse(caller: Caller, client: ClientId, refusal: Refused) -> Outcome[frozenset[str]]:
    event = ClientRefused(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client,
        reason=refusal.reason,
    )
    return Outcome(refusal, (event,))
