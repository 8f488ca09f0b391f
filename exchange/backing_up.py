"""A copy of the database while the service works, and what is on purpose not in it.

The keys stay out: a copy that holds them would outlive every erasure (audit-log.md, section
4.4). The high-water file stays out: it is what tells that a copy was put back (section 14).
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, make_url

from audit import log
from audit.signer import origin_of
from audit.start_checks import LogDamaged, require_whole
from audit.tree import root_of
from exchange.database import Database, DatabaseOptions, Unsafe
from exchange.key_shelves import SCHEMA
from exchange.tenancy import EVERYBODY, TENANT

FORMAT = 1
PAGES = 2048
"""Pages of SQLite copied at a time; in between, progress is told."""
LEFT_OUT = {
    "keys.json and the wrapped keys": "back them up apart, and let old copies go (keys rotate)",
    "log.key": "back it up apart: who has it can sign as the log",
    "high-water.json": "never put it back with the database: it tells that one was put back",
}
_SQLITE, _POSTGRESQL = "overdracht.db", "overdracht.dump"

Tell = Callable[[int, int], None]


def back_up(
    options: DatabaseOptions, out: Path, *, shard: int, version: str, tell: Tell = lambda *_: None
) -> dict[str, Any]:
    """Copy the database into the new folder `out`; its manifest. Only reads what it copies.

    `tell` hears how much is done, of how much. Raises `Unsafe`, and then leaves nothing: a
    folder with a manifest is whole.
    """
    try:
        out.mkdir(mode=0o700, parents=True)
    except OSError:
        raise Unsafe(f"{out} is there already, or can not be made; name a new folder") from None
    database = Database(options)
    try:
        copy = _copy_sqlite if database.is_sqlite else _dump_postgresql
        name, head = copy(database, out, shard, tell)
        manifest = {**_manifest(out / name, version), **head}
        _write(out / "manifest.json", json.dumps(manifest, indent=1) + "\n")
    except BaseException:
        shutil.rmtree(out)
        raise
    finally:
        database.close()
    return manifest


def _copy_sqlite(
    database: Database, out: Path, shard: int, tell: Tell
) -> tuple[str, Mapping[str, Any]]:
    path = out / _SQLITE
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    steps = PAGES if database.options.journal == "wal" else -1
    source = database.reading_engine.raw_connection()
    copied = Database(DatabaseOptions(f"sqlite:///{path}", journal="delete", readers=1))
    try:
        target = copied.writing_engine.raw_connection()
        # One look for the whole copy: else every write meanwhile would begin it anew.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.driver_connection.backup(  # type: ignore[union-attr]  # the driver's own connection
            target.driver_connection,
            pages=steps,
            progress=lambda _state, left, total: tell(total - left, total),
        )
        source.rollback()
        target.close()
        copied.close()
        with copied.reading() as connection:
            _require_sound(connection, shard)
            return _SQLITE, _head(connection, shard)
    finally:
        source.close()
        copied.close()
        _sync(path)


_SEES_ALL = f"-c {TENANT}={EVERYBODY}"


def _dump_postgresql(
    database: Database, out: Path, shard: int, tell: Tell
) -> tuple[str, Mapping[str, Any]]:
    program = shutil.which("pg_dump")
    words = ["--format=custom", f"--exclude-schema={SCHEMA}", "--enable-row-security"]
    words.append(f"--file={out / _POSTGRESQL}")
    if program is None:
        asked = " ".join([f'PGOPTIONS="{_SEES_ALL}" pg_dump', *words])
        raise Unsafe(f"pg_dump is not in the PATH; install it, or on the server: {asked}")
    with _as_seen_once(database) as (connection, snapshot):
        tell(0, 1)
        head = _head(connection, shard)
        done = subprocess.run(  # noqa: S603 - found in the operator's own PATH
            [program, *words, f"--snapshot={snapshot}"],
            env=dict(os.environ) | _reached(database.options.url),
            capture_output=True,
            check=False,
        )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().replace("\n", " ")
        raise Unsafe(f"pg_dump failed: {said}")
    (out / _POSTGRESQL).chmod(0o600)
    _sync(out / _POSTGRESQL)
    tell(1, 1)
    return _POSTGRESQL, head


@contextmanager
def _as_seen_once(database: Database) -> Iterator[tuple[Connection, str]]:
    """A look that another process may share, however long it takes."""
    with database.reading() as connection:
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield connection, str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar())


def _reached(url: str) -> dict[str, str]:
    """The database's address as libpq takes it: on a command line anybody could read it."""
    said = make_url(url)
    known = {
        "PGHOST": said.host or said.query.get("host"),
        "PGPORT": said.port,
        "PGUSER": said.username,
        "PGPASSWORD": said.password,
        "PGDATABASE": said.database,
        "PGSSLMODE": said.query.get("sslmode"),
        "PGOPTIONS": _SEES_ALL,
    }
    return {name: str(value) for name, value in known.items() if value}


def _require_sound(connection: Connection, shard: int) -> None:
    if connection.exec_driver_sql("PRAGMA quick_check").scalar() != "ok":
        raise Unsafe("the copy is damaged, so perhaps the database is; see: overdracht doctor")
    try:
        require_whole(connection, shard=shard)
    except LogDamaged as damaged:
        raise Unsafe(f"the log in the copy is damaged: {damaged}; see: overdracht doctor") from None


def _head(connection: Connection, shard: int) -> Mapping[str, Any]:
    head = log.head(connection, shard=shard)
    return {
        "origin": origin_of(connection, shard),
        "epoch": head.epoch,
        "size": head.size,
        "root": root_of(head.compact).hex(),
    }


def _manifest(path: Path, version: str) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tool": f"overdracht {version}",
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": digest,
        "left_out": LEFT_OUT,
    }


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    _sync(path)


def _sync(path: Path) -> None:
    for each in (path, path.parent):
        if each.exists():
            file = os.open(each, os.O_RDONLY)
            os.fsync(file)
            os.close(file)
