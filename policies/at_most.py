"""The most that a grant could let leave on a day: what a client is shown, and what binds.

What comes later (another summary model, purpose profile, agreement, rule) is held against it
and can only take away.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from policies.decision import Decision, Facts, GrantFacts, Precision, ReleaseRequest
from policies.summary_model import summary_model
from policies.vocabulary import FieldId

Levels = frozenset[tuple[FieldId, str]]
"""Every field that may leave, with the finest level that it may leave at."""

Decide = Callable[[ReleaseRequest, Facts], Decision]


def at_most(request: ReleaseRequest, facts: Facts, grant: GrantFacts, decide: Decide) -> Levels:
    """What one grant could let leave by any of the flows, by the decision itself.

    What may be otherwise tomorrow without anybody changing a rule is left out of it: that the
    grant has not begun, that the client restricted the processing, that a text is stopped,
    that there is no care relation yet. So are denials: they hold by themselves, for ever.
    """
    finest: dict[FieldId, str] = {}
    alone = replace(
        facts,
        grants=(replace(grant, ended=None),),
        known=True,
        blocked=False,
        care_relation=True,
        quarantined=frozenset(),
        denied=frozenset(),
    )
    for flow in facts.flows:
        decision = decide(request, replace(alone, flows=(flow,)))
        told = dict(decision.precision)
        for field in decision.fields:
            scale = summary_model().fields[field].precision
            level = told.get(field, scale[0])
            finest[field] = min(level, finest.get(field, level), key=scale.index)
    return frozenset(finest.items())


@lru_cache(maxsize=4096)
def read_levels(levels: Levels) -> tuple[frozenset[FieldId], Precision]:
    """The fields, and the levels of those that have more than one today, sorted by field."""
    known = summary_model().fields
    several = ((f, level) for f, level in levels if f in known and len(known[f].precision) > 1)
    return frozenset(field for field, _ in levels), tuple(sorted(several))
