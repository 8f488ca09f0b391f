"""What an operator does for the log and the keys: erase a client, rotate, retain.

One function a verb, as in `operations`: plain JSON in, progress lines and one result out.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from exchange.flows.erase_client import Erased, Erasure, erase_client, finish_erasures
from exchange.flows.rotate_keys import close_rotation, rewrap_keys
from exchange.operations import Line, OperationRefused
from exchange.security.keys import (
    KeyRing,
    read_key_ring,
    replace_key_ring,
    with_new_epoch,
    without_older_epochs,
)
from exchange.services import Services
from policies.decision import Refused
from policies.vocabulary import Handle, OrganisationId, Reason

_CODE = r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,59}"


def clients_erase(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """Erase `client` of `organisation`, on the legal `basis` and `request` (codes, never names)."""
    for name in ("basis", "request"):
        if not re.fullmatch(_CODE, asked[name]):
            raise OperationRefused(f"{name} stands in the log for ever: a code, no name, no blanks")
    order = Erasure(
        holder=OrganisationId(asked["organisation"]),
        client=Handle(asked["client"]),
        basis=asked["basis"],
        request=asked["request"],
    )
    done = services.writer.submit(erase_client, order).result().value
    if isinstance(done, Refused):
        raise OperationRefused(_why(done))
    services.writer.submit(finish_erasures).result()
    emptied = services.database.empty_journal()
    yield _erased(done) | {"journal_emptied": emptied}


def keys_rotate(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """Wrap every living key anew; with `destroy_old`, end the epochs that came before."""
    path = services.settings.data_dir / "keys.json"
    before = read_key_ring(path)
    if asked.get("destroy_old"):
        wrapped = _rewrap(services, before)
        replace_key_ring(without_older_epochs(before), path)
        services.writer.submit(rewrap_keys, read_key_ring(path)).result()
        yield {"epoch": before.epoch, "wrapped": wrapped, "destroyed": len(before.kek) - 1}
        return
    ring = with_new_epoch(before)
    replace_key_ring(ring, path)
    wrapped = _rewrap(services, ring)
    keks = before.kek[before.epoch], ring.kek[ring.epoch]
    services.writer.submit(close_rotation, *keks).result()
    yield {"epoch": ring.epoch, "wrapped": wrapped, "destroyed": 0}


VERBS: Mapping[str, Callable[[Services, Mapping[str, Any]], Iterator[Line]]] = {
    "clients erase": clients_erase,
    "keys rotate": keys_rotate,
}


def _rewrap(services: Services, ring: KeyRing) -> int:
    total = 0
    while step := services.writer.submit(rewrap_keys, ring).result().value:
        total += step if isinstance(step, int) else 0
    return total


def _erased(done: Erased) -> Line:
    return {"parts": done.parts, "recipients": list(done.recipients)}


def _why(refused: Refused) -> str:
    if refused.reason is Reason.SUBJECT_RESTRICTED:
        return f"law keeps part of this record until {refused.details[0]}; restrict it instead"
    return "there is no such client of this organisation"
