"""All rows of one client become one intake."""

from collections.abc import Sequence

from adapters import forms
from adapters.codebook import CodeBook
from adapters.contract import Intake, Problem, ProblemCode
from adapters.derived import derive, measure_unemployment
from adapters.dossier import Dossier, Located
from adapters.forms import Cell, Unread
from adapters.mapping import ServiceMapping
from adapters.reading import Context, Mutable, Readers, envelope, read_into
from adapters.trajectory import Trajectory

_IDENTITY = ("given_name", "family_name", "birth_date")
_LONGEST_NAME = 100
_NOT_OF_THE_NUMBER = str.maketrans("", "", ". -")


class Assembler:
    """Makes intakes of dossiers by one mapping and one code book.

    Raises `BadMapping` when it is built and the mapping names a list that does not exist.
    """

    def __init__(self, mapping: ServiceMapping, book: CodeBook) -> None:
        self._mapping = mapping
        readers = Readers(mapping, book)
        self._day = readers.day
        self._fields = readers.fields(mapping.clients)
        self._clarity = readers.value(mapping.clients, "clarity")
        self._goal_type = readers.value(mapping.goals, "type")
        self._learning = readers.group(mapping.goals, "learning.")
        self._exit_fields = readers.fields(mapping.exit)
        self._trajectory = Trajectory(mapping, readers)
        columns = mapping.clients.columns
        self._full_when = [columns.index(column) for column in mapping.full_when]
        self._at = {key: columns.index(column) for key, column in mapping.clients.keys.items()}
        self._alias = forms.text(_LONGEST_NAME)
        since = mapping.clients.values.get("work.unemployment_duration")
        self._since = since.columns[0] if since else ""
        self._exit_date = mapping.exit.keys.get("date")

    def intake(self, dossier: Dossier, problems: list[Problem]) -> Intake:
        """The intake of one client; what could not be read is added to `problems`."""
        cells = dossier.client.cells
        context = Context(dossier.client.where, self._changed(dossier, problems), problems)
        sections: Mutable = {}
        read_into(sections, self._fields, cells, context)
        derive(sections, self._mapping.no_diploma)
        measure_unemployment(sections, context, self._since)
        full = any(cells[at] != "" for at in self._full_when)
        self._goals(dossier, sections, context, full=full)
        self._trajectory.into(sections, dossier.sessions, dossier.contacts, context)
        self._exit(dossier, sections, context)
        insz = self._key(cells, "insz").translate(_NOT_OF_THE_NUMBER)
        return Intake(
            where=dossier.client.where,
            reference=dossier.reference,
            identity=self._identity(cells, sections, context),
            insz=insz or None,
            sections=sections,
            partial=not full,
        )

    def _key(self, cells: Sequence[Cell], key: str) -> str:
        cell = cells[self._at[key]] if key in self._at else ""
        return cell if isinstance(cell, str) else ""

    def _changed(self, dossier: Dossier, problems: list[Problem]) -> str | None:
        day = self._day(self._key(dossier.client.cells, "changed"))
        if not isinstance(day, Unread):
            return day
        column = self._mapping.clients.keys["changed"]
        problems.append(Problem(dossier.client.where, ProblemCode.BAD_DATE, column))
        return None

    def _identity(
        self, cells: Sequence[Cell], sections: Mutable, context: Context
    ) -> dict[str, str]:
        """The names as they stand, and the year for those who gave no date of birth."""
        known = {name: sections.get("ident", {}).get(name, {}).get("value") for name in _IDENTITY}
        alias = self._alias(self._key(cells, "alias"))
        known["alias"] = None if isinstance(alias, Unread) else alias
        year = self._key(cells, "birth_year")
        if year and isinstance(forms.year(year), Unread):
            context.problem(ProblemCode.BAD_NUMBER, self._mapping.clients.keys["birth_year"])
        elif year:
            known["birth_year"] = year
            born = sections.get("ident", {}).get("birth_date")
            if born and born.pop("missing_reason", None):
                born["value"] = int(year)
        return {name: value for name, value in known.items() if value}

    def _goals(self, dossier: Dossier, sections: Mutable, context: Context, *, full: bool) -> None:
        """A full file without a goal has none; in a thin file nobody asked.

        How clear the client's picture of a career is belongs to a goal of work in the summary
        model, so it is kept for clients who have one.
        """
        if self._goal_type is None:
            return
        found: dict[str, list[dict[str, str]]] = {"learning": [], "employment": []}
        clarity = self._clarity.read(dossier.client.cells, context) if self._clarity else None
        for row in dossier.goals:
            here = Context(row.where, context.observed, context.problems)
            kind = self._goal_type.read(row.cells, here)
            if kind == "learning":
                parts = {name: each.read(row.cells, here) for name, each in self._learning.items()}
                goal = {name: value for name, value in parts.items() if value}
                found[kind] += [goal] if goal else []
            elif kind == "employment":
                found[kind].append({"clarity": clarity or "unknown"})
        for kind, goals in found.items():
            value = goals if goals or full else None
            made = envelope(value, "client", context.observed, "not_asked")
            sections.setdefault("goals", {})[kind] = made

    def _exit(self, dossier: Dossier, sections: Mutable, context: Context) -> None:
        part = self._mapping.exit
        row = dossier.exit or Located(context.where, [""] * len(part.columns))
        here = Context(row.where, context.observed, context.problems)
        cell = row.cells[part.columns.index(self._exit_date)] if self._exit_date else ""
        if isinstance(cell, str) and cell:
            day = self._day(cell)
            if isinstance(day, Unread):
                here.problem(day.code, str(self._exit_date))
            else:
                here = Context(row.where, day, context.problems)
        read_into(sections, self._exit_fields, row.cells, here)
