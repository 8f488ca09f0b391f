"""How the text of one cell becomes a value of the summary model.

A parser gives the value, or an `Unread` with the reason and what is left of it. It is never
asked about an empty cell.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from adapters.contract import ProblemCode

Cell = str | list[str]
"""Text without spaces around it, or several texts where the export has a list."""

Parser = Callable[[Any], Any]

_DAY_MONTH_YEAR = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_HOURS = re.compile(r"\d{1,2}(?:[.,]\d{1,2})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,6}", re.ASCII)
_YEAR = re.compile(r"(?:19|20)\d\d", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{3}")
_ISCED_F = re.compile(r"\d{2,4}", re.ASCII)
_PHONE = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_NOT_DIALLED = re.compile(r"\(0\)|[\s./()-]")
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z0-9-]{2,}"
)
_EMAIL_LONGEST = 254
_INVISIBLE = frozenset({"Cc", "Cf", "Cs"})
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Unread:
    """A cell that could not be read in full, and what is left of its value."""

    code: ProblemCode
    rest: Any = None


_UNKNOWN = Unread(ProblemCode.UNKNOWN_CODE)
_BAD_DATE = Unread(ProblemCode.BAD_DATE)
_BAD_NUMBER = Unread(ProblemCode.BAD_NUMBER)


def text(longest: int) -> Parser:
    """Text on one line in composed letters (NFC), without characters that nobody sees.

    Longer than `longest` is refused, not cut.
    Cutting could leave the half of a telephone number that no scanner knows.
    """

    def parse(cell: str) -> str | Unread:
        line = " ".join(cell.split())
        if not line.isprintable():
            line = "".join(each for each in line if unicodedata.category(each) not in _INVISIBLE)
        line = line if line.isascii() else unicodedata.normalize("NFC", line)
        return line if len(line) <= longest else Unread(ProblemCode.TOO_LONG)

    return parse


def code(codes: Mapping[str, Any]) -> Parser:
    """The code behind a value; what the mapping does not know is refused."""

    def parse(cell: str) -> Any:
        return codes.get(cell, _UNKNOWN)

    return parse


def code_list(codes: Mapping[str, Any]) -> Parser:
    """Several codes, from a list or divided by `|`; each once, the unknown ones left out."""

    def parse(cell: Cell) -> list[Any] | Unread:
        items = cell.split("|") if isinstance(cell, str) else cell
        known = list(dict.fromkeys(codes[item] for item in items if item in codes))
        if all(item in codes for item in items):
            return known
        return Unread(ProblemCode.UNKNOWN_CODE, known or None)

    return parse


def barriers(codes: Mapping[str, Any], none: str | None) -> Parser:
    """Barriers written `code:severity`, severity 0 to 3; the word `none` means asked and none."""

    def parse(cell: Cell) -> list[dict[str, str]] | Unread:
        items = cell.split("|") if isinstance(cell, str) else cell
        if items == [none]:
            return []
        found, whole = [], True
        for item in items:
            name, _, severity = item.partition(":")
            if name not in codes:
                whole = False
                continue
            graded = severity in ("0", "1", "2", "3")
            whole = whole and (graded or not severity)
            found.append({"code": codes[name]} | ({"severity": severity} if graded else {}))
        return found if whole else Unread(ProblemCode.UNKNOWN_CODE, found or None)

    return parse


@lru_cache(maxsize=65_536)
def day_month_year(cell: str) -> str | Unread:
    """An ISO date from 05/06/2026 or 5/6/2026; only real days from 1900 to 2099."""
    found = _DAY_MONTH_YEAR.fullmatch(cell)
    if not found or not _YEAR.fullmatch(found[3]):
        return _BAD_DATE
    try:
        return date(int(found[3]), int(found[2]), int(found[1])).isoformat()
    except ValueError:
        return _BAD_DATE


@lru_cache(maxsize=65_536)
def iso_day(cell: str) -> str | Unread:
    """The date in an ISO date or time, as written there; only real days from 1900 to 2099."""
    try:
        found = datetime.fromisoformat(cell).date().isoformat()
    except ValueError:
        return _BAD_DATE
    return found if _YEAR.fullmatch(found[:4]) else _BAD_DATE


def moment(cell: str) -> str:
    """Text that sorts by time: an ISO time turned to UTC; what is no time comes first."""
    try:
        found = datetime.fromisoformat(cell)
        return (found.astimezone(UTC) if found.tzinfo else found).isoformat()
    except (ValueError, OverflowError):
        return ""


def year(cell: str) -> int | Unread:
    """A year from 1900 to 2099."""
    return int(cell) if _YEAR.fullmatch(cell) else _BAD_NUMBER


@lru_cache(maxsize=4096)
def whole(cell: str) -> int | Unread:
    """A whole number below a million."""
    return int(cell) if _WHOLE.fullmatch(cell) else _BAD_NUMBER


@lru_cache(maxsize=4096)
def hours(cell: str) -> int | Unread:
    """Minutes, from hours with a decimal comma or point: 0,75 is 45. At most a day."""
    if not _HOURS.fullmatch(cell):
        return _BAD_NUMBER
    found = round(float(cell.replace(",", ".")) * 60)
    return found if found <= _DAY_MINUTES else _BAD_NUMBER


def minutes(cell: str) -> int | Unread:
    """Minutes, at most a day."""
    found = whole(cell)
    return found if isinstance(found, int) and found <= _DAY_MINUTES else _BAD_NUMBER


def country(cell: str) -> str | Unread:
    """A country in three capital letters (ISO 3166-1 alpha-3)."""
    return cell if _COUNTRY.fullmatch(cell) else _UNKNOWN


def digits(cell: str) -> str | Unread:
    """Two to four digits: a field of study (ISCED-F 2013)."""
    return cell if _ISCED_F.fullmatch(cell) else _UNKNOWN


def email(cell: str) -> str | Unread:
    """An e-mail address that has a name and a domain with a dot."""
    whole_address = len(cell) <= _EMAIL_LONGEST and _EMAIL.fullmatch(cell)
    return cell if whole_address else Unread(ProblemCode.BAD_EMAIL)


def phone(prefix: str) -> Parser:
    """A telephone number in E.164; `prefix` stands in for the 0 of a national number."""

    def parse(cell: str) -> str | Unread:
        number = _NOT_DIALLED.sub("", cell)
        if number.startswith("00"):
            number = "+" + number[2:]
        elif number.startswith("0"):
            number = prefix + number[1:]
        return number if _PHONE.fullmatch(number) else Unread(ProblemCode.BAD_PHONE)

    return parse
