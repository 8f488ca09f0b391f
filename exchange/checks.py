"""Every check that a start makes, run one by one for the operator."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.exc import OperationalError

from audit import guards
from audit.head_checks import verify_heads
from audit.high_water import HighWater, HighWaterUnreadable
from audit.live import verify_log
from audit.log import NotOpened
from audit.signer import Frozen, last_signed
from consent.belgian_time import instant
from exchange import installation, ruling, tenancy
from exchange.database import Database, DatabaseOptions, Unsafe
from exchange.key_rings import key_provider
from exchange.migrations import SchemaBehind, require_current
from exchange.notary import witness_policy
from exchange.runtime_role import may_rewrite
from exchange.security.keys import KeysRefused
from exchange.security.self_test import self_test
from exchange.services import SHARD, open_keys
from exchange.settings import Profile, Settings, unknown_variables
from policies.rule_texts import RulesRefused
from policies.site_rules import load_overlay


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


def _rules_in_force(settings: Settings) -> None:
    with _opened(settings) as database, database.reading() as connection:
        own = ruling.kept(connection, shard=SHARD)
        ruling.require_said(connection, own, shard=SHARD)
    ruling.require_folder(settings.rules_folder, own)


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


def _only_adds(settings: Settings) -> None:
    with _opened(settings) as database, database.reading() as connection:
        owner = not database.is_sqlite and may_rewrite(connection)
    if owner and settings.profile is Profile.PRODUCTION:
        raise NotGood(
            "the service works as a role that may change the log; run, as the owner:"
            " overdracht migrate --role NAME, and let the service work as NAME"
        )


def _tenants_apart(settings: Settings) -> None:
    with _opened(settings) as database, database.reading() as connection:
        absent, exempt = tenancy.missing(connection), tenancy.exempt(connection)
    if exempt:
        raise NotGood("come in as a role that is no superuser and has not BYPASSRLS")
    with _opened(settings) as database, database.reading(tenant=tenancy.NOBODY) as connection:
        absent += [] if database.is_sqlite else tenancy.shown(connection)
    if absent:
        mend = "find out who switched them off, then: overdracht migrate --guards"
        raise NotGood(f"policies are off or changed ({', '.join(absent)}); {mend}")


def _keys_readable(settings: Settings) -> None:
    with _opened(settings) as database:
        open_keys(settings, database).close()


def _hosts_agree(settings: Settings) -> None:
    with _opened(settings) as database, database.reading() as connection:
        known = installation.known(connection, shard=SHARD)
    if known is not None and known.frozen is not None:
        raise NotGood(f"nothing is released: {known.frozen}; see docs/backups.md")
    try:
        ring = key_provider(settings).read()
    except KeysRefused:
        return  # told by the check before
    told = None if known is None else (known.kek_epoch, known.kek)
    if told is not None and ring.epoch <= told[0] and ring.wrapping != told:
        raise NotGood("keys.json is not that of the host that rotated it; copy it from there")


def _log_holds(settings: Settings) -> None:
    with _opened(settings) as database, database.reading() as connection:
        found = verify_log(connection, shard=SHARD).findings
        found += verify_heads(connection, shard=SHARD)
    if found:
        first = found[0]
        raise NotGood(f"{first.text} (entry {first.at}); see: overdracht audit verify")


def _log_is_the_one_that_was_signed(settings: Settings) -> None:
    if not settings.signs:
        return
    try:
        mark = HighWater(settings.high_water_path).read()
        with _opened(settings) as database, database.reading() as connection:
            last_signed(connection, shard=SHARD, mark=mark)
    except HighWaterUnreadable:
        raise NotGood(f"{settings.high_water_path} can not be read; put it back") from None
    except Frozen as frozen:
        raise NotGood(
            f"{frozen.why}; keep all as it is, and put back the database or the high-water file"
        ) from None


def _clock_has_not_gone_back(settings: Settings) -> None:
    mark = HighWater(settings.high_water_path).read()
    if mark is not None and instant(datetime.now(UTC)) < mark.signed_at:
        raise NotGood("the clock is before the last signing; mend the clock")


def _mark_lies_apart(settings: Settings) -> None:
    if settings.profile is not Profile.PRODUCTION or not settings.signs:
        return
    beside = settings.data_dir.resolve() in settings.high_water_path.resolve().parents
    if settings.high_water is None or beside:
        raise NotGood("set OVERDRACHT_HIGH_WATER to a file on another volume than the database")


def _reached_over_https(settings: Settings) -> None:
    if settings.profile is not Profile.PRODUCTION:
        return
    if not settings.https:
        raise NotGood("set OVERDRACHT_PUBLIC_BASE_URL to the https address that clients see")
    if not settings.proxies and settings.tls_certificate is None:
        raise NotGood(
            "name the proxy that ends TLS (OVERDRACHT_PROXIES), or end it here"
            " (OVERDRACHT_TLS_CERTIFICATE, OVERDRACHT_TLS_KEY)"
        )


def _variables_known(_: Settings) -> None:
    """What is mistyped is not in force, however safe it was meant to be."""
    mends = (
        f"{name} sets nothing: {f'is it {near}?' if near else 'unset it'}"
        for name, near in unknown_variables().items()
    )
    if said := "; ".join(mends):
        raise NotGood(said)


def _witnesses_named(settings: Settings) -> None:
    witness_policy(settings)


CHECKS: tuple[tuple[str, Callable[[Settings], None]], ...] = (
    ("every variable sets something", _variables_known),
    ("the rules load, and none is missing", _rules_hold),
    ("token signatures behave", _tokens_hold),
    ("the database keeps what it acknowledged", _durable),
    ("the schema is current", _schema_current),
    ("our own rules are those that were put in force", _rules_in_force),
    ("the log is only added to", _guarded),
    ("the database role may only add to the log", _only_adds),
    ("on PostgreSQL no tenant's rows are shown to another", _tenants_apart),
    ("the key ring can be read, by its owner alone", _keys_readable),
    ("all hosts have one key ring, and none has found the log to be wrong", _hosts_agree),
    ("in production clients come over https", _reached_over_https),
    ("the log holds", _log_holds),
    ("the log is the one that was signed", _log_is_the_one_that_was_signed),
    ("the clock has not gone back", _clock_has_not_gone_back),
    ("what was signed last is kept apart", _mark_lies_apart),
    ("somebody witnesses the log, or it is said that nobody does", _witnesses_named),
)

_PRODUCTION = (
    _variables_known,
    _reached_over_https,
    _only_adds,
    _tenants_apart,
    _mark_lies_apart,
    _witnesses_named,
)


def require_fit(settings: Settings) -> None:
    """Serve real people from nothing that is not made for it. Raises `Unsafe`, with the mend.

    Nobody is served by rules that nobody put in force: raises `RulesRefused`.
    """
    _rules_in_force(settings)
    if settings.profile is not Profile.PRODUCTION:
        return
    for check in _PRODUCTION:
        try:
            check(settings)
        except NotGood as found:
            raise Unsafe(str(found)) from None
