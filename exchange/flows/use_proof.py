"""Use up a proof: for what a caller may look at without a command of its own."""

from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application


@by_application
def use_proof(tx: Transaction, caller: Caller) -> Outcome[None]:
    """Nothing more: that the application is live and the proof new is seen to around it."""
    return Outcome(None)
