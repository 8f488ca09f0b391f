"""A decision in plain words: what each gate said, what it rests on, what stayed behind and why.

For whom the decision is about, who holds the file and who audits. A refused partner is told
nothing of it: that is for whoever calls this to see to. Pure: codes and names in, sentences out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from policies.decision import Trace
from policies.gates import RULES, an_agreement_covers_it
from policies.minimisation import reason_of
from policies.vocabulary import FieldId, Reason
from policies.withholding import Withheld
from policies.yaml_files import read_yaml

LANGUAGES = ("nl", "fr", "en")
"""What an explanation can be had in; the first is that of whoever reads none of them."""


class Audience(StrEnum):
    """Whom an explanation speaks to."""

    CLIENT = "client"
    COUNSELLOR = "counsellor"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What a decision rests on, by id; `notices` as `id/version/language`."""

    agreement: str | None = None
    basis: str | None = None
    consents: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What there is to explain. Without `permit` nothing was decided.

    `who` is the recipient's name, nothing where nobody was to receive; `turned` the Belgian day
    on which the client's word changed that the answer turned on, where it is known. `partly`:
    something stayed behind. `says`: what rules say of themselves, by id and language.
    """

    permit: bool | None
    reason: str | None = None
    who: str | None = None
    trace: Trace = ()
    turned: date | None = None
    grounds: Grounds = field(default_factory=Grounds)
    withheld: Withheld = field(default_factory=dict)
    partly: bool = False
    says: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """What one gate said. `law` names the rules behind it and where they stand: for an auditor."""

    gate: str
    held: bool
    code: str | None
    text: str
    law: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision in words for one audience, gate by gate in the order of the trace.

    `next` is what a counsellor can do now; `kept` holds, by code, why which fields stayed.
    """

    language: str
    audience: Audience
    outcome: str
    headline: str
    why: str | None
    next: str | None
    steps: tuple[Step, ...]
    grounds: Grounds
    kept: tuple[tuple[str, str, tuple[FieldId, ...]], ...]


@cache
def words(language: str) -> Mapping[str, Any]:
    """What is said in that language, read once."""
    return _read(language)


def explain(account: Account, audience: Audience, language: str) -> Explanation:
    """The account in sentences. Raises nothing: a code that is no more is named as it was."""
    tongue = _Tongue(language, audience, account)
    steps = tuple(tongue.step(gate, code) for gate, code in account.trace)
    first = next((each for each in steps if not each.held), None)
    refused = account.reason if account.permit is False else None
    why = None if refused is None else tongue.reason(refused)
    spoke = ""
    if refused and first and first.code and reason_of(first.code) == refused:
        why, spoke = first.text, first.gate
    outcome = _outcome(account)
    return Explanation(
        language=language,
        audience=audience,
        outcome=_AS_TOLD.get(outcome, outcome),
        headline=tongue.said(tongue.words["outcomes"][outcome]),
        why=why,
        next=None if refused is None else tongue.next(refused, spoke),
        steps=steps,
        grounds=account.grounds,
        kept=tuple((why, tongue.cut(why), fields) for why, fields in account.withheld.items()),
    )


def gone(how: str, language: str) -> str:
    """Why something can not be explained any more; an unknown way is that it can not be read."""
    told: Mapping[str, str] = words(language)["gone"]
    return told.get(how, told["unreadable"])


def _outcome(account: Account) -> str:
    if account.permit is None:
        return "none"
    if not account.permit:
        return "deny" if account.who else "nothing"
    return "partly" if account.partly else "permit"


_AS_TOLD: Mapping[str, str] = {"partly": "permit", "nothing": "deny"}


class _Tongue:
    """The words of one language as one audience hears them."""

    def __init__(self, language: str, audience: Audience, account: Account) -> None:
        self.words, self._language = words(language), language
        self._audience, self._account = audience, account
        who = account.who or self.words["the_service"]
        self._blanks = {"who": who, "when": self._when(account.turned)}

    def said(self, texts: Mapping[str, str], **blanks: str) -> str:
        """The sentence for this audience, its blanks filled in."""
        spoken = self._audience is Audience.CLIENT and texts.get("client")
        text = (spoken or texts["staff"]).format_map(self._blanks | blanks)
        return text[:1].upper() + text[1:]

    def reason(self, code: str, gate: str = "") -> str:
        reasons = self.words["reasons"]
        if _is_full(gate, code):
            return self.said(self.words["agreement_full"])
        if code in reasons:
            return self.said(reasons[code])
        if code in self._account.says or code.startswith("SITE_"):
            said = self._account.says.get(code, {})
            rule = said.get(self._language) or next(iter(said.values()), code)
            return self.said(self.words["rule"], rule=rule)
        return self.said(self.words["unknown_reason"], code=code)

    def next(self, code: str, gate: str) -> str | None:
        if self._audience is not Audience.COUNSELLOR:
            return None
        reasons = self.words["reasons"]
        known: str | None = reasons.get(code, reasons[Reason.SITE_RULE])["next"]
        if _is_full(gate, code):
            known = self.words["agreement_full"]["next"]
        return known

    def step(self, gate: str, code: str | None) -> Step:
        if code is not None:
            left = self.words["nothing_left"] if gate == RULES else {}
            text = self.said(left[code]) if code in left else self.reason(code, gate)
        else:
            known = self.words["gates"].get(gate, self.words["unknown_gate"])
            text = self.said(known, gate=gate)
        return Step(gate, code is None, code, text, self._law(gate, code))

    def cut(self, why: str) -> str:
        cuts = self.words["withheld"]
        return self.said(cuts[why]) if why in cuts else self.reason(why)

    def _law(self, gate: str, code: str | None) -> tuple[tuple[str, str], ...]:
        if self._audience is not Audience.AUDITOR:
            return ()
        law = words("law")
        mine = code is None or _is_full(gate, code)
        keys = law["gates"].get(gate, ()) if mine else law["reasons"].get(code, ())
        return tuple((key, law["places"][key]) for key in keys)

    def _when(self, day: date | None) -> str:
        if day is None:
            return ""
        month = self.words["months"][day.month - 1]
        when: str = self.words["when"].format(day=day.day, month=month, year=day.year)
        return when


def _is_full(gate: str, code: str | None) -> bool:
    """Whether it was the agreement that had no room, and not the consent that was used up."""
    return (gate, code) == (an_agreement_covers_it.__name__, Reason.USES_EXHAUSTED)


def _read(name: str) -> Mapping[str, Any]:
    raw = files("policies").joinpath("explanations", f"{name}.yaml").read_bytes()
    found: Mapping[str, Any] = read_yaml(raw)
    return found
