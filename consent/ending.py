"""When a consent ends by itself, and when somebody must look at it next. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from consent.belgian_time import day_of, end_of, start_of
from consent.content import Terms
from consent.lifecycle import Stands, releases
from consent.standing import lapses


class Because(StrEnum):
    """Why a consent ends by itself."""

    OVER = "period_over"
    LAPSED = "not_renewed"
    """24 months without renewal (hard rule H9)."""

    OF_AGE = "age_18"
    """The client decides alone from now on: an adult consent is asked."""

    MANDATE_OVER = "mandate_over"
    """Who decided in the client's place may do so no longer."""

    @property
    def holds_only(self) -> bool:
        """Whether the consent is held until it is asked anew, and not over."""
        return self in (Because.OF_AGE, Because.MANDATE_OVER)


@dataclass(frozen=True, slots=True)
class Ending:
    """The first instant at which a consent gives nothing any more, and why."""

    at: int
    because: Because


def over(terms: Terms, renewed_at: int) -> Ending:
    """When its time has run out: that of all its grants, or the 24 months without renewal.

    A grant that ends with an event only has no end here: whether that has come depends on who
    asks, so it is for the decision.
    """
    lapse = lapses(renewed_at)
    ends = [lapse if each.end is None else each.end for each in terms.grants if not each.withdrawn]
    end = max(ends, default=lapse)
    return Ending(end, Because.OVER) if end < lapse else Ending(lapse, Because.LAPSED)


def capacity_over(terms: Terms) -> Ending | None:
    """When whoever agreed can no longer answer for the client; nothing when that never comes."""
    ends = (
        (terms.capacity.adult_at, Because.OF_AGE),
        (terms.capacity.mandate_until, Because.MANDATE_OVER),
    )
    known = [Ending(at, because) for at, because in ends if at is not None]
    return min(known, key=lambda each: each.at, default=None)


def ending(terms: Terms, renewed_at: int) -> Ending:
    """The first that ends it. Of two at one instant the loss of capacity: it is asked anew."""
    time, capacity = over(terms, renewed_at), capacity_over(terms)
    return time if capacity is None or time.at < capacity.at else capacity


def due_at(stands: Stands, terms: Terms, renewed_at: int, now: int) -> int | None:
    """From when on (an instant) somebody must look at it; nothing for one that has ended.

    This is kept in plain. So an end that would tell a birthday is told to the month only: it
    is due on the first of that month, and from then on each midnight until it has come.
    """
    if not releases(stands.state):
        return None
    time, capacity = over(terms, renewed_at), capacity_over(terms)
    if capacity is None or stands.suspended:
        return time.at
    return min(time.at, _by_the_month(capacity.at, now))


def _by_the_month(moment: int, now: int) -> int:
    first = start_of(day_of(moment).replace(day=1))
    return first if first > now else min(moment, end_of(day_of(now)))
