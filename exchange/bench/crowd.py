"""What a fetch costs among many clients: a broker that is filled with rows like its own.

The rows of one real client are copied straight into the tables, each time with ids, handles and
sealed bytes of its own: as many and as long as real ones. Nobody can open them and nobody asks
for them; the clients that are asked for lie scattered among them.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from exchange.bench import long_log
from exchange.database import sqlite_driver, sqlite_path
from exchange.services import SHARD
from exchange.settings import Settings

ENTRIES_EACH = 5
_CHANCE = "lower(hex(randomblob(16)))"
# Table; the column by which the rows of the copied client are found, and whose value that is;
# what is another than in them. Sealed bytes are by chance everywhere.
_COPIED: tuple[tuple[str, str, str, Mapping[str, str]], ...] = (
    ("client", "id", "client", {"id": "c.id"}),
    ("known_as", "client", "client", {"client": "c.id", "handle": f"substr({_CHANCE}, 1, 26)"}),
    ("commitment", "client", "client", {"client": "c.id", "value": "randomblob(32)"}),
    ("summary_section", "client", "client", {"client": "c.id"}),
    ("consent", "client", "client", {"client": "c.id", "id": "'c-' || c.id"}),
    ("consent_change", "consent", "consent", {"consent": "'c-' || c.id"}),
    (
        "handover",
        "client",
        "client",
        {"client": "c.id", "id": "'h-' || c.id", "idempotency_key": "randomblob(32)"},
    ),
    ("handover_event", "handover", "handover", {"handover": "'h-' || c.id", "id": _CHANCE}),
    ("audit_subject", "key_id", "key_id", {"key_id": "c.key", "blind": "c.blind"}),
)


def gather(settings: Settings, clients: int) -> None:
    """Fill a SQLite broker that nobody serves: more clients, up to so many, five entries each."""
    long_log.lengthen(settings, clients * ENTRIES_EACH)
    with long_log.straight_into(settings) as file:
        (known,) = file.execute("SELECT count(*) FROM client").fetchone()
        with _crowd(file, clients - known) as keys:
            copied = _one_client(file)
            for table, column, whose, own in _COPIED:
                _copy(file, table, column, copied[whose], own)
            _index_and_seal(file, clients - known, copied["key_id"])
    _add_keys(settings, keys)


@contextmanager
def _crowd(file: Any, many: int) -> Iterator[list[bytes]]:
    """A table of ids, in their own order: so their rows come to lie as they are written."""
    ids = sorted(str(uuid4()) for _ in range(many))
    keys = [bytes.fromhex(each.replace("-", "")) for each in ids]
    file.execute("CREATE TEMP TABLE crowd (n INTEGER PRIMARY KEY, id TEXT, key BLOB, blind BLOB)")
    rows = ((n, ids[n], keys[n], os.urandom(16)) for n in range(many))
    file.executemany("INSERT INTO crowd VALUES (?, ?, ?, ?)", rows)
    yield keys
    file.execute("DROP TABLE crowd")


def _one_client(file: Any) -> dict[str, Any]:
    """What the rows of one real client are found by."""
    row = file.execute(
        "SELECT h.client, c.id, h.id FROM handover h JOIN consent c"
        " ON c.shard = h.shard AND c.client = h.client LIMIT 1"
    ).fetchone()
    found = dict(zip(("client", "consent", "handover"), row, strict=True))
    return found | {"key_id": bytes.fromhex(found["client"].replace("-", ""))}


def _copy(file: Any, table: str, column: str, value: Any, own: Mapping[str, str]) -> None:
    names = [name for _, name, *_ in file.execute(f"PRAGMA table_info({table})")]
    sealed = {"sealed": "randomblob(length(t.sealed))"}
    values = [own.get(name) or sealed.get(name) or f"t.{name}" for name in names]
    file.execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)}"  # noqa: S608  # our names
        f" FROM crowd c JOIN {table} t WHERE t.{column} = ? ORDER BY c.n",
        (value,),
    )


def _index_and_seal(file: Any, many: int, key_id: bytes) -> None:
    """Index rows and parts for the entries that have none, as if each were about one of them."""
    file.execute(
        "CREATE TEMP TABLE bare AS SELECT e.idx FROM audit_entry e LEFT JOIN audit_index i"
        " ON i.shard = e.shard AND i.idx = e.idx WHERE i.idx IS NULL"
    )
    file.execute(
        "INSERT INTO audit_index (shard, idx, t, kind, outcome, application, request,"
        " subject_blind, event_id) SELECT ?, b.idx, s.last_t, 'client.viewed', 'ok', 'app:bench',"
        " randomblob(16), c.blind, randomblob(16)"
        " FROM bare b JOIN audit_state s JOIN crowd c ON c.n = b.idx * 7919 % ?",
        (SHARD, many),
    )
    file.execute(
        "INSERT INTO audit_part (shard, idx, label, key_id, ct, state)"
        " SELECT ?, b.idx, p.label, c.key, randomblob(length(p.ct)), p.state FROM bare b"
        " JOIN crowd c ON c.n = b.idx * 7919 % ? JOIN (SELECT * FROM audit_part WHERE idx ="
        " (SELECT max(idx) FROM audit_part WHERE key_id = ?)) p ORDER BY b.idx, p.label",
        (SHARD, many, key_id),
    )
    file.execute("DROP TABLE bare")


def _add_keys(settings: Settings, keys: list[bytes]) -> None:
    path = Path(f"{sqlite_path(settings.url)}.keys")
    file: Any = sqlite_driver("delete").connect(path)
    rows = ((SHARD, key_id, os.urandom(65)) for key_id in keys)
    file.executemany("INSERT INTO audit_key_store (shard, key_id, wrapped) VALUES (?, ?, ?)", rows)
    file.commit()
    file.close()
