"""Count what an answer came to, and add what was counted to what the database holds."""

from collections.abc import Mapping

from exchange.field_counting import Counted, Way
from exchange.flows.fetch_summary import Released, SummaryQuery
from exchange.flows.keep_counts import keep_refusals, keep_releases
from exchange.security.tokens import Caller
from exchange.services import Services
from policies.decision import Refused
from policies.purposes import purpose
from policies.vocabulary import Section

SECONDS = 10.0
"""How long one way may wait for its place in the queue; then it is tried again later."""


def count_refusal(
    services: Services, caller: Caller, query: SummaryQuery, value: Released | Refused
) -> None:
    """Count it, if it is one, and only for a purpose that there is: other text is not kept."""
    if isinstance(value, Refused) and purpose(query.purpose) is not None:
        told = None if value.told is None else value.told.value
        services.tally.fields.refusal(caller.organisation, query.purpose, told)


def count_release(
    services: Services,
    caller: Caller,
    released: Released,
    summary: Mapping[Section, Mapping[str, object]],
) -> None:
    """Count what left under an agreement, and of it what the answer holds: that was opened."""
    decision = released.decision
    if decision.flow is not None:
        way = Way(decision.flow.agreement, caller.organisation, released.purpose)
        services.tally.fields.release(way, released.asked, decision.fields, summary)


def keep_counted(services: Services) -> None:
    """Add all that was counted, a command for each way; what can not be added is counted on.

    Raises what the writer raises, once everything else has been tried.
    """
    counted = services.tally.fields.taken()
    left, failure = Counted(), None
    for way, fields in counted.by_field().items():
        try:
            services.writer.submit(keep_releases, way, fields).result(SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever it was, the sums must not be lost
            failure = error
            left.add(counted.of(way))
    if counted.refusals:
        try:
            services.writer.submit(keep_refusals, counted.refusals).result(SECONDS)
        except Exception as error:  # noqa: BLE001 - as above
            failure = error
            left.refusals.update(counted.refusals)
    services.tally.fields.put_back(left)
    if failure is not None:
        raise failure
