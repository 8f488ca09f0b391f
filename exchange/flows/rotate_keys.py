"""Rotate the key-encrypting key: living keys are wrapped anew, so that old backups open no more.

Some keys at a time, each step committed: nobody waits long, and a crash is gone on from.
"""

from audit import log
from audit.events import KeyRotated
from audit.parts import fingerprint
from exchange.security.keys import KeyRing
from exchange.transaction import Outcome, Transaction

STEP = 200


def rewrap_keys(tx: Transaction, ring: KeyRing) -> Outcome[int]:
    """Wrap some more keys under the ring's newest epoch; how many, and 0 when all of them are."""
    return Outcome(tx.keys.rewrap(tx.connection, ring, STEP))


def close_rotation(tx: Transaction, old: bytes, new: bytes) -> Outcome[None]:
    """Log that the key-encrypting key has changed, by the fingerprints of both."""
    size = log.head(tx.connection, shard=tx.shard).size
    event = KeyRotated(use="kek", old=fingerprint(old), new=fingerprint(new), from_size=size)
    return Outcome(None, (event,))
