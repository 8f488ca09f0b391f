from pathlib import Path

import pytest

from adapters.codebook import read_code_book
from adapters.contract import Unreadable

HEADER = "kolom;waarde;canoniek;soort\r\n"


def written(tmp_path: Path, rows: str) -> Path:
    file = tmp_path / "codeboek.csv"
    file.write_text(rows, "utf-8-sig", newline="")
    return file


def test_variants_stand_beside_official_values_and_spaces_do_not_count(tmp_path: Path) -> None:
    rows = "taal;Nederlands;nld;officieel\r\ntaal;nederlands ;nld;variant\r\n\r\ntaal;;und;x\r\n"

    book = read_code_book(written(tmp_path, HEADER + rows))

    assert book == {"taal": {"Nederlands": "nld", "nederlands": "nld", "": "und"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the columns must be"),
        ("column;value;code;kind\r\n", "the columns must be"),
        (HEADER + "taal;NL\r\n", "codeboek.csv:2: four columns"),
        (HEADER + "taal;NL;nld;x\r\ntaal;NL ;eng;x\r\n", "codeboek.csv:3: a value of taal"),
    ],
)
def test_a_code_book_that_could_be_misread_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(Unreadable, match=message):
        read_code_book(written(tmp_path, text))


def test_a_code_book_in_another_encoding_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "codeboek.csv"
    file.write_bytes(HEADER.encode() + "statuut;materiële;x;y".encode("cp1252"))

    with pytest.raises(Unreadable, match="UTF-8"):
        read_code_book(file)
