"""A consent that is not on file yet: what it would let leave, to whom, and on which text.

The decision is the one that a fetch gets, on the client's consents with this one beside them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from audit.prepared import Prepared, together
from consent import records as consents
from consent import register, sealed
from consent.agreed import with_bounds
from consent.content import Grant, Terms
from consent.filling import Filled, House, filled, recipients_asked
from consent.recipients import Asking, reaches
from consent.standing import ConsentFacts, Now, Said, facts_from, matching
from consent.terms import TermsRefused
from consent.told import misplaced, untold
from exchange import records
from exchange.considering import (
    Considered,
    Rulebook,
    asking_for,
    considered_on,
    facts_for,
    record_of,
)
from exchange.records import KnownClient, SealedSection
from exchange.transaction import Transaction
from policies.agreement_document import Party
from policies.at_most import Levels, at_most
from policies.decision import Facts, ReleaseRequest
from policies.vocabulary import ConsentId, ConsentState, GrantId, OrganisationId

NOT_YET = ConsentId("")
"""The id of the consent that is not on file."""

_CONSENTS = Prepared(register.CONSENTS)


@dataclass(frozen=True, slots=True)
class OnFile:
    """The client's consents, opened, and the sections of the summary, still sealed."""

    said: Sequence[Said]
    sections: Sequence[SealedSection]
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Share:
    """What one organisation would get for one purpose today, and what decided so."""

    request: ReleaseRequest
    grants: tuple[Grant, ...]
    facts: Facts
    considered: Considered


def file_of(tx: Transaction, client: KnownClient) -> OnFile:
    """Read it, in one round trip."""
    found, sections, *keys = together(
        tx.connection,
        (_CONSENTS, [{"in_shard": tx.shard, "of_client": client.id}]),
        (records.SECTIONS, [{"shard": tx.shard, "client": client.id}]),
        *tx.keys.asking(client.id),
    )
    tx.keys.heard(client.id, keys)
    said = [sealed.opened(tx.shard, row, tx.vault) for row in consents.in_order(found.rows)]
    flags = record_of(tx, client).flags
    return OnFile(said, records.sections_in(sections.rows), flags)


def summary_of(tx: Transaction, client: KnownClient) -> OnFile:
    """Without the consents: all that a consent that is given or renewed is bound by."""
    sections = records.sealed_sections(tx.connection, shard=tx.shard, client=client.id)
    return OnFile((), sections, record_of(tx, client).flags)


def proposed(
    tx: Transaction, rulebook: Rulebook, client: KnownClient, terms: Terms, filed: OnFile
) -> tuple[Terms, Filled]:
    """The terms with the text that was shown, with all that they can let leave, and their hash.

    What other consents deny stays denied by them, whatever these terms say: so it needs no
    place among their bounds, and of `filed` the consents are not read here.
    """
    filed = replace(filed, said=())
    # What is renewed is bound anew: by the old bounds nobody who came in since would get anything.
    unbound = tuple(replace(each, bounds=()) for each in terms.grants)
    terms = replace(terms, agreed=None, grants=unbound)
    text = tx.directory.notices.text(terms.notice.id, terms.notice.version, terms.notice.lang)
    shown = filled(text or "", terms, _house(tx, client.holder, terms))
    terms = replace(terms, notice=replace(terms.notice, filled_sha256=shown.sha256))
    bounds: dict[GrantId, dict[str, Levels]] = {grant.id: {} for grant in terms.grants}
    for request, site, _ in _meant(tx, terms.grants):
        consented = _consented(tx, client, request, site, terms, filed)
        facts = _facts(tx, rulebook, client, request, consented, filed)
        for (_, grant), one in zip(consented.refs, consented.grants, strict=True):
            levels = at_most(request, facts, one, rulebook.decider.decide)
            bounds[grant][request.recipient] = levels
    return with_bounds(terms, bounds, client=client.id, now=tx.now), shown


def refuse_untold(
    tx: Transaction, controller: OrganisationId, terms: Terms, shown: Filled, *, past: bool = False
) -> None:
    """Refuse (`TermsRefused`) what is agreed to on a notice that does not tell of it in full.

    That is one that names another purpose or recipient, that is out of date already, or that
    nobody could fill in. Who says no needs no notice. `past`: what was agreed to before, and is
    taken over from elsewhere; on a notice that is out of date it waits to be renewed.
    """
    if not any(not each.withdrawn for each in terms.grants):
        return
    of = (terms.notice.id, terms.notice.version, terms.notice.lang)
    library, text = tx.directory.notices, tx.directory.notices.text(*of) or ""
    problems = list(
        untold(terms, text, controller=controller, today=tx.day, directory=tx.directory)
    )
    if not library.stale(*of):
        problems += [(f"notice.{each}", "lacking") for each in shown.lacking]
    elif not past:
        problems.append(("notice.version", "out_of_date"))
    if problems:
        raise TermsRefused(problems)


def bound_anew(tx: Transaction, rulebook: Rulebook, client: KnownClient, terms: Terms) -> Terms:
    """The terms of a consent that is renewed, with all that they can let leave as of today.

    Raises `TermsRefused` as `refuse_untold` does, and for a recipient that is none for its purpose.
    """
    wrong = misplaced(terms, controller=client.holder, today=tx.day, directory=tx.directory)
    if problems := list(wrong):
        raise TermsRefused(problems)
    bound, shown = proposed(tx, rulebook, client, terms, summary_of(tx, client))
    refuse_untold(tx, client.holder, bound, shown)
    return bound


def shares(
    tx: Transaction, rulebook: Rulebook, client: KnownClient, terms: Terms, filed: OnFile
) -> Iterator[Share]:
    """For each organisation and purpose of proposed terms, what it would get today.

    Nobody says yet from which site they ask: a grant for one site alone gives nothing.
    """
    for request, _, grants in _meant(tx, terms.grants):
        consented = _consented(tx, client, request, None, terms, filed)
        facts = _facts(tx, rulebook, client, request, consented, filed)
        considered = considered_on(rulebook, request, facts, consented, filed.sections, filed.flags)
        yield Share(request, grants, facts, considered)


def _meant(
    tx: Transaction, grants: Iterable[Grant]
) -> Iterator[tuple[ReleaseRequest, str | None, tuple[Grant, ...]]]:
    """Who may ask on these grants, and for what; at a site, where a grant names one."""
    found: dict[tuple[OrganisationId, str | None, str], list[Grant]] = {}
    for grant in grants:
        for organisation, site in _recipients(tx, grant):
            found.setdefault((organisation, site, grant.purpose), []).append(grant)
    for (organisation, site, purpose), meant in found.items():
        yield ReleaseRequest(organisation, purpose), site, tuple(meant)


def _recipients(tx: Transaction, grant: Grant) -> Iterator[tuple[OrganisationId, str | None]]:
    kind, _, name = grant.recipient.partition(":")
    if kind in ("org", "org-site"):
        organisation, _, site = name.partition("/")
        yield OrganisationId(organisation), site or None
        return
    for each, known in tx.directory.organisations.items():
        asking = Asking(
            recipient=each,
            recipient_type=known.type,
            holder=OrganisationId(""),
            purpose=grant.purpose,
            partnerships=tx.directory.members_at,
        )
        if reaches(grant.recipient, asking, tx.day):
            yield each, None


def _consented(
    tx: Transaction,
    client: KnownClient,
    request: ReleaseRequest,
    site: str | None,
    terms: Terms,
    filed: OnFile,
) -> ConsentFacts:
    """What the consents on file say to who asks, with these terms as if they stood since now."""
    asking = asking_for(tx, client, request.recipient, request.purpose, None)
    asking = replace(asking, site=site)
    new = Said(
        consent=NOT_YET,
        client=client.id,
        controller=client.holder,
        state=ConsentState.GIVEN,
        suspended=False,
        given_at=tx.now,
        renewed_at=tx.now,
        terms=terms,
    )
    matched = matching((*filed.said, new), asking, tx.day)
    limited = {consent for consent, _ in matched.limited} - {NOT_YET}
    uses = consents.uses_of(tx.connection, shard=tx.shard, consents=limited) if limited else {}
    now = Now(tx.now, tx.day, asking.happened, tx.directory.notices, uses)
    return facts_from(matched, asking, now)


def _facts(
    tx: Transaction,
    rulebook: Rulebook,
    client: KnownClient,
    request: ReleaseRequest,
    consented: ConsentFacts,
    filed: OnFile,
) -> Facts:
    """As for a fetch in the course of a handover, which makes the care relation."""
    return facts_for(
        tx, rulebook, request, client, filed.sections, consented, filed.flags, care_relation=True
    )


def _house(tx: Transaction, controller: OrganisationId, terms: Terms) -> House:
    known = tx.directory.organisations.get(controller)
    party = _party(tx, controller, terms)
    return House(
        controller=controller,
        names=tx.directory.names,
        supervisors=() if known is None else known.authority_contacts,
        contact=party.contact_function if party else None,
        officer=party.dpo_contact if party else None,
        agreement_at=party.published.url if party and party.published else None,
    )


def _party(tx: Transaction, controller: OrganisationId, terms: Terms) -> Party | None:
    """The controller in the agreement with who is asked for first; else in any of its own."""
    purposes = dict.fromkeys(grant.purpose for grant in terms.grants)
    asked = {*recipients_asked(terms, purposes, controller), controller}
    parties = [
        (len(asked & {other.org for other in agreement.parties}), party)
        for agreement in tx.directory.agreements
        for party in agreement.parties
        if party.org == controller
    ]
    return max(parties, key=lambda each: each[0])[1] if parties else None
