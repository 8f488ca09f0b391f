from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.belgian_time import end_of, instant, start_of
from consent.content import from_bytes, grant_document, to_bytes
from consent.terms import TermsRefused, read_terms
from tests.consent.builders import (
    BASE_NOTICE,
    HOLDER,
    HOUSES,
    MINOR,
    MINOR_BORN,
    NOON,
    NOTICE,
    body,
    grant,
    problems,
    terms,
)


def test_what_may_be_left_out_is_filled_in() -> None:
    said = terms(grants=[grant(), grant(id="g1", purpose="P2"), grant()])

    assert [each.id for each in said.grants] == ["g2", "g1", "g3"]
    assert said.notice.sha256 == BASE_NOTICE.sha256


def test_a_grant_holds_what_naming_its_sections_gives() -> None:
    said = terms(grants=[grant(sections=["goals"], include=["work.status"])])

    assert {"goals.reason", "work.status"} <= said.grants[0].reads
    assert said.grants[0].names == {"goals", "work.status"}


def test_until_is_the_whole_of_that_belgian_day() -> None:
    (said,) = terms(grants=[grant(until="2026-11-02")]).grants

    assert said.end == end_of(date(2026, 11, 2))
    assert grant_document(said)["until"] == "2026-11-02"


@pytest.mark.case("T55")
@pytest.mark.parametrize(
    ("until", "end"),
    [
        pytest.param("2027-03-28", datetime(2027, 3, 28, 22, tzinfo=UTC), id="b spring"),
        pytest.param("2027-10-31", datetime(2027, 10, 31, 23, tzinfo=UTC), id="b autumn"),
        pytest.param("2028-02-29", datetime(2028, 2, 29, 23, tzinfo=UTC), id="c leap day"),
    ],
)
def test_t55_an_end_is_belgian_midnight_whatever_the_clock_does(until: str, end: datetime) -> None:
    (said,) = terms(grants=[grant(until=until)]).grants

    assert said.end == instant(end)


@pytest.mark.case("T55")
def test_t55c_a_leap_day_in_another_year_is_no_day() -> None:
    assert problems(grants=[grant(until="2027-02-29")]) == {"grants.0.until: invalid"}


@pytest.mark.case("T55")
def test_t55d_an_end_before_the_start_is_refused() -> None:
    said = grant(**{"from": "2027-02-01", "until": "2027-01-31"})

    assert problems(grants=[said]) == {"grants.0.until: before_from"}


def test_a_grant_begins_at_its_first_day_or_when_it_is_given() -> None:
    later, sooner = terms(
        grants=[grant(**{"from": "2027-02-01"}), grant(**{"from": "2026-11-02"})]
    ).grants

    assert later.start == start_of(date(2027, 2, 1))
    assert sooner.start == instant(NOON)


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"sections": ["x_notes"]}, "grants.0: class_x"),
        ({"sections": ["goals"], "include": ["x_notes.text"]}, "grants.0: class_x"),
        ({"sections": ["weather"]}, "grants.0: unknown_name"),
        ({"fields": ["goals.secret"]}, "grants.0: unknown_name"),
        ({"purpose": "P90"}, "grants.0.purpose: prohibited"),
        ({"purpose": "P11"}, "grants.0.purpose: unknown"),
        ({"purpose": "work guidance"}, "grants.0.purpose: invalid"),
        ({"recipient": "vdab-gent"}, "grants.0.recipient: invalid"),
        ({"recipient": "relation:parent"}, "grants.0.recipient: invalid"),
        ({"recipient": "any"}, "grants.0.recipient: invalid"),
        ({"recipient": "org:nobody"}, "grants.0.recipient: unknown_organisation"),
        ({"recipient": "org-site:vdab-gent/moon"}, "grants.0.recipient: unknown_site"),
        ({"recipient": "org:ocmw-kortrijk"}, "grants.0.recipient: not_for_this_purpose"),
        (
            {"recipient": "category:public_employment_service"},
            "grants.0.recipient: category_not_allowed",
        ),
        (
            {"purpose": "P8", "recipient": "category:employer"},
            "grants.0.recipient: not_for_this_purpose",
        ),
        (
            {"purpose": "P8", "recipient": "category:education_ministry,vdab-gent"},
            "grants.0.recipient: unknown_organisation",
        ),
        (
            {"recipient": "partnership:lp-zuid-wvl@2026-11-02"},
            "grants.0.recipient: partnership_not_allowed",
        ),
        (
            {"purpose": "P3", "recipient": "partnership:lp-zuid-wvl@2026-11-03"},
            "grants.0.recipient: partnership_day",
        ),
        (
            {"purpose": "P3", "recipient": "partnership:lp-zuid-wvl@2026-02-30"},
            "grants.0.recipient: partnership_day",
        ),
        (
            {"purpose": "P3", "recipient": "partnership:unheard-of@2026-11-02"},
            "grants.0.recipient: unknown_partnership",
        ),
        (
            {"purpose": "P9", "recipient": "org:leerwinkel-wvl", "sections": ["contact"]},
            "grants.0.recipient: not_for_this_purpose",
        ),
        ({"until": None}, "grants.0.until: required"),
        ({"until": "2026-11-01"}, "grants.0.until: past"),
        ({"until": "1 april"}, "grants.0.until: invalid"),
        ({"until_event": "age_18"}, "grants.0.until_event: not_a_minor"),
        ({"until_event": "doomsday"}, "grants.0.until_event: invalid"),
        ({"max_uses": 0}, "grants.0.max_uses: invalid"),
        ({"max_uses": True}, "grants.0.max_uses: invalid"),
        ({"ops": []}, "grants.0.ops: invalid"),
        ({"ops": ["view", "view"]}, "grants.0.ops: invalid"),
        ({"ops": None}, "grants.0.ops: required"),
        ({"precision": {"ident.birth_date": "roughly"}}, "grants.0.precision: invalid"),
        ({"precision": {"ident.shoe_size": "year"}}, "grants.0.precision: invalid"),
        ({"colour": "red"}, "grants.0.colour: unknown"),
        ({"Fatima Haddad 0450": 1}, "grants.0.?: unknown"),
        ({"id": "first"}, "grants.0.id: invalid"),
    ],
)
def test_a_grant_that_cannot_be_is_refused_by_its_place(
    members: Mapping[str, Any], problem: str
) -> None:
    assert problems(grants=[grant(**members)]) == {problem}


@pytest.mark.case("T47")
@pytest.mark.parametrize("purpose", ["view the file", "p2", "P2; P3", "P2\n", ""])
def test_t47b_a_purpose_as_free_text_is_refused(purpose: str) -> None:
    assert problems(grants=[grant(purpose=purpose)]) == {"grants.0.purpose: invalid"}


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"functions": ["everything"]}, {"functions: invalid"}),
        ({"functions": None}, {"functions: required"}),
        ({"grants": []}, {"grants: required"}),
        ({"grants": ["P2"]}, {"grants.0: invalid"}),
        ({"grants": [grant(id="g1"), grant(id="g1")]}, {"grants: id_twice"}),
        ({"client": "cl-0001"}, {"client: unknown"}),
        ({"evidence": {"method": "hearsay"}}, {"evidence.method: invalid"}),
        ({"evidence": {"method": "itsme", "witness": "a\x00b"}}, {"evidence.witness: invalid"}),
        ({"evidence": {"method": "itsme", "witness": "\u202eab"}}, {"evidence.witness: invalid"}),
        (
            {"evidence": {"method": "itsme", "freedom_check": {"asked_alone": "yes"}}},
            {"evidence.freedom_check: invalid"},
        ),
        (
            {"notice": {"id": "N-P2", "version": "9.9", "lang": "nl", "channel": "print"}},
            {"notice: unknown"},
        ),
        (
            {"notice": {"id": "N-P2"}},
            {f"notice.{n}: required" for n in ("version", "lang", "channel")},
        ),
        ({"denials": [{"sections": [], "recipient": "any"}]}, {"denials.0.sections: invalid"}),
        (
            {"denials": [{"sections": "all", "recipient": "org:vdab-gnet"}]},
            {"denials.0.recipient: unknown_organisation"},
        ),
        (
            {"denials": [{"sections": "all", "recipient": "category:bakers"}]},
            {"denials.0.recipient: not_for_this_purpose"},
        ),
        (
            {"refused": [{"purpose": "P20", "recipient": "any"}]},
            {"refused.0.purpose: unknown"},
        ),
        (
            {"refused": [{"purpose": "P3", "recipient": "partnership:unheard-of@2026-11-02"}]},
            {"refused.0.recipient: unknown_partnership"},
        ),
        (
            {"refused": [{"purpose": "P3", "recipient": "org-site:vdab-gent/moon"}]},
            {"refused.0.recipient: unknown_site"},
        ),
        (
            {"refused": [{"purpose": "P2", "recipient": "org:vdab-gent"}]},
            {"grants.0: granted_and_refused"},
        ),
    ],
)
def test_a_record_that_cannot_be_is_refused_by_its_place(
    members: Mapping[str, Any], found: set[str]
) -> None:
    assert problems(**members) == found


def test_everything_wrong_is_told_at_once() -> None:
    found = problems(
        grants=[grant(sections=["x_notes"]), grant(until=None)],
        evidence={"method": "hearsay"},
    )

    assert found == {
        "grants.0: class_x",
        "grants.1.until: required",
        "evidence.method: invalid",
    }


@pytest.mark.parametrize(
    "members",
    [
        {"recipient": "org-site:vdab-gent/ktr"},
        {"recipient": "org:vdab-wvl", "until_event": "first_contact", "until": None},
        {"purpose": "P8", "recipient": "category:education_ministry", "sections": ["outc"]},
        {"purpose": "P8", "recipient": "category:education_ministry,dep-onderwijs"},
        {"purpose": "P3", "recipient": "partnership:lp-zuid-wvl@2026-11-02"},
        {"purpose": "P9", "recipient": "org:destap-ww", "sections": ["contact"]},
    ],
)
def test_every_form_of_recipient_is_taken_where_it_belongs(members: Mapping[str, Any]) -> None:
    (said,) = terms(grants=[grant(**members)]).grants

    assert said.recipient == members["recipient"]


def test_a_grant_back_to_the_controller_is_taken_whatever_its_type() -> None:
    said = grant(purpose="P4", recipient=f"org:{HOLDER}", sections=["outc"])

    assert terms(grants=[said]).grants[0].recipient == "org:destap-ww"


def test_a_record_may_hold_nothing_but_noes() -> None:
    said = terms(grants=[], refused=[{"purpose": "P2", "recipient": "any"}])

    assert not said.grants
    assert said.refused[0].purpose == "P2"


def test_a_hash_that_was_sent_is_kept_even_when_no_notice_has_it() -> None:
    notice = {**NOTICE, "sha256": "f" * 64}

    assert terms(notice=notice).notice.sha256 == "f" * 64


@pytest.mark.parametrize("sent", [None, [], "consent", 7, {}])
def test_what_is_no_record_at_all_is_refused(sent: Any) -> None:
    with pytest.raises(TermsRefused):
        read_terms(
            sent,
            controller=HOLDER,
            at=NOON,
            born=None,
            directory=HOUSES,
            notice_known=lambda *_: None,
        )


_anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(["any", "P2"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from(sorted(body())), _anything)
def test_whatever_stands_in_a_member_nothing_but_a_refusal_comes_out(
    member: str, sent: object
) -> None:
    said: dict[str, Any] = {member: sent}
    with suppress(TermsRefused):
        assert to_bytes(terms(**said))


@given(st.sampled_from(sorted({*grant(), "from", "precision", "include"})), _anything)
def test_whatever_stands_in_a_grant_nothing_but_a_refusal_comes_out(
    member: str, sent: object
) -> None:
    with suppress(TermsRefused):
        assert to_bytes(terms(grants=[{**grant(), member: sent}]))


def test_terms_come_back_from_their_bytes_as_they_were() -> None:
    said = terms(
        born=MINOR_BORN,
        capacity=MINOR,
        evidence={"method": "itsme", "freedom_check": {"asked_alone": False}},
        grants=[
            grant(exclude=["goals.learning"], precision={"ident.birth_date": "year"}, max_uses=1),
            grant(until=None, until_event="age_18", onward=True),
        ],
        denials=[{"sections": "all", "recipient": "relation:parent"}],
        refused=[{"purpose": "P3", "recipient": "any"}],
    )

    assert from_bytes(to_bytes(said)) == said
    assert from_bytes(to_bytes(said)) is from_bytes(to_bytes(said))


def test_the_same_terms_give_the_same_bytes() -> None:
    one = terms(grants=[grant(sections=["ident", "goals", "educ", "work"])])
    other = from_bytes(to_bytes(one)).without(frozenset())

    assert to_bytes(one) == to_bytes(other)
    assert to_bytes(one) != to_bytes(terms(at=NOON + timedelta(seconds=1)))


@pytest.mark.parametrize("method", [{}, [], 1, None])
def test_a_way_that_is_no_word_is_told_as_such_also_without_a_birth_date(method: Any) -> None:
    with pytest.raises(TermsRefused) as told:
        terms(born=None, evidence={"method": method})

    assert ("evidence.method", "invalid") in told.value.problems
