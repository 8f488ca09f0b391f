"""What a verification found. Standard library only."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One thing that does not hold, at the first entry where it does not.

    `contradicts` tells what was tampered with from what could only not be verified.
    """

    code: str
    at: int | None
    text: str
    contradicts: bool
    times: int


class Findings:
    """Collects findings: of each code the first entry, and how often it was met."""

    def __init__(self) -> None:
        self._by_code: dict[str, Finding] = {}

    def add(self, code: str, at: int | None, text: str, *, contradicts: bool = True) -> None:
        """Note one; only the first entry of each code keeps its words."""
        known = self._by_code.get(code)
        found = Finding(code, at, text, contradicts, 1 if known is None else known.times + 1)
        later = known is not None and (at is None or (known.at is not None and known.at <= at))
        if known is not None and later:
            found = known._replace(times=found.times)
        self._by_code[code] = found

    def all(self) -> tuple[Finding, ...]:
        """Every finding: contradictions first, then by entry."""
        return tuple(
            sorted(
                self._by_code.values(),
                key=lambda each: (not each.contradicts, -1 if each.at is None else each.at),
            )
        )


class Report(NamedTuple):
    """The outcome of a verification: of which log, up to where, and what was found."""

    origin: str
    size: int
    root: bytes
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0: all holds. 1: something was tampered with. 2: something could not be verified."""
        if any(each.contradicts for each in self.findings):
            return 1
        return 2 if self.findings else 0
