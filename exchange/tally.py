"""What the service counts of its own work: no person, no id, nothing of what was asked."""

import threading
from collections import deque
from dataclasses import dataclass, field
from statistics import quantiles

from exchange.field_counting import Counting

KEPT = 1000
"""How many of the last commits the slowest hundredth is taken of."""
_LEAST = 2


@dataclass(slots=True)
class Tally:
    """Counted by the writer's thread, read by any. Seconds."""

    batches: int = 0
    commands: int = 0
    last_batch: int = 0
    clamps: int = 0
    """Batches that took the log's last time, since the clock was behind it."""
    ran: dict[str, tuple[int, float]] = field(default_factory=dict)
    """How often each kind of command ran, and how long in all."""
    failures: dict[str, int] = field(default_factory=dict)
    """How often each gate or rule failed where it was asked; each time the answer was no."""
    commits: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    fields: Counting = field(default_factory=Counting)
    """What was asked for, released and opened: counted by whoever answers."""
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count_batch(self, commands: int) -> None:
        """A batch was settled."""
        with self._turn:
            self.batches, self.commands = self.batches + 1, self.commands + commands
            self.last_batch = commands

    def count_run(self, kind: str, seconds: float) -> None:
        """A command ran, perhaps not for the last time."""
        with self._turn:
            times, total = self.ran.get(kind, (0, 0.0))
            self.ran[kind] = times + 1, total + seconds

    def count_commit(self, seconds: float) -> None:
        """A COMMIT came back."""
        with self._turn:
            self.commits.append(seconds)

    def count_failure(self, name: str) -> None:
        """A gate or rule failed."""
        with self._turn:
            self.failures[name] = self.failures.get(name, 0) + 1

    def failed(self) -> dict[str, int]:
        """The gates and rules that failed, as `failures` has them."""
        with self._turn:
            return dict(self.failures)

    def runs(self) -> dict[str, tuple[int, float]]:
        """The kinds of commands that ran, as `ran` has them."""
        with self._turn:
            return dict(self.ran)

    def commit_p99(self) -> float:
        """What one of a hundred commits takes longer than; 0 before there are two."""
        with self._turn:
            seconds = list(self.commits)
        return quantiles(seconds, n=100)[-1] if len(seconds) >= _LEAST else sum(seconds)
