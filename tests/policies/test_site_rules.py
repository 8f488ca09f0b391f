"""The rules in Cedar: what each forbids, what is refused at start, and what is no clean yes."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from policies.gates import decide
from policies.rule_texts import RulesRefused
from policies.site_rules import HARD_RULES, SHIPPED, Overlay, load_overlay
from policies.vocabulary import OrganisationType, Reason, Section
from tests.policies.situations import a_recipient, a_request, shipped_overlay, some_facts

SCHOOL = a_recipient(type=OrganisationType.TRAINING_PROVIDER)
MENTORS = a_recipient(type=OrganisationType.VOLUNTEER_ORGANISATION)
SITE_RULE = """
@id("SITE_NO_DOCUMENTS")
forbid (principal, action == Action::"release", resource == Section::"docs");
"""
# Passes validation and errs when it is evaluated: the sum is too large for Cedar.
ERRING = """
@id("SITE_ERRS")
forbid (principal, action == Action::"release", resource == Section::"docs")
when { context.purpose == "P1" && 9223372036854775807 + 1 == 0 };
"""


@pytest.fixture
def hard(tmp_path: Path) -> Path:
    """A copy of the shipped rules, to be spoilt."""
    shutil.copytree(SHIPPED, tmp_path / "rules")
    (tmp_path / "rules" / "site").mkdir()
    return tmp_path / "rules" / "hard"


def with_site_rule(hard: Path, text: str) -> Overlay:
    (hard.parent / "site" / "ours.cedar").write_text(text)
    return load_overlay(hard, hard.parent / "site")


def findings(hard: Path) -> str:
    with pytest.raises(RulesRefused) as refused:
        load_overlay(hard, hard.parent / "site")
    assert str(refused.value) == "; ".join(refused.value.findings)
    return str(refused.value)


ONLY_ONE_RULE_DENIES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("HARD_RULE_H1", {"section": "x_notes"}, {"section": "goals"}),
    (
        "HARD_RULE_H2",
        {"recipient": a_recipient(), "section": "justice"},
        {"recipient": SCHOOL, "section": "justice"},
    ),
    ("HARD_RULE_H3", {"purpose": "P95"}, {"purpose": "P9"}),
    (
        "HARD_RULE_H4",
        {"recipient": a_recipient(insz_authorised=False), "section": "natid"},
        {"recipient": a_recipient(insz_authorised=False)},
    ),
    ("HARD_RULE_H6", {"recipient": a_recipient(in_eea=False)}, {"recipient": a_recipient()}),
    ("HARD_RULE_H7", {"recipient": MENTORS}, {"recipient": MENTORS, "section": "goals"}),
    ("HARD_RULE_H8", {"recipient": a_recipient(accredited=False)}, {"recipient": SCHOOL}),
    ("HARD_RULE_H9", {"old_consent": True}, {"old_consent": False}),
    ("HARD_RULE_H10", {"section": "natid", "real_number": True}, {"real_number": True}),
]
QUESTION: dict[str, Any] = {"recipient": a_recipient(), "purpose": "P2", "section": "educ"}


@pytest.mark.parametrize(("rule", "denied", "allowed"), ONLY_ONE_RULE_DENIES)
def test_a_hard_rule_forbids_what_no_other_does_and_no_more(
    rule: str, denied: dict[str, Any], allowed: dict[str, Any], hard: Path
) -> None:
    text = (hard / f"{rule[10:].lower()}.cedar").read_text()
    never = re.sub(r"resource( ==[^)]*)?\n\)", 'resource == Section::"docs"\n)', text, count=1)
    assert never != text
    (hard / f"{rule[10:].lower()}.cedar").write_text(never)
    without = load_overlay(hard)

    assert shipped_overlay().forbids(**(QUESTION | denied)) == rule
    assert shipped_overlay().forbids(**(QUESTION | allowed)) is None
    assert without.forbids(**(QUESTION | denied)) is None


def test_every_prohibited_purpose_is_forbidden() -> None:
    forbids = shipped_overlay().forbids

    codes = [forbids(a_recipient(), f"P9{digit}", "goals") for digit in range(6)]

    assert codes == ["HARD_RULE_H3"] * 6


def test_h5_lets_nobody_read_that_a_residence_is_illegal() -> None:
    forbids_code = shipped_overlay().forbids_code

    answers = {forbids_code(each, "resid.status", "undocumented") for each in (SCHOOL, MENTORS)}

    assert answers == {"HARD_RULE_H5"}
    assert forbids_code(SCHOOL, "resid.status", "EU") is None
    assert forbids_code(SCHOOL, "work.status", "undocumented") is None


def test_of_several_rules_the_first_by_number_is_named() -> None:
    everything = a_recipient(in_eea=False, accredited=False, insz_authorised=False)

    forbids = shipped_overlay().forbids

    assert forbids(everything, "P90", "natid", old_consent=True) == "HARD_RULE_H3"
    assert forbids(everything, "P2", "educ", old_consent=True) == "HARD_RULE_H6"
    assert forbids(SCHOOL, "P4", "natid", old_consent=True, real_number=True) == "HARD_RULE_H9"


def test_all_that_is_kept_from_a_recipient_can_be_had_at_once() -> None:
    forbidden = shipped_overlay().forbidden

    assert forbidden(a_recipient(), "P2") == {Section.JUSTICE: "HARD_RULE_H2"}
    assert forbidden(SCHOOL, "P4", real_number=True) == {Section.NATID: "HARD_RULE_H10"}
    assert set(forbidden(MENTORS, "P2")) == set(Section) - {Section.GOALS}


def test_the_hard_rules_are_all_there_beside_one_permit() -> None:
    assert shipped_overlay().ids == HARD_RULES
    texts = [each.read_text() for each in SHIPPED.rglob("*.cedar")]
    assert sum(len(re.findall(r"^permit\b", each, re.M)) for each in texts) == 1
    assert sum(len(re.findall(r"^forbid\b", each, re.M)) for each in texts) == len(HARD_RULES)


def test_every_rule_says_in_words_what_it_forbids() -> None:
    for path in SHIPPED.glob("hard/*.cedar"):
        assert path.read_text().startswith(f"// {path.stem.upper()}: ")


@pytest.mark.parametrize("rule", HARD_RULES)
def test_the_broker_does_not_start_without_a_hard_rule(rule: str, hard: Path) -> None:
    (hard / f"{rule[10:].lower()}.cedar").unlink()

    assert f"{rule} is missing" in findings(hard)


def test_the_broker_does_not_start_without_base_or_schema(hard: Path) -> None:
    (hard.parent / "base.cedar").unlink()
    (hard.parent / "schema.cedarschema").unlink()

    told = findings(hard)

    assert "base.cedar: cannot be read" in told
    assert "BASE_PERMIT is missing" in told
    assert "schema.cedarschema: cannot be read" in told


def test_the_broker_does_not_start_on_a_folder_that_is_not_there(hard: Path) -> None:
    (hard.parent / "site").rmdir()

    assert "site: no such folder" in findings(hard)


def test_an_empty_set_is_refused(hard: Path) -> None:
    for path in hard.parent.rglob("*.cedar"):
        path.write_text("")

    assert all(f"{rule} is missing" in findings(hard) for rule in HARD_RULES)


FORBID = 'forbid (principal, action == Action::"release", resource)'


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        pytest.param('@id("SITE_X") forbid (', "ours.cedar:1: unexpected end", id="no parse"),
        pytest.param(
            f'@id("SITE_X") {FORBID} when {{ principal.nope }};', "`nope`", id="unknown attribute"
        ),
        pytest.param(
            f'@id("SITE_X") {FORBID} when {{ context.purpose == 1 }};', "type", id="mistyped"
        ),
        pytest.param(
            '@id("SITE_X") forbid (principal, action == Action::"send", resource);',
            "unrecognized action",
            id="unknown action",
        ),
        pytest.param(
            '@id("SITE_X") forbid (principal, action == Action::"emit", '
            'resource == Section::"docs");',
            "unable to find an applicable action",
            id="impossible scope",
        ),
        pytest.param(f"{FORBID};", "@id '' does not belong here", id="no id"),
        pytest.param(f'@id("NO_DOCS") {FORBID};', "@id 'NO_DOCS' does not", id="form of the id"),
        pytest.param(
            f'@id("HARD_RULE_H2") {FORBID};', "HARD_RULE_H2 is there twice", id="borrowed id"
        ),
        pytest.param(
            f'@id("SITE_X") {FORBID};@id("SITE_X") {FORBID};', "SITE_X is there twice", id="twice"
        ),
        pytest.param(
            '@id("SITE_X") permit (principal, action, resource);',
            "only the base may permit",
            id="a permit",
        ),
        pytest.param(
            "forbid (principal == ?principal, action, resource);", "a template", id="a template"
        ),
        pytest.param(
            '@id("SITE_X") forbid (principal == Recipient::"vdab", action, resource);',
            "Recipient 'vdab' does not exist",
            id="unknown recipient",
        ),
        pytest.param(
            f'@id("SITE_X") {FORBID} when {{ resource in [Section::"diary"] }};',
            "Section 'diary' does not exist",
            id="unknown section",
        ),
    ],
)
def test_a_site_rule_that_says_nothing_or_too_much_stops_the_start(
    text: str, finding: str, hard: Path
) -> None:
    (hard.parent / "site" / "ours.cedar").write_text(text)

    assert finding in findings(hard)


def test_a_hard_rule_that_permits_is_refused(hard: Path) -> None:
    text = (hard / "h2.cedar").read_text()
    (hard / "h2.cedar").write_text(text.replace("forbid", "permit"))

    assert "h2.cedar:2: only the base may permit" in findings(hard)


def test_a_site_rule_takes_away_and_is_traced_by_its_name(hard: Path) -> None:
    text = SITE_RULE.replace("docs", "goals")
    overlay = with_site_rule(hard, text)

    decision = decide(a_request("goals"), some_facts(), overlay)
    other = decide(a_request("educ"), some_facts(), overlay)

    assert (decision.reason, decision.told) == (Reason.SITE_RULE, None)
    assert ("the_rules_leave_something", "SITE_NO_DOCUMENTS") in decision.trace
    assert other.reason is None


def test_a_rule_says_of_itself_what_it_says_and_no_other_says_anything(hard: Path) -> None:
    text = SITE_RULE.replace("forbid", '@en("Documents stay here.") forbid')

    said = with_site_rule(hard, text).says

    assert said["SITE_NO_DOCUMENTS"] == {"en": "Documents stay here."}
    assert said.keys() - shipped_overlay().says.keys() == {"SITE_NO_DOCUMENTS"}


def test_other_rules_have_another_fingerprint(hard: Path) -> None:
    shipped = load_overlay()

    assert shipped.fingerprint == load_overlay(hard, site=None).fingerprint
    assert shipped.fingerprint != with_site_rule(hard, SITE_RULE).fingerprint
    assert re.fullmatch("[0-9a-f]{64}", shipped.fingerprint)


def test_a_rule_that_errs_forbids(hard: Path) -> None:
    overlay = with_site_rule(hard, ERRING)

    assert overlay.forbids(SCHOOL, "P1", "docs") == "GATE_FAILED"
    assert overlay.forbids(SCHOOL, "P2", "docs") is None


@pytest.mark.parametrize(
    "question",
    [
        pytest.param({"purpose": 7}, id="mistyped context"),
        pytest.param({"purpose": None}, id="null"),
        pytest.param({"purpose": 1.5}, id="float"),
        pytest.param({"purpose": 2**63}, id="too large"),
        pytest.param({"purpose": "P2\ud800"}, id="no text"),
        pytest.param({"purpose": b"P2"}, id="not to be written down"),
        pytest.param({"old_consent": "no"}, id="mistyped flag"),
        pytest.param({"real_number": None}, id="missing flag"),
        pytest.param({"recipient": a_recipient(accredited=None)}, id="attribute that is not known"),
        pytest.param({"recipient": a_recipient(in_eea="yes")}, id="mistyped attribute"),
    ],
)
def test_a_question_that_is_not_well_formed_is_answered_with_no(question: dict[str, Any]) -> None:
    assert shipped_overlay().forbids(**(QUESTION | question)) == "GATE_FAILED"


def test_a_name_cannot_break_out_of_the_question() -> None:
    hostile = 'educ" || true || "'

    assert shipped_overlay().forbids(a_recipient(), 'P2"]) || true', "educ") is None
    assert shipped_overlay().forbids(a_recipient(), "P2", hostile) == "HARD_RULE_H1"


def answer(policies: str, schema: str | None = None, ids: tuple[str, ...] = ()) -> str | None:
    """What an overlay says that was put together past all the checks."""
    whole = (SHIPPED / "schema.cedarschema").read_text()
    return Overlay(policies, schema or whole, ids).forbids(a_recipient(), "P2", "educ")


PERMIT = '@id("BASE_PERMIT") permit (principal, action, resource);'


def test_nothing_is_allowed_but_by_the_base_permit_alone() -> None:
    assert answer(PERMIT) is None
    assert answer("") == "GATE_FAILED"
    assert answer(PERMIT.replace("BASE_PERMIT", "OTHER")) == "GATE_FAILED"
    assert answer(PERMIT + "permit (principal, action, resource);") == "GATE_FAILED"
    assert answer(PERMIT.replace("BASE_PERMIT", "SITE_X"), ids=("SITE_X",)) == "GATE_FAILED"
    assert answer(f'@id("SITE_X") {FORBID};', ids=("SITE_X",)) == "SITE_X"
    assert answer(f"{PERMIT} {FORBID};") == "GATE_FAILED"
    assert answer(f'{PERMIT} @id("SITE_X") {FORBID};') == "GATE_FAILED"


def test_a_schema_that_asks_for_more_than_is_given_refuses() -> None:
    schema = (SHIPPED / "schema.cedarschema").read_text()

    assert answer(PERMIT, schema.replace('"purpose": String,', '"why": String,')) == "GATE_FAILED"
    assert answer(PERMIT, schema.replace("action release", "action share")) == "GATE_FAILED"
    assert answer(PERMIT, schema.replace('"in_eea": Bool,', "")) == "GATE_FAILED"
