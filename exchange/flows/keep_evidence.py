"""Keep the signed page of a consent, and look at it again: by its controller alone, and logged."""

from dataclasses import dataclass, replace
from typing import Any

from audit.events import Actor, ClientCorrected, ClientViewed, ConsentRefused
from consent import confirming
from consent.proof_records import Document
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import NOBODY, ClientId, ConsentId, OrganisationId, Reason

EVIDENCE = "consent_evidence"


@dataclass(frozen=True, slots=True)
class SignedPage:
    """A page that was scanned, sealed for the client whose consent it was found to prove."""

    consent: ConsentId
    client: ClientId
    document: Document


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A page as it is kept: still sealed, opened after the commit that says so."""

    client: ClientId
    document: Document


@by_application
def keep_evidence(tx: Transaction, caller: Caller, page: SignedPage) -> Outcome[None]:
    """Keep it, if it is the one that the consent names."""
    controller = OrganisationId(caller.organisation)
    kept = confirming.keep_document(
        tx.connection,
        shard=tx.shard,
        consent=page.consent,
        client=page.client,
        controller=controller,
        document=page.document,
        at=tx.at,
        sealing=tx.vault,
    )
    if isinstance(kept, Refused):
        return _refuse(caller, page.consent, kept)
    event = ClientCorrected(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=kept,
        provider=controller,
        via=EVIDENCE,
    )
    return Outcome(None, (event,))


@by_application
def view_evidence(tx: Transaction, caller: Caller, consent: ConsentId) -> Outcome[KeptPage]:
    """The page that proves the consent as it stands."""
    controller = OrganisationId(caller.organisation)
    found = confirming.document_for(
        tx.connection, shard=tx.shard, consent=consent, controller=controller, sealing=tx.vault
    )
    if isinstance(found, Refused):
        return _refuse(caller, consent, found)
    client, document = found
    event = ClientViewed(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client,
        provider=controller,
        via=EVIDENCE,
    )
    return Outcome(KeptPage(client, document), (event,))


def _refuse(caller: Caller, consent: ConsentId, refusal: Refused) -> Outcome[Any]:
    event = ConsentRefused(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=NOBODY,
        consent=consent,
        reason=refusal.reason,
        via=EVIDENCE,
    )
    openly = refusal.reason is Reason.CONTENT_REFUSED
    return Outcome(replace(refusal, told=refusal.reason if openly else None), (event,))
