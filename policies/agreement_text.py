"""A version's text and what was done to it: one document, taken apart and put together again.

The text is what the parties agree on. It never changes and is what they sign. All else in the
document (state, advices, signatures, publication, suspension) is told by steps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from policies.agreement_document import Agreement, AgreementState, Suspension, read_agreement
from policies.agreement_life import LIVE, THE_BROKER, Act, Life, Step
from policies.vocabulary import Section

_OF_THE_DOCUMENT = ("state", "authority_advice", "suspended")
_OF_A_PARTY = ("dpo_advice", "signed_on", "published")
_CAME_INTO_USE = LIVE | {AgreementState.SUSPENDED, AgreementState.ENDED}


def text_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what was done to it."""
    text = {name: held for name, held in document.items() if name not in _OF_THE_DOCUMENT}
    if "parties" in text:
        text["parties"] = [
            {name: held for name, held in party.items() if name not in _OF_A_PARTY}
            for party in text["parties"]
        ]
    return text


def read_text(
    text: Mapping[str, Any], analysed: frozenset[tuple[str, Section]] = frozenset()
) -> Agreement:
    """The agreement in a text, as a draft, with what is analysed. Raises `UnfitDocument`."""
    return read_agreement({**text, "state": AgreementState.DRAFT.value}, analysed)


def unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    """Where two texts differ: the members, and those of the parts they have in common."""
    return tuple(_unlike(one, other, ""))


def filled(text: Mapping[str, Any], life: Life) -> dict[str, Any]:
    """The document of a version as it stands: its text, and what was done to it."""
    seen = life.seen
    document = dict(text) | {
        "state": seen.state.value,
        "authority_advice": _plain(seen.authority_advice),
    }
    if "parties" in text:
        done = {each.org: each for each in seen.parties}
        document["parties"] = [
            party | {name: _plain(getattr(done[party["org"]], name)) for name in _OF_A_PARTY}
            for party in text["parties"]
        ]
    if seen.suspended is not None:
        document["suspended"] = _plain(seen.suspended)
    return document


def steps_on_paper(agreement: Agreement, today: date) -> Iterator[Step]:
    """What a document says was done before it came here, in the order of the life cycle.

    A document that says it is suspended and not by whom, is so by the broker.
    """
    yield from _of_parties(agreement)
    state = agreement.state
    if state in _CAME_INTO_USE:
        yield Step(act=Act.ACTIVATED, on=agreement.valid_from or today)
    if state is AgreementState.IN_REVIEW:
        yield Step(act=Act.REVIEWED, on=today)
    held = agreement.suspended
    if held is None and state is AgreementState.SUSPENDED:
        held = Suspension(on=today, by=THE_BROKER, reason_code="under_review")
    if held is not None:
        yield Step(act=Act.SUSPENDED, on=held.on, by=held.by, reason=held.reason_code)
    if state is AgreementState.ENDED:
        last = agreement.valid_until
        over = last is not None and last < today
        yield Step(act=Act.ENDED, on=today, reason="expired" if over else "ended_on_paper")


def _of_parties(agreement: Agreement) -> Iterator[Step]:
    for each in agreement.parties:
        if advice := each.dpo_advice:
            outcome, remarks = advice.outcome, advice.remarks
            yield Step(
                act=Act.ADVISED, on=advice.date, by=each.org, outcome=outcome, remarks=remarks
            )
    if authority := agreement.authority_advice:
        body, reference = authority.body, authority.reference
        yield Step(act=Act.AUTHORITY_ADVISED, on=authority.date, body=body, reference=reference)
    for each in agreement.parties:
        if each.signed_on:
            yield Step(act=Act.SIGNED, on=each.signed_on, by=each.org)
    for each in agreement.parties:
        if there := each.published:
            yield Step(act=Act.PUBLISHED, on=there.on, by=each.org, url=there.url)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, date):
        return value.isoformat()
    members = value if isinstance(value, dict) else asdict(value)
    return {name: _plain(held) for name, held in members.items() if held is not None}


def _unlike(one: Any, other: Any, place: str) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in sorted(one.keys() | other.keys()):
            yield from _unlike(one.get(name), other.get(name), f"{place}.{name}" if place else name)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other, strict=True)):
            yield from _unlike(*pair, f"{place}[{index}]")
    elif one != other:
        yield place
