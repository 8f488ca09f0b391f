"""Two processes on one PostgreSQL database take turns, and the log is one log."""

import json

import pytest

from audit import log
from audit.live import verify_log
from exchange.services import SHARD, Services, build_services
from exchange.settings import Settings
from tests.builders import Clock
from tests.exchange.commands import notes
from tests.exchange.processes import both, take_turns

ROUNDS = 6


@pytest.fixture
def shared(settings: Settings, clock: Clock) -> Services:
    services = build_services(settings, clock=clock)
    services.writer.close()
    return services


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_two_processes_append_to_one_log_in_turns(shared: Services) -> None:
    assert sorted(both(take_turns, shared.settings, ROUNDS)) == [0, 1]

    found = notes(shared)
    rounds = [set(found[at : at + 10]) for at in range(0, len(found), 10)]
    assert rounds == [
        {f"p{number}-r{turn}-{each}" for number in (0, 1) for each in range(5)}
        for turn in range(ROUNDS)
    ]
    with shared.database.reading() as connection:
        report = verify_log(connection, shard=SHARD, keys=shared.keys, deep=True)
        entries = list(log.entries(connection, shard=SHARD))
    shared.close()
    assert report.exit_code == 0
    assert [index for index, _ in entries] == list(range(report.size))
    times = [json.loads(leaf)["t"] for _, leaf in entries]
    assert times == sorted(times)
