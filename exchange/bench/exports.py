"""Exports to measure with, and a process that takes one in."""

import csv
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import copy

from exchange.samples import DATA

CLIENTS = 2000
LARGER = 4
"""How many times as many clients the second export has; its peak of memory is compared."""

_EXPORT = DATA / "leerwinkel"
_CODE_BOOK, _REFERENCE, _ENCODING = "codeboek.csv", "client_nr", "cp1252"


def write_export(folder: Path, clients: int) -> None:
    """The sample export over and over, under references of its own, with that many clients."""
    folder.mkdir()
    copy(_EXPORT / _CODE_BOOK, folder)
    with (_EXPORT / "clienten.csv").open(encoding=_ENCODING, newline="") as file:
        known = {row[_REFERENCE] for row in csv.DictReader(file, delimiter=";")}
    for path in sorted(_EXPORT.glob("*.csv")):
        if path.name == _CODE_BOOK:
            continue
        with path.open(encoding=_ENCODING, newline="") as file:
            header, *rows = csv.reader(file, delimiter=";")
        at = header.index(_REFERENCE)
        with (folder / path.name).open("w", encoding=_ENCODING, newline="") as file:
            writer = csv.writer(file, delimiter=";")
            writer.writerow(header)
            for turn in range(-(-clients // len(known))):
                for row in rows:
                    writer.writerow([*row[:at], f"{row[at]}.{clients}.{turn}", *row[at + 1 :]])


def measure_import(folder: Path, clients: int, environment: Mapping[str, str]) -> dict[str, float]:
    """Clients a second, and megabytes at the peak of both processes together."""
    write_export(folder, clients)
    command = [sys.executable, "-m", "exchange.bench.importing", str(folder)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)  # noqa: S603  # our own module
    figures: dict[str, float] = json.loads(done.stdout)
    return figures
