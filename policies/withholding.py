"""Why each field that was asked for stays behind: for who may know of it. Pure.

`policies.minimisation` cuts; here is said, field by field, at which cut it fell.
"""

from collections.abc import Iterable, Mapping

from policies.decision import Decision, Facts, ReleaseRequest
from policies.minimisation import asked, granted, usable
from policies.purposes import profile
from policies.summary_model import fields_of
from policies.vocabulary import FieldId, Reason, Section

Withheld = Mapping[str, tuple[FieldId, ...]]
"""Fields that stayed behind, by the code of what held them: a cut, or the `@id` of a rule."""


def kept_fields(
    purpose: str, sections: Iterable[Section], released: frozenset[FieldId]
) -> tuple[FieldId, ...]:
    """Of these sections what the purpose could use and did not get; of one it can not use, all."""
    could_use = profile(purpose)
    found = set[FieldId]()
    for section in sections:
        fields = fields_of(section)
        found |= (fields & could_use or fields) - released
    return tuple(sorted(found))


def withheld(
    request: ReleaseRequest, facts: Facts, decision: Decision, forbidden: Mapping[Section, str]
) -> dict[str, tuple[FieldId, ...]]:
    """Which fields that were asked for stay behind, by the first cut that holds them.

    `forbidden` are the sections that a rule keeps back, with the rule's `@id`. Where everything
    stays although no cut holds a field, it is `kept_back`: the trace says by what.
    """
    given = frozenset[FieldId]().union(
        *(each.fields for each in usable(request, facts).values()),
    )
    of_use = frozenset[FieldId]().union(*granted(request, facts).values())
    flows = (decision.flow,) if decision.flow else facts.flows
    agreed = frozenset[FieldId]().union(*(flow.fields for flow in flows))
    rules = _rules(facts, forbidden)
    found: dict[str, list[FieldId]] = {}
    for each in kept_fields(request.purpose, asked(request), decision.fields):
        section = Section(each.partition(".")[0])
        cuts = (
            (rules.get(section, ""), section in rules),
            ("denied", each in facts.denied),
            ("not_for_this_purpose", each not in profile(request.purpose)),
            ("not_granted", each not in given),
            ("not_for_this_purpose", each not in of_use),
            ("no_agreement", not flows),
            ("not_in_the_agreement", each not in agreed),
            ("kept_back", True),
        )
        found.setdefault(next(why for why, holds in cuts if holds), []).append(each)
    return {why: tuple(fields) for why, fields in sorted(found.items())}


def _rules(facts: Facts, forbidden: Mapping[Section, str]) -> Mapping[Section, str]:
    """The rules by section: those of the overlay, else the directory's limits of the recipient."""
    only, kept = facts.recipient.only_sections, facts.recipient.hard_denies
    limits = {each for each in Section if each in kept or (only is not None and each not in only)}
    return dict.fromkeys(limits, str(Reason.SITE_RULE)) | dict(forbidden)
