"""The composition root: everything the edge may use comes out of here."""

import hmac
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection

from audit import guards, log
from audit.checkpoints import NoteKey
from audit.events import AdminStarted, LogOpened
from audit.log import NotOpened
from audit.receipts import receipt_key
from audit.sealing import Recorded
from audit.signer import Frozen
from consent.belgian_time import instant
from exchange import installation
from exchange.admission import Admission
from exchange.alarms import Alarms
from exchange.batch import BatchRunner
from exchange.checkpointing import Checkpointing
from exchange.clients import Committer
from exchange.consent_signing import ConsentSigning, consent_signing
from exchange.considering import Rulebook
from exchange.database import Database, DatabaseOptions, Unsafe
from exchange.directory import Directory, DirectoryReader
from exchange.ended import retired_keys
from exchange.flows.apply_rules import apply_rules
from exchange.flows.erase_client import erase_client
from exchange.flows.fetch_summary import fetch_summary
from exchange.flows.freeze_log import freeze_log
from exchange.flows.push_handover import push_handover
from exchange.foreign_keys import ForeignKeys, read_keys_at, read_keys_file
from exchange.key_rings import key_provider, opened_ring
from exchange.key_store import KeyStore, open_key_store
from exchange.migrations import migrate, require_current
from exchange.notary import (
    Vouching,
    checkpointing,
    log_keys,
    require_our_address,
    require_whole_log,
    witness_policy,
)
from exchange.observability import log as log_line
from exchange.quotas import Quotas
from exchange.reader import Reader
from exchange.ruling import Ruling, ruling_at
from exchange.security.client_assertions import ClientAssertions
from exchange.security.dpop import Nonces
from exchange.security.keys import KeyRing, Use
from exchange.security.tokens import AccessTokens, signer_from_jwk
from exchange.security.used_assertions import UsedAssertions
from exchange.security.vault import Vault
from exchange.settings import KeyRingKind, Profile, Settings
from exchange.steady_clock import SteadyClock
from exchange.tally import Tally
from exchange.transaction import Outcome, Transaction
from exchange.withdrawal_spool import STOPPING, WithdrawalSpool, carry_out
from exchange.witnesses import Witnesses
from exchange.writer import Halted, Writer
from policies.decision import Refused
from policies.vocabulary import Reason

SHARD = 0
VERSION = "0.1.0"


@dataclass(frozen=True)
class Services:
    """All that a route, a page or a command-line command may use."""

    settings: Settings
    clock: Callable[[], datetime]
    database: Database
    writer: Writer
    reader: Reader
    keys: KeyStore
    vault: Vault
    tokens: AccessTokens
    foreign_keys: ForeignKeys | None
    nonces: Nonces
    quotas: Quotas
    assertions: ClientAssertions
    committer: Committer
    rulebook: Rulebook
    receipts: ConsentSigning
    receipt_key: NoteKey
    """Signs the receipts of the log (audit-log.md, section 6.6), and nothing else."""
    reads_directory: DirectoryReader
    cursor_key: bytes
    admission: Admission
    checkpointing: Checkpointing
    spool: WithdrawalSpool
    used_assertions: UsedAssertions
    tally: Tally
    ruling: Ruling
    threads: list[threading.Thread] = field(default_factory=list)
    """What must go on beside the requests as long as the process does."""

    @property
    def policy(self) -> str:
        """The SHA-256 of the rules in force, as every entry names it."""
        return self.ruling.policy

    def directory(self) -> Directory:
        """The directory as a reader sees it now. A decision uses the writer's, never this one."""
        with self.database.reading() as connection:
            return self.reads_directory.current(connection)

    def catch_up(self) -> None:
        """Do what was asked while the log could not be written, before anything else is done.

        Each is a command like any other; one that was done before is refused, and logged. One
        that is refused for another reason was promised all the same: it is tried at every start.
        """
        left = []
        for line, said in self.spool.kept():
            why = "unreadable" if said is None else self._undone(*said)
            if why is not None:
                log_line.error("withdrawal.undone", reason=why)
                left.append(line)
        self.spool.leave(left)

    def _undone(self, *said: Any) -> str | None:
        value = self.writer.submit(carry_out, *said).result().value
        if isinstance(value, Refused) and value.reason is not Reason.ALREADY_WITHDRAWN:
            return value.reason.value
        return None

    def close(self) -> None:
        self.checkpointing.close()
        if self.foreign_keys is not None:
            self.foreign_keys.close()
        self.writer.close()
        self.reader.close()
        self.keys.close()
        self.database.close()


def build_services(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    steady: Callable[[], float] | None = None,
    halt: Callable[[Halted], None] | None = None,
    regains: str = "",
    rules: Mapping[str, str] | None = None,
) -> Services:
    """Build every part now, so that a wrong setting stops the start.

    With `steady` (seconds that nobody can set) the clock of the log may not jump ahead of it.
    `regains` names a log that is about to be put back: where it is lost, none is begun, and
    nothing may be written. `rules` decide where those that are kept can not be used.

    Raises `Unsafe`, `KeysRefused`, `SchemaBehind` or `RulesRefused`, each naming its mend.
    """
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        mend = "set OVERDRACHT_DATA_DIR to a folder that is yours to write in"
        raise Unsafe(f"the data folder can not be made; {mend}") from None
    database = Database(DatabaseOptions(settings.url, journal=settings.sqlite_journal))
    try:
        return _services(settings, database, clock, steady, halt or _exit, regains, rules)
    except BaseException:
        database.close()  # a start that is refused keeps no lock and no connection
        raise


def _services(
    settings: Settings,
    database: Database,
    clock: Callable[[], datetime],
    steady: Callable[[], float] | None,
    halt: Callable[[Halted], None],
    regains: str,
    rules: Mapping[str, str] | None,
) -> Services:
    foreign = _foreign_keys(settings)
    database.claim()
    if database.is_sqlite:
        migrate(database)
    else:
        require_current(database)
    _guarded(database)
    tally = Tally()
    with database.reading() as connection:
        ruling = ruling_at(connection, rules, shard=SHARD, alarm=Alarms(tally).raise_for)
        lost = bool(regains) and not _size(connection)
        ring = opened_ring(settings, needed=lost or _size(connection) is not None)
    # A batch may read a file again, and never waits for a safe: see what a command may touch.
    reread = key_provider(settings).read if settings.key_ring is KeyRingKind.FILE else None
    keys = open_key_store(database, ring, shard=SHARD, reread=reread)
    vault = Vault(keys.key, shard=SHARD)
    keys.on_forgetting(vault.forget)
    _join(database, keys)
    _finish_shreds(database, keys)
    if not lost:
        _open_log(database, keys, ruling.policy, clock(), settings.public_base_url)
    admission = Admission({fetch_summary, push_handover}, always={freeze_log})
    logs_clock = clock if steady is None else _steady(clock, steady, admission)
    runner = BatchRunner(
        database,
        keys,
        vault,
        logs_clock,
        ruling.policy,
        shard=SHARD,
        tally=tally,
        ruled=ruling.heed,
        freeze=admission.freeze,
    )
    origin = regains if lost else require_whole_log(database, shard=SHARD)
    require_our_address(origin, settings)
    vouching = Vouching(
        log_keys(settings, database, origin, shard=SHARD), Witnesses(witness_policy(settings))
    )
    writer = Writer(
        runner,
        capacity=settings.queue_capacity,
        reserved_for=STOPPING,
        # What else its batch logs of that client would be sealed under a key that ends with it.
        alone={erase_client, apply_rules},
        admits=admission.admits,
        halt=halt,
    )
    if foreign is not None:
        foreign.start()
    services = Services(
        settings=settings,
        clock=clock,
        database=database,
        writer=writer,
        reader=Reader(database),
        keys=keys,
        vault=vault,
        tokens=_access_tokens(settings, database, ring, clock(), foreign),
        foreign_keys=foreign,
        quotas=Quotas(settings.limits),
        nonces=Nonces(ring.derived(Use.DPOP_NONCES), settings.dpop_nonce_seconds),
        assertions=ClientAssertions(settings.issuer),
        committer=Committer(ring.derived(Use.COMMITMENTS), keys),
        rulebook=Rulebook(
            ruling.decider, settings.profile is Profile.DEMO, settings.volume_refused_at
        ),
        receipts=consent_signing(settings.issuer, ring.receipt_signing),
        receipt_key=receipt_key(
            origin, hmac.digest(ring.derived(Use.AUDIT_RECEIPT), origin.encode(), "sha256")
        ),
        reads_directory=DirectoryReader(shard=SHARD),
        cursor_key=ring.derived(Use.CURSORS),
        admission=admission,
        checkpointing=checkpointing(
            settings, database, writer, admission, vouching, logs_clock, shard=SHARD
        ),
        spool=WithdrawalSpool(settings.data_dir / "withdrawals.spool"),
        used_assertions=UsedAssertions(),
        tally=tally,
        ruling=ruling,
    )
    try:
        if lost:
            raise Frozen("the log is lost")  # noqa: TRY301 - as if it had been examined
        if settings.signs:
            # Where withdrawals wait, the witnesses are asked first: a spool that was emptied into
            # a log that is not the right one is lost.
            waiting = any(True for _ in services.spool.kept())
            services.checkpointing.examine(witnesses=waiting)
        else:
            services.checkpointing.look()
        services.catch_up()
    except Frozen:
        # It starts all the same, and is only read: so an auditor can look, and a client say stop.
        log_line.error("log.frozen")
    except BaseException:
        services.close()
        raise
    return services


def open_keys(settings: Settings, database: Database) -> KeyStore:
    """The keys of an installation that exists, for those who only look.

    Raises `KeysRefused` or `Unsafe`.
    """
    ring = key_provider(settings).read()
    return open_key_store(database, ring, shard=SHARD)


def note_start(tx: Transaction, version: str) -> Outcome[None]:
    """Log that the service has started, with which version."""
    return Outcome(None, (AdminStarted(ver=version, cfg="1"),))


def _access_tokens(
    settings: Settings,
    database: Database,
    ring: KeyRing,
    at: datetime,
    foreign: ForeignKeys | None,
) -> AccessTokens:
    with database.reading() as connection:
        before = retired_keys(connection, shard=SHARD)
    signing, issuer = signer_from_jwk(ring.token_signing), settings.issuer
    now = instant(at)
    retired = [jwk for jwk, until in before if until > now and jwk["kid"] != signing.kid]
    return AccessTokens(signing, issuer, issuer, retired=retired, foreign=foreign)


def _foreign_keys(settings: Settings) -> ForeignKeys | None:
    """The keys of the authorisation server that is set, if another than ours is."""
    issuer, where = settings.token_issuer, settings.token_keys
    if not issuer and not where:
        return None
    if not issuer or not where:
        raise Unsafe("set both OVERDRACHT_TOKEN_ISSUER and OVERDRACHT_TOKEN_KEYS, or neither")
    if not where.startswith(("http://", "https://")):
        return ForeignKeys(issuer, lambda: read_keys_file(Path(where)))
    if settings.profile is Profile.PRODUCTION and not where.startswith("https://"):
        raise Unsafe("OVERDRACHT_TOKEN_KEYS must be an https address, or a file")
    return ForeignKeys(issuer, lambda: read_keys_at(where))


def _guarded(database: Database) -> None:
    with database.reading() as connection:
        absent = guards.missing(connection)
    if absent:
        mend = "find out who switched them off, then: overdracht migrate --guards"
        raise Unsafe(f"guards of the log are off ({', '.join(absent)}); {mend}")


def _steady(
    clock: Callable[[], datetime], steady: Callable[[], float], admission: Admission
) -> SteadyClock:
    def alarm() -> None:
        admission.freeze("the clock has jumped forward; mend it, then start the service again")
        log_line.error("clock.ahead")

    return SteadyClock(clock, steady, alarm)


def _join(database: Database, keys: KeyStore) -> None:
    """Have the key that wraps for all hosts, or say which it is. Raises `KeysBehind`."""
    with database.writing(shard=SHARD) as connection:
        known = installation.known(connection, shard=SHARD)
        if known is not None:
            keys.catch_up(known.kek_epoch, known.kek)
        epoch, kek = keys.wrapping
        if known is None or known.kek_epoch < epoch:
            installation.keep_kek(connection, shard=SHARD, epoch=epoch, kek=kek)


def _finish_shreds(database: Database, keys: KeyStore) -> None:
    """A key whose end was committed must not outlive a crash, nor the opening of the port."""
    with database.writing(shard=SHARD) as connection:
        shredded = keys.finish(connection)
    if shredded:
        database.empty_journal()


def _open_log(
    database: Database, keys: KeyStore, policy: str, at: datetime, public_base_url: str
) -> None:
    """Leaf 0, once in the life of a log."""
    with database.writing(shard=SHARD) as connection:
        if _size(connection) is not None:
            return
        origin = f"{urlsplit(public_base_url).netloc}/audit/tlog/s{SHARD}e1"
        head = log.open_log(connection, shard=SHARD, origin=origin)
        opened = Recorded(LogOpened(epoch=head.epoch), "")
        log.append(connection, [opened], after=head, at=at, keys=keys, policy=policy)


def _size(connection: Connection) -> int | None:
    try:
        return log.head(connection, shard=SHARD).size
    except NotOpened:
        return None


def _exit(halted: Halted) -> None:
    # At once and without clean-up: after a failed flush nothing in memory may reach the disk.
    os._exit(halted.code)
