"""A key is durable before what it seals, and one that was not stored seals nothing else."""

import sqlite3
import stat
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from audit.events import Actor, ClientRegistered
from audit.live import verify_log
from audit.prepared import together
from exchange.clients import find_or_add
from exchange.database import Unsafe
from exchange.key_store import KeyStore, open_key_store
from exchange.security.keys import KeyDestroyed, new_key_ring, read_key_ring
from exchange.services import SHARD, Services, build_services
from exchange.settings import Settings
from exchange.transaction import Outcome, Transaction
from exchange.writer import NotStored
from policies.vocabulary import ClientId, OrganisationId
from tests.builders import Clock, logged
from tests.exchange.commands import (
    PATIENCE,
    Commit,
    at_commit,
    run_batch,
    runner_for,
    values,
    write_and_fail,
)
from tests.exchange.disasters import disk_full, gone
from tests.exchange.tampering import tamper

sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
postgresql = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
DESTAP = OrganisationId("destap-ww")


def register(tx: Transaction, services: Services, name: str) -> Outcome[ClientId]:
    """A new client, with a key of its own, registered by a counsellor with a key of her own."""
    identity = {"given_name": name, "family_name": "Peeters", "birth_date": "2000-01-01"}
    added = find_or_add(tx, DESTAP, services.committer.registration(DESTAP, identity=identity))
    event = ClientRegistered(
        application="app:destap-ww-1",
        actor=Actor(user="u-7", capacity="counsellor"),
        client=added.client,
        provider=DESTAP,
    )
    return Outcome(added.client, (event,))


def registered(services: Services, name: str) -> ClientId:
    done = services.writer.submit(register, services, name).result(PATIENCE).value
    assert isinstance(done, str)
    return ClientId(done)


def assert_opens_after_a_restart(services: Services, clients: list[ClientId]) -> None:
    settings = services.settings
    services.close()
    again = build_services(settings, clock=services.clock)
    entries = [each for each in logged(again) if each["k"] == "client.registered"]
    with again.database.reading() as connection:
        report = verify_log(connection, shard=SHARD, keys=again.keys, deep=True)
    again.close()

    assert [each["client"] for each in entries] == clients
    assert [each["user"] for each in entries] == ["u-7"] * len(clients)
    assert report.findings == ()


def test_what_was_sealed_is_opened_after_a_restart(services: Services) -> None:
    clients = [registered(services, "Anna"), registered(services, "Ben")]

    assert_opens_after_a_restart(services, clients)


def test_after_a_batch_that_was_not_stored_its_keys_seal_nothing_more(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_connection: Any, _commit: Commit) -> None:
        raise disk_full(services.database)

    with monkeypatch.context() as patch:
        at_commit(patch, services.database, full)
        with pytest.raises(NotStored):
            services.writer.submit(register, services, "Anna").result(PATIENCE)
    client = registered(services, "Anna")

    assert_opens_after_a_restart(services, [client])


def test_keys_of_a_batch_that_ran_again_are_those_that_were_stored(services: Services) -> None:
    runner = runner_for(services)

    done, _ = run_batch(runner, partial(register, services=services, name="Anna"),
                        partial(write_and_fail, text="broken"))  # fmt: skip
    runner.close()

    (client,) = values([done])
    assert_opens_after_a_restart(services, [client])


@postgresql
@pytest.mark.parametrize("stored", ["stored", "lost"])
def test_keys_survive_a_commit_that_got_no_answer(
    services: Services, monkeypatch: pytest.MonkeyPatch, stored: str
) -> None:
    fates = [stored]

    def hang_up(connection: Any, commit: Commit) -> None:
        fate = fates.pop() if fates else "fine"
        if fate != "lost":
            commit()
        if fate != "fine":
            raise gone(connection)

    at_commit(monkeypatch, services.database, hang_up)
    client = registered(services, "Anna")

    assert_opens_after_a_restart(services, [client])


@sqlite
def test_new_keys_are_on_disk_before_the_batch_commits(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = services.settings.data_dir / "overdracht.db.keys"
    counted: list[int] = []

    def watch(_connection: Any, commit: Commit) -> None:
        with sqlite3.connect(file) as other:
            counted.append(other.execute("SELECT count(*) FROM audit_key_store").fetchone()[0])
        other.close()
        commit()

    at_commit(monkeypatch, services.database, watch)
    registered(services, "Anna")

    assert counted == [2]  # the client's, and the counsellor's


@postgresql
def test_keys_stand_in_a_schema_of_their_own(services: Services) -> None:
    registered(services, "Anna")

    with services.database.reading() as connection:
        where = connection.execute(
            text("SELECT table_schema FROM information_schema.tables WHERE table_name = :name"),
            {"name": "audit_key_store"},
        ).scalars()
        assert list(where) == ["overdracht_keys"]
        stored = connection.scalar(text("SELECT count(*) FROM overdracht_keys.audit_key_store"))
    assert stored == 2


def test_no_key_lies_unwrapped_in_any_file(services: Services) -> None:
    client = registered(services, "Anna")
    key = services.keys.of_client(client)
    folder = services.settings.data_dir
    services.close()

    held = [path for path in folder.iterdir() if path.is_file() and key in path.read_bytes()]

    assert held == []
    assert len(key) == 32


@sqlite
def test_the_file_of_keys_is_for_its_owner_alone(services: Services) -> None:
    file = services.settings.data_dir / "overdracht.db.keys"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@sqlite
@pytest.mark.case("T109")
def test_t109_c_a_start_with_wrapped_keys_that_others_can_read_is_refused(
    settings: Settings, clock: Clock
) -> None:
    file = settings.data_dir / "overdracht.db.keys"
    file.chmod(0o644)

    with pytest.raises(Unsafe, match=r"overdracht.db.keys can be read by others; run: chmod 600"):
        build_services(settings, clock=clock)


def test_a_log_whose_key_ring_is_missing_is_not_started_with_a_new_one(
    settings: Settings, clock: Clock
) -> None:
    (settings.data_dir / "keys.json").unlink()

    with pytest.raises(Unsafe, match=r"there is a log but no keys.json; restore the keys"):
        build_services(settings, clock=clock)
    assert not (settings.data_dir / "keys.json").exists()


@pytest.fixture
def store(services: Services) -> Iterator[KeyStore]:
    """A second look at the same keys, with nothing in memory."""
    ring = read_key_ring(services.settings.data_dir / "keys.json")
    opened = open_key_store(services.database, ring, shard=SHARD)
    yield opened
    opened.close()


def test_who_has_no_key_gets_none(store: KeyStore) -> None:
    with pytest.raises(KeyDestroyed):
        store.key(uuid4().bytes)
    assert store.by_id(uuid4().bytes) is None


def test_a_key_is_asked_for_beside_other_things_of_its_client(
    services: Services, store: KeyStore
) -> None:
    client = registered(services, "Anna")

    hear_of(services, store, client, "")

    assert store.of_client(client) == services.keys.of_client(client)
    if services.database.is_sqlite:
        assert store.asking(client) == []
        return
    tamper(services, lambda it: it.execute(text("DELETE FROM overdracht_keys.audit_key_store")))
    assert store.by_id(UUID(client).bytes) is not None  # from memory
    hear_of(services, store, client)
    assert store.by_id(UUID(client).bytes) is None


def hear_of(services: Services, store: KeyStore, *clients: str) -> None:
    with services.database.reading() as connection:
        for client in clients:
            store.heard(client, together(connection, *store.asking(client)))


def test_another_ring_opens_no_key(services: Services, store: KeyStore) -> None:
    client = registered(services, "Anna")
    other = open_key_store(services.database, new_key_ring(), shard=SHARD)

    assert store.of_client(client) == services.keys.of_client(client)
    with pytest.raises(KeyDestroyed):
        other.of_client(client)
    other.close()


def test_blinds_tell_uses_persons_and_installations_apart(
    store: KeyStore, services: Services
) -> None:
    other = open_key_store(services.database, new_key_ring(), shard=SHARD)

    blinds = {store.blind("sub", "a"), store.blind("act", "a"), store.blind("sub", "b"),
              other.blind("sub", "a")}  # fmt: skip

    other.close()
    assert len(blinds) == 4
    assert {len(each) for each in blinds} == {16}
    assert store.blind("sub", "a") == services.keys.blind("sub", "a")


def test_the_same_person_acting_again_has_the_same_key(services: Services) -> None:
    registered(services, "Anna")
    registered(services, "Ben")

    with services.database.reading() as connection:
        found = connection.execute(
            text("SELECT DISTINCT key_id FROM audit_part WHERE label = 'a'")
        ).all()
    assert len(found) == 1
