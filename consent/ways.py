"""The ways in which a client says yes, and what each must bring along to be believed.

What the client signed or clicked, or a witness wrote down and signed, stands at once and for
good. Where there is nothing but words (a witness, an interpreter), or somebody signs in the
client's place, the consent is in force but provisional: the client confirms it with a code, or
it ends by itself. A no needs no proof: nothing here is asked of a record without grants.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from consent.belgian_time import day_of, end_of
from consent.capacity import GUARDIAN, WITH_PARENT
from consent.content import Evidence, Refusal, Terms
from consent.shape import Problem
from policies.purposes import purpose
from policies.summary_model import summary_model
from policies.vocabulary import OrganisationType

CONFIRMED_WITHIN = 14
"""Days. A letter and the next appointment fit into it; a yes that nobody meant does no more."""

ORAL, INTERPRETED, PROXY = "oral_witnessed", "oral_interpreter", "proxy"
_NOT_INDEPENDENT = frozenset({"relative", "none"})
_FREE = (("asked_alone", True), ("no_effect_on_regime_stated", True))
_NOT_UNDERSTOOD = "failed"
_GDPR_BASIS = "gdpr_basis"


def proof_lacking(terms: Terms) -> str | None:
    """What the way of giving needs and was not brought, as a code; nothing if it will do.

    A relative who interprets is no proof of what the client said (they may gain by it, and the
    client may not dare to speak before them): they can help somebody who signs, but never for
    sections that ask for the client's explicit consent.
    """
    evidence, shown = terms.evidence, terms.notice
    relative = shown.interpreter_kind in _NOT_INDEPENDENT
    if evidence.method == ORAL and not evidence.witness:
        return "witness_needed"
    if evidence.method == INTERPRETED and (not shown.interpreter or relative):
        return "interpreter_needed"
    if evidence.method == PROXY and not _entitled(terms):
        return "document_needed"
    if shown.interpreter_kind == "relative" and _explicit(terms):
        return "own_word_needed"
    return None


def _entitled(terms: Terms) -> bool:
    """Who signs for another shows why they may: a mandate, a parent's signature, a document."""
    return terms.capacity.type in (GUARDIAN, WITH_PARENT) or terms.evidence.sha256 is not None


def _explicit(terms: Terms) -> bool:
    sections = summary_model().sections
    read = {field.partition(".")[0] for g in terms.grants if not g.withdrawn for field in g.reads}
    return any(sections[each].explicit_consent for each in sections if each.value in read)


def not_free(evidence: Evidence) -> bool:
    """Whether a detained client was not asked alone, or not told that nothing hangs on it."""
    return not set(_FREE) <= set(evidence.freedom_check)


def provisional(terms: Terms) -> bool:
    """Whether the client must confirm it: nothing of it is on paper or in their own hand.

    A witness or an interpreter who is no relative, and who signed a statement of which the
    record holds the hash, is believed. Whoever signs in the client's place is not.
    """
    if not any(not grant.withdrawn for grant in terms.grants):
        return False
    if terms.notice.interpreter_kind == "relative":
        return True
    method, stated = terms.evidence.method, terms.evidence.sha256 is not None
    return method == PROXY or (method in {ORAL, INTERPRETED} and not stated)


def awaiting(terms: Terms, moment: int) -> Terms:
    """The terms with the instant until which the client has time to confirm, or with none.

    It is a Belgian midnight: the client has all of the last day.
    """
    if not provisional(terms):
        return replace(terms, confirm_by=None)
    last = day_of(moment) + timedelta(days=CONFIRMED_WITHIN)
    return replace(terms, confirm_by=end_of(last))


def unconfirmed(terms: Terms, moment: int) -> bool:
    """Whether the time to confirm is over, and nobody did."""
    return terms.confirm_by is not None and moment >= terms.confirm_by


def understood(terms: Terms) -> Terms:
    """The terms without the grants that the client could not say back in their own words.

    What was asked and not given is kept: a failed question is no refusal.
    """
    failed = [grant for grant in terms.grants if grant.teach_back == _NOT_UNDERSTOOD]
    return replace(
        terms,
        grants=tuple(grant for grant in terms.grants if grant not in failed),
        not_given=tuple(Refusal(grant.purpose, grant.recipient) for grant in failed),
    )


def not_understood(terms: Terms) -> Iterable[Problem]:
    """Where the teach-back shows that nothing at all was given."""
    if terms.grants and terms.notice.teach_back == _NOT_UNDERSTOOD:
        yield "notice.teach_back", _NOT_UNDERSTOOD
    elif terms.grants and all(each.teach_back == _NOT_UNDERSTOOD for each in terms.grants):
        yield "grants", "not_understood"


def costs_something(terms: Terms, controller: OrganisationType | None) -> Iterable[Problem]:
    """Grants that can not rest on consent, since saying no is not free of consequences.

    Consent is the data-protection basis only where the purpose knows it as one and a refusal
    costs no service at this kind of controller (gdpr-free-consent, GDPR articles 4(11), 7(4)).
    """
    if _GDPR_BASIS not in terms.functions:
        return
    for index, grant in enumerate(terms.grants):
        asked = purpose(grant.purpose)
        if asked is None:
            continue
        if controller in asked.refusal_costs or "consent_based" not in asked.legal_basis:
            yield f"grants.{index}.purpose", "not_on_consent"
