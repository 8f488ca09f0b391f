"""What every command of the command line shares: words on the terminal, and asking the server."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from exchange.admin_socket import answers, ask_server
from exchange.operations import OperationRefused
from exchange.services import Services, build_services
from exchange.settings import Settings, read_settings

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
out, err = Console(), Console(stderr=True)


def done(
    verb: str,
    asked: Mapping[str, Any],
    *,
    shown: bool = False,
    rules: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The result of a verb, from the running server, or done here when none runs.

    Here with `rules` for the installation's own: so that a set that can not be used is replaced.
    """
    settings = read_settings()
    with _operator(settings, verb, asked, rules) as lines:
        return _with_progress(lines) if shown else _last(lines)


@contextmanager
def _operator(
    settings: Settings, verb: str, asked: Mapping[str, Any], rules: Mapping[str, str] | None
) -> Iterator[Iterator[dict[str, Any]]]:
    lines = ask_server(settings.data_dir, verb, asked)
    if lines is not None:
        yield lines
        return
    services: Services = build_services(settings, rules=rules)
    if services.admission.frozen is not None:
        why = services.admission.frozen
        services.close()
        raise OperationRefused(f"nothing may be written: {why}; see: overdracht doctor")
    try:
        yield answers(services, verb, asked)
    finally:
        services.close()


def _last(lines: Iterator[dict[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for line in lines:
        result = line.get("result", result)
    return result


def _with_progress(lines: Iterator[dict[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    with progress("clients") as tell:
        for line in lines:
            if "progress" in line:
                tell(line["progress"], line["total"])
            result = line.get("result", result)
    return result


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows how much is done, of how much; nothing where nobody looks at a terminal."""
    if not err.is_terminal:
        yield lambda *_: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def say(words: str) -> None:
    # Never wrapped by us: a hash or a path stays in one piece when it is copied or piped.
    out.print(words, soft_wrap=True, highlight=False)


_NAMED = 4
"""How many fields are named on a line; `--json` has all of them."""


def tell_asked(lanes: Collection[Mapping[str, Any]]) -> None:
    """Says what agreements ask beyond those before: no consent of before gives it."""
    for each in lanes:
        way = f"{each['holder']} → {each['recipient']}, {each['purpose']}"
        first, more = each["fields"][:_NAMED], len(each["fields"]) - _NAMED
        rest = f" and {more} more" if more > 0 else ""
        say(f"Asks for more than today: {way}: {', '.join(first)}{rest}.")
    if lanes:
        say("Nothing of that leaves on a consent of before: ask for renewal where it is needed.")


def print_json(body: Any) -> None:
    print(json.dumps(body, indent=1, default=str))  # noqa: T201 - plain, also when piped


def stop(words: str) -> NoReturn:
    err.print(words, style="red", highlight=False, markup=False, soft_wrap=True)
    raise SystemExit(2)
