"""A client of whom everything is known: every field of the summary model, filled once."""

from functools import cache
from pathlib import Path
from typing import Any

import policies
from policies.yaml_files import read_yaml

_EXAMPLES: dict[str, Any] = {
    "ident.given_name": "Zulma",
    "ident.family_name": "Quackelbeen",
    "ident.birth_date": "1978-04-09",
    "natid.insz": "78640990835",
    "contact.phone": "+32450000099",
    "contact.email": "zulma@client.example",
    "contact.address": "Lange Kaai 7 bus 3",
    "follow.tracking_consent": "c-0001",
    "traj.session_months": ["2026-09"],
}
_CODES = {
    "country_alpha3": "SYR",
    "language_639_3": "ara",
    "municipality_nis5": "35013",
    "isced_f_2013": "0231",
    "esco_uri": "http://data.europa.eu/esco/occupation/00030d09",
    "org_id": "cvo-west",
}
_TEXTS = {
    "contact_phone": "+32450000098",
    "issued_on": "2020-06",
    "media_type": "application/pdf",
    "sha256": "ab" * 32,
}
_PLAIN: dict[str, Any] = {
    "boolean": True,
    "date": "2026-11-20",
    "datetime": "2026-11-10T09:00:00+01:00",
    "month": "2027-02",
    "year": 2024,
    "text": "samen gelezen",
    "string": "dossier",
}


@cache
def model() -> Any:
    """The summary model as it is written down."""
    return read_yaml((Path(policies.__file__).parent / "summary_model.yaml").read_bytes())


def whole_file() -> dict[str, dict[str, Any]]:
    """The sections of a deposit, in bare values."""
    return {each["id"]: _section(each) for each in model()["sections"]}


def _section(section: dict[str, Any]) -> dict[str, Any]:
    deposited = [each for each in section["fields"] if not each.get("made_by_broker")]
    return {
        field["id"]: _EXAMPLES.get(f"{section['id']}.{field['id']}") or _value(field["id"], field)
        for field in deposited
    }


def _value(name: str, shape: dict[str, Any]) -> Any:
    match shape["type"]:
        case "code":
            return _code(shape["codes"])
        case "code_list":
            return [_code(shape["codes"])]
        case "integer":
            return max(1, shape.get("minimum", 1))
        case "object" | "object_list":
            held = {each: _value(each, inside) for each, inside in shape["members"].items()}
            return held if shape["type"] == "object" else [held]
    return _TEXTS.get(name, _PLAIN[shape["type"]])


def _code(codes: str) -> str:
    """A code that leaves as itself: none of a special class."""
    listed = model()["code_lists"][codes].get("codes")
    if listed is None:
        return _CODES[codes]
    return next(str(each["code"]) for each in listed if not {"class", "emit_as"} & each.keys())
