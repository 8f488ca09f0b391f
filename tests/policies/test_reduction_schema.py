import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.deposit import read_deposit
from policies.reduction import Envelope, Release, reduced
from policies.summary_model import Field, Shape, summary_model
from policies.text_scan import scanner
from policies.vocabulary import Section

DATA = Path(__file__).parents[1] / "data"
SCHEMA = json.loads((DATA / "summary.schema.json").read_text())
SECTIONS = jsonschema.Draft202012Validator(
    SCHEMA["properties"]["sections"] | {"$defs": SCHEMA["$defs"]},
    format_checker=jsonschema.FormatChecker(),
)
PRECISION = jsonschema.Draft202012Validator(SCHEMA["properties"]["precision"])
SAMPLES = yaml.safe_load((DATA / "sample_summaries.yaml").read_text())
MODEL = summary_model()
ALL = frozenset(MODEL.fields)
PSEUDONYM = "abcdefghijklmnopqrstuvwxyz"
TODAY = date(2026, 11, 2)
SCANNER = scanner()

EVERYTHING = Release(
    fields=ALL,
    precision=tuple(sorted((each.id, each.precision[0]) for each in MODEL.fields.values())),
    high_risk=False,
    health=True,
    justice=True,
    explicit=ALL,
    masked_origin=False,
    recipient_type="guidance_service",
    at=TODAY,
    pseudonym=PSEUDONYM,
    organisation_types={"ocmw-kortrijk": "local_welfare_centre"},
)

PLAIN = replace(EVERYTHING, health=False, justice=False, explicit=frozenset())


def plain_value(shape: Shape) -> st.SearchStrategy[Any]:
    if shape.codes is not None and shape.codes.codes:
        return st.sampled_from(sorted(shape.codes.codes))
    pattern = shape.codes.pattern if shape.codes is not None else shape.pattern
    if pattern is not None:
        return st.from_regex(pattern, fullmatch=True, alphabet=st.characters(codec="ascii"))
    days = st.dates(date(1900, 1, 1), date(2100, 12, 31)).map(date.isoformat)
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.just(value=True) if shape.must_be else st.booleans(),
        "integer": st.integers(shape.minimum or 0, shape.maximum or 99),
        "date": days | st.integers(1900, 2100) if shape.also else days,
        "datetime": days.map(lambda day: f"{day}T22:30:00Z"),
        "month": days.map(lambda day: day[:7]),
        "year": st.integers(1900, 2100),
        "string": st.sampled_from(["wil lasser worden", "CVO"]),
        "text": st.just("wil lasser worden"),
    }
    if shape.format == "email":
        return st.just("a@client.example")
    return kinds[shape.type]


def value(shape: Shape) -> st.SearchStrategy[Any]:
    if shape.type == "code_list":
        return st.lists(plain_value(shape), max_size=3, unique=True)
    if shape.type == "string_list":
        return st.lists(plain_value(shape), max_size=3)
    if not shape.members:
        return plain_value(shape)
    members = {name: plain_value(member) for name, member in shape.members.items()}
    item = st.fixed_dictionaries({}, optional=members).filter(bool)
    return st.lists(item, max_size=3) if shape.type == "object_list" else item


def envelope(field: Field) -> st.SearchStrategy[Any]:
    missing = {"value": None, "source": "client", "missing_reason": "not_asked"}
    return (
        value(field)
        if field.needs or field.name in {"read_back", "interpreter_needed"}
        else value(field) | st.just(missing)
    )


DEPOSITED = [
    each for each in MODEL.fields.values() if each.id not in ("natid.insz", "ident.pseudonym")
]
SUMMARIES = st.fixed_dictionaries({}, optional={each.id: envelope(each) for each in DEPOSITED}).map(
    lambda fields: (
        fields
        | ({"note.read_back": True} if "note.text" in fields else {})
        | ({"lang.interpreter_needed": True} if "lang.interpreter_language" in fields else {})
    )
)
RELEASES = st.builds(
    lambda fields, levels, flags, kind: replace(
        EVERYTHING,
        fields=fields,
        explicit=fields if flags[0] else frozenset(),
        precision=tuple(
            (each.id, each.precision[levels % len(each.precision)])
            for each in MODEL.fields.values()
        ),
        health=flags[1],
        justice=flags[2],
        high_risk=flags[3],
        masked_origin=flags[4],
        recipient_type=kind,
    ),
    st.frozensets(st.sampled_from(sorted(ALL))) | st.just(ALL),
    st.integers(0, 2),
    st.tuples(*[st.booleans()] * 5),
    st.sampled_from(["prison_service", "integration_agency", "employer"]),
)


def stored(fields: Mapping[str, Any]) -> Mapping[Section, Mapping[str, Envelope]]:
    sections: dict[str, dict[str, Any]] = {}
    for field, given_value in fields.items():
        section, name = field.split(".")
        sections.setdefault(section, {})[name] = given_value
    return read_deposit(sections, today=TODAY, scanner=SCANNER).sections


@settings(max_examples=120, deadline=None)
@given(SUMMARIES, RELEASES)
def test_what_leaves_fits_the_schema_and_is_within_the_release(
    fields: dict[str, Any], release: Release
) -> None:
    before = stored(fields)
    copy = json.dumps(before)

    out, used = reduced(before, release)

    SECTIONS.validate(out)
    PRECISION.validate(used)
    told = {f"{section}.{name}" for section, held in out.items() for name in held}
    assert told <= release.fields | {"ident.pseudonym"}
    assert set(used) <= told
    assert "undocumented" not in json.dumps(out)
    assert json.dumps(before) == copy


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("release", [EVERYTHING, PLAIN, replace(PLAIN, precision=())])
def test_the_sample_summaries_leave_in_the_form_of_the_schema(
    sample: str, release: Release
) -> None:
    high_risk = "high_risk" in SAMPLES[sample]["flags"]

    out, used = reduced(stored(SAMPLES[sample]["fields"]), replace(release, high_risk=high_risk))

    SECTIONS.validate(out)
    PRECISION.validate(used)
    assert len(out) >= 5


def test_every_level_of_every_field_can_be_reached() -> None:
    levels = {level for each in MODEL.fields.values() for level in each.precision[1:]}

    for each in MODEL.fields.values():
        for level in each.precision:
            out, _ = reduced(
                {}, replace(PLAIN, fields=frozenset({each.id}), precision=((each.id, level),))
            )
            assert list(out) == [Section.IDENT]
    assert "masked" in levels
