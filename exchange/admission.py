"""What may still come in when the log can not be vouched for.

The signer and the watch over the witnesses say so here; the writer asks before it takes a
command. Withdrawals are let in as long as anything can be written at all.
"""

from collections.abc import Callable, Collection
from typing import Any


class Admission:
    """Whether a command may run. Asked and told from many threads; each answer is one look."""

    def __init__(
        self,
        disclosures: Collection[Callable[..., Any]] = (),
        always: Collection[Callable[..., Any]] = (),
    ) -> None:
        self._disclosures, self._always = frozenset(disclosures), frozenset(always)
        self._frozen: str | None = None
        self._unwitnessed = False

    @property
    def frozen(self) -> str | None:
        """Why nothing may be written any more, or nothing when all is well."""
        return self._frozen

    @property
    def unwitnessed(self) -> bool:
        """Whether the witnesses have been silent for so long that no more data may leave."""
        return self._unwitnessed

    def freeze(self, why: str) -> None:
        """Let nothing in any more, until an operator has found out what happened.

        The first reason stays: what follows from it is not the reason.
        """
        self._frozen = self._frozen or why

    def hold_disclosures(self, *, unwitnessed: bool) -> None:
        """Let no disclosure in while the witnesses are silent."""
        self._unwitnessed = unwitnessed

    def admits(self, command: Callable[..., Any]) -> bool:
        """Whether this command may run now."""
        if self._frozen is not None:
            return command in self._always
        return not (self._unwitnessed and command in self._disclosures)
