"""Inspect an entry of the log: somebody who may looks at one leaf, or at a bundle of them.

Who asked whom, and when, is sensitive without any name; so the look is logged like any other.
"""

from dataclasses import dataclass

from audit import log, published, records
from audit.events import Actor, AuditInspected
from audit.records import LIVE
from audit.tile_store import bundle_at
from exchange.security.tokens import Caller
from exchange.transaction import Outcome, Transaction, by_application
from policies.decision import Refused
from policies.vocabulary import NOBODY, Reason

EVERYTHING = "audit-all"
"""The scope of an oversight auditor; the other one reaches the organisation's own entries."""

_GONE = ("withheld", "shredded", "expired", "lost")


@dataclass(frozen=True, slots=True)
class Inspected:
    """A leaf as it is stored, and what became of the parts beside it.

    Only the holder and an auditor are told what became: that a part was shredded tells that
    there was a person, and it is withheld of everybody else for ever.
    """

    index: int
    leaf: bytes
    parts: tuple[tuple[str, str], ...]


@by_application
def inspect_entry(tx: Transaction, caller: Caller, index: int) -> Outcome[Inspected]:
    """One published entry, to an auditor, or to an organisation that it is about."""
    within = {"shard": tx.shard, "start": index, "stop": index + 1}
    rows = records.index_between(tx.connection, **within)
    mine = f"org:{caller.organisation}"
    told = EVERYTHING in caller.scopes or any(row.provider == mine for row in rows)
    seen = told or any(row.consumer == mine for row in rows)
    found = dict(log.entries(tx.connection, **within)) if seen and index < _size(tx) else {}
    event = _inspected(caller, {"index": index}, found=len(found))
    if not found:
        return Outcome(Refused(Reason.NOT_THE_HOLDER), (event,))
    parts = tuple(
        (part.label, _GONE[part.state if told else LIVE])
        for part in log.parts_of(tx.connection, shard=tx.shard, index=index)
    )
    return Outcome(Inspected(index, found[index], parts), (event,))


@by_application
def inspect_bundle(tx: Transaction, caller: Caller, n: int, width: int) -> Outcome[bytes]:
    """The published leaves under a level-0 tile, to an oversight auditor or a mirror."""
    bundle = bundle_at(tx.connection, shard=tx.shard, size=_size(tx), n=n, width=width)
    event = _inspected(caller, {"bundle": n, "width": width}, found=0 if bundle is None else width)
    value = Refused(Reason.NOT_THE_HOLDER) if bundle is None else bundle
    return Outcome(value, (event,))


def _size(tx: Transaction) -> int:
    """Nothing beyond the last published head is shown to anybody."""
    head = published.latest(tx.connection, shard=tx.shard)
    return 0 if head is None else head.size


def _inspected(caller: Caller, filter: dict[str, str | int], *, found: int) -> AuditInspected:
    return AuditInspected(
        application=caller.application,
        actor=Actor(system=caller.application),
        client=NOBODY,
        consumer=caller.organisation,
        filter=filter,
        found=found,
    )
