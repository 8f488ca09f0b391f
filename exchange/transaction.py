"""What a command gets, and what it gives back."""

from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache, wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar
from uuid import uuid4

from sqlalchemy import Connection

from audit.events import AuditEvent
from audit.log import Entry, Recorded
from audit.sealing import fresh_request_id
from consent.belgian_time import day_of, instant
from exchange.directory import Directory
from exchange.key_store import KeyStore
from exchange.security.dpop import Proof
from exchange.security.tokens import Caller
from exchange.security.vault import Vault
from exchange.uses import Use
from policies.decision import Refused
from policies.vocabulary import BROKER as BROKER  # noqa: PLC0414 - commands take it from here
from policies.vocabulary import Reason

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


_QUARTER = 900_000_000

APART = 300_000_000
"""How far (µs) the clocks of two hosts may lie apart before one forgets what the other takes."""


@lru_cache(maxsize=8)
def _day_of(quarter: int) -> date:
    # Belgian midnight falls on a quarter of an hour, so a quarter lies in one day.
    return day_of(quarter * _QUARTER)


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a command may use: the rows of its shard, and the one time of its batch.

    `now` is `at` in whole microseconds since 1970 (UTC), as the tables hold it. `directory`
    is as it stands under the lock. A command asks no clock and makes no ids but with `new_id`.
    What could be tried until before `over` (µs) is refused for its age at every host: it may be
    forgotten. Age is judged by the hosts' clocks, and log time can be far ahead of those.
    `used` holds what was used up before, as far as it is known yet (see `Outcome.uses`).
    """

    connection: Connection
    shard: int
    at: datetime
    now: int
    over: int
    directory: Directory
    vault: Vault
    keys: KeyStore
    used: Container[bytes] = field(default=frozenset(), compare=False)

    @property
    def day(self) -> date:
        """The Belgian day of the batch: what agreements and deadlines count in."""
        return _day_of(self.now // _QUARTER)

    def new_id(self) -> str:
        """A fresh id (UUID version 4), another one when the command runs again."""
        return str(uuid4())


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T_co]):
    """What a command gives back: its value or a refusal, and what must be logged of it.

    A command that carries out several requests gives as many events for each, one request
    after the other. `uses` are committed with it: of two commands with the same one, in
    whichever process, one is done, and the other runs again and finds it in `tx.used`.
    """

    value: T_co | Refused
    events: tuple[AuditEvent, ...] = ()
    requests: int = 1
    uses: tuple[Use, ...] = ()

    def recorded(self) -> list[Recorded]:
        """The events, each with the id of its request: never seen before, shared by no other."""
        of_each = len(self.events) // (self.requests or 1) or 1
        return [
            Recorded(event, request)
            for start in range(0, len(self.events), of_each)
            for request in (fresh_request_id(),)
            for event in self.events[start : start + of_each]
        ]


@dataclass(frozen=True, slots=True)
class Committed(Generic[T_co]):
    """The value or refusal after its COMMIT, and where its events stand in the log."""

    value: T_co | Refused
    entries: tuple[Entry, ...] = ()


Command: TypeAlias = Callable[Concatenate[Transaction, P], Outcome[T]]
AnyCommand: TypeAlias = Callable[[Transaction], Outcome[Any]]


def by_application(
    command: Callable[Concatenate[Transaction, Caller, P], Outcome[T]],
) -> Callable[Concatenate[Transaction, Caller, P], Outcome[T]]:
    """A command on behalf of a caller, whose application is looked up under the lock.

    A token says who somebody was when it was issued; one that was revoked since, even while
    its command waited, gets nothing. Nor does a proof that came before; what the command
    comes to, a yes or a no, uses it up (RFC 9449 section 11.1).
    """
    return _checked(command, withdrawing=False)


def by_withdrawing_application(
    command: Callable[Concatenate[Transaction, Caller, P], Outcome[T]],
) -> Callable[Concatenate[Transaction, Caller, P], Outcome[T]]:
    """As `by_application`, also for one that asked too much: nobody is kept from stopping."""
    return _checked(command, withdrawing=True)


def _checked(
    command: Callable[Concatenate[Transaction, Caller, P], Outcome[T]], *, withdrawing: bool
) -> Callable[Concatenate[Transaction, Caller, P], Outcome[T]]:
    @wraps(command)
    def checked(
        tx: Transaction, caller: Caller, /, *args: P.args, **kwargs: P.kwargs
    ) -> Outcome[T]:
        if not tx.directory.admits(caller, tx.now, withdrawing=withdrawing):
            return Outcome(Refused(Reason.CALLER_REVOKED, told=Reason.CALLER_REVOKED))
        if caller.proof is None:
            return command(tx, caller, *args, **kwargs)
        use = use_of(caller.proof)
        if use.name in tx.used:
            return Outcome(Refused(Reason.PROOF_REPLAYED, told=Reason.PROOF_REPLAYED))
        return replace(command(tx, caller, *args, **kwargs), uses=(use,))

    return checked


def use_of(proof: Proof) -> Use:
    """A proof as something that counts once."""
    return Use(proof.name, instant(proof.replayable_until))
