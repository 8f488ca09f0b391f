"""Change the key that wraps all others (audit-log.md, section 17): begin, wrap anew, destroy.

The server goes on meanwhile: keys are wrapped anew some at a time, and each step is committed.
A turn that was cut short is gone on with; it has ended when the log names the new key.
"""

from audit import search
from audit.parts import fingerprint
from audit.search import Filter
from exchange import installation
from exchange.flows.rotate_keys import close_rotation, name_kek, rewrap_keys
from exchange.installation import Known
from exchange.key_rings import key_provider
from exchange.operations import Line, OperationRefused
from exchange.security.key_provider import KeyProvider
from exchange.security.keys import (
    KeyRing,
    KeysBehind,
    KeysRefused,
    with_new_epoch,
    without_older_epochs,
)
from exchange.services import SHARD, Services
from exchange.writer import Busy, NotStored
from policies.decision import Refused

LOOKED_AT = 100
"""The newest changes of keys, among which that of a turn that has ended must be."""


def begin(services: Services) -> Line:
    """A new key-encrypting key, and every living key under it. Raises `OperationRefused`."""
    provider = key_provider(services.settings)
    try:
        before = ring = _in_force(services, provider)
        resumed = not _is_told(services, ring)
        if not resumed:
            ring = with_new_epoch(before)
            provider.keep(ring)
        _name(services, provider, ring, before)
    except KeysRefused as refused:
        raise OperationRefused(str(refused)) from None
    wrapped = _finish(services, ring)
    return {"epoch": ring.epoch, "wrapped": wrapped, "destroyed": 0, "resumed": resumed}


def destroy_old(services: Services) -> Line:
    """End the epochs that came before: what they wrapped opens no more, in no backup.

    All hosts are told first which key wraps: none goes on with one that is to end.
    Raises `OperationRefused`.
    """
    provider = key_provider(services.settings)
    try:
        ring = _in_force(services, provider)
        _name(services, provider, ring, ring)
        wrapped, alone = _finish(services, ring), without_older_epochs(ring)
        provider.keep(alone)
    except KeysRefused as refused:
        raise OperationRefused(str(refused)) from None
    services.writer.submit(rewrap_keys, alone).result()
    gone = len(ring.kek) - 1
    return {"epoch": ring.epoch, "wrapped": wrapped, "destroyed": gone}


def _in_force(services: Services, provider: KeyProvider) -> KeyRing:
    """The ring as it is kept. Raises `OperationRefused` when another one wraps for all hosts.

    One epoch ahead of what the hosts were told is that of a turn which was cut short.
    """
    ring, known = provider.read(), _known(services)
    if known is None or ring.epoch > known.kek_epoch:
        return ring
    if ring.wrapping != (known.kek_epoch, known.kek):
        raise OperationRefused(
            "another host rotated the keys; copy its keys.json to this one first"
        )
    return ring


def _name(services: Services, provider: KeyProvider, ring: KeyRing, before: KeyRing) -> None:
    """Tell all hosts which key wraps from now on, unless they know."""
    known = _known(services)
    if known is not None and ring.wrapping == (known.kek_epoch, known.kek):
        return
    services.keys.offer(ring)
    try:
        services.writer.submit(name_kek, ring).result()
    except (Busy, KeysBehind):
        # Nothing was wrapped under it yet, here or elsewhere.
        provider.keep(before)
        raise OperationRefused("the keys can not be rotated now; see: overdracht doctor") from None
    except NotStored:
        # Other hosts may have been told: both rings must stay until that is known.
        raise OperationRefused("it is not known which key wraps now; run it again") from None


def _known(services: Services) -> Known | None:
    with services.database.reading() as connection:
        return installation.known(connection, shard=SHARD)


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
        hits, _ = search.find(connection, shard=SHARD, wanted=wanted, limit=LOOKED_AT)
    newest = fingerprint(ring.kek[ring.epoch])
    return any(each.body["e"]["use"] == "kek" and each.body["e"]["new"] == newest for each in hits)
