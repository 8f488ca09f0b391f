"""Days as the client means them: Belgian days, kept as instants.

An instant is a whole number of microseconds since 1970 (UTC). A period is half-open: it
holds its start and not its end. Midnight exists exactly once a day in Brussels, also on
the days on which the clock changes.
"""

import calendar
import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_BRUSSELS = ZoneInfo("Europe/Brussels")
_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_QUARTER = 900_000_000
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARS = range(1900, 2201)
_FEBRUARY, _LEAP_DAY = 2, 29

ADULT_FROM = 18
"""Years. Belgian majority; the grants of a minor end on that birthday."""


def instant(at: datetime) -> int:
    """The instant of an aware time. Raises `TypeError` for one without a zone."""
    return (at - _1970) // _MICROSECOND


def time_of(moment: int) -> datetime:
    """The instant as a time in UTC."""
    return _1970 + moment * _MICROSECOND


def day_in(text: object) -> date | None:
    """The day written as YYYY-MM-DD between 1900 and 2200; nothing for anything else."""
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year in _YEARS else None


def day_of(moment: int) -> date:
    """The Belgian day in which an instant lies."""
    return _day_of(moment // _QUARTER)


@lru_cache(maxsize=256)
def _day_of(quarter: int) -> date:
    # Belgian midnight falls on a quarter of an hour (UTC), so a quarter lies in one day.
    return time_of(quarter * _QUARTER).astimezone(_BRUSSELS).date()


def start_of(day: date) -> int:
    """00:00 Belgian time of the day."""
    return instant(datetime(day.year, day.month, day.day, tzinfo=_BRUSSELS))


def end_of(day: date) -> int:
    """The first instant after 23:59:59 Belgian time: the next midnight."""
    return start_of(day + timedelta(days=1))


def birthday(born: date, years: int) -> date:
    """The day on which so many years are full. Born on a leap day: 1 March."""
    if (born.month, born.day) == (_FEBRUARY, _LEAP_DAY) and not calendar.isleap(born.year + years):
        return date(born.year + years, 3, 1)
    return born.replace(year=born.year + years)


def adult_at(born: date) -> int:
    """00:00 Belgian time of the eighteenth birthday."""
    return start_of(birthday(born, ADULT_FROM))


def age_on(born: date, day: date) -> int:
    """Full years on that day; negative for a day before the birth."""
    years = day.year - born.year
    return years if day >= birthday(born, years) else years - 1


def months_after(moment: int, months: int) -> int:
    """The same Belgian clock time so many months on, or on the last day of that month."""
    local = time_of(moment).astimezone(_BRUSSELS)
    years, month = divmod(local.month - 1 + months, 12)
    year = local.year + years
    day = min(local.day, calendar.monthrange(year, month + 1)[1])
    return instant(local.replace(year=year, month=month + 1, day=day))
