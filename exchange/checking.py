"""Reads an export and holds each client against the summary model: pure work, without a database.

It takes as long as storing does. For a large export it runs in a process of its own, beside
the one that stores; the pipe between them is the queue, and it holds a few clients only.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pydantic_core import to_json

from adapters.contract import AdapterError, Dropped, Problem
from adapters.registry import KINDS
from policies.deposit import ContentRefused, read_deposit
from policies.text_scan import Scanner

AT_ONCE = 32
"""Findings that go through the pipe together."""

# Not `-m`: what is pickled must be of this module on both sides, and not of `__main__`.
_BESIDE = f"import sys; sys.path[:] = sys.argv[1:]; from {__name__} import tell; tell()"


@dataclass(frozen=True, slots=True)
class Export:
    """What is to be read, and by what it is checked. `settings` are those of the adapter."""

    kind: str
    settings: Mapping[str, str]
    path: Path
    today: date
    scanner: Scanner


class Unfit(NamedTuple):
    """A client of whom some values do not fit: places and codes."""

    where: str
    partial: bool
    problems: tuple[tuple[str, str], ...]


class Fit(NamedTuple):
    """A client as they are to be kept. `sections` are JSON of envelopes by the field's name.

    `quarantined` has a path, and the rules that were broken there, for each text taken out.
    """

    where: str
    partial: bool
    identity: Mapping[str, str]
    insz: str | None
    reference: str
    sections: Mapping[str, bytes]
    stored: int
    quarantined: tuple[tuple[str, tuple[str, ...]], ...]


class Unread(NamedTuple):
    """The columns that the adapter does not read; comes last."""

    dropped: Sequence[Dropped]


Finding = Problem | Unfit | Fit | Unread


class ReaderLost(Exception):
    """The process that reads has ended before its time; says by what error, where one is known."""


def findings(export: Export) -> Iterator[Finding]:
    """Every client and every problem, in the order of the export; what was dropped at the end.

    Raises `AdapterError` before the first, when this is no such export.
    """
    source = KINDS[export.kind](export.settings)
    for item in source.intakes(export.path):
        if isinstance(item, Problem):
            yield item
            continue
        try:
            deposited = read_deposit(item.sections, today=export.today, scanner=export.scanner)
        except ContentRefused as refused:
            yield Unfit(item.where, item.partial, refused.problems)
            continue
        yield Fit(
            where=item.where,
            partial=item.partial,
            identity=item.identity,
            insz=item.insz,
            reference=item.reference,
            sections={name.value: to_json(fields) for name, fields in deposited.sections.items()},
            stored=deposited.stored,
            quarantined=tuple((each.path, each.rules) for each in deposited.quarantined),
        )
    yield Unread(tuple(source.dropped()))


@contextmanager
def findings_from_beside(export: Export) -> Iterator[Iterator[Finding]]:
    """As `findings`, made by another process, which ends with the block at the latest.

    Raises `ReaderLost` when that process ended too early; what came before it is true.
    """
    with subprocess.Popen(  # noqa: S603  # our own module
        [sys.executable, "-P", "-c", _BESIDE, *sys.path],
        # The address of the database may hold a password; who only reads needs none of ours.
        env={name: said for name, said in os.environ.items() if not name.startswith("OVERDRACHT_")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield _received(process, export)
        finally:
            process.kill()


def _received(process: "subprocess.Popen[bytes]", export: Export) -> Iterator[Finding]:
    if process.stdin is None or process.stdout is None:
        raise ReaderLost
    try:
        with closing(process.stdin) as said:
            pickle.dump(export, said)
        while True:
            # From our own child, through a pipe that nobody else has.
            found = pickle.load(process.stdout)  # noqa: S301
            if isinstance(found, Exception):
                raise found
            yield from found
            if isinstance(found[-1], Unread):
                return
    except (EOFError, BrokenPipeError, pickle.UnpicklingError):
        raise ReaderLost from None


def tell() -> None:
    """Be the other process: tell what is found, as fast as it is taken."""
    # Who started us decides when to stop, whatever key was pressed; then the pipe breaks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    export: Export = pickle.load(sys.stdin.buffer)  # noqa: S301  # from our own parent
    found = findings(export)
    try:
        while told := list(islice(found, AT_ONCE)):
            _tell(told)
    except BrokenPipeError:
        # Nobody listens any more; closing the pipe at exit would only complain again.
        os._exit(1)
    except AdapterError as error:
        _tell(error)
    except Exception as error:  # noqa: BLE001 - a mistake of ours; its words may hold what was read
        _tell(ReaderLost(type(error).__name__))


def _tell(what: object) -> None:
    pickle.dump(what, sys.stdout.buffer, protocol=pickle.HIGHEST_PROTOCOL)
    sys.stdout.buffer.flush()
