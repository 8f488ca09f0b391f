"""Answer a recall: a recipient certifies, signed, what became of what it had received."""

import hashlib
from dataclasses import dataclass, replace

from audit.events import Actor, ConsentRefused, NoticeAcknowledged
from exchange import recalls
from exchange.recalls import Recall, RecallOutcome, RecallState
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import NOBODY, OrganisationId, Reason


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a signature was found good for, and the whole text that was signed.

    With a `fault` it is good for nothing: then it is refused, and nothing of it is kept.
    """

    recall: str
    outcome: RecallOutcome
    law: str | None
    until: str | None
    text: str
    fault: str | None = None

    @property
    def sha256(self) -> str:
        """What the log keeps of it (hexadecimal)."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@by_application
def answer_recall(tx: Transaction, caller: Caller, certificate: Certificate) -> Outcome[Recall]:
    """Keep the certificate, once. To anybody but its recipient there is no such recall.

    That it never opened what our log says it was given is taken, and marked as contradicted.
    """
    me, at = OrganisationId(caller.organisation), tx.now
    recall = recalls.recall_with_id(tx.connection, shard=tx.shard, recall=certificate.recall)
    if recall is None or recall.recipient != me:
        return _refuse(caller, Reason.RECALL_NOT_FOUND)
    if certificate.fault is not None:
        fault = f"certificate: {certificate.fault}"
        return _refuse(caller, Reason.CONTENT_REFUSED, recall, fault)
    if recall.certificate is not None:
        return _refuse(caller, Reason.RECALL_ANSWERED, recall)
    never = certificate.outcome == RecallOutcome.NEVER_OPENED
    contradicted = never and recall.released_at is not None
    recall = replace(
        recall,
        state=RecallState.ANSWERED,
        next_at=None,
        answered_at=at,
        outcome=certificate.outcome,
        law=certificate.law,
        until=certificate.until,
        contradicted=contradicted,
        certificate=tx.vault.seal(recall.client, certificate.text.encode(), place(recall.id)),
    )
    recalls.change(tx.connection, recall)
    event = NoticeAcknowledged(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=recall.client,
        provider=recall.controller,
        consumer=me,
        purpose=recall.purpose,
        sections=("all",),
        about="recall",
        consent=recall.consent,
        said="contradicted" if contradicted else certificate.outcome,
        certificate_sha256=certificate.sha256,
    )
    return Outcome(recall, (event,))


def place(recall: str) -> str:
    """What binds a sealed certificate to its recall."""
    return f"recall|{recall}"


def _refuse(
    caller: Caller, reason: Reason, recall: Recall | None = None, *details: str
) -> Outcome[Recall]:
    told = None if recall is None else reason
    refused = ConsentRefused(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=NOBODY,
        consent=None if recall is None else recall.consent,
        reason=reason,
        via="certificate",
    )
    return Outcome(Refused(reason, told=told, details=details), (refused,))
