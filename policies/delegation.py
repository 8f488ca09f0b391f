"""A processor that acts for a controller: never in its own name, never further than both reach."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from policies.agreements import Agreement, in_force
from policies.decision import FlowFacts, Precision, RecipientFacts
from policies.summary_model import summary_model
from policies.vocabulary import FieldId, Operation, OrganisationId, Section


@dataclass(frozen=True, slots=True)
class Instruction:
    """What the agreements in force let a processor do for a controller, for one purpose."""

    fields: frozenset[FieldId]
    operations: frozenset[Operation]
    caps: Precision = ()
    keep_months: int | None = None
    onward: bool = False
    origin_masking: bool = False

    def narrowed(self, flow: FlowFacts) -> FlowFacts:
        """What of a flow to the controller its processor may take: of two limits the stricter."""
        return replace(
            flow,
            fields=flow.fields & self.fields,
            operations=flow.operations & self.operations,
            caps=_coarsest(flow.caps, self.caps),
            keep_months=_shortest(flow.keep_months, self.keep_months),
            onward=flow.onward and self.onward,
            origin_masking=flow.origin_masking or self.origin_masking,
        )


def instruction(
    agreements: Iterable[Agreement],
    *,
    processor: OrganisationId,
    controller: OrganisationId,
    purpose: str,
    on: date,
) -> Instruction | None:
    """What the controller lets the processor do; nothing, without an agreement that says so.

    It says so in a flow from the one, a controller or joint controller, to the other, whose
    role is that of processor (GDPR, article 28(3)).
    """
    flows = [
        flow
        for agreement in agreements
        for flow in agreement.flows
        if flow.instructs and flow.runs(controller, processor, purpose) and in_force(agreement, on)
    ]
    if not flows:
        return None
    return Instruction(
        fields=frozenset[FieldId]().union(*(each.fields for each in flows)),
        operations=frozenset[Operation]().union(*(each.operations for each in flows)),
        caps=_coarsest(*(each.precision_caps for each in flows)),
        keep_months=_shortest(*(each.keep_months for each in flows)),
        onward=all(each.onward for each in flows),
        origin_masking=any(each.origin_masking for each in flows),
    )


def _coarsest(*caps: Precision) -> Precision:
    """Each field that is capped, at the coarsest level that somebody says; sorted by field."""
    strictest: dict[FieldId, str] = {}
    for field, level in sorted(pair for each in caps for pair in each):
        levels = summary_model().fields[field].precision
        strictest[field] = max(level, strictest.get(field, level), key=levels.index)
    return tuple(strictest.items())


def _shortest(*months: int | None) -> int | None:
    return min((each for each in months if each is not None), default=None)


def together(
    controller: RecipientFacts, processor: RecipientFacts, forbidden: frozenset[Section]
) -> RecipientFacts:
    """The controller as the gates see it with its processor at its side: what both may.

    `forbidden` are the sections that some rule keeps back from the processor itself.
    """
    only = [each.only_sections for each in (controller, processor)]
    said = [each for each in only if each is not None]
    return RecipientFacts(
        type=controller.type,
        accredited=controller.accredited and processor.accredited,
        in_eea=controller.in_eea and processor.in_eea,
        insz_authorised=controller.insz_authorised and processor.insz_authorised,
        secrecy=controller.secrecy and processor.secrecy,
        hard_denies=controller.hard_denies | processor.hard_denies | forbidden,
        only_sections=frozenset.intersection(*said) if said else None,
    )
