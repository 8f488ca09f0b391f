import json
from enum import Enum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import leaf
from audit.events import EVENTS, Actor, AdminChanged, AuditInspected, LogEvent, NoticeUndelivered
from audit.leaf import NotALeaf
from audit.recording import PersonEvent
from tests.audit.log_builders import ANN, COUNSELLOR, about, refused, released


def said(event: PersonEvent) -> dict[str, Any]:
    text: dict[str, Any] = json.loads(event.detail)
    return text


@pytest.mark.parametrize("kind", EVENTS)
def test_every_event_is_known_to_the_reader_with_its_outcome(kind: str) -> None:
    event, known = EVENTS[kind], leaf.KINDS[kind]

    assert event.outcome == known.outcome
    assert issubclass(event, LogEvent) == bool(known.extra)


def test_what_was_not_decided_to_be_public_is_sealed() -> None:
    event = released(case_reference="case-7", filtered=11)

    assert said(event) == {
        "case_reference": "case-7",
        "consents": ["c-canary-1"],
        "fields": [],
        "filtered": 11,
        "grants": [],
        "reason": "OK",
        "trace": [["a_consent_stands"]],
    }


def test_a_refusal_seals_the_provider_and_shows_the_same_for_all() -> None:
    known, unknown = refused(), refused("", "UNKNOWN_CLIENT", provider=None)

    assert known.stated == unknown.stated
    assert known.stated.provider == "org:undisclosed"
    assert said(known)["provider"] == known.provider_of_record == "org:leerwinkel-wvl"
    assert "provider" not in said(unknown)


def test_a_failure_is_public_as_a_code() -> None:
    event = NoticeUndelivered(**about(ANN, error="TIMEOUT", handover="h-1"))

    assert event.stated.outcome == "error:TIMEOUT"
    assert said(event) == {"handover": "h-1"}


def test_an_enumeration_is_written_as_its_value() -> None:
    class Purpose(str, Enum):  # noqa: UP042  # the kind whose text is not its value
        WORK = "P2"

    class Reason(StrEnum):
        OK = "OK"

    event = released(purpose=Purpose.WORK, reason=Reason.OK, sections=(Purpose.WORK,))

    assert event.stated.purpose == "P2"
    assert event.stated.before_id.endswith('"d":["P2"],"id":"')
    assert said(event)["reason"] == "OK"


@pytest.mark.parametrize(
    "wrong", [1.5, True, b"x", {1, 2}, object(), "\ud800"], ids=lambda each: type(each).__name__
)
def test_what_has_no_canonical_form_is_refused_when_the_event_is_made(wrong: Any) -> None:
    with pytest.raises(NotALeaf):
        released(case_reference=wrong)


@pytest.mark.parametrize(
    "changes",
    [{"purpose": "P 2"}, {"sections": ()}, {"consumer": None}, {"provider": "é"}],
    ids=str,
)
def test_an_event_that_cannot_be_written_is_refused_when_it_is_made(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(NotALeaf):
        released(**changes)


@pytest.mark.parametrize("client", ["x", ANN.upper(), ANN.replace("-", ""), f"{ANN} ", None, 7])
def test_a_client_is_a_uuid_or_nobody(client: Any) -> None:
    with pytest.raises(NotALeaf):
        released(client)
    assert released("").client == ""


def test_public_values_of_the_log_are_codes_and_not_sentences() -> None:
    assert AdminChanged(what="member", act="added", id="m-1").extra()["id"] == "m-1"
    with pytest.raises(NotALeaf):
        AdminChanged(what="member", act="was added", id="m-1")


def test_an_actor_is_a_person_or_a_system_and_not_both() -> None:
    assert json.loads(COUNSELLOR.plaintext()) == {
        "capacity": "begeleider",
        "user": "u-0b9e6c1a7d2f4c8b",
    }
    assert json.loads(Actor(system="expiry").plaintext()) == {"system": "expiry"}
    for both in ({}, {"user": "u", "system": "s"}):
        with pytest.raises(NotALeaf):
            Actor(**both)


def test_the_filter_of_a_look_at_the_log_is_sealed() -> None:
    event = AuditInspected(
        application="desk", actor=COUNSELLOR, client="", filter={"kind": "consent.given"}, found=3
    )

    assert said(event) == {"filter": {"kind": "consent.given"}, "found": 3}
    assert "consent.given" not in "".join(str(each) for each in event.stated)


@given(st.text(max_size=40).filter(lambda text: text.isprintable()))
def test_any_text_comes_back_from_the_sealed_part(text: str) -> None:
    assert said(released(case_reference=text))["case_reference"] == text
