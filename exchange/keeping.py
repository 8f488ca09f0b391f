"""What an operator does for the log and the keys: erase a client, rotate, retain.

One function a verb, as in `operations`: plain JSON in, progress lines and one result out.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, TypeAlias

from sqlalchemy.exc import ProgrammingError

from audit import erasure, expiry, log, pruning, published, retention, tallies
from audit.export import Exported, ExportRefused
from audit.pruning import NotOwnedUp
from audit.signer import Frozen, scrub
from consent.belgian_time import day_in, instant, start_of
from exchange import key_rotation, log_rotation, records, token_rotation
from exchange.checkpointing import Elsewhere
from exchange.exporting import (
    client_bundle,
    entries_of_client,
    entries_of_handover,
    handover_bundle,
    range_bundle,
)
from exchange.flows.delay_entries import Delay, delay_entries
from exchange.flows.erase_client import Erased, Erasure, erase_client, finish_erasures
from exchange.flows.expire_parts import expire_parts
from exchange.flows.export_log import Asker, Evidence, export_client, export_handover, export_range
from exchange.flows.prune_log import prune_log, sweep_log
from exchange.notary import witness_policy
from exchange.operations import Line, OperationRefused
from exchange.services import SHARD, Services
from exchange.viewing import TELL_OF_INQUIRIES, write_view
from policies.decision import Refused
from policies.vocabulary import NOBODY, ClientId, Handle, HandoverId, OrganisationId, Reason

OPERATOR = Asker("app:operator")
_OWNER = (
    "this database role may not let entries go: stop the service, and run it once with the"
    " OVERDRACHT_DATABASE_URL of the owner of the tables"
)
_CODE = r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,59}"
_NOT_DELAYED = {
    "client": "there is no such client of this organisation",
    "until": "a delay ends on a day to come, a year from now at most; it can be ordered again",
    "nothing": "nothing is kept from this client now",
    "operator": "another operator must say it too; you have said it already",
}


def clients_erase(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """Erase `client` of `organisation`, on the legal `basis` and `request` (codes, never names)."""
    _codes(asked, "basis", "request")
    order = Erasure(
        holder=OrganisationId(asked["organisation"]),
        client=Handle(asked["client"]),
        basis=asked["basis"],
        request=asked["request"],
    )
    order = replace(order, besides=_unfound(services, order))
    done = services.writer.submit(erase_client, order).result().value
    if isinstance(done, Refused):
        raise OperationRefused(_why(done))
    services.writer.submit(finish_erasures).result()
    emptied = services.database.empty_journal()
    yield _erased(done) | {"journal_emptied": emptied}


def _unfound(services: Services, order: Erasure) -> tuple[int, ...]:
    with services.database.reading() as connection:
        client = records.client_known_as(
            connection, shard=SHARD, organisation=order.holder, handle=order.client
        )
    if client.id == NOBODY or client.holder != order.holder:
        return ()
    key_id = bytes.fromhex(client.id.replace("-", ""))
    return tuple(erasure.unfound(services.database.reading, shard=SHARD, key_id=key_id))


def clients_delay(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """Keep entries about `client` of `organisation` from them `until` a day; without, no more.

    On the order `reference`, once a second `operator` has asked for the same.
    """
    _codes(asked, "reference", "operator")
    day = day_in(asked.get("until"))
    if asked.get("until") and day is None:
        raise OperationRefused("until is a day: 2027-01-31")
    order = Delay(
        holder=OrganisationId(asked["organisation"]),
        client=Handle(asked["client"]),
        until=None if day is None else start_of(day),
        reference=asked["reference"],
        operator=asked["operator"],
    )
    done = services.writer.submit(delay_entries, order).result().value
    if isinstance(done, Refused):
        raise OperationRefused(_NOT_DELAYED[done.details[0]])
    yield {"done": done.done}


def keys_rotate(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """Wrap every living key anew; with `destroy_old`, end the epochs that came before.

    With `use` log: the key that signs the log's heads instead; with tokens: that of tokens.
    """
    if asked.get("use") == "tokens":
        yield token_rotation.rotate(services, compromised=bool(asked.get("compromised")))
        return
    of = log_rotation if asked.get("use") == "log" else key_rotation
    yield of.destroy_old(services) if asked.get("destroy_old") else of.begin(services)


def retention_run(services: Services, _asked: Mapping[str, Any]) -> Iterator[Line]:
    """Let parts expire that have had their time, a stretch of the log at a time.

    Then, where there is a written policy for it, the log's oldest entries.
    """
    total = 0
    while True:
        due = retention.due(max(instant(services.clock()), 0))
        with services.database.reading() as connection:
            found = expiry.stretches(connection, shard=SHARD, due=due)
        gone = services.writer.submit(expire_parts, found).result().value if found else 0
        if not isinstance(gone, int) or not gone:
            break
        total += gone
    pruned = _prune(services)
    emptied = services.database.empty_journal()
    yield {"parts": total, "entries": pruned, "journal_emptied": emptied}


def audit_export(services: Services, asked: Mapping[str, Any]) -> Iterator[Line]:
    """Write to the new file `out`: a range, a client's record, or one handover.

    As a bundle, or `as` the form of others, which is a view and proves nothing by itself.
    """
    if asked.get("as"):
        path = Path(asked["out"])
        with _new_file(path) as out:
            written = _viewed(services, asked, out)
        yield {"file": path.name, "entries": written}
        return
    _signed_here(services)
    path = Path(asked["out"])
    try:
        with _new_file(path) as out:
            made = _bundle(services, asked, out)
    except ExportRefused as refused:
        raise OperationRefused(str(refused)) from None
    yield {
        "file": path.name,
        "size": made.size,
        "entries": made.entries,
        "disclosed": made.disclosed,
        "unreadable": made.unreadable,
    }


def _bundle(services: Services, asked: Mapping[str, Any], out: IO[bytes]) -> Exported:
    wanted = _wanted(services, asked)
    if isinstance(wanted, str):
        return client_bundle(services, out, wanted)
    if isinstance(wanted, Evidence):
        # The entry that names the documents by their hashes must be under the bundle's head.
        if not _signed_here(services):
            raise OperationRefused("export a handover on the host that signs the log")
        return handover_bundle(services, out, asked["handover"], wanted)
    return range_bundle(services, out, *wanted)


def _signed_here(services: Services) -> bool:
    """Sign all that there is by now; elsewhere, what was published last has to serve."""
    try:
        services.checkpointing.once(again=True)
    except Elsewhere:
        return False
    return True


def _viewed(services: Services, asked: Mapping[str, Any], out: IO[bytes]) -> int:
    wanted = _wanted(services, asked)
    with services.database.reading() as connection:
        indexes: Iterable[int]
        if isinstance(wanted, str):
            told = asked["as"] in TELL_OF_INQUIRIES
            indexes = entries_of_client(services, connection, wanted, oversight=told)
        elif isinstance(wanted, Evidence):
            indexes = entries_of_handover(services, connection, asked["handover"], wanted)
        else:
            size = log.head(connection, shard=SHARD).size
            least = tallies.min_index(connection, shard=SHARD)
            start, stop = wanted
            indexes = range(max(start, least), size if stop is None else min(stop, size))
        return write_view(services, connection, out, form=asked["as"], indexes=indexes)


Wanted: TypeAlias = ClientId | Evidence | tuple[int, int | None]
"""A client's record, a handover's evidence, or a range."""


def _wanted(services: Services, asked: Mapping[str, Any]) -> Wanted:
    """What is asked for; that it was asked is logged from here on."""
    submit = services.writer.submit
    if asked.get("client"):
        holder, handle = OrganisationId(asked["organisation"]), Handle(asked["client"])
        client = submit(export_client, OPERATOR, holder, handle).result().value
        if isinstance(client, Refused):
            raise OperationRefused("there is no such client of this organisation")
        return client
    if asked.get("handover"):
        handover = HandoverId(asked["handover"])
        evidence = submit(export_handover, OPERATOR, handover).result().value
        if isinstance(evidence, Refused):
            raise OperationRefused("there is no such handover")
        return evidence
    start, stop = asked.get("from"), asked.get("to")
    if start is None:
        with services.database.reading() as connection:
            start = tallies.min_index(connection, shard=SHARD)
    submit(export_range, OPERATOR, start, stop).result()
    return start, stop


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file for its owner alone, not there before, and not there after a failure."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise OperationRefused(f"{path} can not be written: {error.strerror}") from None
    try:
        with os.fdopen(file, "wb") as stream:
            yield stream
    except BaseException:
        path.unlink(missing_ok=True)
        raise


VERBS: Mapping[str, Callable[[Services, Mapping[str, Any]], Iterator[Line]]] = {
    "audit export": audit_export,
    "clients delay": clients_delay,
    "clients erase": clients_erase,
    "keys rotate": keys_rotate,
    "retention run": retention_run,
}


def _prune(services: Services) -> int:
    """How many entries went; what was said to go in an earlier run goes first of all."""
    policy, submit, total = services.settings.prune_policy, services.writer.submit, 0
    if policy:
        size = _prunable(services)
        submit(prune_log, size, policy).result()
    try:
        while isinstance(gone := submit(sweep_log).result().value, int) and gone:
            total += gone
    except NotOwnedUp as unsaid:
        raise OperationRefused(f"{unsaid}; see: overdracht audit verify") from None
    except ProgrammingError:
        raise OperationRefused(_OWNER) from None
    return total


def _prunable(services: Services) -> int:
    """How many may go: signed, seen by each witness that signs for us, hashed again just now."""
    witnesses = witness_policy(services.settings).witnesses
    before = max(instant(services.clock() - retention.longest()), 0)
    with services.database.reading() as connection:
        seen = published.seen_by_all(connection, witnesses, shard=SHARD)
        least = tallies.min_index(connection, shard=SHARD)
        size = pruning.due(connection, shard=SHARD, before=before, seen=seen).size
        try:
            if size > least:
                scrub(connection, shard=SHARD)
        except Frozen as damaged:
            raise OperationRefused(f"{damaged.why}; see: overdracht audit verify") from None
    return size


def _codes(asked: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if not re.fullmatch(_CODE, asked[name]):
            raise OperationRefused(f"{name} stands in the log for ever: a code, no name, no blanks")


def _erased(done: Erased) -> Line:
    return {"parts": done.parts, "recipients": list(done.recipients)}


def _why(refused: Refused) -> str:
    if refused.reason is Reason.SUBJECT_RESTRICTED:
        return f"law keeps part of this record until {refused.details[0]}; restrict it instead"
    return "there is no such client of this organisation"
