"""Cases beside the rules: what they try, and what is refused as no case."""

import pytest

from policies.rule_cases import read_cases, run_cases, without_case
from policies.rule_explanation import explained, listed
from policies.rule_space import Question
from policies.rule_texts import CASES, Finding, read_set
from policies.site_rules import HARD_RULES, SHIPPED
from policies.vocabulary import OrganisationType
from tests.policies.rule_sets import a_rule, with_own
from tests.policies.situations import a_recipient, shipped_overlay

SCHOOL = "recipient: training_provider, purpose: P4, section"
OWN = with_own(a_rule("A", 'resource == Section::"docs"'))


def tried(*cases: str) -> list[str]:
    """What is wrong with the cases, one a line, or comes of them."""
    findings: list[Finding] = []
    read = read_cases({"own.cases.yaml": "\n".join(cases)}, findings)
    return [str(each) for each in (*findings, *run_cases(OWN, read))]


def test_each_hard_rule_has_a_case_that_it_alone_denies() -> None:
    findings: list[Finding] = []
    cases = read_cases(read_set(SHIPPED / "hard", CASES), findings)

    overlay = shipped_overlay()

    assert findings == []
    assert list(run_cases(overlay, cases)) == []
    assert list(without_case(overlay, cases, "hard")) == []
    for rule in HARD_RULES:
        alone = [each for each in cases if overlay.speaking(each.question).rules == (rule,)]
        assert [each.expect for each in alone] == [rule] * len(alone) != []


def test_a_case_that_comes_out_as_it_says_is_passed_over() -> None:
    assert (
        tried(f"- {{{SCHOOL}: docs, expect: SITE_A}}", f"- {{{SCHOOL}: educ, expect: nothing}}")
        == []
    )


@pytest.mark.parametrize(
    ("case", "finding"),
    [
        (f"- {{{SCHOOL}: educ, expect: SITE_A}}", "expected SITE_A, and it comes to nothing"),
        (f"- {{{SCHOOL}: docs, expect: nothing}}", "expected nothing, and it comes to SITE_A"),
        (f"- {{{SCHOOL}: docs, expect: SITE_B}}", "there is no rule SITE_B"),
        (f"- {{{SCHOOL}: docs, expect: [SITE_A, nothing]}}", "expect one thing"),
        (f"- {{{SCHOOL}: docs}}", "expect one thing"),
        (f"- {{{SCHOOL}: diary, expect: nothing}}", "section 'diary' does not exist"),
        (f"- {{{SCHOOL}: docs, why: x, expect: nothing}}", "unknown member: why"),
        (f"- {{{SCHOOL}: docs, real_number: 1, expect: nothing}}", "real_number is true or false"),
        ("- {recipient: vdab, purpose: P4, section: docs}", "type 'vdab' does not exist"),
        ("- {recipient: {type: funder, eea: true}, purpose: P4}", "member of recipient: eea"),
        ("- {recipient: funder, section: docs, expect: nothing}", "purpose is missing"),
        ("- {recipient: funder, purpose: P11, section: docs}", "purpose 'P11' does not exist"),
        ("- {recipient: funder, field: resid.status, code: x}", "resid.status=x is no code"),
        ("- words", "a case has members"),
    ],
)  # fmt: skip
def test_what_is_no_case_or_comes_out_otherwise_is_told_with_its_line(
    case: str, finding: str
) -> None:
    first = f"- {{{SCHOOL}: educ, old_consent: true, expect: HARD_RULE_H9}}"

    (words,) = tried(first, "# words", case)

    assert words.startswith("own.cases.yaml:3: ")
    assert finding in words


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("a: 1", "own.cases.yaml:1: it must be a list"),
        ("- a\n- {b: 1, b: 2}", "own.cases.yaml:2: no YAML: key 'b' twice"),
        ("- a\n- {b: [}", "own.cases.yaml:2: no YAML"),
        ("- &a {recipient: x}\n- *a", "own.cases.yaml:2: no YAML: *a is an alias"),
        ("- &a [*a]", "own.cases.yaml:1: no YAML: *a is an alias"),
        ("&a {b: *a}", "own.cases.yaml:1: no YAML: *a is an alias"),
        ("- !!python/object:os.system {}", "own.cases.yaml:1: no YAML"),
    ],
)
def test_a_file_that_says_nothing_or_goes_in_a_circle_is_refused(text: str, finding: str) -> None:
    (words,) = tried(text)

    assert words.startswith(finding)


def test_two_cases_that_contradict_each_other_are_told_with_both_lines() -> None:
    (said, come) = tried(
        f"- {{{SCHOOL}: docs, expect: SITE_A}}", f"- {{{SCHOOL}: docs, expect: nothing}}"
    )

    assert said == (
        "own.cases.yaml:2: it expects nothing, and the same at own.cases.yaml:1 expects SITE_A"
    )
    assert "comes to SITE_A" in come


def test_a_rule_that_no_case_expects_is_named() -> None:
    assert [str(each) for each in without_case(OWN, [])] == ["own.cedar:1: no case expects SITE_A"]


def test_a_rule_that_errs_comes_to_an_error() -> None:
    errs = with_own(a_rule("A", "9223372036854775807 + 1 == 0"))
    read = read_cases({"a.cases.yaml": f"- {{{SCHOOL}: docs, expect: SITE_A}}"}, [])

    (finding,) = run_cases(errs, read)

    assert str(finding).endswith(
        "docs for P4 to training_provider: expected SITE_A, and it comes to an error"
    )


def test_all_rules_that_speak_are_explained_and_the_first_is_marked() -> None:
    employer = a_recipient(type=OrganisationType.EMPLOYER, in_eea=False)
    asked = [Question(employer, "P4", "docs"), Question(employer, "P4", "goals")]

    found = explained(OWN, asked, "en")

    assert [(each.id, each.keeps_back, each.first) for each in found] == [
        ("HARD_RULE_H6", ("docs", "goals"), True),
        ("HARD_RULE_H7", ("docs",), False),
        ("SITE_A", ("docs",), False),
    ]
    assert explained(OWN, asked, "nl")[0].words.startswith("Niets bereikt een organisatie")
    assert found[2].words == "words"


def test_every_rule_is_listed_with_its_text_and_fingerprint() -> None:
    found = listed(OWN, "en")

    assert [each.id for each in found] == [*HARD_RULES, "SITE_A"]
    assert len({each.fingerprint for each in found}) == len(found)
    assert (found[-1].origin, found[-1].file, found[-1].line) == ("site", "own.cedar", 1)
