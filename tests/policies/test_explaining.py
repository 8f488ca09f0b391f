"""Decisions in words: every code in every language, for whom it is, and nothing made up."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from consent.readability import reading
from policies.explaining import LANGUAGES, Account, Audience, explain, gone, words
from policies.gates import GATES, RULES, SCAN, decide
from policies.site_rules import HARD_RULES
from policies.vocabulary import Reason
from policies.withholding import withheld
from tests.policies.situations import a_request, shipped_overlay, some_facts

STEPS = {*(gate.__name__ for gate in GATES), RULES, SCAN}
CUTS = {
    "denied", "not_granted", "not_for_this_purpose", "no_agreement", "not_in_the_agreement",
    "kept_back", "not_recorded",
}  # fmt: skip
OF_CHANGES = set(list(Reason)[list(Reason).index(Reason.CONSENT_NOT_FOUND) :])
NEVER_IN_A_RELEASE = OF_CHANGES | {Reason.RATE_LIMITED, Reason.UNKNOWN_CLIENT}
TECHNICAL = {Reason.GATE_FAILED, Reason.SITE_RULE}
LONGEST_SENTENCE = 20
"""Words: what a B1 reader takes in at once."""


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, each in node.items():
            yield from leaves(each, f"{path}/{key}")
    else:
        yield path, str(node)


def of_clients(language: str) -> str:
    """All that a client may be told, each sentence by itself."""
    found = words(language)
    texts = [
        each.get("client", each["staff"])
        for part in ("outcomes", "gates", "withheld", "nothing_left")
        for each in found[part].values()
    ]
    reasons = (each for code, each in found["reasons"].items() if code not in NEVER_IN_A_RELEASE)
    texts += [each.get("client", each["staff"]) for each in reasons]
    texts += [found["agreement_full"]["client"], *found["gone"].values()]
    return "\n\n".join(text.format(who="VDAB", when="") for text in texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_gate_reason_rule_and_cut_has_its_words_in_every_language(language: str) -> None:
    found = words(language)

    assert set(found["gates"]) == STEPS
    assert set(found["reasons"]) == {each.value for each in Reason}
    assert set(HARD_RULES) <= set(found["reasons"])
    assert set(found["withheld"]) == CUTS
    assert len(found["months"]) == 12
    assert all(each["staff"] and each["next"] for each in found["reasons"].values())
    assert all(text.strip() for _, text in leaves(found))


def test_the_languages_say_the_same_things_with_the_same_blanks() -> None:
    def form(language: str) -> dict[str, set[str]]:
        return {path: set(re.findall(r"{(\w+)}", text)) for path, text in leaves(words(language))}

    forms = {language: form(language) for language in LANGUAGES}

    assert forms["fr"] == forms["nl"] == forms["en"]
    assert set().union(*forms["nl"].values()) == {
        "who", "when", "gate", "code", "rule", "day", "month", "year",
    }  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_client_reads_is_short_and_easy(language: str) -> None:
    read = reading(of_clients(language), language, "B1")

    assert read.longest[0][0] <= LONGEST_SENTENCE, read.longest[0]
    assert not read.too_hard, read.score


def test_the_law_behind_each_code_stands_where_the_page_of_the_law_says() -> None:
    page = (Path(__file__).parents[2] / "docs/law.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| ([a-z0-9-]+) \| ([^|]+?) \|", page, re.M))
    law = words("law")

    assert law["places"].items() <= rows.items()
    assert set(law["gates"]) == STEPS
    assert set(law["reasons"]) == set(map(str, set(Reason) - NEVER_IN_A_RELEASE - TECHNICAL))
    named = {key for part in ("gates", "reasons") for keys in law[part].values() for key in keys}
    assert named == set(law["places"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_any_code_at_any_gate_is_explained_to_anybody(language: str) -> None:
    for code, audience in product([*Reason, None, "SITE_X", "OF_LONG_AGO"], Audience):
        trace = tuple((gate, code) for gate in (*STEPS, "a_gate_of_long_ago"))
        for permit, who in product((True, False, None), ("VDAB", None)):
            made = explain(
                Account(permit=permit, reason=code, who=who, trace=trace), audience, language
            )
            told = [made.headline, made.why or "", *(each.text for each in made.steps)]
            assert not any(re.search(r"[{}]|None", text) for text in told), told
            assert [each.code for each in made.steps] == [code] * len(trace)


NO = Account(
    permit=False,
    reason="CONSENT_REFUSED",
    who="VDAB Gent",
    trace=(("an_agreement_covers_it", None), ("a_grant_is_live", "CONSENT_REFUSED")),
    turned=date(2026, 5, 3),
)
SAID = {
    "nl": "Je hebt op 3 mei 2026 nee gezegd tegen VDAB Gent.",
    "fr": "Le 3 mai 2026, vous avez dit non à VDAB Gent.",
    "en": "On 3 May 2026 you said no to VDAB Gent.",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_client_hears_what_they_said_and_when(language: str) -> None:
    made = explain(NO, Audience.CLIENT, language)

    assert (made.outcome, made.next) == ("deny", None)
    assert made.why is not None
    assert made.why.startswith(SAID[language])
    assert [each.held for each in made.steps] == [True, False]


def test_the_counsellor_hears_what_to_do_next_and_the_auditor_the_law() -> None:
    counsellor = explain(NO, Audience.COUNSELLOR, "nl")
    auditor = explain(NO, Audience.AUDITOR, "nl")

    assert counsellor.why == (
        "De cliënt heeft op 3 mei 2026 nee gezegd tegen deze dienst voor dit doel."
    )
    assert counsellor.next == (
        "Respecteer de nee. Begin er alleen opnieuw over als de cliënt dat zelf doet."
    )
    assert not any(each.law for each in counsellor.steps)
    assert auditor.next is None
    assert [(each.code, each.law) for each in auditor.steps] == [
        (None, (("vl-egov-protocol", "e-government decree, 8 § 1"),)),
        ("CONSENT_REFUSED", (("gdpr-free-consent", "GDPR 7(4), recital 43"),)),
    ]


def test_a_rule_of_the_installation_says_it_in_its_own_words_else_by_its_id() -> None:
    trace = ((RULES, "SITE_NO_DOCS"),)
    no = Account(permit=False, reason="SITE_RULE", who="VDAB", trace=trace)
    says = {"SITE_NO_DOCS": {"nl": "Documenten {blijven} hier."}}
    telling = Account(permit=False, reason="SITE_RULE", who="VDAB", trace=trace, says=says)

    mute, heard = (explain(each, Audience.COUNSELLOR, "nl") for each in (no, telling))

    assert mute.why == "Een regel van deze omgeving houdt dit tegen: SITE_NO_DOCS"
    assert heard.why == "Een regel van deze omgeving houdt dit tegen: Documenten {blijven} hier."
    assert heard.next == "Vraag de beheerder welke regel dit is."


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_full_agreement_is_not_told_as_a_consent_that_is_used_up(language: str) -> None:
    gates = ("an_agreement_covers_it", "a_grant_is_live")
    full, used = (
        [
            explain(
                Account(permit=False, reason=code, who="VDAB", trace=((gate, code),)), to, language
            )
            for to in Audience
        ]
        for gate in gates
        for code in ["USES_EXHAUSTED"]
    )

    told, said = words(language)["agreement_full"], words(language)["reasons"]["USES_EXHAUSTED"]
    assert [each.why for each in full] == [told["client"], told["staff"], told["staff"]]
    assert [each.why for each in used] == [said["client"], said["staff"], said["staff"]]
    assert [each.next for each in (*full, *used)] == [
        None,
        told["next"],
        None,
        None,
        said["next"],
        None,
    ]
    assert [key for key, _ in full[2].steps[0].law] == ["vl-egov-protocol"]


def test_what_is_left_of_nothing_is_not_told_as_if_nobody_was_asked() -> None:
    decision = decide(a_request("docs"), some_facts(), shipped_overlay())
    account = Account(permit=False, reason=decision.reason, who="VDAB", trace=decision.trace)

    made = explain(account, Audience.CLIENT, "en")

    assert decision.reason == Reason.NO_CONSENT
    assert made.why == "No valid yes of yours covers what was asked."


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_gone_is_said_to_be_gone_and_how(language: str) -> None:
    told: Mapping[str, str] = words(language)["gone"]

    assert {gone(how, language) for how in told} == set(told.values())
    assert gone("a way we do not know", language) == told["unreadable"]


def test_nothing_withheld_goes_unsaid() -> None:
    decision = decide(a_request(), some_facts(), shipped_overlay())

    kept = withheld(a_request(), some_facts(), decision, {})

    assert kept
    assert not decision.fields & {field for fields in kept.values() for field in fields}
