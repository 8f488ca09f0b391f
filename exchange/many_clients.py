"""Many clients at once: each question and each table takes one statement, however many they are.

Never commits. Statements are on the tables of `exchange.records`, and only imports need them.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlmodel import col

from audit.rows import Added
from exchange.records import Client, Commitment, KnownAs, SealedSection, SummarySection
from policies.vocabulary import ClientId, Handle, OrganisationId, Section


class NewClient(NamedTuple):
    """Somebody to be registered, with a first summary. `sealed`: identity and flags."""

    id: ClientId
    wrapped_key: bytes
    handle: Handle
    sealed: bytes


class NewSections(NamedTuple):
    """Sections of one client, sealed as this version."""

    client: ClientId
    version: int
    sealed: Mapping[Section, bytes]


_COMMITTED = select(col(Commitment.value), col(Commitment.client)).where(
    col(Commitment.shard) == bindparam("shard"),
    col(Commitment.value).in_(bindparam("values", expanding=True)),
)
_VERSIONS = select(col(Client.id), col(Client.summary_version)).where(
    col(Client.shard) == bindparam("shard"),
    col(Client.id).in_(bindparam("clients", expanding=True)),
)
_SECTIONS = select(
    col(SummarySection.client),
    col(SummarySection.section),
    col(SummarySection.version),
    col(SummarySection.scanned),
    col(SummarySection.sealed),
).where(
    col(SummarySection.shard) == bindparam("shard"),
    col(SummarySection.client).in_(bindparam("clients", expanding=True)),
)
_DROP_SECTIONS = delete(SummarySection).where(
    col(SummarySection.shard) == bindparam("of_shard"),
    col(SummarySection.client) == bindparam("of_client"),
    col(SummarySection.section) == bindparam("of_section"),
)
_SET_VERSION = (
    update(Client)
    .where(col(Client.shard) == bindparam("of_shard"), col(Client.id) == bindparam("of_client"))
    .values(summary_version=bindparam("new_version"))
)
_CLIENTS, _HANDLES, _COMMITMENTS = Added(Client), Added(KnownAs), Added(Commitment)
_ADD_SECTIONS = Added(SummarySection)
_SECTION = {section.value: section for section in Section}


def clients_committed_to(
    connection: Connection, *, shard: int, values: Collection[bytes]
) -> dict[bytes, ClientId]:
    """Whom an organisation registered under each of these commitments, where it did."""
    rows = connection.execute(_COMMITTED, {"shard": shard, "values": list(values)})
    return {bytes(value): ClientId(client) for value, client in rows}


def summary_versions(
    connection: Connection, *, shard: int, clients: Collection[ClientId]
) -> dict[ClientId, int]:
    """Which version of their summary these clients have; 0 before the first."""
    if not clients:
        return {}
    rows = connection.execute(_VERSIONS, {"shard": shard, "clients": list(clients)})
    return {ClientId(client): version for client, version in rows}


def sections_of(
    connection: Connection, *, shard: int, clients: Collection[ClientId]
) -> dict[ClientId, list[SealedSection]]:
    """Every section of these clients' summaries, still sealed."""
    found: dict[ClientId, list[SealedSection]] = {client: [] for client in clients}
    if found:
        rows = connection.execute(_SECTIONS, {"shard": shard, "clients": list(found)})
        for client, section, version, scanned, sealed in rows:
            held = SealedSection(_SECTION[section], version, scanned, sealed)
            found[ClientId(client)].append(held)
    return found


def add_clients(
    connection: Connection,
    new: Sequence[NewClient],
    *,
    shard: int,
    holder: OrganisationId,
    at: int,
) -> None:
    """Register clients whom nobody knew. Their summaries, of version 1, are for the caller."""
    _CLIENTS.to(connection, [(shard, each.id, holder, 1, at, each.sealed) for each in new])
    _HANDLES.to(connection, [(shard, holder, each.handle, each.id) for each in new])


def add_commitments(connection: Connection, new: Mapping[bytes, ClientId], *, shard: int) -> None:
    """Remember by which commitments these clients are found again."""
    _COMMITMENTS.to(connection, [(shard, value, client) for value, client in new.items()])


def add_sections(
    connection: Connection, new: Sequence[NewSections], *, shard: int, scanned: str, at: int
) -> None:
    """Store sections, each client's as one version; sections not named stay as they were."""
    gone: list[dict[str, Any]] = [
        {"of_shard": shard, "of_client": each.client, "of_section": section}
        for each in new
        if each.version > 1
        for section in each.sealed
    ]
    if gone:
        connection.execute(_DROP_SECTIONS, gone)
    rows = [
        (shard, each.client, section.value, each.version, scanned, at, box)
        for each in new
        for section, box in each.sealed.items()
    ]
    _ADD_SECTIONS.to(connection, rows)


def set_summary_versions(
    connection: Connection, versions: Mapping[ClientId, int], *, shard: int
) -> None:
    """Say which version of their summary these clients have now."""
    rows = [
        {"of_shard": shard, "of_client": client, "new_version": version}
        for client, version in versions.items()
    ]
    if rows:
        connection.execute(_SET_VERSION, rows)
