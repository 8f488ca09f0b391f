"""Keep counts: what was counted of releases and refusals is added up by month."""

from collections.abc import Mapping

from exchange import field_tallies
from exchange.field_counting import Way
from exchange.transaction import Outcome, Transaction
from policies.proportionality import Times


def keep_releases(tx: Transaction, way: Way, fields: Mapping[str, Times]) -> Outcome[None]:
    """Add the sums of one way to those of the month. Not logged: they are about nobody."""
    field_tallies.add(tx.connection, shard=tx.shard, month=_month(tx), way=way, fields=fields)
    return Outcome(None)


def keep_refusals(tx: Transaction, refusals: Mapping[tuple[str, str, str], int]) -> Outcome[None]:
    """Add how often the answer was no."""
    field_tallies.add_refusals(tx.connection, shard=tx.shard, month=_month(tx), refusals=refusals)
    return Outcome(None)


def _month(tx: Transaction) -> str:
    return f"{tx.day:%Y-%m}"
