"""Issue a token: an application proved that it holds its key, once."""

import hashlib
from dataclasses import dataclass

from exchange import records
from exchange.directory import Directory
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
    granted, token = considered(tx.directory, asked, tx.new_id()), use_of(asked)
    if records.used_before(tx.connection, shard=tx.shard, token=token):
        return Outcome(Refused(Reason.CALLER_REVOKED))
    if isinstance(granted, Refused):
        return Outcome(granted)
    records.remember_use(tx.connection, shard=tx.shard, token=token, until=asked.until, now=tx.now)
    return Outcome(granted)


def considered(directory: Directory, asked: Asked, token_id: str) -> Granted | Refused:
    """What the application may have; whether its assertion was used before is not looked at."""
    application = directory.applications.get(asked.application)
    if application is None or application.revoked:
        return Refused(Reason.CALLER_REVOKED)
    scopes = application.scopes if asked.scopes is None else asked.scopes & application.scopes
    if not scopes:
        reason = Reason.SCOPE_MISSING
        return Refused(reason, told=reason)
    return Granted(application.organisation, scopes, token_id)


def use_of(asked: Asked) -> bytes:
    """The name under which the use of an assertion is remembered: each application has its own."""
    return hashlib.sha256(f"{asked.application}\0{asked.token_id}".encode()).digest()
