"""Rotate the keys of the house: the one that wraps all others, and those that sign the log.

Living keys are wrapped anew, so that old backups open no more: some at a time, each step
committed, so that nobody waits long and a crash is gone on from. A key that signs the log is
named in the log before it signs, and stands in its history for ever.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from audit import log, published
from audit.events import AdminChanged, KeyRotated
from audit.parts import fingerprint
from exchange import directory, ended, installation
from exchange.key_store import Rewrapped
from exchange.security.keys import KeyRing, KeysBehind
from exchange.transaction import Outcome, Transaction

STEP = 200


def name_kek(tx: Transaction, ring: KeyRing) -> Outcome[None]:
    """Tell every host which key wraps from now on: none wraps under an older one after this.

    Raises `KeysBehind` when another host has named one meanwhile.
    """
    epoch, kek = ring.wrapping
    known = installation.known(tx.connection, shard=tx.shard)
    if known is not None and known.kek_epoch >= epoch:
        raise KeysBehind("another host has rotated the keys meanwhile; copy its keys.json")
    installation.keep_kek(tx.connection, shard=tx.shard, epoch=epoch, kek=kek)
    return Outcome(None)


def rewrap_keys(tx: Transaction, ring: KeyRing, after: bytes = b"") -> Outcome[Rewrapped]:
    """Wrap the keys with ids after `after` under the ring's newest epoch, some at a time."""
    return Outcome(tx.keys.rewrap(tx.connection, ring, limit=STEP, after=after))


def close_rotation(tx: Transaction, old: bytes, new: bytes) -> Outcome[None]:
    """Log that the key-encrypting key has changed, by the fingerprints of both."""
    size = log.head(tx.connection, shard=tx.shard).size
    event = KeyRotated(use="kek", old=fingerprint(old), new=fingerprint(new), from_size=size)
    return Outcome(None, (event,))


def name_log_keys(tx: Transaction, pairs: Sequence[tuple[str, str]]) -> Outcome[int]:
    """Log which key follows which (vkeys, old and new); from now on both sign.

    How many are new: asked again, nothing is logged twice.
    """
    shard, connection = tx.shard, tx.connection
    # The first head that the new key can sign is one that covers the leaf which names it.
    size = log.head(connection, shard=shard).size + 1
    known = set(published.signer_keys(connection, shard=shard))
    fresh = [(old, new) for old, new in pairs if new not in known]
    published.keep_signer_keys(connection, [old for old, _ in fresh], shard=shard, from_size=0)
    published.keep_signer_keys(connection, [new for _, new in fresh], shard=shard, from_size=size)
    events = [KeyRotated(use="log", old=old, new=new, from_size=size) for old, new in fresh]
    return Outcome(len(fresh), tuple(events))


def end_log_keys(tx: Transaction, old: Sequence[tuple[str, str]]) -> Outcome[int]:
    """Log that these keys (vkey and key id) sign no more; what they signed goes on opening."""
    size = log.head(tx.connection, shard=tx.shard).size
    for vkey, _ in old:
        published.end_signer_key(tx.connection, vkey, shard=tx.shard, to_size=size)
    events = [AdminChanged(what="log.key", act="destroyed", id=key_id) for _, key_id in old]
    return Outcome(len(events), tuple(events))


def retire_token_key(tx: Transaction, jwk: Mapping[str, Any], overlap: int) -> Outcome[bool]:
    """Note that a key of ours signs no more tokens; those that it signed count `overlap` µs more.

    With no overlap none of them counts any more, in any process: somebody else had the key.
    Whether none does; what was ended before stays so, and is logged but once.
    """
    if any(each["kid"] == jwk["kid"] and end <= tx.now for each, end in tx.directory.token_keys):
        return Outcome(value=True)
    ended.retire_key(tx.connection, shard=tx.shard, jwk=jwk, until=tx.now + overlap)
    directory.moved(tx.connection, shard=tx.shard)
    act = "rotated" if overlap else "destroyed"
    return Outcome(not overlap, (AdminChanged(what="token.key", act=act, id=f"key:{jwk['kid']}"),))
