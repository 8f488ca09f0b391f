"""The export of a registration system as a folder of CSV files, one for each kind of row."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from adapters.assembly import Assembler
from adapters.codebook import read_code_book
from adapters.contract import Dropped, Intake, Problem, ProblemCode, Unreadable
from adapters.dossier import Alike, Dossier, Located
from adapters.mapping import PARTS, BadMapping, Part, load_mapping
from adapters.spool import Row, Spool
from adapters.versions import REFUSED, counted, newest, sortable

# Divides cells in the spool. A row that holds it itself is refused, or cells would shift.
_DIVIDER = "\x1f"
_CLIENTS, _SESSIONS, _CONTACTS, _GOALS, _EXIT = range(len(PARTS))
_SAMPLE = 65_536
_LONGEST_CELL = 1_000_000


class _File(NamedTuple):
    path: Path
    number: int
    part: Part
    header: Sequence[str]


class RegistrationCsv:
    """Reads such a folder; which file and column is what stands in the mapping.

    Rows are sorted by client outside memory, so files may stand in any order. What is read goes
    through a temporary file without a name; columns outside the mapping do not.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        """`settings["mapping"]` is a shipped mapping or a path; leerwinkel by default."""
        self._mapping = load_mapping(settings.get("mapping", "leerwinkel"))
        self._parts = [getattr(self._mapping, name) for name in PARTS]
        for name, part in zip(PARTS, self._parts, strict=True):
            keys = {"reference", "date"} if name == "exit" else {"reference"}
            if part.place and not keys <= part.keys.keys():
                raise BadMapping(f"{name}: {' and '.join(sorted(keys))} are needed for CSV files")
        self._dropped: Counter[str] = Counter()
        self._when = sortable(self._mapping.dates)

    def intakes(self, path: Path) -> Iterator[Intake | Problem]:
        """See `IntakeSource`. Clients come in the order of their references."""
        self._dropped = Counter()
        folder = _folder(path)
        assembler = Assembler(self._mapping, read_code_book(folder / self._mapping.code_book))
        files = [
            self._file(folder, number) for number, part in enumerate(self._parts) if part.place
        ]
        with Spool() as spool:
            for file in files:
                spool.add(self._rows(file))
            for reference, rows in spool.by_reference():
                yield from self._client(reference, rows, assembler)

    def dropped(self) -> Sequence[Dropped]:
        """See `IntakeSource`."""
        return [Dropped(column, count) for column, count in sorted(self._dropped.items())]

    def total(self, path: Path) -> int:
        """See `IntakeSource`. Reads the clients' file once."""
        file = self._file(_folder(path), _CLIENTS)
        with self._opened(file.path) as rows:
            return sum(1 for row in rows if row) - 1

    def _file(self, folder: Path, number: int) -> _File:
        part: Part = self._parts[number]
        path = folder / part.place
        with self._opened(path) as rows:
            header = next(rows, [])
        missing = [column for column in part.columns if column not in header]
        if missing:
            raise Unreadable(f"{path.name}: the column {missing[0]} is missing")
        if twice := [column for column in part.columns if header.count(column) > 1]:
            raise Unreadable(f"{path.name}: the column {twice[0]} stands there twice")
        return _File(path, number, part, header)

    @contextmanager
    def _opened(self, path: Path) -> Iterator[Iterator[list[str]]]:
        csv.field_size_limit(_LONGEST_CELL)
        try:
            _refuse_utf8(path, self._mapping.encoding)
            with path.open(encoding=self._mapping.encoding, errors="replace", newline="") as text:
                yield csv.reader(text, delimiter=self._mapping.separator)
        except OSError as error:
            raise Unreadable(f"{path.name}: the file is missing or can not be read") from error
        except csv.Error as error:
            raise Unreadable(f"{path.name}: a cell never ends; a quotation mark is open") from error

    def _rows(self, file: _File) -> Iterator[tuple[str, int, int, int, str]]:
        """Every row of a file for the spool; counts what the mapping leaves out."""
        header, number, columns = file.header, file.number, file.part.columns
        width, dividers = len(header), len(columns) - 1
        reference = header.index(file.part.keys["reference"])
        wanted = itemgetter(*(header.index(column) for column in columns))
        unread = [at for at, column in enumerate(header) if column not in columns]
        counts = dict.fromkeys(unread, 0)
        with self._opened(file.path) as rows:
            next(rows)
            for place, row in enumerate(rows, 2):
                if len(row) != width:
                    code = ProblemCode.WRONG_COLUMNS if row else ProblemCode.EMPTY_LINE
                    yield "", REFUSED, place, number, code
                    continue
                for at in unread:
                    if row[at]:
                        counts[at] += 1
                payload = _DIVIDER.join(map(str.strip, wanted(row)))
                if payload.count(_DIVIDER) != dividers:
                    yield "", REFUSED, place, number, ProblemCode.WRONG_COLUMNS
                    continue
                yield row[reference].strip(), number, place, hash(tuple(row)), payload
        for at, count in counts.items():
            if count:
                self._dropped[f"{file.path.stem}.{header[at] or '(no name)'}"] += count

    def _where(self, row: Row) -> str:
        # A refused row carries the number of its file where others have their mark.
        part = row.mark if row.part == REFUSED else row.part
        return f"{self._parts[part].place}:{row.number}"

    def _client(
        self, reference: str, rows: Iterator[Row], assembler: Assembler
    ) -> Iterator[Intake | Problem]:
        found: list[list[Located]] = [[] for _ in PARTS]
        contacts: dict[str, list[str]] = {}
        for row in counted(reference, rows, self._where):
            if isinstance(row, Problem):
                yield row
            elif row.part != _CLIENTS and not found[_CLIENTS]:
                # Rows come part by part, the clients' own first.
                yield Problem(self._where(row), ProblemCode.ORPHAN)
            elif row.part == _CONTACTS:
                contacts.setdefault(row.payload, []).append(self._where(row))
            else:
                cells = row.payload.split(_DIVIDER)
                found[row.part].append(Located(self._where(row), cells))
        if not found[_CLIENTS]:
            return
        problems: list[Problem] = []
        dossier = Dossier(
            reference=reference,
            client=self._newest(found, _CLIENTS, "changed", problems),
            sessions=found[_SESSIONS],
            contacts=[
                Alike(places, payload.split(_DIVIDER)) for payload, places in contacts.items()
            ],
            goals=found[_GOALS],
            exit=self._newest(found, _EXIT, "date", problems) if found[_EXIT] else None,
        )
        intake = assembler.intake(dossier, problems)
        yield from problems
        yield intake

    def _newest(
        self, found: list[list[Located]], number: int, key: str, problems: list[Problem]
    ) -> Located:
        part, rows = self._parts[number], found[number]
        at = part.columns.index(part.keys[key])
        chosen = newest(rows, lambda row: self._when(str(row.cells[at])))
        problems += [
            Problem(row.where, ProblemCode.OLDER_VERSION) for row in rows if row is not chosen
        ]
        return chosen


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _refuse_utf8(path: Path, encoding: str) -> None:
    """Raise `Unreadable` when a file in another encoding was saved again as UTF-8.

    Every byte means something in Windows-1252, so names would be spoilt without an error.
    """
    if encoding.lower().startswith("utf"):
        return
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    # A character may be cut in two at the end of the sample.
    whole = sample[: sample.rfind(b"\n") + 1]
    try:
        saved_again = not whole.isascii() and bool(whole.decode("utf-8"))
    except UnicodeDecodeError:
        return
    if saved_again:
        raise Unreadable(f"{path.name}: saved as UTF-8, {encoding} is needed")
