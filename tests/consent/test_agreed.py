"""What was agreed to, as one hash; and what it lets a later decision give at most."""

from dataclasses import replace
from typing import Any

import pytest

from consent.agreed import agreed_hash, with_bounds
from consent.content import Terms, from_bytes, to_bytes
from consent.renewal import read_renewal, renewed
from policies.at_most import Levels
from policies.vocabulary import FieldId, GrantId
from tests.consent.builders import CLIENT, NOON, NOTICE, Desk, grant, library, micros, terms

EXACT: Levels = frozenset(
    {(FieldId("ident.birth_date"), "exact"), (FieldId("goals.reason"), "exact")}
)
YEAR: Levels = frozenset({(FieldId("ident.birth_date"), "year")})


def bound(said: Terms, **levels: Levels) -> Terms:
    """The terms with bounds for their first grant; `vdab_gent` stands for that organisation."""
    by = {name.replace("_", "-"): each for name, each in levels.items()}
    return with_bounds(said, {GrantId("g1"): by}, client=CLIENT, now=micros(NOON))


def test_the_same_terms_have_the_same_hash_whenever_and_however_they_are_given() -> None:
    said = bound(terms(), vdab_gent=EXACT)
    later = bound(terms(evidence={"method": "itsme"}, grants=[grant(id="g1")]), vdab_gent=EXACT)
    moved = replace(later, grants=(replace(later.grants[0], start=0),))

    assert said.agreed == later.agreed == agreed_hash(moved, client=CLIENT, now=micros(NOON))


@pytest.mark.parametrize(
    "members",
    [
        {"grants": [grant(sections=["ident"])]},
        {"grants": [grant(ops=["view", "download"])]},
        {"grants": [grant(include=["goals.reason"])]},
        {"grants": [grant(until="2027-04-02")]},
        {"denials": [{"sections": ["work"], "recipient": "any"}]},
        {"refused": [{"purpose": "P3", "recipient": "any"}]},
        {"functions": ["secrecy_release"]},
    ],
    ids=lambda members: next(iter(members)),
)
def test_other_terms_have_another_hash(members: dict[str, Any]) -> None:
    assert bound(terms(**members), vdab_gent=EXACT).agreed != bound(terms(), vdab_gent=EXACT).agreed


def test_other_fields_precision_notice_or_language_have_another_hash() -> None:
    said = terms()
    notice = said.notice
    others = [
        bound(said, vdab_gent=YEAR),
        bound(said, vdab_gent=EXACT, vdab_wvl=EXACT),
        bound(said),
        *(
            bound(replace(said, notice=replace(notice, **{name: "x"})), vdab_gent=EXACT)
            for name in ("version", "lang", "sha256", "filled_sha256")
        ),
    ]

    hashes = {each.agreed for each in (bound(said, vdab_gent=EXACT), *others)}
    assert len(hashes) == len(others) + 1


def test_bounds_and_hash_survive_being_kept() -> None:
    said = bound(terms(), vdab_gent=EXACT, vdab_wvl=EXACT, clb_topunt=YEAR)

    assert from_bytes(to_bytes(said)) == said
    assert {each.recipients for each in said.grants[0].bounds} == {
        ("vdab-gent", "vdab-wvl"),
        ("clb-topunt",),
    }


def test_a_kept_bound_is_all_that_a_decision_is_told(desk: Desk) -> None:
    desk.give(said=bound(terms(), vdab_gent=YEAR))

    (told,) = desk.facts().grants

    assert told.fields == {"ident.birth_date"}
    assert told.precision == (("ident.birth_date", "year"),)


def test_whoever_could_get_nothing_then_gets_nothing_now(desk: Desk) -> None:
    desk.give(said=bound(terms(), vdab_wvl=EXACT))

    (told,) = desk.facts().grants

    assert (told.fields, told.precision, told.ended) == (frozenset(), (), None)


def test_consents_from_before_bounds_were_kept_give_what_they_gave(desk: Desk) -> None:
    said = terms()
    desk.give(said=said)

    (told,) = desk.facts().grants

    assert said.agreed is None
    assert told.fields == said.grants[0].reads


def test_a_renewal_binds_anew_only_when_it_is_told_how() -> None:
    said = bound(terms(), vdab_gent=YEAR)

    sent = {"notice": NOTICE, "evidence": {"method": "itsme"}}
    renewal = read_renewal(sent, at=NOON, notice_known=library().known)

    kept = renewed(said, renewal, micros(NOON))
    binding = replace(renewal, bind=lambda each: bound(each, vdab_gent=EXACT))
    anew = renewed(said, binding, micros(NOON))

    assert kept.grants[0].bounds == said.grants[0].bounds
    assert {each.levels for each in anew.grants[0].bounds} == {EXACT}
    assert anew.agreed != said.agreed
