"""What may leave at most, worked out anew from the facts as they are written down.

Nothing of the product decides here: only its YAML files are read.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import policies
from policies.yaml_files import read_yaml
from tests.invariants.whole_file import model

PURPOSES = read_yaml((Path(policies.__file__).parent / "purposes.yaml").read_bytes())["purposes"]
SECTIONS = {each["id"]: each for each in model()["sections"]}
FIELDS = {
    f"{section}.{field['id']}": field
    for section, held in SECTIONS.items()
    for field in held["fields"]
}
LEVELS = model()["default_levels"]
READING = {"view", "download", "import"}
"""Operations by which a grant or a flow lets somebody read."""


def may_use(purpose: str) -> list[str]:
    """Every section that the purpose may use, or some field of it."""
    names = [*PURPOSES[purpose]["default"], *PURPOSES[purpose]["optional"]]
    return list(dict.fromkeys(each.split(".")[0] for each in names))


def fields_of(names: Iterable[str]) -> set[str]:
    """The fields behind names of sections and of fields."""
    wanted = set(names)
    return {each for each in FIELDS if each in wanted or each.split(".")[0] in wanted}


def read(grant: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """What a grant gives, and what it names."""
    narrowed, added = set(grant.get("fields", ())), set(grant.get("include", ()))
    removed = set(grant.get("exclude", ()))
    given = narrowed | added
    for section in grant["sections"]:
        if not any(each.startswith(f"{section}.") for each in narrowed):
            given |= _base(section)
    named = ({*grant["sections"]} | narrowed | added) - removed
    return given - removed, named


def _base(section: str) -> set[str]:
    fields = SECTIONS[section]["fields"]
    lowest = min((each["default"] for each in fields), key=LEVELS.index)
    return {
        f"{section}.{each['id']}"
        for each in fields
        if each["default"] == lowest or "base_precision" in each
    }


def usable(purpose: str, named: set[str]) -> set[str]:
    """What the purpose may use of a grant that names this."""
    default, optional = PURPOSES[purpose]["default"], PURPOSES[purpose]["optional"]
    when_named = {
        each for each in fields_of(optional) if each in named or each.split(".")[0] in named
    }
    return fields_of(default) | when_named


def lets_go(flow: Mapping[str, Any]) -> set[str]:
    """What a flow of an agreement covers."""
    covered = fields_of(flow["sections"]) | set(flow.get("extra_fields", ()))
    return covered - set(flow.get("excluded_fields", ()))


def kept_back(recipient: Mapping[str, Any]) -> set[str]:
    """What the hard rules and the directory keep from an organisation, whatever is agreed."""
    kind, only = recipient["type"], recipient["only_sections"]
    accredited = recipient["accreditation"]["status"] == "accredited"
    kept = {*recipient["hard_denies"]}
    if not recipient["in_eea"] or not accredited:
        kept |= SECTIONS.keys()
    if kind == "public_employment_service":
        kept.add("justice")
    if not recipient["insz_authorisation"]["granted"]:
        kept.add("natid")
    if kind in {"employer", "volunteer_organisation"}:
        kept |= SECTIONS.keys() - {"goals"}
    if only is not None:
        kept |= SECTIONS.keys() - set(only)
    return fields_of(kept)


def reaches(denial: Mapping[str, Any], recipient: Mapping[str, Any]) -> bool:
    return denial["recipient"] in {
        "any",
        f"org:{recipient['id']}",
        f"category:{recipient['type']}",
        "relation:employer" if recipient["type"] == "employer" else "any",
    }


def may_leave(
    consent: Mapping[str, Any],
    flows: Iterable[Mapping[str, Any]],
    *,
    holder: Mapping[str, Any],
    recipient: Mapping[str, Any],
    purpose: str,
    asked: Iterable[str] | None,
) -> list[set[str]]:
    """By each flow in force: the fields that may leave by it, none of them beyond that."""
    given: set[str] = set()
    secret = holder["secrecy_regime"] == "beroepsgeheim" != recipient["secrecy_regime"]
    freed = not secret or "secrecy_release" in consent["functions"]
    for grant in consent["grants"]:
        meant = (grant["recipient"], grant["purpose"]) == (f"org:{recipient['id']}", purpose)
        if meant and freed and READING & set(grant["ops"]):
            gives, named = read(grant)
            given |= gives & usable(purpose, named)
    for denial in consent["denials"]:
        if reaches(denial, recipient):
            given -= fields_of(FIELDS if denial["sections"] == "all" else denial["sections"])
    given &= fields_of(may_use(purpose) if asked is None else asked)
    given -= kept_back(recipient)
    return [
        given & lets_go(flow)
        for flow in flows
        if holder["id"] in flow["from"]
        and recipient["id"] in flow["to"]
        and purpose in flow["purposes"]
        and READING & set(flow["operations"])
    ]
