"""The yearly report of an agreement as a text to read, in Dutch or English."""

from collections.abc import Iterator, Mapping
from typing import Any

_WORDS: Mapping[str, Mapping[str, str]] = {
    "nl": {
        "title": "Jaarverslag {year} van {agreement}, {title}",
        "made": "Opgemaakt op {made_on}. Het protocol is die dag: {standing}.",
        "rounded": "Getallen zijn afgerond op {rounded_to}; onder 5 staat er een streepje.",
        "persons": "Personen: {agreed} per jaar afgesproken, {concerned} betrokken.",
        "releases": "Vrijgaven: {releases}",
        "use": "{recipient}, doel {purpose}: {releases} vrijgaven",
        "few": "te weinig om per veld te tonen",
        "columns": "veld | gevraagd | vrijgegeven | ingevuld",
        "beyond": "staat niet in het protocol",
        "take_out": "Kan uit het protocol: {fields}",
        "enough": "Elk veld werd gevraagd, vrijgegeven en ingevuld.",
        "too_early": "Nog geen voorstel: dat komt vanaf {suggested_from} vrijgaven.",
        "unused": "Nooit gebruikt: {ways}",
        "refusals": "Geweigerd aan {recipient}, doel {purpose}: {times} ({told})",
        "stopped": "Geschorst sinds {on} door {by}: {reason}",
        "recalls": "Terugvragingen: {states}",
        "in force": "van kracht",
        "not yet": "nog niet van kracht",
        "incomplete": "onvolledig",
        "in review": "in herziening",
        "suspended": "geschorst",
        "ended": "beëindigd",
        "none": "geen",
        "unlimited": "geen aantal",
        "never_asked": "nooit gevraagd",
        "always_withheld": "altijd achtergehouden",
        "never_opened": "nooit ingevuld",
    },
    "en": {
        "title": "Report of {year} on {agreement}, {title}",
        "made": "Made on {made_on}. That day the agreement is: {standing}.",
        "rounded": "Numbers are rounded to {rounded_to}; below 5 there is a dash.",
        "persons": "Persons: {agreed} a year agreed, {concerned} concerned.",
        "releases": "Releases: {releases}",
        "use": "{recipient}, purpose {purpose}: {releases} releases",
        "few": "too few to show field by field",
        "columns": "field | asked | released | filled in",
        "beyond": "not in the agreement",
        "take_out": "Could leave the agreement: {fields}",
        "enough": "Every field was asked for, released and filled in.",
        "too_early": "Nothing is suggested yet: that begins at {suggested_from} releases.",
        "unused": "Never used: {ways}",
        "refusals": "Refused to {recipient}, purpose {purpose}: {times} ({told})",
        "stopped": "Suspended since {on} by {by}: {reason}",
        "recalls": "Recalls: {states}",
        "none": "none",
        "unlimited": "no number",
        "never_asked": "never asked for",
        "always_withheld": "always withheld",
        "never_opened": "never filled in",
    },
}
_FEW = "-"


def lines(report: Mapping[str, Any], language: str) -> Iterator[str]:
    """The report (see `agreement_views.report`) line by line."""
    words = _WORDS[language]
    yield words["title"].format(**report)
    standing = report["standing"]
    yield words["made"].format(**{**report, "standing": words.get(standing, standing)})
    yield words["rounded"].format(**report)
    agreed, concerned = report["persons"]["agreed"], report["persons"]["concerned"]
    limit = words["unlimited"] if agreed is None else agreed
    yield words["persons"].format(agreed=limit, concerned=_number(concerned))
    yield words["releases"].format(releases=_number(report["releases"]))
    for use in report["uses"]:
        yield ""
        yield from _use(use, report, words)
    yield ""
    if report["unused"]:
        ways = ", ".join(f"{each['recipient']} ({each['purpose']})" for each in report["unused"])
        yield words["unused"].format(ways=ways)
    for each in report["refusals"]:
        yield words["refusals"].format(**each | {"times": _number(each["times"])})
    if report["suspended"]:
        yield words["stopped"].format(**report["suspended"])
    states = ", ".join(f"{name} {_number(times)}" for name, times in report["recalls"].items())
    yield words["recalls"].format(states=states or words["none"])


def _use(
    use: Mapping[str, Any], report: Mapping[str, Any], words: Mapping[str, str]
) -> Iterator[str]:
    yield words["use"].format(**{**use, "releases": _number(use["releases"])})
    if not use["fields"]:
        yield f"  {words['few']}"
        return
    yield f"  {words['columns']}"
    for each in use["fields"]:
        numbers = " | ".join(_number(each[name]) for name in ("asked", "released", "opened"))
        beyond = "" if each["agreed"] else f" ({words['beyond']})"
        yield f"  {each['field']} | {numbers}{beyond}"
    if use["take_out"]:
        fields = ", ".join(f"{each['field']} ({words[each['why']]})" for each in use["take_out"])
        yield f"  {words['take_out'].format(fields=fields)}"
    else:
        yield f"  {words['enough' if use['sufficient'] else 'too_early'].format(**report)}"


def _number(times: int | None) -> str:
    return _FEW if times is None else str(times)
