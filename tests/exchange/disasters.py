"""What drivers raise when disk, database or connection fail, on either database."""

from typing import Any

import psycopg
import psycopg.errors
from sqlalchemy.exc import DatabaseError

from exchange.database import Database, sqlite_driver

SQLITE_IOERR_FSYNC, SQLITE_CORRUPT, SQLITE_FULL = 1034, 11, 13


def disk_full(database: Database) -> Exception:
    if database.is_sqlite:
        return _sqlite("database or disk is full", SQLITE_FULL)
    return psycopg.errors.DiskFull("could not extend file: No space left on device")


def disk_broken(database: Database) -> Exception:
    if database.is_sqlite:
        return _sqlite("disk I/O error", SQLITE_IOERR_FSYNC)
    return psycopg.errors.IoError("could not fsync file")


def pages_torn(database: Database) -> DatabaseError:
    """As a command sees it, whose query read a page that is torn."""
    if database.is_sqlite:
        driver: Any = sqlite_driver("wal")
        error = driver.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = SQLITE_CORRUPT
    else:
        error = psycopg.errors.DataCorrupted("invalid page in block 7")
    return DatabaseError("SELECT", None, error)


def gone(connection: Any) -> Exception:
    """The connection is closed, as when the server or the network between went away."""
    connection.close()
    return psycopg.OperationalError("server closed the connection unexpectedly")


def _sqlite(words: str, code: int) -> Exception:
    driver: Any = sqlite_driver("wal")
    error: Exception = driver.OperationalError(words)
    error.sqlite_errorcode = code  # type: ignore[attr-defined]
    return error
