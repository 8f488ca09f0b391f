"""The risk analysis of a purpose (gdpr-dpia): what a registered one must say before it counts.

One purpose, the special sections it was made for, and every element of article 35(7): what is
done, why it is needed, what can go wrong for the client and what stands against it. No section of
health or of criminal data leaves for a purpose without one that was approved.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from policies.documents import (
    UnfitDocument,
    day,
    flag,
    many,
    maybe,
    one_of,
    record,
    text,
)
from policies.purposes import profile, purpose
from policies.summary_model import SPECIAL, fields_of
from policies.vocabulary import Section

Analysed: TypeAlias = frozenset[tuple[str, Section]]
"""Each purpose and special section that a registered analysis lets go."""

RISK_ANALYSIS = "risk_analysis"
"""The kind under which the directory keeps registered analyses, by their name."""

TO_FILL_IN = "[in te vullen]"
"""What stands in the form where a person must still write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """What can go wrong for the client, how likely and how bad, and what stands against it."""

    risk: str
    likelihood: str
    severity: str
    measures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficersAdvice:
    """What the data protection officer advised (article 35(2))."""

    date: date
    outcome: str
    remarks: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorConsultation:
    """Whether the supervisor had to be asked first, and when that was (article 36)."""

    needed: bool
    on: date | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What the controller decided, and by which function."""

    outcome: str
    on: date
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskAnalysis:
    """One version of the analysis of one purpose, complete."""

    purpose: str
    version: str
    date: date
    sections: tuple[Section, ...]
    model: str
    description: tuple[str, ...]
    necessity: tuple[str, ...]
    risks: tuple[Risk, ...]
    residual_risk: str
    dpo_advice: OfficersAdvice
    prior_consultation: PriorConsultation
    decision: Ruling

    @property
    def id(self) -> str:
        """As the register and the log name it: `P1/1.0`."""
        return f"{self.purpose}/{self.version}"

    @property
    def approved(self) -> bool:
        return self.decision.outcome == "approved"


def read_risk_analysis(document: object) -> RiskAnalysis:
    """The analysis that a document holds; complete, or refused.

    Raises `UnfitDocument`, with the place, for what is missing, unknown or left to be filled in, a
    section that is not special or of no use for the purpose, and an approval that contradicts
    the rest: against the officer's advice, before it, or with a high risk and nobody consulted.
    """
    analysis = _analysis(document, "")
    for index, section in enumerate(analysis.sections):
        if section not in SPECIAL or not fields_of(section) & profile(analysis.purpose):
            place = f"sections[{index}]"
            raise UnfitDocument(place, "is no special section that the purpose may use")
    _require_sound_approval(analysis)
    return analysis


def _require_sound_approval(analysis: RiskAnalysis) -> None:
    advice, asked, decision = analysis.dpo_advice, analysis.prior_consultation, analysis.decision
    if not analysis.approved:
        return
    if advice.outcome == "negative":
        raise UnfitDocument("decision.outcome", "approves what the officer advised against")
    if decision.on < advice.date:
        raise UnfitDocument("decision.on", "is before the officer's advice")
    if analysis.residual_risk == "high" and not asked.needed:
        raise UnfitDocument("prior_consultation.needed", "a high risk needs the supervisor first")
    if asked.needed and (asked.on is None or decision.on < asked.on):
        raise UnfitDocument("prior_consultation.on", "the supervisor was not consulted first")


def analysed_in(registered: Iterable[object]) -> Analysed:
    """Purpose and section, for each that may be used: by the newest analysis of the purpose.

    `registered` are the documents of all analyses that are registered.

    A newer one that is refused, or was made for less, takes back what an older one allowed.
    """
    newest: dict[str, RiskAnalysis] = {}
    found = map(read_risk_analysis, registered)
    for each in sorted(found, key=lambda each: (each.decision.on, each.date, each.version)):
        newest[each.purpose] = each
    return frozenset(
        (each.purpose, section)
        for each in newest.values()
        if each.approved
        for section in each.sections
    )


def _purpose(code: str) -> str:
    if not purpose(code):
        raise ValueError(code)
    return code


def _written(value: object, place: str) -> str:
    said = text()(value, place)
    if TO_FILL_IN in said:
        raise UnfitDocument(place, "is still to be filled in")
    return said


_level = text("low|medium|high")
_analysis = record(
    RiskAnalysis,
    {
        "purpose": one_of(_purpose),
        "version": text("[0-9A-Za-z][0-9A-Za-z._-]{0,19}"),
        "date": day,
        "sections": many(one_of(Section), 1),
        "model": _written,
        "description": many(_written, 1),
        "necessity": many(_written, 1),
        "risks": many(
            record(
                Risk,
                {
                    "risk": _written,
                    "likelihood": _level,
                    "severity": _level,
                    "measures": many(_written, 1),
                },
            ),
            1,
        ),
        "residual_risk": _level,
        "dpo_advice": record(
            OfficersAdvice,
            {"date": day, "outcome": text("positive|positive_with_remarks|negative")},
            {"remarks": maybe(_written)},
        ),
        "prior_consultation": record(
            PriorConsultation, {"needed": flag}, {"on": maybe(day), "reference": maybe(_written)}
        ),
        "decision": record(
            Ruling, {"outcome": text("approved|refused"), "on": day, "function": _written}
        ),
    },
)
