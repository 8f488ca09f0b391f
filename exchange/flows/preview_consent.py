"""Preview a consent: what would leave today, to whom, if the client agreed. Nothing is kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audit.events import Actor, ClientRefused, SummaryViewed
from consent.belgian_time import day_of
from consent.capacity import USUAL, CapacityRules
from consent.content import Grant, Terms
from consent.filling import Filled
from consent.terms import TermsRefused, read_terms
from exchange import records
from exchange.circumstances import circumstances_of
from exchange.considering import Rulebook
from exchange.proposing import Share, file_of, proposed, refuse_untold, shares
from exchange.records import KnownClient, SealedSection
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Facts, Refused
from policies.minimisation import why_withheld
from policies.reduction import Release
from policies.summary_model import summary_model
from policies.vocabulary import (
    NOBODY,
    AgreementId,
    ClientId,
    FieldId,
    GrantId,
    Handle,
    OrganisationId,
    Reason,
    Section,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What one organisation would get for one purpose, still sealed.

    With a `reason` nothing would leave today. `may` is what the grants can let leave at most,
    ever, with the finest level of each field; `withheld` says of what they name and what stays
    behind today why it does.
    """

    recipient: OrganisationId
    purpose: str
    grants: tuple[GrantId, ...]
    reason: Reason | None
    protocol: AgreementId | None
    sections: tuple[SealedSection, ...]
    release: Release
    may: Mapping[FieldId, str]
    withheld: Mapping[FieldId, str]


@dataclass(frozen=True, slots=True)
class Previewed:
    """The whole preview: the text as it would be shown, and the hash that a giving may name."""

    client: ClientId
    terms: Terms
    notice: Filled
    previews: tuple[Preview, ...]


@by_application
def preview_consent(
    tx: Transaction,
    caller: Caller,
    handle: Handle,
    body: Mapping[str, Any],
    rulebook: Rulebook,
    rules: CapacityRules = USUAL,
    *,
    past: bool = False,
) -> Outcome[Previewed]:
    """Decide as if the consent stood since now. Its holder looks at its own client's summary.

    What would be refused when it is given is refused here. `past` as in `ConsentOrder`.
    """
    holder = OrganisationId(caller.organisation)
    client = records.client_known_as(
        tx.connection, shard=tx.shard, organisation=holder, handle=handle
    )
    if client.id == NOBODY or client.holder != holder:
        return _refuse(caller, NOBODY, Refused(Reason.NOT_THE_HOLDER))
    filed = file_of(tx, client)
    known = circumstances_of(tx, client, filed.sections)
    try:
        terms = read_terms(
            body,
            controller=holder,
            at=tx.at,
            born=known.born,
            detained=known.detained,
            directory=tx.directory,
            notice_known=tx.directory.notices.known,
            rules=rules,
        )
        terms, notice = proposed(tx, rulebook, client, terms, filed)
        refuse_untold(tx, holder, terms, notice, past=past)
    except TermsRefused as refused:
        reason = Reason.CONTENT_REFUSED
        details = tuple(f"{place}: {code}" for place, code in refused.problems)
        return _refuse(caller, client.id, Refused(reason, told=reason, details=details))
    previews = tuple(
        _preview(tx, client, each) for each in shares(tx, rulebook, client, terms, filed)
    )
    event = SummaryViewed(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client.id,
        provider=holder,
        version=client.summary_version,
        via="consent_preview",
    )
    return Outcome(Previewed(client.id, terms, notice, previews), (event,))


def _preview(tx: Transaction, client: KnownClient, share: Share) -> Preview:
    decision, request = share.considered.decision, share.request
    release = Release(
        fields=decision.fields,
        precision=decision.precision,
        high_risk="high_risk" in share.considered.flags,
        health=Section.HEALTH in decision.sections,
        justice=Section.JUSTICE in decision.sections,
        explicit=decision.fields & share.considered.named,
        masked_origin=share.considered.masked,
        recipient_type=str(tx.directory.type_of(request.recipient)),
        at=day_of(tx.now),
        # The recipient's own name for the client is nobody else's to see.
        pseudonym=summary_model().masked_as,
        organisation_types=tx.directory.types,
        origin=client.holder,
    )
    return Preview(
        recipient=request.recipient,
        purpose=request.purpose,
        grants=tuple(each.id for each in share.grants),
        reason=decision.reason,
        protocol=None if decision.flow is None else decision.flow.agreement,
        sections=share.considered.sections,
        release=release,
        may=_may(share.grants, request.recipient, share.facts.denied),
        withheld=_withheld(share.grants, share.facts, request.purpose, decision.fields),
    )


def _may(
    grants: tuple[Grant, ...], recipient: OrganisationId, denied: frozenset[FieldId]
) -> dict[FieldId, str]:
    finest: dict[FieldId, str] = {}
    fields = summary_model().fields
    for grant in grants:
        for bound in grant.bounds:
            for field, level in bound.levels if recipient in bound.recipients else ():
                scale = fields[field].precision
                finest[field] = min(level, finest.get(field, level), key=scale.index)
    return {field: level for field, level in sorted(finest.items()) if field not in denied}


def _withheld(
    grants: tuple[Grant, ...], facts: Facts, purpose: str, leaves: frozenset[FieldId]
) -> dict[FieldId, str]:
    given = frozenset[FieldId]().union(*(grant.reads for grant in grants))
    named = frozenset[str]().union(*(grant.names for grant in grants))
    return {field: why_withheld(field, purpose, named, facts) for field in sorted(given - leaves)}


def _refuse(caller: Caller, client: ClientId, refusal: Refused) -> Outcome[Previewed]:
    event = ClientRefused(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=client,
        reason=refusal.reason,
    )
    return Outcome(refusal, (event,))
