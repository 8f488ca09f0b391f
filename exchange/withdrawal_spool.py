"""Withdrawals that came while the log could not be written: kept, and the first thing done later.

A log that was put back may lack the very withdrawals that were acknowledged in it. Until that
is found out nothing is released, and whoever says stop is heard all the same.
"""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from exchange.flows.withdraw_consent import Withdrawal
from exchange.security.tokens import Caller
from policies.vocabulary import ConsentId, GrantId


class WithdrawalSpool:
    """A file of lines. What is in it is on disk before anybody is answered."""

    def __init__(self, path: Path) -> None:
        self._path, self._turn = path, threading.Lock()

    def keep(self, caller: Caller, order: Withdrawal) -> None:
        """Add one, durably."""
        said = {
            "application": caller.application,
            "organisation": caller.organisation,
            "scopes": sorted(caller.scopes),
            "token": caller.token_id,
            "consent": order.consent,
            "via": order.via,
            "grants": order.grants,
        }
        with self._turn:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(file, "w", encoding="utf-8") as stream:
                stream.write(json.dumps(said) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            folder = os.open(self._path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)

    def kept(self) -> Iterator[tuple[Caller, Withdrawal]]:
        """Those that wait, oldest first. A line that was cut off was never answered."""
        try:
            lines = self._path.read_text("utf-8").split("\n")[:-1]
        except FileNotFoundError:
            return
        for line in lines:
            said = json.loads(line)
            scopes = frozenset[str](said["scopes"])
            caller = Caller(said["application"], said["organisation"], scopes, said["token"])
            grants = said["grants"]
            parts = None if grants is None else tuple(GrantId(each) for each in grants)
            yield caller, Withdrawal(ConsentId(said["consent"]), said["via"], parts)

    def empty(self) -> None:
        """All of them were done."""
        with self._turn:
            self._path.unlink(missing_ok=True)
