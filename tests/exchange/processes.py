"""What other processes do: services of their own on the same data, really apart from ours."""

import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import event

from exchange.app import create_app
from exchange.flows import rotate_keys
from exchange.keeping import keys_rotate
from exchange.services import build_services
from exchange.settings import Settings
from exchange.writer import NotStored
from tests.builders import Clock
from tests.exchange.commands import PATIENCE, keep

SPAWN = multiprocessing.get_context("spawn")
LONG = 120
"""Seconds within which another process must have come to its end."""


def ended(what: Callable[..., None], *args: Any) -> int | None:
    """The exit code of a process that does this."""
    process = SPAWN.Process(target=what, args=args)
    process.start()
    process.join(LONG)
    process.kill()
    return process.exitcode


def both(what: Callable[..., None], settings: Settings, *args: Any) -> list[Any]:
    """What two processes say that do this at the same time."""
    barrier, answers = SPAWN.Barrier(2), SPAWN.SimpleQueue()
    those = [
        SPAWN.Process(target=what, args=(settings, barrier, answers, number, *args))
        for number in range(2)
    ]
    for each in those:
        each.start()
    for each in those:
        each.join(LONG)
        each.kill()
    assert [each.exitcode for each in those] == [0, 0]
    return [answers.get() for _ in those]


def out_of_room(settings: Settings) -> None:
    """Store something; from then on, no file of this process may grow."""
    services = build_services(settings, clock=Clock())
    services.writer.submit(keep, "stored").result(PATIENCE)
    written = Path(f"{settings.data_dir / 'overdracht.db'}-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (written, written))
    with suppress(NotStored):
        for number in range(100):
            services.writer.submit(keep, f"more-{number}").result(PATIENCE)
    threading.Event().wait(PATIENCE)


def take_turns(settings: Settings, barrier: Any, answers: Any, number: int, rounds: int) -> None:
    """Append in rounds, each begun by both at once."""
    services = build_services(settings, clock=Clock())
    for turn in range(rounds):
        barrier.wait(PATIENCE)
        for each in range(5):
            name = f"p{number}-r{turn}-{each}"
            services.writer.submit(keep, name).result(PATIENCE)
        barrier.wait(PATIENCE)
    services.close()
    answers.put(number)


def ask_for_token(
    settings: Settings, barrier: Any, answers: Any, _number: int, form: dict[str, str]
) -> None:
    """Ask for an access token, both at once."""
    services = build_services(settings, clock=Clock())
    asking = TestClient(create_app(services))
    barrier.wait(PATIENCE)
    answer = asking.post("/oauth/token", data=form)
    services.close()
    answers.put((answer.status_code, answer.json().get("error")))


def rotate_until_killed(settings: Settings, commits: int) -> None:
    """Turn the key that wraps all others, two a step; killed before COMMIT number `commits`."""
    rotate_keys.STEP = 2
    services = build_services(settings, clock=Clock())
    left = count(1)

    def die(_connection: Any) -> None:
        if next(left) == commits:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(services.database.writing_engine, "commit", die)
    list(keys_rotate(services, {}))


def ask_with_proof(
    settings: Settings,
    barrier: Any,
    answers: Any,
    _number: int,
    path: str,
    headers: dict[str, str],
) -> None:
    """Send the same request, both at once."""
    services = build_services(settings, clock=Clock())
    asking = TestClient(create_app(services))
    barrier.wait(PATIENCE)
    answer = asking.get(path, headers=headers)
    services.close()
    answers.put(answer.status_code)


def send_each(
    settings: Settings,
    barrier: Any,
    answers: Any,
    number: int,
    requests: tuple[tuple[str, str, dict[str, Any]], ...],
    headers: dict[str, str],
) -> None:
    """Send one request each, both at once: method, path and body."""
    services = build_services(settings, clock=Clock())
    asking = TestClient(create_app(services), headers=headers)
    method, path, body = requests[number]
    barrier.wait(PATIENCE)
    answer = asking.request(method, path, json=body)
    services.close()
    answers.put((answer.status_code, number))
