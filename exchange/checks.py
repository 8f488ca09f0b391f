"""Every check that a start makes, run one by one for the operator."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.exc import OperationalError

from audit import guards
from audit.live import verify_log
from audit.log import NotOpened
from exchange.database import Database, DatabaseOptions, Unsafe
from exchange.migrations import SchemaBehind, require_current
from exchange.security.keys import KeysRefused
from exchange.security.self_test import self_test
from exchange.services import SHARD, open_keys
from exchange.settings import Settings
from policies.site_rules import RulesRefused, load_overlay


@dataclass(frozen=True)
class Finding:
    """One check: whether it holds, and what to do when it does not."""

    check: str
    good: bool
    mend: str = ""


class NotGood(Exception):
    """A check that does not hold; the text names the mend."""


def examine(settings: Settings) -> list[Finding]:
    """Every check in order; one that fails hides no other."""
    return [_finding(name, check, settings) for name, check in CHECKS]


def _finding(name: str, check: Callable[[Settings], None], settings: Settings) -> Finding:
    try:
        check(settings)
    except (NotGood, Unsafe, KeysRefused, RulesRefused) as error:
        return Finding(name, good=False, mend=str(error))
    except SchemaBehind:
        return Finding(name, good=False, mend="run: overdracht migrate")
    except OperationalError:
        return Finding(name, good=False, mend="start the service once, or: overdracht migrate")
    except NotOpened:
        return Finding(name, good=False, mend="start the service once: overdracht serve")
    except Exception as error:  # noqa: BLE001 - a check that can not be made is a finding too
        return Finding(name, good=False, mend=f"the check failed ({type(error).__name__})")
    return Finding(name, good=True)


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    database = Database(DatabaseOptions(settings.url, journal=settings.sqlite_journal))
    try:
        yield database
    finally:
        database.close()


def _rules_hold(_: Settings) -> None:
    load_overlay()


def _tokens_hold(_: Settings) -> None:
    self_test()


def _durable(settings: Settings) -> None:
    with _opened(settings) as database, database.reading() as connection:
        if database.is_sqlite:
            return
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            if connection.exec_driver_sql(f"SHOW {name}").scalar() != "on":
                raise NotGood(f"set {name} = on in postgresql.conf")


def _schema_current(settings: Settings) -> None:
    with _opened(settings) as database:
        require_current(database)


def _guarded(settings: Settings) -> None:
    with _opened(settings) as database, database.reading() as connection:
        absent = guards.missing(connection)
    if absent:
        mend = "find out who switched them off, then: overdracht migrate --guards"
        raise NotGood(f"guards are off ({', '.join(absent)}); {mend}")


def _keys_readable(settings: Settings) -> None:
    with _opened(settings) as database:
        open_keys(settings, database).close()


def _log_holds(settings: Settings) -> None:
    with _opened(settings) as database, database.reading() as connection:
        report = verify_log(connection, shard=SHARD)
    if report.exit_code:
        first = report.findings[0]
        raise NotGood(f"{first.text} (entry {first.at}); see: overdracht audit verify")


CHECKS: tuple[tuple[str, Callable[[Settings], None]], ...] = (
    ("the rules load, and none is missing", _rules_hold),
    ("token signatures behave", _tokens_hold),
    ("the database keeps what it acknowledged", _durable),
    ("the schema is current", _schema_current),
    ("the log is only added to", _guarded),
    ("the key ring can be read, by its owner alone", _keys_readable),
    ("the log holds", _log_holds),
)
