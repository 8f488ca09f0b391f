"""Change the key that wraps all others (audit-log.md, section 17): begin, wrap anew, destroy.

The server goes on meanwhile: keys are wrapped anew some at a time, and each step is committed.
A turn that was cut short is gone on with; it has ended when the log names the new key.
"""

from audit import search
from audit.parts import fingerprint
from audit.search import Filter
from exchange.flows.rotate_keys import close_rotation, rewrap_keys
from exchange.key_rings import key_provider
from exchange.operations import Line, OperationRefused
from exchange.security.keys import KeyRing, KeysRefused, with_new_epoch, without_older_epochs
from exchange.services import SHARD, Services
from policies.decision import Refused

LOOKED_AT = 100
"""The newest changes of keys, among which that of a turn that has ended must be."""


def begin(services: Services) -> Line:
    """A new key-encrypting key, and every living key under it. Raises `OperationRefused`."""
    provider = key_provider(services.settings)
    try:
        ring = provider.read()
        resumed = not _is_told(services, ring)
        if not resumed:
            ring = with_new_epoch(ring)
            provider.keep(ring)
    except KeysRefused as refused:
        raise OperationRefused(str(refused)) from None
    wrapped = _finish(services, ring)
    return {"epoch": ring.epoch, "wrapped": wrapped, "destroyed": 0, "resumed": resumed}


def destroy_old(services: Services) -> Line:
    """End the epochs that came before: what they wrapped opens no more, in no backup.

    Raises `OperationRefused`.
    """
    provider = key_provider(services.settings)
    try:
        ring = provider.read()
        wrapped, alone = _finish(services, ring), without_older_epochs(ring)
        provider.keep(alone)
    except KeysRefused as refused:
        raise OperationRefused(str(refused)) from None
    services.writer.submit(rewrap_keys, alone).result()
    gone = len(ring.kek) - 1
    return {"epoch": ring.epoch, "wrapped": wrapped, "destroyed": gone}


def _finish(services: Services, ring: KeyRing) -> int:
    """Wrap what is left, and have the log name the key; how many were wrapped anew."""
    wrapped = 0
    after: bytes | None = b""
    while after is not None:
        step = services.writer.submit(rewrap_keys, ring, after).result().value
        if isinstance(step, Refused):
            raise OperationRefused("the keys can not be wrapped now; try again")
        wrapped += step.wrapped
        after = step.last
    if not _is_told(services, ring):
        old = max(epoch for epoch in ring.kek if epoch != ring.epoch)
        services.writer.submit(close_rotation, ring.kek[old], ring.kek[ring.epoch]).result()
    return wrapped


def _is_told(services: Services, ring: KeyRing) -> bool:
    """Whether the log names the ring's newest key, or it never had another."""
    if len(ring.kek) == 1:
        return True
    wanted = Filter(kinds=("key.rotated",))
    with services.database.reading() as connection:
        hits = search.find(connection, shard=SHARD, wanted=wanted, limit=LOOKED_AT)
    newest = fingerprint(ring.kek[ring.epoch])
    return any(each.body["e"]["use"] == "kek" and each.body["e"]["new"] == newest for each in hits)
