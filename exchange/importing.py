"""An import from end to end: read, check, scan, seal, store; and the report of what became of it.

The report holds places, codes and counts. Nothing that a client or a counsellor wrote is in it.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.contract import AdapterError, Problem
from adapters.registry import KINDS
from consent.belgian_time import day_of, instant
from exchange.checking import (
    Export,
    Finding,
    Fit,
    ReaderLost,
    Unfit,
    Unread,
    findings,
    findings_from_beside,
)
from exchange.considering import ClientRecord
from exchange.directory import Directory
from exchange.flows.import_intake import Totals, close_import
from exchange.services import Services
from exchange.storing import Checked, Store, WriterStopped
from policies.insz import check_insz
from policies.vocabulary import OrganisationId, Section

CHUNK = 64
"""Intakes that are looked up, and stored, together."""
BESIDE_FROM = 2000
"""Client rows from which on a process of its own for reading repays its start."""

_HARMLESS = frozenset({"duplicate", "older_version", "empty_line"})
_IDENTITY = ("given_name", "family_name", "birth_date", "alias")


class ImportRefused(Exception):
    """The import can not begin: says what is wrong and what to do. Nothing was stored."""


@dataclass
class Report:
    """What became of every row: numbers, and places with codes."""

    kind: str
    organisation: str
    dry_run: bool
    clients: int = 0
    stored: int = 0
    new: int = 0
    unchanged: int = 0
    partial: int = 0
    numbers_discarded: int = 0
    numbers_invalid: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def document(self) -> dict[str, Any]:
        """As JSON: the lists in full, and a count of each code."""
        codes = Counter(each["code"] for each in (*self.problems, *self.rejected))
        return {**vars(self), "codes": dict(sorted(codes.items()))}


class Import:
    """One run of one adapter for one organisation; `run` yields how many rows were taken."""

    def __init__(
        self, services: Services, kind: str, organisation: str, *, dry_run: bool, mapping: str = ""
    ) -> None:
        self._services, self._holder = services, OrganisationId(organisation)
        self._directory: Directory = services.directory()
        self.report = Report(kind, organisation, dry_run)
        if self._holder not in self._directory.organisations:
            raise ImportRefused("there is no such organisation; run `organisations apply` first")
        if kind not in KINDS:
            raise ImportRefused(f"there is no such kind; choose one of {', '.join(sorted(KINDS))}")
        self._settings = {"mapping": mapping} if mapping else {}
        try:
            self._source = KINDS[kind](self._settings)
        except AdapterError as error:
            raise ImportRefused(str(error)) from None
        self._store = Store(services, self._holder, self._directory.scanner.fingerprint)
        today = day_of(instant(services.clock()))
        facts = self._directory.recipient(self._holder, today)
        self._may_hold_numbers = facts is not None and facts.insz_authorised
        self._today = today

    def total(self, path: Path) -> int:
        """Client rows in the export, for a progress bar. Raises `ImportRefused`."""
        try:
            return self._source.total(path)
        except AdapterError as error:
            raise ImportRefused(str(error)) from None

    def run(self, path: Path, *, beside_from: int = BESIDE_FROM) -> Iterator[int]:
        """Take the export in, row by row. Raises `ImportRefused` before anything is stored."""
        began = time.monotonic()
        beside = self.total(path) >= beside_from
        export = Export(
            self.report.kind, self._settings, path.absolute(), self._today, self._directory.scanner
        )
        chunk: list[Checked] = []
        try:
            with findings_from_beside(export) if beside else nullcontext(findings(export)) as found:
                for finding in found:
                    if (checked := self._noted(finding)) is not None:
                        chunk.append(checked)
                    if len(chunk) == CHUNK:
                        self._store.put(chunk)
                        chunk = []
                    yield self.report.clients
            self._store.put(chunk)
        except AdapterError as error:
            raise ImportRefused(str(error)) from None
        except WriterStopped:
            raise ImportRefused("the writer has stopped; see the server's log") from None
        except ReaderLost as lost:
            mend = "what was stored stays; run the import again"
            raise ImportRefused(f"the export was not read to its end {lost}; {mend}") from None
        finally:
            self._store.finish()
        self._close(began)
        yield self.report.clients

    def _noted(self, finding: Finding) -> Checked | None:
        """Put it into the report; what is to be stored of it, if anything is."""
        report = self.report
        if isinstance(finding, Problem):
            self._note(finding)
            return None
        if isinstance(finding, Unread):
            report.dropped = {each.column: each.count for each in finding.dropped}
            return None
        report.clients += 1
        report.partial += finding.partial
        if isinstance(finding, Unfit):
            report.rejected += [
                {"where": finding.where, "code": code, "column": place}
                for place, code in finding.problems
            ]
            return None
        report.quarantined += [
            {"where": finding.where, "path": place, "rules": list(rules)}
            for place, rules in finding.quarantined
        ]
        number = self._number(finding)
        if report.dry_run:
            report.stored += 1
            return None
        return self._to_store(finding, number)

    def _note(self, problem: Problem) -> None:
        line = {"where": problem.where, "code": str(problem.code)}
        if problem.column is not None:
            line["column"] = problem.column
        row = problem.column is None and str(problem.code) not in _HARMLESS
        (self.report.rejected if row else self.report.problems).append(line)

    def _to_store(self, fit: Fit, number: str | None) -> Checked:
        identity = {each: fit.identity[each] for each in _IDENTITY if each in fit.identity}
        commitments = self._services.committer.commitments(
            self._holder, identity=identity, insz=number, reference=fit.reference
        )
        return Checked(
            where=fit.where,
            commitments=commitments,
            record=ClientRecord(identity, frozenset()),
            sections={Section(name): text for name, text in fit.sections.items()},
            stored=fit.stored,
            quarantined=len(fit.quarantined),
            rules=tuple(sorted({rule for _, rules in fit.quarantined for rule in rules})),
        )

    def _number(self, intake: Fit) -> str | None:
        """The number, for who may process it: only to find the client again."""
        if intake.insz is None:
            return None
        number = check_insz(intake.insz)
        if number is None or (self._services.rulebook.demo and not number.is_test):
            self.report.numbers_invalid += 1
            self.report.problems.append({"where": intake.where, "code": "bad_national_number"})
            return None
        if not self._may_hold_numbers:
            self.report.numbers_discarded += 1
            return None
        return number.digits

    def _close(self, began: float) -> None:
        report, store = self.report, self._store
        report.new, report.unchanged = store.new, store.unchanged
        report.stored += store.stored
        report.rejected += [{"where": each, "code": "overtaken"} for each in store.overtaken]
        report.rejected += [{"where": each, "code": "failed"} for each in store.failed]
        report.seconds = round(time.monotonic() - began, 3)
        if report.dry_run or not report.clients:
            return
        totals = Totals(
            adapter=report.kind,
            stored=report.stored,
            dropped=sum(report.dropped.values()),
            quarantined=len(report.quarantined),
            rejected=len(report.rejected),
        )
        self._services.writer.submit(close_import, totals).result()
