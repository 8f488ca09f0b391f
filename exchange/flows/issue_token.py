"""Issue a token: an application proved that it holds its key, once."""

from dataclasses import dataclass

from exchange.directory import Directory
from exchange.security.dpop import Proof
from exchange.transaction import Outcome, Transaction, use_of
from exchange.uses import Use
from policies.decision import Refused
from policies.vocabulary import ApplicationId, OrganisationId, Reason

STOPPING = frozenset({"consent"})
"""What an application that asked too much may still have, when it asks for no more than that."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A verified assertion: whose, and as something that counts once.

    With a proof, the token is to be bound to its key.
    """

    application: ApplicationId
    assertion: Use
    scopes: frozenset[str] | None
    proof: Proof | None = None

    @property
    def uses(self) -> tuple[Use, ...]:
        """What counts once of it."""
        return (self.assertion, *(() if self.proof is None else (use_of(self.proof),)))


@dataclass(frozen=True, slots=True)
class Granted:
    """For whom a token may be signed now, and what it may do."""

    organisation: OrganisationId
    scopes: frozenset[str]
    token_id: str


def issue_token(tx: Transaction, asked: Asked) -> Outcome[Granted]:
    """Let the assertion count once, durably: a restart or a second process makes no difference.

    Scopes asked beyond those registered are left out; asked in vain, all of them, is a no.
    """
    granted = considered(tx.directory, asked, tx.new_id(), tx.now)
    if any(each.name in tx.used for each in asked.uses):
        return Outcome(Refused(Reason.CALLER_REVOKED))
    if isinstance(granted, Refused):
        return Outcome(granted)
    return Outcome(granted, uses=asked.uses)


def considered(directory: Directory, asked: Asked, token_id: str, now: int) -> Granted | Refused:
    """What the application may have; whether its assertion was used before is not looked at."""
    application = directory.applications.get(asked.application)
    if application is None or not application.may_stop(now):
        return Refused(Reason.CALLER_REVOKED)
    if application.burst and asked.scopes != STOPPING:
        return Refused(Reason.CALLER_REVOKED)
    scopes = application.scopes if asked.scopes is None else asked.scopes & application.scopes
    if not scopes:
        reason = Reason.SCOPE_MISSING
        return Refused(reason, told=reason)
    return Granted(application.organisation, scopes, token_id)
