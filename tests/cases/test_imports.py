"""T82 at the door of the import: a damaged row is left out or cleaned, its neighbours come in."""

import json
import resource
import zipfile
from pathlib import Path
from typing import Any

import pytest

from exchange.importing import Import, ImportRefused, Report
from exchange.samples import DATA
from tests.builders import Broker
from tests.cases.hostile import FAULTS, MARK

REJECTED = {
    "b-100000-deep",
    "c-5000-digits",
    "d-nan",
    "e-utf-16",
    "j-duplicate-keys",
}
"""No JSON as we read it: the row is not taken over, and the report names it."""

NAMES = {
    "a-900-deep": None,
    "f-bom": "Anna",
    "g-lone-surrogate": "An?na",
    "h-nul": "Anna",
    "i-1-mb-key": "Anna",
    "k-100000-keys": "Anna",
    "l-nfc-nfd-twins": "Anna",
    "m-right-to-left-override": "Anna",
    "n-zero-width": "Anna",
}
"""What is left of the given name where the rest of the row could be read.

An export may begin with a byte order mark: registration systems under Windows write one.
"""

CELLS = {
    "c-5000-digits": b"9" * 5000,
    "g-lone-surrogate": b"Lu\xed\xa0\x80kas",
    "h-nul": b"Lu\x00kas",
    "m-right-to-left-override": "Lu\u202ekas".encode(),
    "n-zero-width": "Lu\u200bkas".encode(),
}


def person(reference: str, given_name: str) -> dict[str, Any]:
    return {
        "id": reference,
        "updated": "2026-06-09T17:07:00+02:00",
        "persoon": {"voornaam": given_name, "last_name": "Goossens", "geboren": "2004-06-05"},
    }


@pytest.mark.case("T82")
@pytest.mark.parametrize("fault", FAULTS)
def test_t82_a_damaged_line_is_rejected_or_cleaned_and_its_neighbour_is_stored(
    broker: Broker, tmp_path: Path, fault: str
) -> None:
    damaged = FAULTS[fault](json.dumps(person("DS0001", MARK), ensure_ascii=False))
    sound = json.dumps(person("DS0002", "Bert")).encode()
    code_book(tmp_path)
    (tmp_path / "clients.jsonl").write_bytes(damaged + b"\n" + sound + b"\n")

    report = imported(broker, "registration-jsonl", "destap-ww", tmp_path / "clients.jsonl")

    if fault in REJECTED:
        assert (report.stored, report.rejected) == (1, [{"where": line(1), "code": "not_json"}])
    else:
        assert (report.stored, report.rejected) == (2, [])
        assert given_name(broker, "destap-ww", "DS0001") == NAMES[fault]
    assert given_name(broker, "destap-ww", "DS0002") == "Bert"
    assert not REJECTED & NAMES.keys()


@pytest.mark.case("T82")
@pytest.mark.parametrize("fault", CELLS)
def test_t82_a_damaged_cell_is_cleaned_or_left_out(
    broker: Broker, tmp_path: Path, fault: str
) -> None:
    folder = export(tmp_path)
    clients = folder / "clienten.csv"
    header, _, row, *_ = clients.read_bytes().split(b"\n")
    assert b";Lukas;" in row
    damaged = row.replace(b";Lukas;", b";" + CELLS[fault] + b";")
    # One byte that only Windows-1252 has, or the file would seem to be saved as UTF-8.
    other = row.replace(b"LW-1001", b"LW-9001").replace(b";Lukas;", b";Zo\xeb;")
    clients.write_bytes(header + b"\n" + damaged + b"\n" + other + b"\n")

    report = imported(broker, "registration-csv", "leerwinkel-wvl", folder)

    name = given_name(broker, "leerwinkel-wvl", "LW-1001")
    assert name is None or name.isprintable()
    assert "\ufeff" not in str(name)
    assert len(name or "") < 100
    assert given_name(broker, "leerwinkel-wvl", "LW-9001") == "Zoë"
    assert report.stored == 2


@pytest.mark.case("T82")
@pytest.mark.parametrize("fault", ["e-utf-16", "f-bom", "j-duplicate-keys"])
def test_t82_a_damaged_table_is_refused_before_anything_is_stored(
    broker: Broker, tmp_path: Path, fault: str
) -> None:
    folder = export(tmp_path)
    clients = folder / "clienten.csv"
    text = clients.read_bytes().decode("cp1252", "replace")
    damaged = {
        "e-utf-16": text.encode("utf-16"),
        "f-bom": text.encode("utf-8-sig"),
        "j-duplicate-keys": text.replace(";straat;", ";voornaam;", 1).encode("cp1252", "replace"),
    }
    clients.write_bytes(damaged[fault])

    with pytest.raises(ImportRefused, match=r"clienten\.csv"):
        imported(broker, "registration-csv", "leerwinkel-wvl", folder)

    assert given_name(broker, "leerwinkel-wvl", "LW-1001") is None


@pytest.mark.case("T82")
def test_t82_a_column_name_beyond_measure_is_refused_and_not_repeated(
    broker: Broker, tmp_path: Path
) -> None:
    clients = export(tmp_path) / "clienten.csv"
    header, rows = clients.read_bytes().split(b"\n", 1)
    clients.write_bytes(header.rstrip(b"\r") + b"k" * 1_000_001 + b"\n" + rows)

    with pytest.raises(ImportRefused, match=r"clienten\.csv") as refused:
        imported(broker, "registration-csv", "leerwinkel-wvl", tmp_path)

    assert "kk" not in str(refused.value)
    assert given_name(broker, "leerwinkel-wvl", "LW-1001") is None


@pytest.mark.case("T82")
def test_t82_rows_with_columns_beyond_number_are_rejected(broker: Broker, tmp_path: Path) -> None:
    clients = export(tmp_path) / "clienten.csv"
    header, *_ = clients.read_bytes().split(b"\n")
    clients.write_bytes(header + b"\nLW-1001;DB2014" + b";k" * 100_000 + b"\n")

    report = imported(broker, "registration-csv", "leerwinkel-wvl", tmp_path)

    assert report.stored == 0
    assert {"where": "clienten.csv:2", "code": "wrong_columns"} in report.rejected
    assert given_name(broker, "leerwinkel-wvl", "LW-1001") is None


def line(number: int) -> str:
    return f"clients.jsonl:{number}"


def export(folder: Path) -> Path:
    for path in sorted((DATA / "leerwinkel").glob("*.csv")):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def imported(broker: Broker, kind: str, organisation: str, path: Path) -> Report:
    run = Import(broker.services, kind, organisation, dry_run=False)
    for _ in run.run(path):
        pass
    return run.report


def given_name(broker: Broker, organisation: str, reference: str) -> str | None:
    """The given name in the summary of whom the holder knows by this reference, if any."""
    holder = broker.as_(organisation)
    handle = holder.post("/v1/clients", json={"reference": reference}).json()["client"]
    sections = holder.get(f"/v1/clients/{handle}/summary").json()["sections"]
    value: str | None = sections.get("ident", {}).get("given_name", {}).get("value")
    return value


@pytest.mark.case("T104")
def test_t104_b_an_archive_is_no_export_however_much_it_would_unpack_to(
    broker: Broker, tmp_path: Path
) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("clients.jsonl", b"\0" * 50_000_000)
    assert bomb.stat().st_size < 100_000
    code_book(tmp_path)
    folder = export(tmp_path)
    (folder / "clienten.csv").write_bytes(bomb.read_bytes())

    began = peak_memory()
    report = imported(broker, "registration-jsonl", "destap-ww", bomb)
    with pytest.raises(ImportRefused, match=r"clienten\.csv"):
        imported(broker, "registration-csv", "leerwinkel-wvl", folder)

    assert (report.stored, report.clients) == (0, 0)
    assert {each["code"] for each in report.rejected} == {"not_json"}
    assert peak_memory() - began < 20_000_000


@pytest.mark.case("T104")
def test_t104_c_a_million_rows_are_read_one_by_one_and_each_is_numbered(
    broker: Broker, tmp_path: Path
) -> None:
    code_book(tmp_path)
    many = tmp_path / "clients.jsonl"
    sound = json.dumps(person("DS0001", "Anna")).encode()
    many.write_bytes(b"{\n" * 1_000_000 + sound + b"\n")

    report = imported(broker, "registration-jsonl", "destap-ww", many)

    assert report.stored == 1
    assert report.document()["codes"] == {"not_json": 1_000_000}
    assert report.rejected[0] == {"where": line(1), "code": "not_json"}
    assert report.rejected[-1] == {"where": line(1_000_000), "code": "not_json"}


@pytest.mark.case("T104")
def test_t104_d_a_row_in_another_encoding_is_named_by_its_number(
    broker: Broker, tmp_path: Path
) -> None:
    code_book(tmp_path)
    rows = [json.dumps(person(f"DS000{n}", "Zoë"), ensure_ascii=False) for n in (1, 2, 3)]
    encoded = [rows[0].encode(), rows[1].encode("cp1252"), rows[2].encode()]
    (tmp_path / "clients.jsonl").write_bytes(b"\n".join(encoded) + b"\n")

    report = imported(broker, "registration-jsonl", "destap-ww", tmp_path / "clients.jsonl")

    assert (report.stored, report.rejected) == (2, [{"where": line(2), "code": "not_json"}])


def code_book(folder: Path) -> None:
    (folder / "codebook.csv").write_bytes((DATA / "destap" / "codebook.csv").read_bytes())


def peak_memory() -> int:
    """Bytes that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
