"""Deposit a summary: the holder stores what it knows, section by section, already sealed."""

from collections.abc import Mapping
from dataclasses import dataclass

from audit.events import Actor, ClientRefused, SummaryDeposited
from exchange import many_clients, records
from exchange.many_clients import NewSections
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import ClientId, Handle, OrganisationId, Reason, Section


@dataclass(frozen=True, slots=True)
class Deposit:
    """One new version of some sections, sealed for `client` as that version.

    `version` is the one being made: the stored one plus 1. `expected` is what the caller
    said it had before (`If-Match`), if it said so.
    """

    handle: Handle
    client: ClientId
    version: int
    scanned: str
    sealed: Mapping[Section, bytes]
    stored: int
    dropped: int
    rules: tuple[str, ...]
    quarantined: int
    number_held: bool = False
    expected: int | None = None


class Overtaken(Exception):
    """Another deposit came between; seal again for the next version."""


@by_application
def deposit_summary(tx: Transaction, caller: Caller, deposit: Deposit) -> Outcome[int]:
    """Store the sections and give the summary's new version.

    Raises `Overtaken` when the stored version is not the one before; nothing is written.
    """
    holder = OrganisationId(caller.organisation)
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=holder, handle=deposit.handle
    )
    refusal = _refusal(tx, holder, client.holder, deposit, client.summary_version)
    if refusal is not None:
        refused = ClientRefused(
            application=caller.application,
            actor=Actor(system=caller.application),
            client=client.id if client.holder == holder else "",
            reason=refusal.reason,
        )
        return Outcome(refusal, (refused,))
    if client.summary_version + 1 != deposit.version or client.id != deposit.client:
        raise Overtaken
    new = NewSections(client.id, deposit.version, deposit.sealed)
    many_clients.add_sections(
        tx.connection, [new], shard=tx.shard, scanned=deposit.scanned, at=tx.now
    )
    versions = {client.id: deposit.version}
    many_clients.set_summary_versions(tx.connection, versions, shard=tx.shard)
    event = SummaryDeposited(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client.id,
        provider=holder,
        sections=tuple(sorted(deposit.sealed)) or None,
        version=deposit.version,
        stored=deposit.stored,
        dropped=deposit.dropped,
        quarantined=deposit.quarantined,
        rules=deposit.rules,
    )
    return Outcome(deposit.version, (event,))


def _refusal(
    tx: Transaction,
    caller: OrganisationId,
    holder: OrganisationId,
    deposit: Deposit,
    version: int,
) -> Refused | None:
    if holder != caller:
        return Refused(Reason.NOT_THE_HOLDER)
    if deposit.expected is not None and deposit.expected != version:
        return Refused(Reason.STALE_VERSION, told=Reason.STALE_VERSION)
    known = tx.directory.recipient(caller, tx.day)
    if deposit.number_held and (known is None or not known.insz_authorised):
        return Refused(Reason.HARD_RULE_H4, told=Reason.HARD_RULE_H4)
    return None
