"""The code book that a service delivers beside its data."""

import csv
from collections.abc import Mapping
from pathlib import Path

from adapters.contract import Unreadable

CodeBook = Mapping[str, Mapping[str, str]]
"""Column, then the value as it was typed, then the canonical code."""

_HEADER = ["kolom", "waarde", "canoniek", "soort"]


def read_code_book(path: Path) -> CodeBook:
    """The code book in a semicolon-separated UTF-8 file `kolom;waarde;canoniek;soort`.

    Official values and the variants that counsellors typed stand side by side; an empty value
    says what an empty cell means. Spaces around values do not count. Raises `Unreadable` when
    the file is missing, has other columns, or gives one value two meanings.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.reader(stream, delimiter=";"))
    except (OSError, UnicodeError, csv.Error) as error:
        raise Unreadable(f"{path.name}: a code book in UTF-8 is needed beside the data") from error
    if not rows or rows[0] != _HEADER:
        raise Unreadable(f"{path.name}: the columns must be {';'.join(_HEADER)}")
    book: dict[str, dict[str, str]] = {}
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if len(row) != len(_HEADER):
            raise Unreadable(f"{path.name}:{number}: four columns are needed")
        column, value, code, _ = (cell.strip() for cell in row)
        if book.setdefault(column, {}).setdefault(value, code) != code:
            raise Unreadable(f"{path.name}:{number}: a value of {column} has two meanings")
    return book
