"""Small exports in one line; a test states only the cells that it is about."""

import csv
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from adapters.contract import Dropped, Intake, IntakeSource, Problem
from adapters.registry import KINDS

DEMO = Path("exchange/demo_data")
EXCERPTS = Path("tests/data/adapters")
FILES = ("clienten", "sessies", "contacten", "doelen", "uitstroom")

Cells = dict[str, str]

A_CLIENT: Cells = {
    "client_nr": "LW-1",
    "laatst_gewijzigd": "10/10/2026",
    "naam": "Desmet",
    "voornaam": "Lotte",
    "geboortedatum": "04/08/2002",
    "reden_aanmelding": "werk",
}
A_SESSION: Cells = {
    "client_nr": "LW-1",
    "datum": "05/10/2026",
    "duur_uren": "0,75",
    "type": "individueel",
}
A_CONTACT: Cells = {"client_nr": "LW-1", "kanaal": "sms", "aantal": "1"}
A_RECORD: Mapping[str, Any] = {
    "id": "DS1",
    "updated": "2026-10-10T10:00:00+02:00",
    "persoon": {"voornaam": "Lotte", "last_name": "Desmet", "geboren": "2002-08-04"},
    "vertrekpunt": {"reason": "explore"},
}


@cache
def header(name: str) -> tuple[str, ...]:
    with (DEMO / f"leerwinkel/{name}.csv").open(encoding="cp1252", newline="") as file:
        return tuple(next(csv.reader(file, delimiter=";")))


def leerwinkel(folder: Path, **files: Sequence[Cells]) -> Path:
    """Write an export with these rows; a file that is not named holds its header only."""
    codes = (DEMO / "leerwinkel/codeboek.csv").read_bytes()
    (folder / "codeboek.csv").write_bytes(codes)
    for name in FILES:
        with (folder / f"{name}.csv").open("w", encoding="cp1252", newline="") as file:
            writer = csv.DictWriter(file, header(name), delimiter=";", lineterminator="\r\n")
            writer.writeheader()
            writer.writerows(files.get(name, ()))
    return folder


def destap(folder: Path, *lines: Mapping[str, Any] | str) -> Path:
    """Write an export with these records; text is written as it stands."""
    (folder / "codebook.csv").write_bytes((DEMO / "destap/codebook.csv").read_bytes())
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / "clients.jsonl").write_text("".join(f"{text}\n" for text in texts), "utf-8")
    return folder


def source_of(folder: Path) -> IntakeSource:
    kind = "csv" if (folder / "codeboek.csv").exists() else "jsonl"
    return KINDS[f"registration-{kind}"]({})


def read(folder: Path) -> tuple[list[Intake], list[Problem]]:
    found = list(source_of(folder).intakes(folder))
    intakes = [each for each in found if isinstance(each, Intake)]
    return intakes, [each for each in found if isinstance(each, Problem)]


def the_client(folder: Path) -> Intake:
    (intake,), _ = read(folder)
    return intake


def problems(folder: Path) -> list[tuple[str, str, str | None]]:
    return [(each.where, each.code.value, each.column) for each in read(folder)[1]]


def dropped(folder: Path) -> dict[str, int]:
    source = source_of(folder)
    for _ in source.intakes(folder):
        pass
    found: Sequence[Dropped] = source.dropped()
    return {each.column: each.count for each in found}


def value(intake: Intake, field: str) -> Any:
    return envelope(intake, field)["value"]


def reason(intake: Intake, field: str) -> str | None:
    found: str | None = envelope(intake, field).get("missing_reason")
    return found


def envelope(intake: Intake, field: str) -> Mapping[str, Any]:
    section, _, name = field.partition(".")
    return intake.sections[section][name]
