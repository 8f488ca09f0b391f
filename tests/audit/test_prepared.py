"""Statements that run on the driver itself answer, fail and begin as Core's do."""

from typing import Any

import pytest
from sqlalchemy import Connection, Engine, bindparam, event, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import col

from audit.prepared import Prepared, together
from audit.records import AuditEntry, AuditPart

ADD = Prepared(
    "INSERT INTO audit_part (shard, idx, label, key_id, ct, state) VALUES (?, ?, ?, ?, ?, ?)"
)
ALL = Prepared(
    "SELECT shard, idx, label, key_id, ct, state FROM audit_part WHERE shard = ? ORDER BY idx"
)
ENTRY = Prepared("INSERT INTO audit_entry (shard, idx, leaf) VALUES (?, ?, ?)")
ROWS = [
    (3, 2**52, "a", b"\x00\xff'%$1?", b"", 0),
    (3, 2**52 + 1, "é", None, bytes(range(256)), -2),
]


def test_values_of_every_sort_come_back_as_they_were_given(connection: Connection) -> None:
    added, found = together(connection, (ADD, ROWS), (ALL, [(3,)]))

    assert (added.rows, added.changed) == ([], 2)
    assert found.rows == ROWS
    assert ALL.rows(connection, (4,)) == []


def test_a_statement_of_core_takes_its_values_by_name(connection: Connection) -> None:
    together(connection, (ADD, ROWS))
    labels = Prepared(
        select(col(AuditPart.label), col(AuditPart.state))
        .where(
            col(AuditPart.state).in_((0, 7)),
            col(AuditPart.shard) == bindparam("shard"),
            col(AuditPart.idx) >= bindparam("least"),
        )
        .limit(5)
    )

    assert labels.rows(connection, {"least": 1, "shard": 3}) == [("a", 0)]
    assert labels.rows(connection, {"least": 2**53, "shard": 3}) == []


def test_what_fails_is_told_as_core_tells_it_and_leaves_nothing(database: Engine) -> None:
    with pytest.raises(IntegrityError), database.begin() as connection:
        together(connection, (ADD, ROWS[:1]), (ADD, ROWS[:1]), (ADD, ROWS[1:]))

    with database.begin() as connection:
        assert ALL.rows(connection, (3,)) == []
        together(connection, (ADD, ROWS))
        assert len(ALL.rows(connection, (3,))) == 2


def test_the_transaction_holds_all_of_it_or_nothing(database: Engine) -> None:
    with database.connect() as connection, connection.begin() as begun:
        ADD.rows(connection, ROWS[0])
        together(connection, (ENTRY, [(3, 1, b"leaf")]), (ADD, ROWS[1:]))
        begun.rollback()

    with database.begin() as connection:
        assert ALL.rows(connection, (3,)) == []
        assert connection.execute(select(AuditEntry)).all() == []


def test_a_value_that_could_be_read_differently_is_not_sent(database: Engine) -> None:
    with database.begin() as connection:
        if connection.dialect.name == "postgresql":
            with pytest.raises(TypeError):
                together(connection, (ADD, [(3, 1.5, "a", None, None, 0)]), (ALL, [(3,)]))
        assert ALL.rows(connection, (3,)) == []


def test_who_watches_the_statements_of_core_sees_these_too(connection: Connection) -> None:
    seen: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda *told: seen.append(told[2]))

    together(connection, (ADD, ROWS), (ALL, [(3,)]))

    assert [text.partition(" ")[0] for text in seen] == ["INSERT", "SELECT"]


def test_several_statements_are_one_round_trip_to_postgresql(
    postgresql_log: Engine, tmp_path: Any
) -> None:
    trace = tmp_path / "trace"
    with postgresql_log.begin() as connection:
        one = Prepared("SELECT CAST(? AS BIGINT)")
        together(connection, (one, [(1,), (2,)]))
        driver: Any = connection.connection.driver_connection
        with trace.open("w") as file:
            driver.pgconn.trace(file.fileno())
            answer, *_ = together(connection, (one, [(1,), (2,)]), (one, [(3,)]))
            driver.pgconn.untrace()

    assert answer.rows == [(1,), (2,)]
    assert trace.read_text().count("Sync\n") == 1


def test_a_lost_connection_is_told_as_lost(postgresql_log: Engine) -> None:
    with postgresql_log.connect() as connection, postgresql_log.connect() as other:
        driver: Any = connection.connection.driver_connection
        one = Prepared("SELECT 1")
        assert one.rows(connection, ()) == [(1,)]
        other.exec_driver_sql("SELECT pg_terminate_backend(%s, 5000)", (driver.info.backend_pid,))

        for asked in ([(one, [()])], [(one, [()]), (one, [()])]):
            with pytest.raises(DBAPIError) as lost:
                together(connection, *asked)
            assert lost.value.connection_invalidated
        connection.invalidate()
