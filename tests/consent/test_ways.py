"""The ways of saying yes: what each needs, and which of them the client must confirm."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consent.belgian_time import instant, time_of
from consent.content import from_bytes, to_bytes
from consent.receipts import Receipt, receipt_claims
from consent.renewal import not_renewable, read_renewal, renewed
from consent.terms import read_terms
from consent.ways import CONFIRMED_WITHIN
from policies.vocabulary import ConsentId, ConsentState, Handle, OrganisationId, Reason
from tests.consent.builders import (
    ADULT_BORN,
    GUARDIAN,
    HOLDER,
    HOUSES,
    MINOR_BORN,
    NOON,
    NOTICE,
    TICK,
    Desk,
    body,
    grant,
    library,
    problems,
    terms,
)

HASH = "b" * 64
WITNESSED = {"method": "oral_witnessed", "witness": "destap-ww/collega"}
INTERPRETED = {"method": "oral_interpreter"}
PAPER = {"method": "paper_scan"}
PRISON = OrganisationId("prison-brugge-tb")
FREE = {"asked_alone": True, "no_effect_on_regime_stated": True}


def by(kind: str | None = None) -> dict[str, Any]:
    """A notice that an interpreter told."""
    said = {**NOTICE, "interpreter": "tolk-4411"}
    return said if kind is None else {**said, "interpreter_kind": kind}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"evidence": {"method": "oral_witnessed"}}, "witness_needed"),
        ({"evidence": INTERPRETED}, "interpreter_needed"),
        ({"evidence": INTERPRETED, "notice": by("none")}, "interpreter_needed"),
        ({"evidence": INTERPRETED, "notice": by("relative")}, "interpreter_needed"),
        ({"evidence": {"method": "proxy"}}, "document_needed"),
        (
            {"evidence": PAPER, "notice": by("relative"), "grants": [grant(sections=["health"])]},
            "own_word_needed",
        ),
    ],
)
def test_a_way_without_what_makes_it_one_is_refused(said: Mapping[str, Any], code: str) -> None:
    assert problems(**said) == {f"evidence.method: {code}"}


DENIED: dict[str, Any] = {"denials": [{"sections": "all", "recipient": "any"}], "grants": []}


@pytest.mark.parametrize("method", ["oral_witnessed", "oral_interpreter", "proxy"])
def test_saying_no_needs_no_proof(method: str) -> None:
    said = terms(evidence={"method": method}, **DENIED)

    assert (said.confirm_by, len(said.denials)) == (None, 1)
    assert terms(controller=PRISON, **DENIED).denials


@pytest.mark.parametrize(
    ("said", "provisional"),
    [
        ({"evidence": {"method": "portal_click"}}, False),
        ({"evidence": PAPER}, False),
        ({"evidence": PAPER, "notice": by("certified")}, False),
        ({"evidence": PAPER, "notice": by("relative")}, True),
        ({"evidence": WITNESSED}, True),
        ({"evidence": {**WITNESSED, "sha256": HASH}}, False),
        ({"evidence": INTERPRETED, "notice": by("certified")}, True),
        ({"evidence": {**INTERPRETED, "sha256": HASH}, "notice": by("certified")}, False),
        ({"evidence": {"method": "proxy", "sha256": HASH}}, True),
        ({"evidence": {"method": "proxy"}, "capacity": GUARDIAN}, True),
    ],
)
def test_what_stands_by_words_alone_is_provisional(
    said: Mapping[str, Any],
    provisional: bool,  # noqa: FBT001 - a row of the table
) -> None:
    assert (terms(**said).confirm_by is not None) is provisional


def test_there_is_time_to_confirm_until_the_end_of_the_fourteenth_day() -> None:
    confirm_by = terms(evidence=WITNESSED).confirm_by

    assert CONFIRMED_WITHIN == 14
    assert confirm_by is not None
    assert time_of(confirm_by) == datetime(2026, 11, 16, 23, tzinfo=UTC)


def test_a_provisional_consent_is_in_force_until_its_time_is_over_and_then_ends_by_itself(
    desk: Desk,
) -> None:
    desk.give(evidence=WITNESSED, denials=[{"sections": ["health"], "recipient": "any"}])
    end = datetime(2026, 11, 16, 23, tzinfo=UTC)

    assert desk.ended(NOON) == [None]
    assert desk.ended(end - TICK) == [None]
    assert desk.ended(end) == [Reason.CONSENT_EXPIRED]
    assert desk.facts(end).denied


def test_a_renewal_by_word_of_mouth_is_provisional_and_one_in_writing_confirms(desk: Desk) -> None:
    consent = desk.give(evidence=WITNESSED)
    tenth, twentieth = NOON + timedelta(days=10), NOON + timedelta(days=20)

    desk.renew(consent, tenth, evidence={"method": "itsme"})
    assert desk.ended(twentieth) == [None]

    desk.renew(consent, twentieth, evidence=WITNESSED)
    assert desk.ended(twentieth) == [None]
    assert desk.ended(twentieth + timedelta(days=15)) == [Reason.CONSENT_EXPIRED]


@pytest.mark.parametrize(
    "checked",
    [None, {}, {"asked_alone": True}, {**FREE, "asked_alone": False}],
)
@pytest.mark.parametrize("where", ["in a prison", "known to be"])
def test_a_detained_client_was_asked_alone_and_told_that_nothing_hangs_on_it(
    where: str, checked: Mapping[str, bool] | None
) -> None:
    evidence = PAPER if checked is None else {**PAPER, "freedom_check": checked}

    with pytest.raises(Exception, match=r"^evidence\.freedom_check: required$"):
        from_prison(where, evidence)
    assert from_prison(where, {**PAPER, "freedom_check": FREE}).detained


def test_who_is_free_to_go_is_not_asked_whether_they_are() -> None:
    assert not terms(evidence=PAPER).detained


@pytest.mark.parametrize("known", [False, True])
def test_a_renewal_asks_again_whether_the_client_is_free(
    known: bool,  # noqa: FBT001 - a row of the table
) -> None:
    at_first = {**PAPER, "freedom_check": FREE}
    before = terms(evidence=PAPER) if known else from_prison("in a prison", at_first)

    refused = renewing(before, PAPER, detained=known)
    taken = renewing(before, at_first, detained=known)

    assert refused is not None
    assert refused.details == ("evidence.freedom_check",)
    assert taken is None


def test_what_the_client_could_not_say_back_is_not_given_and_the_rest_is() -> None:
    asked = [
        grant(teach_back="passed"),
        grant(purpose="P1", recipient="org:leerwinkel-wvl", teach_back="failed"),
        grant(purpose="P4", recipient="org:cvo-west", teach_back="not_done"),
    ]

    said = terms(grants=asked)

    assert [each.purpose for each in said.grants] == ["P2", "P4"]
    assert [each.id for each in said.grants] == ["g1", "g3"]
    assert [(no.purpose, no.recipient) for no in said.not_given] == [("P1", "org:leerwinkel-wvl")]
    assert said.refused == ()
    assert from_bytes(to_bytes(said)) == said


def test_where_nothing_was_understood_there_is_no_consent() -> None:
    one = [grant(teach_back="failed")]

    assert problems(grants=one) == {"grants: not_understood"}
    assert problems(notice={**NOTICE, "teach_back": "failed"}) == {"notice.teach_back: failed"}
    assert problems(grants=[grant(teach_back="well")]) == {"grants.0.teach_back: invalid"}
    failed = renewing(terms(), PAPER, notice={**NOTICE, "teach_back": "failed"})
    assert failed is not None
    assert failed.details == ("notice.teach_back",)


@pytest.mark.parametrize(
    ("controller", "members", "found"),
    [
        ("ocmw-kortrijk", {}, {"grants.0.purpose: not_on_consent"}),
        ("ocmw-kortrijk", {"functions": ["secrecy_release"]}, set()),
        ("ocmw-kortrijk", {"functions": ["explicit_mandate"]}, set()),
        ("vdab-wvl", {}, {"grants.0.purpose: not_on_consent"}),
        ("destap-ww", {}, set()),
    ],
)
def test_what_a_refusal_would_cost_a_service_can_not_rest_on_consent(
    controller: str, members: Mapping[str, Any], found: set[str]
) -> None:
    whose = OrganisationId(controller)

    if found:
        assert problems(controller=whose, **members) == found
    else:
        assert terms(controller=whose, **members).grants


def test_a_yes_and_a_no_both_say_that_nothing_hangs_on_them() -> None:
    said = terms(refused=[{"purpose": "P1", "recipient": "any"}])
    made = Receipt(
        issuer="https://example.org",
        handle=Handle("a" * 26),
        consent=ConsentId("c-0001"),
        controller=HOLDER,
        state=ConsentState.GIVEN,
        at=NOON,
        withdraw_at="https://example.org/my-file",
        names={},
    )

    claims = receipt_claims(made, said)

    assert said.grants[0].conditionality == said.refused[0].conditionality == "none"
    assert [each["conditionality"] for each in claims["grants"] + claims["refused"]] == [
        "none",
        "none",
    ]


def test_a_minor_whose_parent_signs_in_their_place_confirms_it_too() -> None:
    capacity = {"type": "minor_with_parent", "parents": "co_signed"}

    said = terms(born=MINOR_BORN, capacity=capacity, evidence={"method": "proxy"})

    assert said.confirm_by is not None
    assert replace(said, confirm_by=None) != said


def from_prison(where: str, evidence: Mapping[str, Any]) -> Any:
    """A consent of somebody detained: asked there, or by a service that knows."""
    there = where == "in a prison"
    said = body(evidence=evidence, grants=[grant(purpose="P4", recipient="org:cvo-west")])
    return read_terms(
        said,
        controller=PRISON if there else HOLDER,
        at=NOON,
        born=ADULT_BORN,
        directory=HOUSES,
        notice_known=library().known,
        detained=not there,
    )


def renewing(before: Any, evidence: Mapping[str, Any], **members: Any) -> Any:
    """Why these terms can not be renewed with this evidence, or nothing."""
    detained = members.pop("detained", False)
    sent = {"notice": NOTICE, "evidence": evidence, **members}
    renewal = read_renewal(sent, at=NOON, notice_known=library().known, detained=detained)
    return not_renewable(renewed(before, renewal, instant(NOON)), instant(NOON))
