"""The command that reads notices for their author: how they read, and what is missing."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from consent.notice_report import LibraryReport, NoticeReport, report_on
from consent.notices import NoticeRefused, read_notice
from exchange.terminal import Json, print_json, say, stop


def check(
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, readable=True, help="One file for each.")
    ],
    as_json: Json = False,
) -> None:
    """Read every notice (Markdown) in DIR for its author. Puts nothing into use.

    How easy it reads (not told for Arabic: no formula fits), its longest sentences, missing
    sections, purposes without a text in nl, en or fr, changes that their author did not declare,
    translations that are behind. Exit code 1 when there is something to do.
    """
    notices = []
    for path in sorted(folder.glob("*.md")) or stop(f"there is no *.md in {folder}"):
        try:
            notices.append(read_notice(path.read_bytes()))
        except NoticeRefused as error:
            stop(f"{path.name} is no notice: {error}")
    report = report_on(notices)
    if as_json:
        print_json(document_of(report))
    else:
        _tell(report)
    raise typer.Exit(0 if report.good else 1)


def document_of(report: LibraryReport) -> dict[str, Any]:
    """The report as one JSON document."""
    notices = [
        asdict(each) | {"reading": asdict(each.reading) | {"too_hard": each.reading.too_hard}}
        for each in report.notices
    ]
    return asdict(report) | {"notices": notices, "good": report.good}


def _tell(report: LibraryReport) -> None:
    for each in report.notices:
        words, longest = next(iter(each.reading.longest), (0, ""))
        say(
            f"{each.name}: {_score(each)}; {each.reading.words_a_sentence} words a sentence, "
            f"the longest has {words}: {escape(longest)}"
        )
        for what, found in (("no section", each.headings), ("placeholder", each.placeholders)):
            for one in found:
                say(f"  [red]mend[/]  {what}: {escape(one)}")
    for purpose, langs in report.matrix.items():
        say(f"{purpose}: {', '.join(langs) or 'no notice'}")
    for purpose, lang in report.missing:
        say(f"[red]mend[/]  {purpose} has no notice in {lang}")
    for name in report.undeclared:
        say(f"[red]mend[/]  {name} changes what matters and says it does not")
    for name, behind in report.lagging.items():
        say(f"[red]mend[/]  {name} changed what matters; behind: {', '.join(behind)}")


def _score(notice: NoticeReport) -> str:
    reading = notice.reading
    if reading.score is None:
        return "no formula fits its language"
    judged = "too hard for" if reading.too_hard else "right for"
    return f"{reading.score}, {judged} {notice.target}"
