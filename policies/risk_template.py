"""The form of a risk analysis, filled in as far as the configuration knows (gdpr-dpia).

What only people can judge stands as `[in te vullen]` or empty, and keeps it from being registered.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from policies.agreement_document import Agreement, Flow
from policies.protocol_words import listed, purpose_label, section_label
from policies.purposes import profile, purpose
from policies.risk_analysis import TO_FILL_IN
from policies.summary_model import SPECIAL, fields_of, summary_model
from policies.vocabulary import Section
from policies.yaml_files import read_yaml


@cache
def _words() -> Mapping[str, Any]:
    read: Mapping[str, Any] = read_yaml(files("policies").joinpath("risk_words.yaml").read_bytes())
    return read


def special_sections(code: str) -> tuple[Section, ...]:
    """The special sections that a purpose may use; none for most."""
    return tuple(each for each in SPECIAL if fields_of(each) & profile(code))


def risk_template(
    code: str, agreements: Iterable[Agreement], names: Mapping[str, str]
) -> dict[str, Any]:
    """The form for a purpose, as a document that `read_risk_analysis` takes once it is complete.

    `agreements` are all there are; those with a flow for the purpose are described. Raises
    `KeyError` for an unknown purpose.
    """
    use = purpose(code)
    if use is None:
        raise KeyError(code)
    concerned = [each for each in agreements if any(code in flow.purposes for flow in each.flows)]
    bases = sorted({term for terms in use.legal_basis.values() for term in terms})
    said = _words()["necessity"]
    return {
        "purpose": code,
        "version": "1.0",
        "date": None,
        "sections": [each.value for each in special_sections(code)],
        "model": summary_model().version,
        "description": _description(code, concerned, names),
        "necessity": [
            said["basis"].format(bases=", ".join(bases)),
            *(said[each] for each in ("consent", "least", "why", "less", "views")),
        ],
        "risks": [
            {"risk": each["risk"], "likelihood": None, "severity": None}
            | {"measures": list(each["measures"])}
            for each in _words()["risks"]
        ],
        "residual_risk": None,
        "dpo_advice": {"date": None, "outcome": None, "remarks": None},
        "prior_consultation": {"needed": None, "on": None, "reference": None},
        "decision": {"outcome": None, "on": None, "function": TO_FILL_IN},
    }


def _description(code: str, agreements: Iterable[Agreement], names: Mapping[str, str]) -> list[str]:
    said, lines = _words()["description"], []
    flows = [(each, flow) for each in agreements for flow in each.flows if code in flow.purposes]
    special = special_sections(code)
    lines.append(said["purpose"].format(purpose=purpose_label(code)))
    lines.append(said["sections"].format(sections=_labels(special) or "geen"))
    lines += [_told(agreement, flow, names) for agreement, flow in flows] or [said["no_agreement"]]
    used = {section for section in Section for _, flow in flows if _uses(flow, section, code)}
    plain = [each for each in Section if each in used - {*special}]
    models = summary_model().sections
    if plain:
        lines.append(said["other"].format(sections=_labels(plain)))
    if proxies := [each for each in plain if models[each].art9_proxy]:
        lines.append(said["proxies"].format(sections=_labels(proxies)))
    kept = {agreement.id: agreement.retention for agreement, _ in flows if agreement.retention}
    lines += [said["retention"].format(id=id, retention=text) for id, text in kept.items()]
    return [*lines, said["broker"]]


def _uses(flow: Flow, section: Section, code: str) -> bool:
    return bool(flow.fields & fields_of(section) & profile(code))


def _told(agreement: Agreement, flow: Flow, names: Mapping[str, str]) -> str:
    volume = agreement.volume
    told: str = _words()["description"]["agreement"].format(
        id=agreement.id,
        version=agreement.version or TO_FILL_IN,
        givers=listed(names.get(each, each) for each in flow.from_),
        takers=listed(names.get(each, each) for each in flow.to),
        volume=TO_FILL_IN if volume is None else f"{volume} personen per jaar",
        who=listed(agreement.recipient_categories) or TO_FILL_IN,
    )
    return told


def _labels(sections: Iterable[Section]) -> str:
    return listed(section_label(each) for each in sections)
