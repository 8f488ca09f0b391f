"""What is due without anybody asking: commands that the server runs every half minute.

Each takes a transaction alone, does a bounded piece of what is due, and is run again. What a
sweep marks has happened already for whoever decides: deadlines are read, not waited for.
"""

from collections.abc import Callable
from typing import Any

from exchange.flows.close_requests import close_requests
from exchange.flows.end_due_consents import end_due_consents
from exchange.flows.expire_handovers import expire_handovers
from exchange.flows.follow_withdrawals import (
    escalate_recalls,
    finish_withdrawals,
    tell_recipients,
)
from exchange.flows.hold_merged import hold_merged
from exchange.flows.keep_agreements import keep_agreements
from exchange.flows.lapse_consents import lapse_consents
from exchange.transaction import Outcome

Sweep = Callable[..., Outcome[Any]]

SWEEPS: tuple[Sweep, ...] = (
    expire_handovers,
    end_due_consents,
    hold_merged,
    lapse_consents,
    finish_withdrawals,
    tell_recipients,
    escalate_recalls,
    close_requests,
    keep_agreements,
)
"""In this order; one that fails postpones none of the others."""
