"""When "not available" is told: at a step of the clock, whatever it took to find out.

Nobody and somebody who said no cost the same statements, keys and entries, but never to the
microsecond. So the answer waits for the next step since the request was there whole: what is left
to tell is the precision of a timer, and that knows of no client.
"""

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any

STEP = 0.010
"""Seconds between two moments at which a refusal may leave: ten times what one takes."""

_EXACT = 0.002
"""Seconds before such a moment from which on a thread waits: an event loop counts milliseconds."""

_AWAKE = 0.0003
"""Seconds before the moment from which on that thread does not sleep any more."""

_WHOLE = "overdracht.whole"


def came_whole(scope: MutableMapping[str, Any]) -> None:
    """The request of this scope is here, as far as it is known: from now on the steps count.

    Called again when its body has been read: else a sender who delays the last byte would
    choose the moment at which our own work straddles a step.
    """
    scope[_WHOLE] = time.perf_counter()


async def next_step(scope: MutableMapping[str, Any]) -> None:
    """Wait for the step after now."""
    whole, now = scope.get(_WHOLE, 0.0), time.perf_counter()
    step = whole + ((now - whole) // STEP + 1) * STEP
    if step - now > _EXACT:
        await asyncio.sleep(step - now - _EXACT)
    await asyncio.to_thread(_until, step)


def _until(moment: float) -> None:
    time.sleep(max(0.0, moment - _AWAKE - time.perf_counter()))
    while time.perf_counter() < moment:
        pass  # how long a thread takes to wake depends on how long it slept
