"""Make bundles: what was asked for is logged, a head is chosen, and the bundle is written."""

from collections.abc import Mapping
from typing import IO, Any

from sqlalchemy import Connection

from audit import export, published, search
from audit.export import Exported, ExportRefused, Source
from audit.policy import Policy
from audit.search import Filter, Hit
from consent.belgian_time import instant
from exchange.flows.export_log import Evidence
from exchange.notary import witness_policy
from exchange.services import SHARD, VERSION, Services
from policies.vocabulary import ClientId

SHOWN = frozenset({"s", "y"})
"""What a client's own record shows: what happened and why; which member of staff it was is not
theirs to be told."""
_ABOUT_CONSENT = ("consent.", "notice.")


def range_bundle(services: Services, out: IO[bytes], start: int, stop: int | None) -> Exported:
    """Entries by their places, and of their parts only what is gone. Logged by the caller."""
    with services.database.reading() as connection:
        source = _source(services, connection, frozenset())
        return export.export_range(source, out, start=start, stop=stop)


def client_bundle(
    services: Services, out: IO[bytes], client: ClientId, *, oversight: bool = False
) -> Exported:
    """Everything about one client, so that it can be shown to be everything.

    What law keeps from the client for a time is in it for `oversight` alone.
    """
    with services.database.reading() as connection:
        source = _source(services, connection, SHOWN)
        indexes = entries_of_client(services, connection, client, oversight=oversight)
        return export.export_selection(source, out, indexes=indexes, filters={"client": "whole"})


def handover_bundle(
    services: Services, out: IO[bytes], handover: str, evidence: Evidence
) -> Exported:
    """One handover: its entries, those of the consents it rested on, and their documents."""
    with services.database.reading() as connection:
        source = _source(services, connection, SHOWN)
        return export.export_selection(
            source,
            out,
            indexes=entries_of_handover(services, connection, handover, evidence),
            filters={"handover": handover},
            evidence=evidence.documents,
        )


def entries_of_client(
    services: Services, connection: Connection, client: ClientId, *, oversight: bool = False
) -> list[int]:
    """The places of everything about one client; but for `oversight`, of what they may be shown."""
    wanted = Filter(subject=services.keys.blind("sub", client))
    places = search.indexes(connection, shard=SHARD, wanted=wanted)
    hidden = frozenset[int]() if oversight else _kept_back(services, connection, client)
    return [place for place in places if place not in hidden]


def entries_of_handover(
    services: Services, connection: Connection, handover: str, evidence: Evidence
) -> list[int]:
    """The places of one handover's entries, and of those of the consents it rested on.

    Without what law keeps from the client: it is evidence for them too.
    """
    client, keys, now = evidence.client, services.keys, instant(services.clock())
    hits = search.timeline(connection, shard=SHARD, client=client, keys=keys, shown_at=now).hits
    said = search.opened(connection, shard=SHARD, hits=hits, labels=("y",), keys=keys)
    return [
        hit.index
        for hit in hits
        if _belongs(hit, said[hit.index].get("y", {}), handover, evidence.consents)
    ]


def _kept_back(services: Services, connection: Connection, client: ClientId) -> frozenset[int]:
    now = instant(services.clock())
    return search.kept_back(connection, shard=SHARD, client=client, keys=services.keys, at=now)


def policy_text(connection: Connection, witnesses: Policy, receipts: str) -> str:
    """Whom to believe about this log: its keys, its witnesses, and how many of them.

    `receipts` is the key of the log's receipts. It has another name than the log, so that no
    head can be signed with it.
    """
    vkeys = [*published.signer_keys(connection, shard=SHARD), receipts]
    lines = [f"log {vkey}" for vkey in vkeys]
    for name, each in witnesses.witnesses.items():
        lines.append(f"witness {name} {each.key.text} {each.url}".rstrip())
    for name, (least, members) in witnesses.groups.items():
        lines.append(f"group {name} {least} {' '.join(members)}")
    return "\n".join([*lines, f"quorum {witnesses.quorum}", ""])


def _belongs(hit: Hit, detail: Mapping[str, Any], handover: str, consents: frozenset[str]) -> bool:
    about_consent = str(hit.body["k"]).startswith(_ABOUT_CONSENT)
    rests_on = about_consent and str(detail.get("consent", "")) in consents
    return detail.get("handover") == handover or rests_on


def _source(services: Services, connection: Connection, labels: frozenset[str]) -> Source:
    head = published.latest(connection, shard=SHARD)
    if head is None:
        raise ExportRefused("nothing was signed yet; run: overdracht audit checkpoint")
    lines = published.cosigned(connection, shard=SHARD, size=head.size)
    note = head.note + "".join(each.line for each in lines)
    policy = policy_text(
        connection, witness_policy(services.settings), services.receipt_key.vkey.text
    )
    return Source(
        connection, SHARD, note.encode(), policy, f"overdracht {VERSION}", services.keys, labels
    )
