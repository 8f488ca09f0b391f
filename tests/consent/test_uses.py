from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from uuid import uuid4

from sqlalchemy import Connection, Engine, func, select

from consent import register
from policies.vocabulary import (
    Reason,
)
from tests.consent.builders import (
    Desk,
    OneKey,
    grant,
)


def test_a_grant_with_a_number_of_uses_is_used_up(desk: Desk) -> None:
    consent = desk.give(grants=[grant(max_uses=2), grant(sections=["work"])])

    for left in (None, None, Reason.USES_EXHAUSTED):
        facts = desk.facts()
        assert [each.ended for each in facts.grants] == [left, None]
        assert facts.limited == {(consent, "g1")}
        register.count_use(desk.connection, shard=1, facts=facts, rests_on=[0, 1])


def test_a_use_of_another_grant_counts_for_nothing(desk: Desk) -> None:
    desk.give(grants=[grant(max_uses=1)])
    desk.give(grants=[grant(max_uses=1)])
    facts = desk.facts()

    register.count_use(desk.connection, shard=1, facts=facts, rests_on=[1])

    assert desk.ended() == [None, Reason.USES_EXHAUSTED]


def test_of_two_fetches_at_once_only_one_is_allowed(engine: Engine) -> None:
    shard, sealing = int(uuid4()) % 2**31, OneKey()
    with writing(engine, shard) as connection:
        Desk(connection, sealing, shard=shard).give(grants=[grant(max_uses=1)])
    together = Barrier(2)

    def fetch(_: int) -> Reason | None:
        together.wait()
        with writing(engine, shard) as connection:
            facts = Desk(connection, sealing, shard=shard).facts()
            if facts.grants[0].ended is None:
                register.count_use(connection, shard=shard, facts=facts, rests_on=[0])
            return facts.grants[0].ended

    with ThreadPoolExecutor(2) as fetchers:
        answers = list(fetchers.map(fetch, range(2)))

    assert sorted(answers, key=str) == [None, Reason.USES_EXHAUSTED]


@contextmanager
def writing(engine: Engine, shard: int) -> Iterator[Connection]:
    """Alone in the shard, as the writer is."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(1331053650, shard)))
        yield connection
