"""End a token before its time: its application asks for it, or it was seen where none belongs."""

from audit.events import AdminChanged
from exchange import directory, ended
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction
from exchange.uses import Use
from policies.decision import Refused
from policies.vocabulary import ApplicationId, Reason

LONGEST = 3_600_000_000
"""Longer (µs) than any token that we take can live."""


def revoke_token(
    tx: Transaction, application: ApplicationId, use: Use, token: Caller | None
) -> Outcome[None]:
    """End a token for the application that it was given to (RFC 7009).

    `use` is that of the assertion by which it said who it is. A token that is not valid anyway
    is as good as ended; that of another application is not ended.
    """
    known = tx.directory.applications.get(application)
    if use.name in tx.used or known is None or not known.live(tx.now):
        return Outcome(Refused(Reason.CALLER_REVOKED))
    if token is not None and token.application != application:
        reason = Reason.NOT_THE_HOLDER
        return Outcome(Refused(reason, told=reason), uses=(use,))
    events = () if token is None else _ended(tx, token, "revoked")
    return Outcome(None, events, uses=(use,))


def end_leaked(tx: Transaction, token: Caller) -> Outcome[None]:
    """End a token that stood in an address or a body, where others may have read it."""
    return Outcome(None, _ended(tx, token, "leaked"))


def _ended(tx: Transaction, token: Caller, act: str) -> tuple[AdminChanged, ...]:
    name = ended.token_name(token.token_id)
    if not ended.end_token(
        tx.connection, shard=tx.shard, token=name, until=tx.now + LONGEST, now=tx.now
    ):
        return ()
    directory.tokens_moved(tx.connection, shard=tx.shard)
    return (AdminChanged(what="token", act=act, id=token.application),)
