"""I7: the database tells nothing without the key ring, and no key stands in it."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.checkpoints import read_note_key
from audit.parts import Mac
from exchange.database import Unsafe
from exchange.key_rings import key_provider
from exchange.key_store import open_key_store
from exchange.security.keys import KeyDestroyed, KeyRing, Use, new_key_ring
from exchange.security.vault import Vault
from exchange.services import SHARD, Services, build_services
from tests.builders import Broker, Clock
from tests.exchange.backups import BIN, backed_up, unpacked
from tests.invariants.canaries import flown, found_in
from tests.invariants.stored import plain, rows

SEALED = {"client", "summary_section", "consent", "handover"}


@pytest.fixture
def filled(broker: Broker, tmp_path: Path) -> Services:
    """A broker in whose database somebody stands, through every door."""
    exports = tmp_path / "exports"
    exports.mkdir()
    flown(broker, exports)
    broker.services.checkpointing.once()
    return broker.services


def held(ring: KeyRing) -> dict[str, bytes]:
    """Every key of a ring, by its use."""
    keks = {f"kek {epoch}": key for epoch, key in ring.kek.items()}
    signing = {"tokens": ring.token_signing, "receipts": ring.receipt_signing}
    signers = {use: base64.urlsafe_b64decode(key["d"] + "=") for use, key in signing.items()}
    return {"master": ring.master} | keks | signers | {use: ring.derived(use) for use in Use}


def ring_of(services: Services) -> KeyRing:
    return key_provider(services.settings).read()


def wrapped(services: Services) -> list[tuple[bytes, bytes]]:
    """The keys of clients and actors, by their ids, as they are stored."""
    with services.database.reading() as connection:
        return services.keys._shelf.after(connection, b"", 10_000)  # noqa: SLF001 - as it is stored


def signs_the_log(services: Services) -> dict[str, bytes]:
    (line,) = services.settings.log_key_path.read_text().splitlines()
    return {"log": read_note_key(line).seed}


def every_key(services: Services) -> dict[str, bytes]:
    """Every key there is, each with the use that it has and no other."""
    persons = {key_id.hex(): services.keys.key(key_id) for key_id, _ in wrapped(services)}
    opening = {f"{name} vault": Mac(key).digest(b"vault") for name, key in persons.items()}
    return held(ring_of(services)) | signs_the_log(services) | persons | opening


def forms(key: bytes) -> Iterator[bytes]:
    yield key
    yield base64.b64encode(b"\1" + key)  # as a line of log.key holds it
    yield key.hex().encode()
    yield base64.b64encode(key).rstrip(b"=")
    yield base64.urlsafe_b64encode(key).rstrip(b"=")


def found(keys: dict[str, bytes], text: bytes) -> list[str]:
    return [name for name, key in keys.items() if any(form in text for form in forms(key))]


def test_no_two_uses_have_the_same_key(filled: Services) -> None:
    keys = every_key(filled)

    assert len(keys) > 2 * len(wrapped(filled)) + len(Use)
    assert {len(key) for key in keys.values()} == {32}
    assert len(set(keys.values())) == len(keys)


def test_no_column_of_any_table_holds_a_key(filled: Services) -> None:
    keys = every_key(filled)
    names = {"the id of one": wrapped(filled)[0][0]}

    stored = list(rows(filled))

    assert {table for table, _, _ in stored} >= SEALED
    assert [name for _, _, value in stored for name in found(names, plain(value))] != []
    leaks = [(t, c, name) for t, c, value in stored for name in found(keys, plain(value))]
    assert leaks == []


def test_no_file_but_those_of_keys_holds_a_key(filled: Services) -> None:
    keys = every_key(filled)
    folder = filled.settings.data_dir
    filled.close()

    files = {each.name: found(keys, each.read_bytes()) for each in folder.iterdir()}

    assert set(held(key_provider(filled.settings).read())) - set(Use) == set(files.pop("keys.json"))
    assert files.pop("log.key") == ["log"]
    assert {name: told for name, told in files.items() if told} == {}
    assert len(files) > 1 or not filled.database.is_sqlite


def test_a_backup_tells_nothing_and_holds_no_key(
    filled: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin:/bin")
    keys = every_key(filled)
    backed_up(filled.settings, tmp_path / "copy")

    (copy,) = (each for each in (tmp_path / "copy").iterdir() if each.name != "manifest.json")
    text = unpacked(copy)

    assert b"summary.released" in text
    assert found_in(text) == []
    assert found(keys, text) == []
    assert [key_id.hex() for key_id, each in wrapped(filled) if each in text] == []


def test_a_database_is_not_started_without_its_key_ring(filled: Services, clock: Clock) -> None:
    filled.close()
    filled.settings.key_ring_path.unlink()

    with pytest.raises(Unsafe, match=r"there is a log but no keys.json; restore the keys from"):
        build_services(filled.settings, clock=clock)


def test_the_database_and_the_wrapped_keys_open_nothing_under_another_ring(
    filled: Services,
) -> None:
    sealed = [(t, plain(value)) for t, c, value in rows(filled) if c == "sealed"]
    ours = open_key_store(filled.database, ring_of(filled), shard=SHARD)
    theirs = open_key_store(filled.database, new_key_ring(), shard=SHARD)

    assert {table for table, _ in sealed} >= SEALED
    assert len(wrapped(filled)) > 1
    for key_id, _ in wrapped(filled):
        assert len(ours.key(key_id)) == 32
        with pytest.raises(KeyDestroyed):
            theirs.key(key_id)
        with pytest.raises(KeyDestroyed):
            Vault(theirs.key, shard=SHARD).open(key_id.hex(), sealed[0][1], "client")
    ours.close()
    theirs.close()
