"""Who vouches for the log, as the settings say it: its keys, its witnesses, its signer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from audit import published
from audit.checkpoints import NoteKey
from audit.high_water import HighWater
from audit.policy import NO_WITNESSES, NotAPolicy, Policy, read_policy
from audit.signer import origin_of
from audit.start_checks import LogDamaged, require_whole
from exchange.admission import Admission
from exchange.checkpointing import Checkpointing, Silence
from exchange.database import Database, Unsafe
from exchange.log_keys import ALGORITHMS, open_log_keys
from exchange.settings import Profile, Settings
from exchange.witnesses import Witnesses
from exchange.writer import Writer


@dataclass(frozen=True, slots=True)
class Vouching:
    """The keys that sign the log's heads, and those who sign after them."""

    keys: Sequence[NoteKey]
    witnesses: Witnesses


def log_keys(
    settings: Settings, database: Database, origin: str, *, shard: int
) -> Sequence[NoteKey]:
    """The keys that sign here; none on a host that does not sign. Raises `KeysRefused`."""
    if not settings.signs:
        return ()
    with database.reading() as connection:
        history = published.key_history(connection, shard=shard)
    return open_log_keys(
        settings.log_key_path,
        origin,
        algorithms=[ALGORITHMS[each] for each in settings.checkpoint_signatures.split(",")],
        history=history,
    )


def checkpointing(
    settings: Settings,
    database: Database,
    writer: Writer,
    admission: Admission,
    vouching: Vouching,
    clock: Callable[[], datetime],
    *,
    shard: int,
) -> Checkpointing:
    """The signer, as the settings want it."""
    return Checkpointing(
        database,
        writer,
        admission,
        high_water=HighWater(settings.high_water_path),
        seen=HighWater(settings.seen_head_path),
        keys=vouching.keys,
        witnesses=vouching.witnesses,
        silence=Silence(
            timedelta(seconds=settings.quorum_alarm_seconds),
            timedelta(seconds=settings.quorum_refuse_seconds),
        ),
        clock=clock,
        shard=shard,
    )


def witness_policy(settings: Settings) -> Policy:
    """Whose signatures the log's heads need. Raises `Unsafe` where nobody said."""
    said = settings.witness_policy
    if said == "none" or (not said and settings.profile is Profile.DEMO):
        return NO_WITNESSES
    mend = "set OVERDRACHT_WITNESS_POLICY to the file that names the log's witnesses, or to none"
    if not said:
        raise Unsafe(f"nobody was named to witness the log; {mend}")
    try:
        policy = read_policy(Path(said).read_text("utf-8"))
    except (OSError, ValueError):
        raise Unsafe(f"the witness policy can not be read; {mend}") from None
    except NotAPolicy as error:
        raise Unsafe(f"the witness policy does not fit: {error}") from None
    if not policy.witnesses or policy.met_by(()):
        raise Unsafe(f"the witness policy asks for nobody; {mend}")
    return policy


def require_whole_log(database: Database, *, shard: int) -> str:
    """The log's origin. Raises `Unsafe` when it contradicts itself."""
    try:
        with database.reading() as connection:
            require_whole(connection, shard=shard)
            return origin_of(connection, shard)
    except LogDamaged as damaged:
        mend = "leave all as it is, and see: overdracht audit verify"
        raise Unsafe(f"the log is damaged: {damaged}; {mend}") from None


def require_our_address(origin: str, settings: Settings) -> None:
    """Raise `Unsafe` when the log is one of another address."""
    if origin.partition("/")[0] != urlsplit(settings.public_base_url).netloc:
        mend = f"set OVERDRACHT_PUBLIC_BASE_URL to the address of {origin}"
        raise Unsafe(f"this is the log of another address; {mend}")
