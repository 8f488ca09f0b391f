from pathlib import Path

import pytest

from adapters.contract import Unreadable
from adapters.registration_csv import RegistrationCsv
from tests.adapters.exports import A_CLIENT, leerwinkel, problems, read, the_client


def test_an_export_saved_again_as_utf_8_is_refused_before_names_are_spoilt(tmp_path: Path) -> None:
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT | {"naam": "Öztürk"}])
    clients = folder / "clienten.csv"
    clients.write_bytes(clients.read_bytes().decode("cp1252").encode())

    with pytest.raises(Unreadable, match=r"clienten\.csv: saved as UTF-8"):
        read(folder)


@pytest.mark.parametrize("reference", ["", "LW 1", "x" * 41, "<b>", "LW\x1f1"])
def test_a_reference_that_is_unfit_for_a_report_is_refused(tmp_path: Path, reference: str) -> None:
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT | {"client_nr": reference}])

    intakes, found = read(folder)

    assert intakes == []
    assert [each.where for each in found] == ["clienten.csv:2"]


def test_a_row_with_too_few_or_shifted_cells_is_refused_alone(tmp_path: Path) -> None:
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT, A_CLIENT | {"naam": "a\x1fb"}])
    with (folder / "clienten.csv").open("a", encoding="cp1252", newline="") as file:
        file.write("LW-3;te kort\r\n\r\n")

    assert problems(folder) == [
        ("clienten.csv:3", "wrong_columns", None),
        ("clienten.csv:4", "wrong_columns", None),
        ("clienten.csv:5", "empty_line", None),
    ]
    assert the_client(folder).where == "clienten.csv:2"


def test_a_missing_column_is_named_before_anything_is_read(tmp_path: Path) -> None:
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT])
    sessions = folder / "sessies.csv"
    sessions.write_text(sessions.read_text("cp1252").replace("duur_uren", "duur"), "cp1252")

    with pytest.raises(Unreadable, match=r"sessies\.csv: the column duur_uren is missing"):
        next(RegistrationCsv({}).intakes(folder))


@pytest.mark.parametrize("name", ["contacten.csv", "codeboek.csv"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT])
    (folder / name).unlink()

    with pytest.raises(Unreadable, match=name):
        next(RegistrationCsv({}).intakes(folder))


def test_a_quotation_mark_that_never_closes_gives_no_intake(tmp_path: Path) -> None:
    folder = leerwinkel(tmp_path, clienten=[A_CLIENT])
    with (folder / "clienten.csv").open("a", encoding="cp1252", newline="") as file:
        file.write('LW-2;"' + "x" * 1_000_001)

    with pytest.raises(Unreadable, match="quotation mark"):
        next(RegistrationCsv({}).intakes(folder))
