"""What may be asked of a client at all: what agreements and the purpose could ever give."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from policies.agreements import Agreement, in_force
from policies.decision import RecipientFacts
from policies.purposes import profile, purpose
from policies.summary_model import fields_of
from policies.vocabulary import FieldId, OrganisationId, Section


@dataclass(frozen=True, slots=True)
class Question:
    """Some sections for a purpose, for a recipient from whom rules keep `forbidden` back."""

    sections: frozenset[Section]
    purpose: str
    recipient: RecipientFacts
    forbidden: frozenset[Section]

    @property
    def may_be_put(self) -> bool:
        """Whether a grant for the purpose may name an organisation of this kind at all."""
        use = purpose(self.purpose)
        return use is not None and use.accepts(self.recipient.type)

    def within(self, fields: frozenset[FieldId]) -> tuple[Section, ...]:
        """The sections of which something in `fields` could ever leave, in the model's order.

        The purpose must be able to use it, and neither rule nor directory keep it back.
        """
        useful = fields & profile(self.purpose)
        kept = self.recipient.hard_denies | self.forbidden
        only = self.recipient.only_sections
        return tuple(
            each
            for each in Section
            if each in self.sections
            and each not in kept
            and (only is None or each in only)
            and not useful.isdisjoint(fields_of(each))
        )


def reachable(
    agreements: Iterable[Agreement], *, recipient: OrganisationId, purpose: str, on: date
) -> frozenset[FieldId]:
    """All that agreements in force on the day let go to the recipient, whoever the holder is."""
    return frozenset[FieldId]().union(
        *(
            flow.fields
            for agreement in agreements
            for flow in agreement.flows
            if any(flow.covers(holder, recipient, purpose) for holder in flow.from_)
            and in_force(agreement, on)
        )
    )
