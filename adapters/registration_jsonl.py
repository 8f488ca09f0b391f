"""The export of a registration system as JSON Lines: one client, one line."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from adapters.assembly import Assembler
from adapters.codebook import read_code_book
from adapters.contract import Dropped, Intake, Problem, ProblemCode, Unreadable
from adapters.dossier import Alike, Dossier, Located
from adapters.forms import Cell
from adapters.mapping import Part, load_mapping
from adapters.records import AllowList, Kept
from adapters.spool import Row, Spool
from adapters.versions import REFUSED, counted, newest, sortable


class RegistrationJsonl:
    """Reads such a file; which key is what stands in the mapping.

    The allowed part of each record goes through a temporary file without a name, so that the
    newest version of a client is known before the first is given out; nothing else does.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        """`settings["mapping"]` is a shipped mapping or a path; destap by default."""
        self._mapping = load_mapping(settings.get("mapping", "destap"))
        self._allowed = AllowList(self._mapping)
        self._dropped: Counter[str] = Counter()
        self._when = sortable(self._mapping.dates)
        self._name = self._mapping.clients.place

    def intakes(self, path: Path) -> Iterator[Intake | Problem]:
        """See `IntakeSource`. Clients come in the order of their references."""
        self._dropped = Counter()
        file = self._file(path)
        book = read_code_book(file.with_name(self._mapping.code_book))
        assembler = Assembler(self._mapping, book)
        with Spool() as spool:
            spool.add(self._rows(file))
            for reference, rows in spool.by_reference():
                yield from self._client(reference, rows, assembler)

    def dropped(self) -> Sequence[Dropped]:
        """See `IntakeSource`. Keys in lists are written `sessions[].note`."""
        return [Dropped(column, count) for column, count in sorted(self._dropped.items())]

    def total(self, path: Path) -> int:
        """See `IntakeSource`. Counts lines that hold something."""
        with self._file(path).open("rb") as lines:
            return sum(1 for line in lines if line.strip())

    def _file(self, path: Path) -> Path:
        file = path / self._name if path.is_dir() else path
        if not file.is_file():
            raise Unreadable(f"{self._name}: the file is missing")
        self._name = file.name
        return file

    def _rows(self, file: Path) -> Iterator[tuple[str, int, int, int, str]]:
        """Every line of the file for the spool; counts what the mapping leaves out."""
        dropped: Counter[str] = Counter()
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                content = line.strip()
                if not content:
                    yield "", REFUSED, number, number, ProblemCode.EMPTY_LINE
                    continue
                record = _record(content, self._mapping.encoding)
                if record is None:
                    yield "", REFUSED, number, number, ProblemCode.NOT_JSON
                    continue
                kept = self._allowed.keep(record, dropped)
                payload = json.dumps(kept.as_json(), separators=(",", ":"))
                yield self._key(kept.client, "reference"), 0, number, hash(content), payload
        self._dropped.update({f"{file.stem}.{way}": count for way, count in dropped.items()})

    def _key(self, cells: Sequence[Cell], key: str) -> str:
        part: Part = self._mapping.clients
        cell = cells[part.columns.index(part.keys[key])]
        return cell if isinstance(cell, str) else ""

    def _where(self, row: Row) -> str:
        return f"{self._name}:{row.number}"

    def _client(
        self, reference: str, rows: Iterator[Row], assembler: Assembler
    ) -> Iterator[Intake | Problem]:
        found: list[tuple[str, Kept]] = []
        for row in counted(reference, rows, self._where):
            if isinstance(row, Problem):
                yield row
            else:
                found.append((self._where(row), Kept(**json.loads(row.payload))))
        if not found:
            return
        chosen = newest(found, lambda each: self._when(self._key(each[1].client, "changed")))
        for where, kept in found:
            if kept is not chosen[1]:
                yield Problem(where, ProblemCode.OLDER_VERSION)
        where, kept = chosen
        problems = [Problem(where, ProblemCode.WRONG_TYPE, column) for column in kept.wrong]
        intake = assembler.intake(_dossier(reference, where, kept), problems)
        yield from problems
        yield intake


def _record(content: bytes, encoding: str) -> dict[str, Any] | None:
    try:
        found = json.loads(
            content.decode(encoding), object_pairs_hook=_members, parse_constant=_no_number
        )
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice: which one counts is anybody's guess")
    return found


def _no_number(literal: str) -> NoReturn:
    raise ValueError("NaN and infinity are no JSON")


def _dossier(reference: str, where: str, kept: Kept) -> Dossier:
    def located(rows: Sequence[Sequence[Cell]]) -> list[Located]:
        return [Located(where, cells) for cells in rows]

    return Dossier(
        reference=reference,
        client=Located(where, kept.client),
        sessions=located(kept.sessions),
        contacts=[Alike([where], cells) for cells in kept.contacts],
        goals=located(kept.goals),
        exit=Located(where, kept.exit),
    )
