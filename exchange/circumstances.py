"""What is known of a client that a consent is held against: their age, and whether they are free.

It comes from what the holder itself told of them. What is not known is nothing, never a guess.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from consent.belgian_time import day_in
from exchange import records
from exchange.considering import opened, record_of
from exchange.records import KnownClient
from exchange.transaction import Transaction
from policies.vocabulary import Section


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The birth date, if it is known, and whether the client is known to be detained."""

    born: date | None
    detained: bool


def circumstances_of(
    tx: Transaction, client: KnownClient, sections: Iterable[records.SealedSection] | None = None
) -> Circumstances:
    """As the holder told them. Where two birth dates differ, the later: a minor is safer.

    `sections` are the client's, when they were read already.
    """
    if sections is None:
        sections = records.sealed_sections(tx.connection, shard=tx.shard, client=client.id)
    told: list[object] = [record_of(tx, client).identity.get("birth_date")]
    detained = False
    for each in sections:
        if each.section == Section.IDENT:
            told.append(_value(tx, client, each, "birth_date"))
        elif each.section == Section.JUSTICE:
            detained = _value(tx, client, each, "in_detention") is True
    return Circumstances(max(filter(None, map(day_in, told)), default=None), detained)


def _value(
    tx: Transaction, client: KnownClient, section: records.SealedSection, field: str
) -> object:
    return opened(tx, client, section).get(field, {}).get("value")
