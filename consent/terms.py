"""From what a form or a system sends to the terms of a consent, or to what is wrong with it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from consent.belgian_time import day_in, day_of, end_of, instant, start_of
from consent.capacity import OWN_WORD, USUAL, CapacityRules, capacity_in, outside_mandate
from consent.content import (
    Capacity,
    Denial,
    Evidence,
    Grant,
    Refusal,
    Shown,
    Terms,
)
from consent.forms import DENIAL, EVIDENCE, GRANT, NOTICE, RECORD, REFUSAL
from consent.recipients import Directory, wrong_denial, wrong_grant, wrong_refusal
from consent.shape import Problem, Problems
from consent.ways import (
    PROXY,
    awaiting,
    costs_something,
    not_free,
    not_understood,
    proof_lacking,
    understood,
)
from policies.grants import InvalidGrant, read_grant
from policies.purposes import is_prohibited, purpose
from policies.summary_model import summary_model
from policies.vocabulary import GrantId, Operation, OrganisationId, OrganisationType

__all__ = [
    "NoticeKnown",
    "Terms",
    "TermsRefused",
    "evidence_in",
    "evidence_lacking",
    "notice_in",
    "read_terms",
]

NoticeKnown = Callable[[str, str, str], str | None]
"""The hash of a notice by id, version and language; nothing for one never put into use."""

_WRITTEN = frozenset({"paper_scan", "digital_eID", "itsme"})


class TermsRefused(Exception):
    """What was sent is no consent. Nothing of it is kept.

    `problems` holds places and codes (`grants.0.until`, `before_from`), never a value.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(", ".join(f"{place}: {code}" for place, code in problems))
        self.problems = tuple(problems)


def read_terms(
    body: Mapping[str, Any],
    *,
    controller: OrganisationId,
    at: datetime,
    born: date | None,
    directory: Directory,
    notice_known: NoticeKnown,
    detained: bool = False,
    rules: CapacityRules = USUAL,
) -> Terms:
    """The terms that a body holds: a consent record without id, client, controller, events.

    Grants without an id get the next free one of g1, g2, …; a notice without a hash gets
    that of the library; what the client could not say back is left out. `detained`: the client
    is known to be, whoever asks. Raises `TermsRefused` with everything that is wrong, as far as
    it could be told at once.
    """
    problems = Problems()
    if not problems.shaped(body, "", RECORD):
        raise TermsRefused(problems.found)
    moment = instant(at)
    terms = _terms(body, moment, born, notice_known, problems, rules)
    held = directory.type_of(controller) is OrganisationType.PRISON_SERVICE
    terms = replace(terms, detained=detained or held)
    if not problems.found:
        _judge(terms, controller, day_of(moment), directory, problems)
    if problems.found:
        raise TermsRefused(problems.found)
    return awaiting(understood(terms), moment)


def _terms(
    body: Mapping[str, Any],
    moment: int,
    born: date | None,
    notice_known: NoticeKnown,
    problems: Problems,
    rules: CapacityRules,
) -> Terms:
    capacity = capacity_in(
        body["capacity"],
        born=born,
        method=str(body["evidence"].get("method")),
        today=day_of(moment),
        problems=problems,
        rules=rules,
    )
    return Terms(
        functions=tuple(body["functions"]),
        capacity=capacity,
        notice=notice_in(body["notice"], notice_known, problems),
        evidence=evidence_in(body["evidence"], problems),
        grants=_grants(body, moment, capacity, problems),
        denials=tuple(
            Denial(_sections(each["sections"]), each["recipient"])
            for _, each in _placed(body, "denials", DENIAL, problems)
        ),
        refused=tuple(
            Refusal(each["purpose"], each["recipient"])
            for _, each in _placed(body, "refused", REFUSAL, problems)
        ),
    )


def evidence_lacking(terms: Terms) -> str | None:
    """What the evidence must be for these grants and is not, as a code; nothing if it will do.

    Sections that ask for written evidence (gdpr-criminal, be-criminal) take a signature on
    paper or with an identity card; those that ask for explicit consent (gdpr-special) take
    the client's own word, or that of whoever decides in the client's place.
    """
    sections = summary_model().sections
    read = {field.partition(".")[0] for g in terms.grants if not g.withdrawn for field in g.reads}
    asked = [sections[section] for section in sections if section.value in read]
    method = terms.evidence.method
    if any(each.written_evidence for each in asked) and method not in _WRITTEN:
        return "written_needed"
    own_word = terms.capacity.type in OWN_WORD
    if any(each.explicit_consent for each in asked) and own_word and method == PROXY:
        return "own_word_needed"
    return proof_lacking(terms) if any(not grant.withdrawn for grant in terms.grants) else None


def _placed(
    said: Mapping[str, Any], name: str, members: Any, problems: Problems
) -> list[tuple[str, Mapping[str, Any]]]:
    placed = ((f"{name}.{index}", each) for index, each in enumerate(said.get(name, ())))
    return [(place, each) for place, each in placed if problems.shaped(each, place, members)]


def notice_in(said: Any, notice_known: NoticeKnown, problems: Problems) -> Shown:
    """The notice that was shown; its hash that of the library when none was sent."""
    if not problems.shaped(said, "notice", NOTICE):
        return Shown("", "", "", "", "")
    shown: dict[str, Any] = {
        "sha256": notice_known(said["id"], said["version"], said["lang"]),
        **said,
    }
    if shown["sha256"] is None:
        problems.add("notice", "unknown")
    return Shown(**shown)


def evidence_in(said: Any, problems: Problems) -> Evidence:
    """The evidence that was sent."""
    if not problems.shaped(said, "evidence", EVIDENCE):
        return Evidence("")
    checks = tuple(sorted(said.get("freedom_check", {}).items()))
    return Evidence(**{**said, "freedom_check": checks})


def _sections(said: Any) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple(sorted(said))


def _grants(
    body: Mapping[str, Any], moment: int, capacity: Capacity, problems: Problems
) -> tuple[Grant, ...]:
    grants = []
    for place, said in _placed(body, "grants", GRANT, problems):
        _judge_period(said, place, day_of(moment), problems)
        if said.get("until_event") == "age_18" and capacity.adult_at is None:
            problems.add(f"{place}.until_event", "not_a_minor")
        try:
            grants.append(_grant(said, moment))
        except InvalidGrant as invalid:
            problems.add(place, invalid.code)
    return _with_ids(grants, problems)


def _judge_period(said: Mapping[str, Any], place: str, today: date, problems: Problems) -> None:
    begins, until = day_in(said.get("from")), day_in(said.get("until"))
    if begins and until and until < begins:
        problems.add(f"{place}.until", "before_from")
    elif until and until < today:
        problems.add(f"{place}.until", "past")
    elif until is None and "until_event" not in said:
        problems.add(f"{place}.until", "required")


def _grant(said: Mapping[str, Any], moment: int) -> Grant:
    lists: dict[str, Any] = {
        name: tuple(said.get(name, ())) for name in ("fields", "include", "exclude")
    }
    reads, names = read_grant(sections=said["sections"], **lists)
    begins, until = day_in(said.get("from")), day_in(said.get("until"))
    return Grant(
        id=GrantId(said.get("id", "")),
        purpose=said["purpose"],
        recipient=said["recipient"],
        sections=tuple(said["sections"]),
        ops=frozenset(map(Operation, said["ops"])),
        reads=reads,
        names=names,
        start=max(start_of(begins), moment) if begins else moment,
        end=end_of(until) if until else None,
        until_event=said.get("until_event"),
        max_uses=said.get("max_uses"),
        onward=said.get("onward", False),
        teach_back=said.get("teach_back"),
        precision=tuple(sorted(said.get("precision", {}).items())),
        **lists,
    )


def _with_ids(grants: Sequence[Grant], problems: Problems) -> tuple[Grant, ...]:
    taken = [grant.id for grant in grants if grant.id]
    if len(set(taken)) < len(taken):
        problems.add("grants", "id_twice")
    free = (f"g{n}" for n in range(1, len(grants) + len(taken) + 1) if f"g{n}" not in taken)
    return tuple(g if g.id else replace(g, id=GrantId(next(free))) for g in grants)


def _unproved(terms: Terms) -> Iterable[Problem]:
    if lacking := evidence_lacking(terms):
        yield "evidence.method", lacking
    if terms.detained and terms.grants and not_free(terms.evidence):
        yield "evidence.freedom_check", "required"


def _judge(
    terms: Terms,
    controller: OrganisationId,
    today: date,
    directory: Directory,
    problems: Problems,
) -> None:
    if not terms.grants and not terms.denials and not terms.refused:
        problems.add("grants", "required")
    for place, code in (
        *_unproved(terms),
        *not_understood(terms),
        *outside_mandate(terms.capacity, terms.grants),
        *costs_something(terms, directory.type_of(controller)),
    ):
        problems.add(place, code)
    refused = {(each.purpose, each.recipient) for each in terms.refused}
    for index, grant in enumerate(terms.grants):
        place = f"grants.{index}"
        asked = purpose(grant.purpose)
        if is_prohibited(grant.purpose) or asked is None:
            code = "prohibited" if is_prohibited(grant.purpose) else "unknown"
            problems.add(f"{place}.purpose", code)
        elif wrong := wrong_grant(grant.recipient, asked, controller, today, directory):
            problems.add(f"{place}.recipient", wrong)
        if (grant.purpose, grant.recipient) in refused:
            problems.add(place, "granted_and_refused")
    for index, denial in enumerate(terms.denials):
        if wrong := wrong_denial(denial.recipient, directory):
            problems.add(f"denials.{index}.recipient", wrong)
    for index, refusal in enumerate(terms.refused):
        if purpose(refusal.purpose) is None:
            problems.add(f"refused.{index}.purpose", "unknown")
        if wrong := wrong_refusal(refusal.recipient, directory):
            problems.add(f"refused.{index}.recipient", wrong)
