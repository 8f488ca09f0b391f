"""What an adapter promises to the broker, and how it fails."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

Envelope = Mapping[str, Any]
"""A value with where it comes from: `value source observed_on verified`, `missing_reason` if null.

`observed_on` is an ISO date; it is left out when the export does not tell it.
"""

Sections = Mapping[str, Mapping[str, Envelope]]
"""Section, then the field's name within it: `sections["educ"]["highest_level"]`."""


class AdapterError(Exception):
    """A partner's system or file did not do what it should. The text holds no personal data."""


class Unreadable(AdapterError):
    """The path is no such export. Says which file or column is missing; nothing was imported."""


class ProblemCode(StrEnum):
    """Why something in an export was not taken over."""

    DUPLICATE = "duplicate"
    OLDER_VERSION = "older_version"
    ORPHAN = "orphan"
    NOT_JSON = "not_json"
    EMPTY_LINE = "empty_line"
    WRONG_COLUMNS = "wrong_columns"
    WRONG_TYPE = "wrong_type"
    BAD_REFERENCE = "bad_reference"
    UNKNOWN_CODE = "unknown_code"
    BAD_DATE = "bad_date"
    BAD_EMAIL = "bad_email"
    BAD_PHONE = "bad_phone"
    BAD_NUMBER = "bad_number"
    TOO_LONG = "too_long"


@dataclass(frozen=True, slots=True)
class Intake:
    """One client as a service knows it, in the words of the summary model.

    What the sections hold comes from the export, read by its code book; nothing was scanned or
    validated. Consent is never among it.
    """

    where: str
    """File and row, as `clienten.csv:12` (the header is row 1) or `clients.jsonl:7`."""
    reference: str
    """The service's own number, for instance LW-1001; at most 40 letters, digits, `._-`."""
    identity: Mapping[str, str]
    """Those known of `given_name family_name birth_date alias birth_year`; dates are ISO."""
    insz: str | None
    """The national number without dots, dashes and spaces, otherwise as delivered: unchecked."""
    sections: Sections
    partial: bool
    """A thin file: background and contacts, but no starting point was ever recorded."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A row or a cell that was not taken over: where and why, never what it held."""

    where: str
    code: ProblemCode
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """A column outside the mapping, and how many of its cells held something."""

    column: str
    count: int


class IntakeSource(Protocol):
    """One export of a registration system. One import at a time for each source."""

    def intakes(self, path: Path) -> Iterator[Intake | Problem]:
        """Every client once, and every problem, with one client in memory at a time.

        Raises nothing but `AdapterError`, and that before the first intake. A problem with a
        single cell comes before the intake that lacks the value.
        """

    def dropped(self) -> Sequence[Dropped]:
        """What the last import did not read, by column; complete once `intakes` is exhausted."""

    def total(self, path: Path) -> int:
        """How many client rows there are, duplicates included: for a progress bar."""
