"""The sample clients: six invented people, as they would be registered by those who hold them.

Their dates are those of one reference time; shifted, that time is any other, so that a
seventeen-year-old stays seventeen and nothing has lapsed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from policies.yaml_files import read_yaml

DATA = Path(__file__).parent / "demo_data"
REFERENCE = date(2026, 11, 2)
_DAY = re.compile(r"(?<![0-9])(20[0-9]{2}|19[0-9]{2})-([0-9]{2})-([0-9]{2})(?![0-9])")
_OF_CONSENT = ("functions", "capacity", "notice", "evidence", "grants", "denials")


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample client: what its holder knows, and the bodies of what it agreed to."""

    id: str
    about: str
    holder: str
    identity: Mapping[str, str]
    insz: str | None
    flags: Sequence[str]
    sections: Mapping[str, Mapping[str, Any]]
    consent: Mapping[str, Any]


def directory_documents(shift: timedelta = timedelta(0)) -> dict[str, dict[str, Any]]:
    """Organisations, partnerships and agreements by kind and id.

    With other days it is another text, so another version of each agreement.
    """
    directory = shifted(_yaml(DATA / "organisations.yaml"), shift)
    agreements = [
        shifted(_yaml(path), shift) for path in sorted((DATA / "agreements").glob("*.yaml"))
    ]
    for each in agreements if shift else ():
        each["version"] += f"-{shift.days}"
    return {
        "organisation": {each["id"]: each for each in directory["organisations"]},
        "partnership": {each["id"]: each for each in directory["partnerships"]},
        "agreement": {each["id"]: each for each in agreements},
    }


def samples(shift: timedelta = timedelta(0)) -> dict[str, Sample]:
    """The six sample clients by id."""
    data = shifted(_yaml(DATA / "clients.yaml"), shift)
    consents = {each["client"]: each for each in data["consents"]}
    return {each["id"]: _sample(each, consents[each["id"]]) for each in data["clients"]}


def expected_decisions() -> list[dict[str, Any]]:
    """What becomes of a request for each of them, at the reference time."""
    expected: list[dict[str, Any]] = _yaml(DATA / "clients.yaml")["expected_decisions"]
    return expected


def shifted(value: Any, shift: timedelta) -> Any:
    """The value with every day in its texts moved; what is no text stays."""
    if isinstance(value, str):
        return _DAY.sub(lambda found: _moved(found[0], shift), value)
    if isinstance(value, date):
        return (value + shift).isoformat()
    if isinstance(value, dict):
        return {name: shifted(held, shift) for name, held in value.items()}
    if isinstance(value, list):
        return [shifted(held, shift) for held in value]
    return value


def _yaml(path: Path) -> Any:
    return read_yaml(path.read_bytes())


def _moved(day: str, shift: timedelta) -> str:
    return (date.fromisoformat(day) + shift).isoformat()


def _sample(client: Mapping[str, Any], consent: Mapping[str, Any]) -> Sample:
    identity = {
        name: client[name]
        for name in ("given_name", "family_name", "birth_date", "alias")
        if client[name] is not None
    }
    sections: dict[str, dict[str, Any]] = {"ident": {}}
    sections["ident"] = {name: value for name, value in identity.items() if name != "alias"}
    for field, value in client["fields"].items():
        section, _, name = field.partition(".")
        sections.setdefault(section, {})[name] = value
    body = {name: consent[name] for name in _OF_CONSENT if name in consent}
    refused = [
        {"purpose": event["purpose"], "recipient": "any"}
        for event in consent["events"]
        if event.get("state") == "refused"
    ]
    return Sample(
        id=client["id"],
        about=client["about"],
        holder=consent["controller"],
        identity=identity,
        insz=client["tst"],
        flags=client["flags"],
        sections={name: fields for name, fields in sections.items() if fields},
        consent=body | ({"refused": refused} if refused else {}),
    )
