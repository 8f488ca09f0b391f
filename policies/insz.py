"""The Belgian national number (INSZ): its shape and its check digits, nothing about anybody."""

import calendar
import re
from dataclasses import dataclass

_SHAPE = re.compile(r"([0-9]{2})[. ]?([0-9]{2})[. ]?([0-9]{2})[- ]?([0-9]{3})[. ]?([0-9]{2})")

# Months are moved up by these for numbers that are not in the national register.
_TEST, _BIS_SEX_KNOWN, _BIS = 60, 40, 20
_LAST_MONTH = 12


@dataclass(frozen=True, slots=True)
class Insz:
    """A number that can exist. `digits` are its eleven, without dots and dashes."""

    digits: str
    is_test: bool
    """A test number (months 61-72); it belongs to nobody, ever."""
    is_bis: bool
    """For somebody who is not in the national register (months 20-32 and 40-52)."""


def check_insz(text: str) -> Insz | None:
    """The number that the text is, with or without its dots; nothing if it is none.

    Births from 2000 on are checked over the nine digits with a 2 before them. Month and day
    may be 00 when the birth date is not known in full, but not in a test number.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    digits = "".join(match.groups())
    century = _century(digits)
    shift = _shift(int(digits[2:4]))
    if century is None or shift is None or not _date_exists(digits, century, shift):
        return None
    return Insz(digits, is_test=shift == _TEST, is_bis=shift in (_BIS, _BIS_SEX_KNOWN))


def adds_up(digits: str) -> bool:
    """Whether eleven digits have the check digits of a national number, whatever their date."""
    return _century(digits) is not None


def _century(digits: str) -> int | None:
    number, check = digits[:9], int(digits[9:])
    if 97 - int(number) % 97 == check:
        return 1900
    return 2000 if 97 - int("2" + number) % 97 == check else None


def _shift(month: int) -> int | None:
    shifts = (0, _BIS, _BIS_SEX_KNOWN, _TEST)
    return next((each for each in shifts if 0 <= month - each <= _LAST_MONTH), None)


def _date_exists(digits: str, century: int, shift: int) -> bool:
    year, month, day = century + int(digits[:2]), int(digits[2:4]) - shift, int(digits[4:6])
    if shift == _TEST:
        return month > 0 and 0 < day <= calendar.monthrange(year, month)[1]
    return day <= (calendar.monthrange(year, month)[1] if month else 31)
