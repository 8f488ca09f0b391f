"""What an export holds about one client, before it means anything."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from adapters.forms import Cell


class Located(NamedTuple):
    """The cells of one row, in the order of the part's columns, and where the row stands."""

    where: str
    cells: Sequence[Cell]


class Alike(NamedTuple):
    """The cells that some rows have in common, and where each of them stands."""

    places: Sequence[str]
    cells: Sequence[Cell]


@dataclass(slots=True)
class Dossier:
    """Every row of one client, without duplicates and older versions."""

    reference: str
    client: Located
    sessions: list[Located] = field(default_factory=list)
    contacts: list[Alike] = field(default_factory=list)
    goals: list[Located] = field(default_factory=list)
    exit: Located | None = None
