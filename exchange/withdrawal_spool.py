"""Withdrawals that came while the log could not be written: kept, and the first thing done later.

A log that was put back may lack the very withdrawals that were acknowledged in it. Until that
is found out nothing is released, and whoever says stop is heard all the same.
"""

import json
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from exchange.flows.stop_by_code import ByCode, stop_by_code
from exchange.flows.withdraw_consent import Withdrawal, withdraw_consent
from exchange.observability import log
from exchange.security.tokens import Caller
from exchange.transaction import BROKER, Outcome, Transaction
from exchange.writer import Busy
from policies.vocabulary import ConsentId, GrantId

_ADD: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_ANEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC

MOST: Final = 10_000
"""Withdrawals that may wait of one application: no partner has as many in all of an outage."""

_CUT_OFF: Final = b"\x18"
"""Ends a line that a crash cut off, when the next one is added: no line of ours holds it."""


Said: TypeAlias = tuple[Caller, Withdrawal | ByCode]
"""What somebody said, for an organisation, or with a code from a letter: then as `_NOBODY`."""


def carry_out(tx: Transaction, caller: Caller, order: Withdrawal | ByCode) -> Outcome[Any]:
    """What was said while nothing could be written, as if it were said now."""
    if isinstance(order, ByCode):
        return stop_by_code(tx, order)
    return withdraw_consent(tx, caller, order)


STOPPING: Final[Collection[Callable[..., Any]]] = (withdraw_consent, stop_by_code, carry_out)
"""Commands for which room is kept when all else is full."""


_NOBODY: Final = Caller(BROKER, "", frozenset(), "")


class Kept(NamedTuple):
    """A line that waits, and what it says; nothing when it can not be read any more."""

    line: bytes
    said: Said | None


class WithdrawalSpool:
    """A file of lines. What is in it is on disk before anybody is answered."""

    def __init__(self, path: Path, most: int = MOST) -> None:
        self._path, self._turn, self._most = path, threading.Lock(), most

    def keep(self, caller: Caller, order: Withdrawal) -> None:
        """Add one, durably; what the same application has said before stands there once.

        Raises `Busy`, and tells it, when so many of the application's wait that one is no more
        taken: it was not promised.
        """
        whose = {"application": caller.application}
        said = whose | {
            "organisation": caller.organisation,
            "consent": order.consent,
            "via": order.via,
            "grants": order.grants,
            "scopes": sorted(caller.scopes),
        }
        self._keep(whose, said, caller.token_id)

    def keep_code(self, order: ByCode) -> None:
        """As `keep`, for a code that is somebody's: of others none may be kept."""
        whose = {"application": BROKER}
        self._keep(whose, whose | {"code": order.digest.hex()}, "")

    def _keep(self, whose: Mapping[str, Any], said: Mapping[str, Any], token: str) -> None:
        with self._turn:
            before = self._read()
            whole = _whole(before)
            known = any(each.startswith(_start(said)) for each in whole)
            if not known and sum(each.startswith(_start(whose)) for each in whole) >= self._most:
                log.error("withdrawals.full", count=self._most)
                raise Busy
            gap = "" if not before or before.endswith(b"\n") else _CUT_OFF.decode() + "\n"
            with os.fdopen(os.open(self._path, _ADD, 0o600), "w", encoding="utf-8") as stream:
                if not known:
                    stream.write(f"{gap}{json.dumps({**said, 'token': token})}\n")
                stream.flush()
                os.fsync(stream.fileno())
            self._sync_folder()

    def kept(self) -> Iterator[Kept]:
        """Those that wait, oldest first. What was cut off was never answered, and is passed."""
        for line in _whole(self._read()):
            yield Kept(line, _read_line(line))

    def leave(self, those: Collection[bytes]) -> None:
        """Keep these lines and no other; without any the file goes."""
        with self._turn:
            if not those:
                self._path.unlink(missing_ok=True)
                return
            new = self._path.with_name(self._path.name + ".new")
            with os.fdopen(os.open(new, _ANEW, 0o600), "wb") as stream:
                stream.write(b"".join(each + b"\n" for each in those))
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(self._path)
            self._sync_folder()

    def _read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return b""

    def _sync_folder(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _whole(text: bytes) -> list[bytes]:
    return [each for each in text.split(b"\n")[:-1] if not each.endswith(_CUT_OFF)]


def _start(said: Mapping[str, Any]) -> bytes:
    """What a line begins with that says this, and more after it."""
    return json.dumps(said)[:-1].encode() + b", "


def _read_line(line: bytes) -> Said | None:
    try:
        said = json.loads(line)
        if "code" in said:
            return _NOBODY, ByCode(bytes.fromhex(said["code"]))
        scopes = frozenset[str](said["scopes"])
        caller = Caller(said["application"], said["organisation"], scopes, said["token"])
        parts = said["grants"]
        grants = None if parts is None else tuple(GrantId(each) for each in parts)
        return caller, Withdrawal(ConsentId(said["consent"]), said["via"], grants)
    except (ValueError, KeyError, TypeError):
        return None
