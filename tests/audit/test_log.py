import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from audit import leaf, log, parts, records, tree
from audit.events import Actor, AdminStarted, AuditEvent, LogOpened
from audit.records import AuditIndex, AuditPart, AuditSubject, AuditTile
from tests.audit.log_builders import (
    ANN,
    BEN,
    NOON,
    POLICY,
    Ring,
    add,
    begin,
    given,
    record,
    refused,
    released,
)


def leaves(connection: Connection, shard: int = 0) -> list[dict[str, Any]]:
    return [leaf.read(raw) for _, raw in log.entries(connection, shard=shard)]


def opened(connection: Connection, keys: Ring, index: int) -> dict[str, Any]:
    """What is sealed beside an entry, by label."""
    ((_, raw),) = log.entries(connection, shard=0, start=index, stop=index + 1)
    return {
        part.label: json.loads(log.open_part(leaf.read(raw), part, keys))
        for part in log.parts_of(connection, shard=0, index=index)
    }


def test_a_shard_without_a_log_has_no_head(connection: Connection) -> None:
    with pytest.raises(log.NotOpened):
        log.head(connection, shard=0)


def test_what_was_appended_is_read_back_in_order(connection: Connection) -> None:
    keys = Ring()
    head = begin(connection, keys)

    head = add(connection, keys, head, [given(), released(), refused()])

    assert [each["k"] for each in leaves(connection)] == [
        "log.opened",
        "consent.given",
        "summary.released",
        "summary.refused",
    ]
    assert log.head(connection, shard=0) == head
    assert head.size == 4


def test_append_tells_index_and_hash_of_every_entry(connection: Connection) -> None:
    keys = Ring()
    head = begin(connection, keys)

    made, after = log.append(
        connection, record([given(), released()]), after=head, at=NOON, keys=keys, policy=POLICY
    )

    stored = dict(log.entries(connection, shard=0))
    assert [each.index for each in made] == [1, 2]
    assert [each.leaf_hash for each in made] == [tree.leaf_hash(stored[n]) for n in (1, 2)]
    assert tree.root_of(after.compact) == tree.root(map(tree.leaf_hash, stored.values()))


def test_an_empty_batch_leaves_the_log_alone(connection: Connection) -> None:
    keys = Ring()
    head = begin(connection, keys)

    assert log.append(connection, [], after=head, at=NOON, keys=keys, policy=POLICY) == ([], head)
    assert log.head(connection, shard=0) == head


def test_the_parts_hold_what_the_leaf_does_not(connection: Connection) -> None:
    keys = Ring()
    add(connection, keys, begin(connection, keys), [released(), refused("", provider=None)])

    assert opened(connection, keys, 1) == {
        "a": {"capacity": "begeleider", "user": "u-0b9e6c1a7d2f4c8b"},
        "s": {"client": ANN, "sn": 1},
        "y": json.loads(released().detail),
    }
    assert opened(connection, keys, 2)["s"] == {"sn": 0}


def test_a_client_s_entries_are_numbered_without_a_gap_across_batches(
    connection: Connection,
) -> None:
    keys = Ring()
    head = begin(connection, keys)
    head = add(connection, keys, head, [given(ANN), given(BEN), released(ANN)])

    add(connection, keys, head, [refused(ANN), refused(""), released(BEN), released(ANN)])

    said = [opened(connection, keys, index)["s"] for index in range(1, 8)]
    assert [each["sn"] for each in said if each.get("client") == ANN] == [1, 2, 3, 4]
    assert [each["sn"] for each in said if each.get("client") == BEN] == [1, 2]
    counters = select(col(AuditSubject.key_id), col(AuditSubject.n)).where(col(AuditSubject.n) > 0)
    assert {UUID(bytes=bytes(k)): n for k, n in connection.execute(counters)} == {
        UUID(ANN): 4,
        UUID(BEN): 2,
    }


def test_the_index_finds_an_entry_by_blinds_and_by_what_is_public(
    connection: Connection,
) -> None:
    keys = Ring()
    add(connection, keys, begin(connection, keys), [refused(consents=("c-9",))])

    row = records.index_between(connection, shard=0, start=1, stop=2)[0]

    assert row.kind == "summary.refused"
    assert (row.provider, row.consumer) == ("org:leerwinkel-wvl", "org:vdab-gent")
    assert row.subject_blind == keys.blind("sub", ANN)
    assert row.actor_blind == keys.blind("act", "u-0b9e6c1a7d2f4c8b")
    assert row.consent_blind == keys.blind("con", "c-9")


def test_time_never_runs_backwards_in_the_log(connection: Connection) -> None:
    keys = Ring()
    head = add(connection, keys, begin(connection, keys), [given()], later=timedelta(hours=1))

    add(connection, keys, head, [released()], later=timedelta(minutes=1))

    times = [each["t"] for each in leaves(connection)]
    assert times[2] == times[1] == times[0] + 3_600_000_000
    assert times[0] == 1_790_000_000_000_000 + (NOON.timestamp() - 1_790_000_000) * 1_000_000


def test_a_log_event_may_be_done_by_somebody(connection: Connection) -> None:
    keys = Ring()
    started = AdminStarted(ver="0.1.0", cfg="abc", actor=Actor(user="u-admin"))
    add(connection, keys, begin(connection, keys), [started])

    assert opened(connection, keys, 1) == {"a": {"user": "u-admin"}}
    assert leaves(connection)[1]["x"].keys() == {"a"}


def test_an_event_without_a_request_is_only_about_the_log(connection: Connection) -> None:
    keys = Ring()
    head = begin(connection, keys)

    for request in ("", "r-1", "01a0c450-6fe8-7f10-bf71-22ca2317b336"):
        with pytest.raises(leaf.NotALeaf):
            log.append(
                connection,
                [log.Recorded(given(), request)],
                after=head,
                at=NOON,
                keys=keys,
                policy=POLICY,
            )
    _, after = log.append(
        connection,
        [log.Recorded(AdminStarted(ver="1", cfg="c"), "")],
        after=head,
        at=NOON,
        keys=keys,
        policy=POLICY,
    )
    assert after.size == 2
    assert "q" not in leaves(connection)[1]


def test_a_policy_that_is_no_hash_is_refused(connection: Connection) -> None:
    keys = Ring()
    head = begin(connection, keys)

    with pytest.raises(leaf.NotALeaf):
        log.append(connection, record([given()]), after=head, at=NOON, keys=keys, policy="v1")


def test_what_is_no_event_is_refused(connection: Connection) -> None:
    keys = Ring()
    head = begin(connection, keys)

    with pytest.raises(TypeError):
        add(connection, keys, head, [AuditEvent()])


@pytest.mark.case("AL15")
def test_al15_a_writer_whose_head_is_old_is_stopped(connection: Connection) -> None:
    keys = Ring()
    head = begin(connection, keys)
    add(connection, keys, head, [given()])
    stale = head._replace(size=head.size + 1, epoch=2)

    with connection.begin_nested() as inner:
        with pytest.raises(log.LogMoved):
            add(connection, keys, stale, [released()])
        inner.rollback()

    assert log.head(connection, shard=0).size == 2


@pytest.mark.case("AL15")
def test_al15_two_writers_without_the_lock_cannot_both_have_an_index(
    connection: Connection,
) -> None:
    keys = Ring()
    head = begin(connection, keys)
    add(connection, keys, head, [given()])

    with connection.begin_nested() as inner:
        with pytest.raises(IntegrityError) as caught:
            add(connection, keys, head, [released()])
        inner.rollback()

    assert ANN not in str(caught.value.statement)
    assert log.head(connection, shard=0).size == 2


def test_the_log_is_the_same_after_reloading_at_every_tile_edge(connection: Connection) -> None:
    keys = Ring()
    head = begin(connection, keys)
    head = add(connection, keys, head, [released() for _ in range(252)])
    compact: tuple[bytes, ...] = ()

    for size in range(254, 260):
        head = add(connection, keys, log.head(connection, shard=0), [released(BEN)])
        hashes = [tree.leaf_hash(raw) for _, raw in log.entries(connection, shard=0)]
        compact, _ = tree.fold((), 0, hashes)
        assert log.head(connection, shard=0) == head
        assert (head.size, head.compact) == (size, compact)
        tiles = {(t.level, t.n): bytes(t.data) for t in stored_tiles(connection)}
        full = {(0, 0): b"".join(hashes[:256]), (1, 0): tree.root(hashes[:256])}
        assert tiles == (full if size >= 256 else {})


def test_one_batch_may_fill_several_tiles_and_grow_those_above(connection: Connection) -> None:
    keys = Ring()
    head = begin(connection, keys)
    head = add(connection, keys, head, [released() for _ in range(299)])

    add(connection, keys, head, [released() for _ in range(725)])

    hashes = [tree.leaf_hash(raw) for _, raw in log.entries(connection, shard=0)]
    roots = [tree.root(hashes[at : at + 256]) for at in range(0, 1024, 256)]
    tiles = {(t.level, t.n): bytes(t.data) for t in stored_tiles(connection)}
    assert len(hashes) == 1025
    assert tiles == {(1, 0): b"".join(roots)} | {
        (0, n): b"".join(hashes[256 * n : 256 * n + 256]) for n in range(4)
    }


def stored_tiles(connection: Connection) -> list[Any]:
    columns = (col(AuditTile.level), col(AuditTile.n), col(AuditTile.data))
    return list(connection.execute(select(*columns)))


def test_entries_are_read_in_chunks_without_losing_any(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Ring()
    add(connection, keys, begin(connection, keys), [released() for _ in range(9)])
    monkeypatch.setattr(records, "_ENTRIES", records._ENTRIES.limit(3))  # noqa: SLF001
    monkeypatch.setattr(records, "CHUNK", 3)

    assert [index for index, _ in log.entries(connection, shard=0)] == list(range(10))
    assert [index for index, _ in log.entries(connection, shard=0, start=2, stop=7)] == [
        2, 3, 4, 5, 6,
    ]  # fmt: skip


def test_shards_are_strangers(connection: Connection) -> None:
    keys = Ring()
    first, second = begin(connection, keys), begin(connection, keys, shard=1)

    add(connection, keys, first, [given(), released()])
    add(connection, keys, second, [given()])

    assert len(leaves(connection, 0)) == 3
    assert len(leaves(connection, 1)) == 2


def test_nothing_of_a_person_stands_in_a_leaf(connection: Connection) -> None:
    keys = Ring()
    events = [given(ANN), released(ANN, case_reference="canary-7"), refused(ANN)]

    add(connection, keys, begin(connection, keys), events)

    everything = b"".join(raw for _, raw in log.entries(connection, shard=0))
    for canary in (ANN, "canary-7", "u-0b9e6c1a7d2f4c8b", "begeleider", "c-canary-1", "NO_CONSENT"):
        assert canary.encode() not in everything


def test_every_part_lies_under_the_key_of_whom_it_is_about(connection: Connection) -> None:
    keys = Ring()
    system = refused("", actor=Actor(system="expiry"))
    add(connection, keys, begin(connection, keys), [released(ANN), system])

    rows = connection.execute(select(col(AuditPart.label), col(AuditPart.key_id)))

    under = [(label, bytes(key_id or b"")) for label, key_id in rows]
    actor_id, _ = keys.of_actor("u-0b9e6c1a7d2f4c8b")
    ann = UUID(ANN).bytes
    assert sorted(under) == sorted(
        [("a", actor_id), ("s", ann), ("y", ann)]
        + [(label, parts.NOBODY) for label in ("a", "s", "y")]
    )


def test_a_part_is_not_opened_without_its_key_or_beside_another_leaf(
    connection: Connection,
) -> None:
    keys = Ring()
    add(connection, keys, begin(connection, keys), [released(ANN), released(ANN)])
    first, second = (
        log.parts_of(connection, shard=0, index=index)[1]._replace(idx=1) for index in (1, 2)
    )
    body = leaves(connection)[1]

    assert log.open_part(body, first, keys)
    with pytest.raises(parts.PartChanged):
        log.open_part(body, second, keys)
    with pytest.raises(parts.PartChanged):
        log.open_part(leaves(connection)[0], first, keys)
    with pytest.raises(log.PartGone):
        log.open_part(body, first._replace(state=records.SHREDDED), keys)
    keys.forget(ANN)
    with pytest.raises(log.KeyNotAtHand):
        log.open_part(body, first, keys)


def test_an_event_id_comes_only_once(connection: Connection) -> None:
    ids = select(col(AuditIndex.event_id))
    keys = Ring()

    add(connection, keys, begin(connection, keys), [released() for _ in range(50)])

    assert len({bytes(each) for each in connection.scalars(ids)}) == 51


def test_the_first_entry_says_that_the_log_was_opened(connection: Connection) -> None:
    begin(connection, Ring())

    (first,) = leaves(connection)

    assert (first["k"], first["e"]) == (LogOpened.kind, {"epoch": 1})
