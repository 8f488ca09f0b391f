"""Issue a token: an application proved that it holds its key, once."""

import hashlib
from dataclasses import dataclass

from exchange import records
from exchange.transaction import Outcome, Transaction
from policies.decision import Refused
from policies.vocabulary import ApplicationId, OrganisationId, Reason


@dataclass(frozen=True, slots=True)
class Asked:
    """A verified assertion: whose, its id and until when it could be used again (µs)."""

    application: ApplicationId
    token_id: str
    until: int
    scopes: frozenset[str] | None


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
    application = tx.directory.applications.get(asked.application)
    if application is None or application.revoked:
        return Outcome(Refused(Reason.CALLER_REVOKED))
    token = hashlib.sha256(f"{asked.application}\0{asked.token_id}".encode()).digest()
    if records.used_before(tx.connection, shard=tx.shard, token=token):
        return Outcome(Refused(Reason.CALLER_REVOKED))
    scopes = application.scopes if asked.scopes is None else asked.scopes & application.scopes
    if not scopes:
        reason = Reason.SCOPE_MISSING
        return Outcome(Refused(reason, told=reason))
    records.remember_use(tx.connection, shard=tx.shard, token=token, until=asked.until, now=tx.now)
    return Outcome(Granted(application.organisation, scopes, tx.new_id()))
