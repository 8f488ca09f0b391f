"""What is told to the author of a rule: by trying out every question that there is."""

from collections.abc import Mapping
from typing import Any

import pytest

from policies.rule_checks import examine
from policies.rule_space import Mentions, codes, mentions_in, space
from policies.rule_texts import RulesRefused, fingerprint_of, read_set, statements
from policies.site_rules import SHIPPED, load_overlay
from policies.vocabulary import OrganisationType, Section
from tests.policies.rule_sets import FORBID, a_rule, found, refused, with_own
from tests.policies.situations import shipped_overlay

DOCS = 'resource == Section::"docs"'


def test_the_rules_that_ship_have_nothing_wrong_with_them() -> None:
    assert examine(shipped_overlay()) == []


def test_every_hard_rule_says_in_two_languages_what_it_forbids() -> None:
    for rule in shipped_overlay().rules:
        assert set(rule.says) == ({"en", "nl"} if rule.origin else set())


def test_a_rule_that_is_as_it_should_be_is_passed_over_in_silence() -> None:
    assert found(a_rule("A", f'{DOCS} && context.purpose == "P1"')) == []


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ('context.purpose == "P11"', '"P11" is no purpose, class, field or code'),
        ('resource.class == "Q"', '"Q" is no purpose'),
        ('context.purpose == "P1" && context.purpose == "P2"', "none of the "),
        ("principal.in_eea && !principal.in_eea", "none of the "),
        ('context.purpose like "Q*"', "none of the "),
        ('principal == Recipient::"employer" && principal == Recipient::"funder"', "none of the "),
        ("principal has secret", "none of the "),
    ],
)
def test_a_rule_that_can_never_fire_is_found_and_it_is_said_why(when: str, why: str) -> None:
    ((level, words),) = found(a_rule("A", when))

    assert level == "error"
    assert words.startswith(f"own.cedar:1: SITE_A can never fire: {why}")


@pytest.mark.parametrize(
    "when",
    [
        'context.purpose like "P9*"',
        'context.purpose == "P95"',
        'resource.class == "X"',
        'principal == Recipient::"partnership" && context.real_number && !principal.accredited',
        'context == {"purpose": "P3", "consent_older_than_24_months": true, "real_number": true}',
        '["P1", "P2"].contains(context.purpose)',
        'resource in [Section::"note", Section::"follow"]',
    ],
)
def test_a_rule_that_can_fire_however_rarely_is_not_called_dead(when: str) -> None:
    assert "error" not in {level for level, _ in found(a_rule("A", when))}


def test_a_rule_that_forbids_everything_is_warned_about() -> None:
    assert found(a_rule("A")) == [
        ("warning", "own.cedar:1: SITE_A forbids everything, to everybody")
    ]


def test_a_rule_that_another_one_covers_adds_nothing() -> None:
    whole, part = a_rule("WHOLE", DOCS), a_rule("PART", f'{DOCS} && context.purpose == "P1"')

    assert found(part, whole) == [
        ("note", "own.cedar:1: SITE_PART adds nothing: SITE_WHOLE forbids all of it")
    ]


def test_of_two_rules_that_say_the_same_only_the_later_adds_nothing() -> None:
    assert found(a_rule("A", DOCS), a_rule("B", f"{DOCS} && true")) == [
        ("note", "own.cedar:2: SITE_B adds nothing: SITE_A forbids all of it")
    ]


def test_a_rule_that_overlaps_another_adds_something() -> None:
    overlapping = a_rule("A", 'context.purpose == "P1"'), a_rule("B", DOCS)

    assert found(*overlapping) == []


def test_a_rule_about_old_consents_is_covered_by_a_hard_one() -> None:
    assert found(a_rule("A", "context.consent_older_than_24_months")) == [
        ("note", "own.cedar:1: SITE_A adds nothing: HARD_RULE_H9 forbids all of it")
    ]


def test_a_rule_that_errs_for_somebody_is_found_with_the_question() -> None:
    errs = a_rule("A", f'{DOCS} && context.purpose == "P1" && 9223372036854775807 + 1 == 0')

    ((level, words),) = found(errs)

    assert level == "error"
    assert "it errs, which is a no and an alarm, for docs for P1 to " in words


def test_a_code_that_is_written_out_all_the_same_can_not_be_forbidden() -> None:
    emit = 'forbid (principal, action == Action::"emit", resource)'

    ((level, words),) = found(a_rule("A", 'resource.code == "EU"', head=emit))

    assert level == "error"
    assert "SITE_A would not be kept: the summary model writes out resid.status=EU" in words


def test_what_h5_forbids_the_summary_model_never_writes_out() -> None:
    forbids = shipped_overlay().forbids_code
    recipients = {each.recipient for each in space(Mentions())}

    kept_back = {pair for pair in codes() for each in recipients if forbids(each, *pair)}

    assert kept_back == {("resid.status", "undocumented")}


def test_a_rule_without_words_is_asked_for_some() -> None:
    ((level, words),) = found(a_rule("A", DOCS, words=""))

    assert level == "note"
    assert 'add @en("…") or @nl("…")' in words


def test_findings_name_the_line_whatever_stands_in_strings_and_comments() -> None:
    first = a_rule("A", DOCS, words='@en("one; two // three")')
    last = a_rule("B", 'context.purpose == "P12"')

    ((_, words),) = found("// a; b\n", first, "\n// «;»", last)

    assert words.startswith("own.cedar:6: SITE_B can never fire")


def test_a_statement_that_never_ends_is_one_too() -> None:
    assert [each.text for each in statements('a "x;" ;\n\n// only words\n')] == ['a "x;" ;']
    assert [(each.line, each.text) for each in statements("a;\n\nb")] == [(1, "a;"), (3, "b")]


@pytest.mark.parametrize(
    ("rules", "finding"),
    [
        ((a_rule("A", DOCS), f'\n@id("SITE_B") {FORBID.replace("forbid", "permit")};'),
         "own.cedar:3: only the base may permit"),
        ((a_rule("A", DOCS), "", a_rule("A", DOCS)), "own.cedar:3: SITE_A is there twice"),
        ((a_rule("A", DOCS), a_rule("B", "context.nope")), "own.cedar:2: "),
        ((a_rule("A", DOCS), "\n\nforbid ("), "own.cedar:4: unexpected end"),
        ((a_rule("A", 'resource == Section::"diary"'),), "own.cedar:1: Section 'diary'"),
        (("// nothing",), "own.cedar: there is no rule in it"),
    ],
)  # fmt: skip
def test_what_can_not_be_used_is_refused_with_its_line(
    rules: tuple[str, ...], finding: str
) -> None:
    assert [each for each in refused(*rules) if each.startswith(finding)]


def test_an_attribute_that_may_be_missing_must_be_asked_for_first(tmp_path: Any) -> None:
    for path in SHIPPED.rglob("*.*"):
        target = tmp_path / path.relative_to(SHIPPED)
        target.parent.mkdir(exist_ok=True)
        target.write_text(path.read_text())
    schema = tmp_path / "schema.cedarschema"
    schema.write_text(
        schema.read_text().replace('"in_eea": Bool,', '"in_eea": Bool, "zone"?: String,')
    )
    unguarded, guarded = 'principal.zone == "N"', 'principal has zone && principal.zone == "N"'

    with pytest.raises(RulesRefused, match=r"own\.cedar:1: .*zone"):
        load_overlay(tmp_path / "hard", {"own.cedar": a_rule("A", unguarded)})
    assert load_overlay(tmp_path / "hard", {"own.cedar": a_rule("A", guarded)}).ids[-1] == "SITE_A"


def test_no_file_that_ships_can_go_without_somebody_noticing() -> None:
    shipped = {path.relative_to(SHIPPED).as_posix() for path in SHIPPED.rglob("*.*")}
    hard = {f"hard/h{number}.cedar" for number in range(1, 11)}

    assert shipped == {"base.cedar", "schema.cedarschema", "hard/hard.cases.yaml", *hard}


def test_a_folder_that_can_not_be_read_is_refused_as_a_whole(tmp_path: Any) -> None:
    (tmp_path / "a.cedar").write_text(a_rule("A", DOCS))
    (tmp_path / "b.cedar").write_bytes(b"\xff")

    with pytest.raises(RulesRefused, match=r"b\.cedar: cannot be read"):
        read_set(tmp_path)
    with pytest.raises(RulesRefused, match="no such folder"):
        read_set(tmp_path / "none")


def test_a_set_has_one_fingerprint_in_whatever_order_it_is_read() -> None:
    one: Mapping[str, str] = {"a.cedar": "x", "b.cedar": "y"}

    assert fingerprint_of(one) == fingerprint_of(dict(sorted(one.items(), reverse=True)))
    assert fingerprint_of(one) != fingerprint_of({"a.cedar": "y", "b.cedar": "x"})
    assert fingerprint_of({}) != fingerprint_of({"a.cedar": ""})


def test_every_question_there_is_is_tried_where_a_rule_could_tell_them_apart() -> None:
    sections = frozenset(("Section", each.value) for each in Section)
    kinds = frozenset(("Recipient", each.value) for each in OrganisationType)

    by_section = list(space(Mentions(sections, patterns=True, records=True)))
    by_kind = list(space(Mentions(kinds)))

    assert (
        len(set(by_section)) == len(by_section) == 8 * (4 * 16 * (len(Section) + 1) + len(codes()))
    )
    assert {each.recipient.type for each in by_kind} == set(OrganisationType)


def test_what_a_rule_writes_down_is_read_from_it() -> None:
    (rule,) = [each for each in with_own(a_rule("A", f'{DOCS} && context.purpose == "P1"')).rules
               if each.origin == "site"]  # fmt: skip

    assert ("Section", "docs") in rule.mentions.entities
    assert rule.mentions.texts == frozenset({"P1"})
    assert rule.mentions.attributes == frozenset({"purpose"})
    assert mentions_in({"annotations": {"id": {"Value": "P2"}}}) == Mentions()
