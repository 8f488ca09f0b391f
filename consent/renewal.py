"""A client's yes once more: what it brings, and what it makes of the terms that stood."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from consent.belgian_time import day_in, day_of, end_of, instant
from consent.capacity import mandate_over
from consent.content import Evidence, Grant, Shown, Terms
from consent.forms import RENEWAL
from consent.mergers import NONE_MERGED, Mergers, successor
from consent.shape import Problems
from consent.terms import NoticeKnown, TermsRefused, evidence_in, evidence_lacking, notice_in
from consent.ways import awaiting, not_free, not_understood
from policies.decision import Refused
from policies.vocabulary import Reason


@dataclass(frozen=True, slots=True)
class Renewal:
    """A client's yes once more: on which notice, proved by what, until when if it changes.

    `bind` says anew what the renewed terms could let leave; without it that stays as it was
    shown when they were given, also for a partnership's new members.
    `detained`: by now the client is known to be.
    """

    notice: Shown
    evidence: Evidence
    end: int | None
    detained: bool = False
    bind: Callable[[Terms], Terms] | None = None


def read_renewal(
    body: Mapping[str, Any], *, at: datetime, notice_known: NoticeKnown, detained: bool = False
) -> Renewal:
    """The renewal that a body holds: notice, evidence, and `until` when it changes.

    Raises `TermsRefused`. Whether the evidence is enough depends on the consent renewed.
    """
    problems = Problems()
    if not problems.shaped(body, "", RENEWAL):
        raise TermsRefused(problems.found)
    until = day_in(body.get("until"))
    if until and until < day_of(instant(at)):
        problems.add("until", "past")
    renewal = Renewal(
        notice_in(body["notice"], notice_known, problems),
        evidence_in(body["evidence"], problems),
        end_of(until) if until else None,
        detained,
    )
    if problems.found:
        raise TermsRefused(problems.found)
    return renewal


def renewed(terms: Terms, renewal: Renewal, moment: int, mergers: Mergers = NONE_MERGED) -> Terms:
    """The terms on another notice and evidence. What was withdrawn stays so.

    Whether the client must confirm it goes by the new evidence alone: a yes by word of mouth
    takes the place of a signature, and one with a signature is confirmed by it. What still
    waits to be confirmed gains no time by being said once more.
    """
    said = replace(
        terms,
        notice=renewal.notice,
        evidence=renewal.evidence,
        detained=terms.detained or renewal.detained,
        grants=tuple(_renewed_grant(grant, renewal, moment, mergers) for grant in terms.grants),
    )
    said = awaiting(said, moment)
    waits = terms.confirm_by
    if said.confirm_by is not None and waits is not None and moment < waits:
        said = replace(said, confirm_by=min(waits, said.confirm_by))
    return renewal.bind(said) if renewal.bind else said


def not_renewable(terms: Terms, moment: int) -> Refused | None:
    """Why renewed terms do not hold, or nothing when they do.

    The client has come of age, the mandate of who gave it has ended, the period of a grant is
    over, the evidence is too weak, or the notice was not understood.
    """
    adult_at = terms.capacity.adult_at
    if adult_at is not None and moment >= adult_at:
        return Refused(Reason.CAPACITY_CHANGED_AGE18)
    if mandate_over(terms.capacity, moment):
        return Refused(Reason.CAPACITY_MISSING)
    if any(
        not grant.withdrawn and grant.end is not None and grant.end <= max(moment, grant.start)
        for grant in terms.grants
    ):
        return Refused(Reason.CONTENT_REFUSED, details=("until",))
    wrong = next(_unproved(terms), None)
    return None if wrong is None else Refused(Reason.CONTENT_REFUSED, details=(wrong,))


def _unproved(terms: Terms) -> Iterator[str]:
    if evidence_lacking(terms):
        yield "evidence.method"
    if terms.detained and not_free(terms.evidence):
        yield "evidence.freedom_check"
    if any(not_understood(terms)):
        yield "notice.teach_back"


def _renewed_grant(grant: Grant, renewal: Renewal, moment: int, mergers: Mergers) -> Grant:
    if grant.withdrawn:
        return grant
    kind, _, name = grant.recipient.partition(":")
    recipient = successor(grant.recipient, mergers)
    if kind == "partnership":
        recipient = f"partnership:{name.partition('@')[0]}@{day_of(moment).isoformat()}"
    return replace(grant, recipient=recipient, end=renewal.end or grant.end)
