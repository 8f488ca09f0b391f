"""`overdracht retention run` lets old entries go by a written policy, and nobody else can."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from audit import log, tallies
from audit.live import verify_log
from audit.retention import KEPT
from exchange.bench import long_log
from exchange.flows.prune_log import prune_log, sweep_log
from exchange.keeping import audit_export, retention_run
from exchange.operations import OperationRefused
from exchange.services import SHARD, Services, build_services
from exchange.settings import Settings
from tests.builders import Clock, logged
from tests.exchange.aside import aside
from tests.exchange.commands import note

STEP, SIZE = 65_536, 66_000


@pytest.fixture
def logged_much(services: Services) -> Services:
    for future in [services.writer.submit(note, f"n-{n}") for n in range(600)]:
        future.result()
    services.checkpointing.once()
    return services


def entries(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM audit_entry")).scalar_one())


@pytest.mark.case("AL14")
@pytest.mark.parametrize("size", [256, 512])
def test_al14_the_place_moves_only_to_where_the_log_says(logged_much: Services, size: int) -> None:
    logged_much.writer.submit(prune_log, 256, "p-2026").result()

    with aside(logged_much) as connection:
        move = text("UPDATE audit_state SET min_index = :size")
        if size == 256:
            connection.execute(move, {"size": size})
            connection.execute(text("DELETE FROM audit_entry WHERE idx < 256"))
            return
        with pytest.raises(DBAPIError, match="only added to"):
            connection.execute(move, {"size": size})


@pytest.mark.case("AL14")
@pytest.mark.parametrize("statement", ["DELETE FROM audit_entry", "DELETE FROM audit_tile"])
def test_al14_above_the_place_nothing_goes(logged_much: Services, statement: str) -> None:
    submit = logged_much.writer.submit
    submit(prune_log, 256, "p-2026").result()
    assert submit(sweep_log).result().value == 256
    assert submit(sweep_log).result().value == 0

    with aside(logged_much) as connection, pytest.raises(DBAPIError, match="only added to"):
        connection.execute(text(statement))


@pytest.mark.case("AL14")
def test_al14_a_row_of_the_index_is_no_word_of_the_log(logged_much: Services) -> None:
    with aside(logged_much) as connection:
        connection.execute(
            text("UPDATE audit_index SET kind = 'log.pruned' WHERE idx BETWEEN 300 AND 400")
        )
        with pytest.raises(DBAPIError, match="only added to"):
            connection.execute(text("UPDATE audit_state SET min_index = 256"))


def test_said_once_and_started_again_it_goes_on(
    logged_much: Services, settings: Settings, clock: Clock
) -> None:
    for _ in range(2):
        logged_much.writer.submit(prune_log, 256, "p-2026").result()
    said = [each["e"] for each in logged(logged_much) if each["k"] == "log.pruned"]
    assert [(each["min"], each["policy"]) for each in said] == [(256, "p-2026")]
    logged_much.close()

    services = build_services(settings, clock=clock)

    assert run(services) == 256
    with services.database.reading() as connection:
        report = verify_log(connection, shard=SHARD, keys=services.keys, deep=True)
    assert report.findings == ()
    services.checkpointing.scrub()
    services.close()
    build_services(settings, clock=clock).close()


def run(services: Services) -> int:
    *_, result = retention_run(services, {})
    return int(result["entries"])


@pytest.fixture
def long(tmp_path: Path, clock: Clock) -> Settings:
    """A broker with a log of real length, whose head was signed."""
    settings = Settings(data_dir=tmp_path / "data", prune_policy="p-2026")
    build_services(settings, clock=clock).close()
    long_log.lengthen(settings, SIZE)
    return settings


def opened(settings: Settings, clock: Clock) -> Services:
    services = build_services(settings, clock=clock)
    services.writer.submit(note, "more").result()
    services.checkpointing.once()
    return services


def test_entries_of_ten_years_go_and_the_rest_is_exported(
    long: Settings, clock: Clock, tmp_path: Path
) -> None:
    clock.move(KEPT - timedelta(days=1))
    services = opened(long, clock)
    assert run(services) == 0
    clock.move(timedelta(days=2))

    assert run(services) == STEP
    assert run(services) == 0

    with services.database.reading() as connection:
        assert entries(connection) == log.head(connection, shard=SHARD).size - STEP
        assert tallies.min_index(connection, shard=SHARD) == STEP
        assert verify_log(connection, shard=SHARD).findings == ()
    services.checkpointing.once()
    services.checkpointing.scrub()
    asked: dict[str, Any] = {"out": str(tmp_path / "b")}
    *_, made = audit_export(services, asked)
    assert made["entries"] > SIZE - STEP
    with pytest.raises(OperationRefused, match=f"the entries {STEP} to"):
        list(audit_export(services, {"out": str(tmp_path / "c"), "from": 0}))
    services.close()


def test_without_a_written_policy_nothing_ever_goes(long: Settings, clock: Clock) -> None:
    clock.move(4 * KEPT)
    services = opened(long.model_copy(update={"prune_policy": ""}), clock)

    assert run(services) == 0

    with services.database.reading() as connection:
        assert tallies.min_index(connection, shard=SHARD) == 0
    services.close()


def test_a_log_that_is_damaged_is_not_pruned(long: Settings, clock: Clock) -> None:
    clock.move(2 * KEPT)
    services = opened(long, clock)
    with aside(services, keep=True) as connection:
        connection.execute(text("DROP TRIGGER guard_entry_update"))
        connection.execute(text("UPDATE audit_entry SET leaf = X'00' WHERE idx = 777"))

    with pytest.raises(OperationRefused, match="audit verify"):
        run(services)

    with services.database.reading() as connection:
        assert tallies.min_index(connection, shard=SHARD) == 0
    services.close()
