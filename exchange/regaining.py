"""Go on with the log after a loss, from a mirror (audit-log.md, section 14): no entry is missing.

What is personal is on no mirror. What could be made again, and what not, is told in numbers.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import Connection

from audit import erasure, log, published, subjects
from audit.checkpoints import Checkpoint, read_checkpoint
from audit.events import AdminChanged, PartsLost
from audit.log import Head, NotOpened, Recorded
from audit.mirror import Fetch, MirrorRefused, mirrored_head, mirrored_leaves
from audit.notes import read_note
from audit.parts import NOBODY
from audit.regaining import People, Regained, Surveyed, regain, survey
from audit.sealing import text_of
from audit.signer import origin_of
from audit.verify import Bundle, Unfit
from consent.belgian_time import time_of
from exchange import installation
from exchange.database import take_all_the_time
from exchange.flows.suspend_consents import suspend_consents
from exchange.forgetting import forget_client
from exchange.notary import witness_policy
from exchange.operations import OperationRefused
from exchange.restoring import WAIT, last_head, transaction_for
from exchange.services import SHARD, Services
from exchange.witnesses import Witnesses
from policies.vocabulary import ClientId

_THIS_HOST = re.compile(r"http://(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]+)?(/.*)?")
MOST_BYTES = 256 * (2**16 + 1)
"""Bytes of the largest bundle of entries that there can be."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What stands again and what does not, in numbers.

    `kinds` are the entries whose effect on consents, clients and handovers is not in the tables.
    """

    first: int
    entries: int
    sealed: Counter[str]
    lost: Counter[str]
    kinds: Counter[str]
    forgotten: int
    suspended: int


def from_mirror(services: Services, fetch: Fetch, *, operator: str) -> Restored:
    """Append what is missing, byte for byte, once all of it is proven; all of it or nothing.

    Raises `OperationRefused`. Afterwards the services must be built anew.
    """
    before, origin = _standing(services, fetch)
    if services.admission.frozen is None and before.size:
        raise OperationRefused("the log is the one that was signed; there is nothing to mend")
    services.writer.close()  # its connection is the one that can write
    try:
        head, roots = _proven_heads(services, fetch, before, origin)
        found = survey(before, mirrored_leaves(fetch, before.size, head.size), roots)
        ready = time_of(found.last_t) + WAIT
        if services.clock() < ready:
            raise OperationRefused(
                f"proofs of the lost range must run out; again from {ready:%H:%M}"
            )
        leaves = mirrored_leaves(fetch, before.size, head.size)
        return _written(services, before, origin, found, leaves, operator)
    except MirrorRefused as refused:
        raise OperationRefused(f"this mirror does not serve: {refused}") from None


def _standing(services: Services, fetch: Fetch) -> tuple[Head, str]:
    """Where the log stands, and its name; with the whole database lost, the mirror's."""
    with services.database.reading() as connection:
        try:
            return log.head(connection, shard=SHARD), origin_of(connection, SHARD)
        except NotOpened:
            origin, epoch = _named(fetch)
            return Head(SHARD, epoch, 0, (), 0), origin


def _proven_heads(
    services: Services, fetch: Fetch, before: Head, origin: str
) -> tuple[Checkpoint, dict[int, bytes]]:
    """The mirror's head, and the root that the log must have at every size somebody vouches for."""
    policy = witness_policy(services.settings)
    with services.database.reading() as connection:
        last = last_head(services, connection, origin)
        history = published.key_history(connection, shard=SHARD)
    vkeys = [*(each.vkey for each in history), *services.checkpointing.vkeys]
    head = mirrored_head(fetch, vkeys, policy)
    if head.origin != origin:
        raise MirrorRefused("it holds another log")
    known = [Checkpoint(last.origin, last.size, last.root), head]
    known += Witnesses(policy).known_heads(origin, vkeys)
    longest = max(each.size for each in known)
    if head.size < longest or head.size <= before.size:
        raise MirrorRefused(f"it has {head.size} entries, and {longest} were signed")
    return head, _roots(known, before)


def _roots(known: Sequence[Checkpoint], before: Head) -> dict[int, bytes]:
    roots: dict[int, bytes] = {}
    for each in known:
        if each.size > before.size and roots.setdefault(each.size, each.root) != each.root:
            raise MirrorRefused(f"two heads of {each.size} entries were signed")
    return roots


def _written(
    services: Services,
    before: Head,
    origin: str,
    found: Surveyed,
    leaves: Iterator[bytes],
    operator: str,
) -> Restored:
    keys, stored = services.keys, False
    try:
        with services.database.writing(shard=SHARD) as connection:
            take_all_the_time(connection)
            _open(connection, before, origin)
            living = keys.living(connection)
            counts = subjects.counts(connection, shard=SHARD)
            gone = [each for each in counts if each != NOBODY and each not in living]
            if len(gone) > len(found.erased):
                raise OperationRefused(
                    f"{len(gone)} keys are missing, and {len(found.erased)} clients were erased;"
                    " put the wrapped keys back first"
                )
            erased = sum(found.erased) - sum(_forget(connection, each) for each in gone)
            people = People(keys, living, counts)
            made = regain(connection, leaves, after=before, people=people, erased=erased)
            _keep_log_keys(connection, found)
            suspended = _own_up(services, connection, made, before, operator)
            installation.thaw(connection, shard=SHARD)
            keys.flush(connection)
        stored = True
    finally:
        keys.settle(stored=stored)
    return Restored(
        first=before.size,
        entries=made.entries,
        sealed=made.sealed,
        lost=made.lost,
        kinds=found.kinds,
        forgotten=len(gone),
        suspended=suspended,
    )


def _forget(connection: Connection, key_id: bytes) -> int:
    """Whose key was destroyed in the lost range is erased again; how many parts that took."""
    client = ClientId(text_of(key_id))
    forget_client(connection, shard=SHARD, client=client)
    besides = erasure.unfound(lambda: nullcontext(connection), shard=SHARD, key_id=key_id)
    return erasure.shred(connection, shard=SHARD, key_id=key_id, besides=besides)


def _keep_log_keys(connection: Connection, found: Surveyed) -> None:
    for index, said in found.log_keys:
        if said.get("use") == "log":
            published.keep_signer_keys(connection, [said["old"]], shard=SHARD, from_size=0)
            published.keep_signer_keys(
                connection, [said["new"]], shard=SHARD, from_size=said["from"]
            )
        elif said.get("act") == "destroyed":
            for vkey in published.signer_keys(connection, shard=SHARD):
                if vkey.split("+")[1] == said["id"]:
                    published.end_signer_key(connection, vkey, shard=SHARD, to_size=index)


def _own_up(
    services: Services, connection: Connection, made: Regained, before: Head, operator: str
) -> int:
    """Log what is lost and who did this, and hold every consent; how many those are."""
    tx = transaction_for(services, connection, made.head.last_t)
    held = suspend_consents(tx, "log.restored")
    lost = sum(made.lost.values())
    said = [PartsLost(n=lost, from_size=before.size, to=made.head.size)] if lost else []
    done = AdminChanged(what="log", act="restored", id=operator)
    events = [Recorded(each, "") for each in (*said, done)] + held.recorded()
    log.append(
        connection,
        events,
        after=made.head,
        at=tx.at,
        keys=services.keys,
        policy=services.policy,
    )
    return held.value if isinstance(held.value, int) else 0


def _open(connection: Connection, before: Head, origin: str) -> None:
    """A lost log begins under its name again, with its entries or not at all."""
    try:
        log.head(connection, shard=SHARD)
    except NotOpened:
        log.open_log(connection, shard=SHARD, origin=origin, epoch=before.epoch)


def named(fetch: Fetch) -> str:
    """The name of the log that the mirror shows; nothing is proven yet.

    Raises `OperationRefused`.
    """
    return _named(fetch)[0]


def _named(fetch: Fetch) -> tuple[str, int]:
    try:
        note = read_note(fetch("checkpoint"))
    except MirrorRefused as refused:
        raise OperationRefused(f"this mirror does not serve: {refused}") from None
    head = None if note is None else read_checkpoint(note.text)
    epoch = None if head is None else re.fullmatch(r".+/s0e([1-9][0-9]{0,8})", head.origin)
    if head is None or epoch is None:
        raise OperationRefused("this mirror does not serve: it shows no checkpoint of such a log")
    return head.origin, int(epoch[1])


def fetching(source: str, token: str = "") -> Fetch:
    """What a folder, a bundle of a range, or an address holds. Raises `OperationRefused`.

    What is given raises `MirrorRefused` when the mirror does not answer, or can not be read.
    """
    if source.startswith(("https://", "http://")):
        if token and not _is_private(source):
            raise OperationRefused("a token goes out over https:// alone; nobody may read it")
        return _answering(_from_address(source.rstrip("/") + "/", token))
    path = Path(source)
    if path.is_dir():
        return _answering(
            lambda name: (path / name).read_bytes() if (path / name).is_file() else None
        )
    try:
        return _answering(Bundle(path).read)
    except (Unfit, OSError) as error:
        raise OperationRefused(f"{path} is no mirror: {error}") from None


def _is_private(address: str) -> bool:
    """Whether nobody on the way can read what is sent: over TLS, or to this very host."""
    return address.startswith("https://") or _THIS_HOST.fullmatch(address) is not None


def _answering(fetch: Fetch) -> Fetch:
    def asked(name: str) -> bytes | None:
        try:
            return fetch(name)
        except (httpx2.HTTPError, httpx2.InvalidURL, Unfit, OSError) as error:
            raise MirrorRefused(f"its {name} can not be read ({type(error).__name__})") from None

    return asked


def _from_address(prefix: str, token: str) -> Fetch:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    options: Any = {"timeout": 30.0, "trust_env": False, "follow_redirects": False}

    def fetch(name: str) -> bytes | None:
        with (
            httpx2.Client(**options) as client,
            client.stream("GET", prefix + name, headers=headers) as answer,
        ):
            if answer.status_code != httpx2.codes.OK:
                return None
            read = b""
            for piece in answer.iter_bytes():
                read += piece
                if len(read) > MOST_BYTES:
                    raise MirrorRefused(f"its {name} is too long")
            return read

    return fetch
