"""In whose name an application acts: its own organisation's, or that of one it processes for."""

from exchange.security.tokens import Caller
from exchange.transaction import Transaction
from policies.decision import Decision, FlowFacts, RecipientFacts, ReleaseRequest
from policies.delegation import Instruction, instruction, together
from policies.gates import Decider
from policies.purposes import is_prohibited
from policies.vocabulary import OrganisationId, OrganisationType, Reason

STRANGER = RecipientFacts(
    type=OrganisationType.PARTNERSHIP,
    accredited=False,
    in_eea=False,
    insz_authorised=False,
    secrecy=False,
    only_sections=frozenset(),
)
"""What we say of an organisation that is not in the directory: nothing that opens a gate."""


def acts_for(
    tx: Transaction, caller: Caller, on_behalf_of: OrganisationId | None, purpose: str
) -> OrganisationId | None:
    """The organisation that the caller acts for; nothing, when none said that it may.

    Read under the lock: an agreement that ends, ends this with it. It tells nothing of any
    client, only what stands in the register of agreements.
    """
    mine = OrganisationId(caller.organisation)
    if on_behalf_of is None or on_behalf_of == mine:
        return mine
    return on_behalf_of if instructed(tx, mine, on_behalf_of, purpose) else None


def instructed(
    tx: Transaction, processor: OrganisationId, controller: OrganisationId, purpose: str
) -> Instruction | None:
    """What the one may do in the other's name on this day; nothing, when that is nothing."""
    return instruction(
        tx.directory.agreements,
        processor=processor,
        controller=controller,
        purpose=purpose,
        on=tx.day,
    )


def not_instructed(purpose: str) -> Decision:
    """The no to who acts in a name that nobody gave them: told openly, whoever the client is."""
    prohibited = is_prohibited(purpose)
    reason = Reason.PURPOSE_PROHIBITED if prohibited else Reason.NO_ACTIVE_PROTOCOL
    return Decision(reason, reason, ())


def capacity(function: str, controller: OrganisationId | None) -> str:
    """In which function somebody acts, and in whose name where that is not their own house."""
    return function if controller is None else f"{function}, on behalf of org:{controller}"


def in_its_name(
    tx: Transaction,
    decider: Decider,
    request: ReleaseRequest,
    recipient: RecipientFacts,
    flows: tuple[FlowFacts, ...],
) -> tuple[RecipientFacts, tuple[FlowFacts, ...]]:
    """Recipient and flows as far as the processor reaches too that asks in its name."""
    processor = request.processor or OrganisationId("")
    mine = tx.directory.recipient(processor, tx.day) or STRANGER
    told = instructed(tx, processor, request.recipient, request.purpose)
    both = together(recipient, mine, decider.forbidden(mine, request.purpose))
    return both, () if told is None else tuple(map(told.narrowed, flows))
