"""How the demonstration reads on a terminal: chapters of labelled lines, at most 100 columns."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

WIDTH = 100
_LABEL = 14


class Teller:
    """Writes the story down, and keeps what did not end as it should.

    Colour only on a terminal and without `NO_COLOR`; piped, it is plain text.
    """

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(highlight=False)
        console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
        self._console = console
        self.expected = 0
        self.failed: list[str] = []

    def title(self, text: str, *about: str) -> None:
        self._console.print(Text(text, style="bold"))
        for each in about:
            self._console.print(Text(each, style="dim"))

    def chapter(self, title: str, about: str) -> None:
        self._console.print()
        self._console.print(Text(title, style="bold cyan"))
        self._console.print(Text(f"  {about}"))

    def line(self, label: str, *parts: str) -> None:
        """One labelled line; long ones go on below themselves."""
        for number, part in enumerate(parts):
            head = f"  {label if number == 0 else '':<{_LABEL}} "
            for text in textwrap.wrap(part, self._console.width - len(head)):
                self._console.print(Text.assemble((head, "dim"), text))
                head = " " * len(head)

    def plain(self, text: str) -> None:
        """A line that is to be copied: never wrapped, never cut."""
        self._console.print(Text(text), soft_wrap=True)

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Say on a terminal that something takes a while."""
        with self._console.status(what):
            yield

    def expect(self, words: str, *, held: bool) -> None:
        """Check what the story just claimed; said aloud only when it is not so."""
        self.expected += 1
        if not held:
            self.failed.append(words)
            self._console.print(Text(f"  not as it should be: {words}", style="bold red"))
