"""Note who failed to say who they are: one entry for each application, about a minute."""

from audit.events import AuthFailures
from exchange.transaction import Outcome, Transaction


def note_failures(_: Transaction, counted: list[tuple[str, int]]) -> Outcome[int]:
    """Log how often each failed; how many entries that makes."""
    events = tuple(AuthFailures(app=application, n=n) for application, n in counted)
    return Outcome(len(events), events)
