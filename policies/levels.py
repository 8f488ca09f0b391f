"""One value made coarser, level by level. Going down only: nothing here guesses."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from policies.summary_model import summary_model

_BELGIUM = ZoneInfo("Europe/Brussels")
_YEARS = 5


def year_of(value: str | int) -> int:
    """The year of a date or month in ISO form; a year is one already."""
    return value if isinstance(value, int) else int(value[:4])


def year_band(year: int) -> str:
    """Five years, written `2010-2014`."""
    start = year - year % _YEARS
    return f"{start}-{start + _YEARS - 1}"


def age_band(born: str | int, at: date) -> str:
    """The code of the age on that day; one of whom only the year is known had the birthday."""
    age = at.year - year_of(born)
    if isinstance(born, str) and born[5:] > at.isoformat()[5:10]:
        age -= 1
    bands = summary_model().code_lists["age_band"].codes.values()
    return next(each.code for each in bands if each.upto is None or age <= each.upto)


def nat_group(country: str) -> str:
    """Belgium, the rest of the European Union, outside it, or not known (ISO 3166 alpha-3)."""
    model = summary_model()
    if country in model.no_country:
        return "unknown"
    if country == "BEL":
        return "BE"
    return "EU" if country in model.eu_countries else "non_EU"


def lang_group(language: str) -> str:
    """Dutch, another language, or not known (ISO 639-3)."""
    if language in summary_model().no_language:
        return "unknown"
    return language if language == "nld" else "other"


def day_of(appointment: Mapping[str, Any]) -> dict[str, Any]:
    """The Belgian day of an appointment and with whom: no hour, no place."""
    day = {"org": appointment["org"]} if "org" in appointment else {}
    if "start" in appointment:
        start = datetime.fromisoformat(appointment["start"]).astimezone(_BELGIUM)
        day["start"] = start.date().isoformat()
    return day
