"""Show entries in the form of others: a line of JSON each, made on reading, never the record."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import IO, Any, TypeAlias
from urllib.parse import urlsplit

from sqlalchemy import Connection

from audit import log, search, subjects
from audit.fhir_view import audit_event
from audit.leaf import read
from audit.register_view import register_event, registration
from audit.signer import origin_of
from audit.tree import leaf_hash
from audit.views import House, Shown, pseudonym_from
from consent.belgian_time import instant
from exchange import records
from exchange.considering import opened_record
from exchange.services import SHARD, Services
from policies.vocabulary import ClientId

View: TypeAlias = Callable[[Shown, House], Mapping[str, Any] | None]
VIEWS: Mapping[str, View] = {
    "register": register_event,
    "auditregister": registration,
    "fhir": audit_event,
}
"""The forms that there are, by the name they are asked for."""
TELL_OF_INQUIRIES = frozenset({"register", "auditregister"})
"""Those that say of an entry that law keeps it from the client; the others leave it out."""


def write_view(
    services: Services,
    connection: Connection,
    out: IO[bytes],
    *,
    form: str,
    indexes: Iterable[int],
) -> int:
    """Write these entries in this form, one a line; how many there were.

    Users and clients are keyed hashes in it. Logged by the caller.
    """
    house, written = _house(services, connection), 0
    for entry in _shown(services, connection, indexes):
        said = VIEWS[form](entry, house)
        if said is not None:
            out.write(json.dumps(said, ensure_ascii=False).encode() + b"\n")
            written += 1
    return written


def _house(services: Services, connection: Connection) -> House:
    @cache
    def under_inquiry(client: str) -> bool:
        found = records.client_with_id(connection, shard=SHARD, client=ClientId(client))
        known = subjects.counted(connection, shard=SHARD, client=client)
        return (
            known.delayed(instant(services.clock()))
            or "under_inquiry" in opened_record(services.vault, found).flags
        )

    return House(
        origin=origin_of(connection, SHARD),
        organisation=_name(services),
        pseudonym=pseudonym_from(services.keys.blind),
        under_inquiry=under_inquiry,
    )


def _name(services: Services) -> str:
    """What the house is called where an entry names no organisation: its address, as a code."""
    host = urlsplit(services.settings.public_base_url).hostname or "broker"
    return host.replace(".", "-").replace(":", "-")[:40]


def _shown(services: Services, connection: Connection, indexes: Iterable[int]) -> Iterator[Shown]:
    last = (-1, bytes(32))
    for index in indexes:
        start = index if last[0] == index - 1 else index - 1
        found = dict(log.entries(connection, shard=SHARD, start=start, stop=index + 1))
        before = last[1] if start == index else leaf_hash(found[index - 1])
        leaf = found[index]
        body = read(leaf)
        texts = {
            part.label: search.text_of(body, part, services.keys)
            for part in log.parts_of(connection, shard=SHARD, index=index)
        }
        opened = {label: json.loads(text) for label, text in texts.items() if text is not None}
        last = index, leaf_hash(leaf)
        yield Shown(index, leaf, opened, before)
