"""Consents between their rows and what they say: opened, changed, remembered."""

import json
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from consent import records
from consent.belgian_time import instant
from consent.content import Terms, canonical, from_bytes, to_bytes
from consent.ending import due_at
from consent.lifecycle import Stands
from consent.records import ConsentRow
from consent.standing import Said
from policies.vocabulary import ClientId, ConsentId, ConsentState


class Sealing(Protocol):
    """Authenticated encryption under a client's own key. `context` must match to open."""

    def seal(self, client: ClientId, plain: bytes, context: str) -> bytes:
        """The sealed bytes."""

    def open(self, client: ClientId, sealed: bytes, context: str) -> bytes:
        """The plain bytes; raises when key, bytes or context are not those of the sealing."""


def opened(shard: int, row: ConsentRow, sealing: Sealing) -> Said:
    """The consent behind a row. Raises what the sealing raises when they do not belong together."""
    return Said(
        consent=row.id,
        client=row.client,
        controller=row.controller,
        state=ConsentState(row.state),
        suspended=row.suspended,
        given_at=row.given_at,
        renewed_at=row.renewed_at,
        terms=terms_of(shard, row, sealing),
    )


def terms_of(shard: int, row: ConsentRow, sealing: Sealing) -> Terms:
    """What a consent says."""
    return from_bytes(sealing.open(row.client, row.sealed, _stands(shard, row)))


def add(
    connection: Connection,
    shard: int,
    row: ConsentRow,
    terms: Terms,
    *,
    sealing: Sealing,
    receipt: str | None,
) -> None:
    """Add a consent and the beginning of its history."""
    said = to_bytes(terms)
    row = row._replace(sealed=sealing.seal(row.client, said, _stands(shard, row)))
    records.add_consent(connection, shard=shard, row=row, due_at=due(row, terms, row.given_at))
    _remember(connection, shard, row, said, sealing, via=None, receipt=receipt)


def change(
    connection: Connection,
    shard: int,
    row: ConsentRow,
    terms: Terms,
    *,
    at: datetime,
    sealing: Sealing,
    via: str | None = None,
    receipt: str | None = None,
) -> ConsentRow:
    """Bring a consent to how it stands now, one version on, and add that to its history."""
    row = row._replace(version=row.version + 1, changed_at=instant(at))
    said = to_bytes(terms)
    row = row._replace(sealed=sealing.seal(row.client, said, _stands(shard, row)))
    records.change_consent(connection, shard=shard, row=row, due_at=due(row, terms, row.changed_at))
    _remember(connection, shard, row, said, sealing, via=via, receipt=receipt)
    return row


def due(row: ConsentRow, terms: Terms, now: int) -> int | None:
    """From when on somebody must look at it, as it stands."""
    stands = Stands(ConsentState(row.state), row.suspended)
    return due_at(stands, terms, row.renewed_at, now)


def last_receipt(
    connection: Connection, shard: int, row: ConsentRow, sealing: Sealing
) -> str | None:
    """The newest receipt in the history of a consent."""
    for version, sealed in records.changes_of(connection, shard=shard, consent=row.id):
        plain = sealing.open(row.client, sealed, _was(shard, row.id, version))
        receipt: str | None = json.loads(plain)["receipt"]
        if receipt:
            return receipt
    return None


def _remember(
    connection: Connection,
    shard: int,
    row: ConsentRow,
    said: bytes,
    sealing: Sealing,
    *,
    via: str | None,
    receipt: str | None,
) -> None:
    # As `canonical` would write both, without writing the terms a second time.
    plain = b'{"receipt":' + canonical(receipt) + b',"terms":' + said + b"}"
    sealed = sealing.seal(row.client, plain, _was(shard, row.id, row.version))
    records.add_change(connection, shard=shard, row=row, via=via, sealed=sealed)


# Bound to what the row says in plain: nobody can turn `withdrawn` into `given` behind the
# register's back and still have it open. `suspended` is left out: a hold may be put on all
# consents of a restored database at once.
def _stands(shard: int, row: ConsentRow) -> str:
    return (
        f"consent|{shard}|{row.id}|{row.version}|{row.controller}|{row.state}"
        f"|{row.given_at}|{row.renewed_at}"
    )


def _was(shard: int, consent: ConsentId, version: int) -> str:
    return f"consent-change|{shard}|{consent}|{version}"
