"""What counts once: proofs and assertions, remembered with the batch that they were used in."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection

from exchange import records


class AlreadyUsed(Exception):
    """Something in this batch was used before. Nothing of the batch may be committed."""


class Use(NamedTuple):
    """Something that counts once, and until when (µs) it could be tried again."""

    name: bytes
    until: int


class Uses:
    """What the commands of one batch use up; holds what was used before.

    A batch keeps all of its uses with one statement, and hopes that they are new. Where one
    was not, the batch runs again `careful`: then each is looked up before its command runs.
    """

    def __init__(self, connection: Connection, *, shard: int, careful: bool) -> None:
        self._connection, self._shard, self._careful = connection, shard, careful
        self._until: dict[bytes, int] = {}

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, bytes) or name in self._until:
            return True
        return self._careful and records.used_before(
            self._connection, shard=self._shard, token=name
        )

    def add(self, uses: Iterable[Use]) -> None:
        self._until.update(uses)

    def keep(self, over: int) -> None:
        """Remember them all, or raise `AlreadyUsed`; what was over before then is forgotten (µs).

        That is `Transaction.over`: not the log's time.
        """
        if self._until and not records.remember_uses(
            self._connection, shard=self._shard, uses=list(self._until.items()), over=over
        ):
            raise AlreadyUsed
