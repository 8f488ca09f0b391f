"""What every source of intakes must do; a kind without a specimen fails."""

import json
import re
from pathlib import Path

import pytest

from adapters.contract import AdapterError, Intake, IntakeSource, Problem
from adapters.registry import KINDS
from tests.adapters.exports import EXCERPTS

SPECIMENS = {
    "registration-csv": EXCERPTS / "leerwinkel",
    "registration-jsonl": EXCERPTS / "destap",
}
WHERE = re.compile(r"[\w-]+\.(csv|jsonl):[1-9]\d*")

every_kind = pytest.mark.parametrize("kind", KINDS)


def source(kind: str) -> IntakeSource:
    return KINDS[kind]({})


@every_kind
def test_it_has_a_specimen_with_intakes_problems_and_dropped_columns(kind: str) -> None:
    found = source(kind)

    results = list(found.intakes(SPECIMENS[kind]))

    assert {type(each) for each in results} == {Intake, Problem}
    assert found.dropped()


@every_kind
def test_every_result_says_where_it_stands(kind: str) -> None:
    assert all(WHERE.fullmatch(each.where) for each in source(kind).intakes(SPECIMENS[kind]))


@every_kind
def test_a_client_comes_once(kind: str) -> None:
    results = source(kind).intakes(SPECIMENS[kind])
    references = [each.reference for each in results if isinstance(each, Intake)]

    assert len(references) == len(set(references)) > 1


@every_kind
def test_a_missing_value_says_why_and_another_does_not(kind: str) -> None:
    for intake in source(kind).intakes(SPECIMENS[kind]):
        if isinstance(intake, Intake):
            envelopes = [each for section in intake.sections.values() for each in section.values()]
            assert envelopes
            for each in envelopes:
                assert (each["value"] is None) == ("missing_reason" in each)
                assert each.get("missing_reason", "unknown") in ("not_asked", "refused", "unknown")
                assert each["source"] in ("client", "counsellor", "register")
                assert each["verified"] is False


@every_kind
def test_sections_are_plain_json(kind: str) -> None:
    for intake in source(kind).intakes(SPECIMENS[kind]):
        if isinstance(intake, Intake):
            assert json.loads(json.dumps(intake.sections)) == intake.sections


@every_kind
def test_it_reads_the_same_twice_in_a_row(kind: str) -> None:
    found = source(kind)

    first, dropped = list(found.intakes(SPECIMENS[kind])), found.dropped()

    assert list(found.intakes(SPECIMENS[kind])) == first
    assert found.dropped() == dropped


@every_kind
def test_the_total_is_at_least_the_number_of_intakes(kind: str) -> None:
    results = list(source(kind).intakes(SPECIMENS[kind]))

    intakes = sum(isinstance(each, Intake) for each in results)

    assert intakes <= source(kind).total(SPECIMENS[kind]) <= len(results)


@every_kind
def test_a_place_without_an_export_is_an_adapter_error(kind: str, tmp_path: Path) -> None:
    with pytest.raises(AdapterError):
        next(source(kind).intakes(tmp_path / "nothing"))
    with pytest.raises(AdapterError):
        source(kind).total(tmp_path / "nothing")


@every_kind
def test_an_export_with_nothing_in_it_gives_nothing(kind: str, tmp_path: Path) -> None:
    for file in SPECIMENS[kind].iterdir():
        rows = file.read_bytes().splitlines(keepends=True)
        keep = len(rows) if file.stem.startswith("code") else file.suffix == ".csv"
        (tmp_path / file.name).write_bytes(b"".join(rows[:keep]))

    assert list(source(kind).intakes(tmp_path)) == []
    assert source(kind).total(tmp_path) == 0
