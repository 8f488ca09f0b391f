"""The key ring: one file, for its owner alone, from which every other secret comes."""

import base64
import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exchange.security.keys import (
    KEY_BYTES,
    KeyDestroyed,
    KeyRing,
    KeysRefused,
    Use,
    is_guessed,
    new_key_ring,
    read_key_ring,
    write_key_ring,
)
from exchange.services import build_services
from exchange.settings import Settings

ID, OTHER = bytes(range(16)), bytes(16)
KEY = b"k" * KEY_BYTES


@pytest.fixture
def ring() -> KeyRing:
    return new_key_ring()


@pytest.fixture
def written(ring: KeyRing, tmp_path: Path) -> Path:
    path = tmp_path / "data" / "keys.json"
    write_key_ring(ring, path)
    return path


def test_a_ring_is_read_back_as_it_was_written(ring: KeyRing, written: Path) -> None:
    assert read_key_ring(written) == ring


def test_file_and_folder_are_for_their_owner_alone(written: Path) -> None:
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert stat.S_IMODE(written.parent.stat().st_mode) == 0o700


def test_a_ring_that_stands_there_is_never_overwritten(ring: KeyRing, written: Path) -> None:
    with pytest.raises(FileExistsError):
        write_key_ring(new_key_ring(), written)

    assert read_key_ring(written) == ring


@pytest.mark.case("T109")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_t109_c_a_start_with_a_key_file_that_others_can_read_is_refused_with_its_mend(
    written: Path, mode: int
) -> None:
    written.chmod(mode)

    with pytest.raises(KeysRefused, match=r"keys.json can be read by others; run: chmod 600"):
        build_services(Settings(data_dir=written.parent))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 2}', '{"format": 1}', "no json", '{"format": 1, "kek": []}'],
)
def test_a_file_that_is_no_ring_is_refused_and_its_content_not_shown(
    written: Path, text: str
) -> None:
    written.write_text(text)

    with pytest.raises(KeysRefused) as refused:
        read_key_ring(written)
    assert "restore" in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_ring_with_a_short_key_is_refused(written: Path) -> None:
    body = json.loads(written.read_text())
    body["master"] = "c2hvcnQ="
    written.write_text(json.dumps(body))

    with pytest.raises(KeysRefused, match="damaged"):
        read_key_ring(written)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeysRefused, match=r"no key ring can be read from keys.json"):
        read_key_ring(tmp_path / "keys.json")


@pytest.mark.case("T109")
def test_t109_d_two_installations_share_no_secret() -> None:
    def secrets(ring: KeyRing) -> list[Any]:
        signing = [ring.token_signing["d"], ring.receipt_signing["d"]]
        return [ring.master, ring.derived(Use.AUDIT_INDEX), *ring.kek.values(), *signing]

    one, other = secrets(new_key_ring()), secrets(new_key_ring())

    assert len({*one, *other}) == len(one) + len(other)


GUESSED = [bytes(32), b"k" * 32, bytes(range(32)), bytes(range(32, 0, -1)), b"changeme" * 4]


@pytest.mark.case("T109")
@pytest.mark.parametrize("key", GUESSED, ids=["zeros", "one", "up", "down", "word"])
@pytest.mark.parametrize("where", ["master", "kek", "token_signing", "receipt_signing"])
def test_t109_d_a_start_with_a_key_that_anybody_can_guess_is_refused_with_its_mend(
    written: Path, where: str, key: bytes
) -> None:
    body = json.loads(written.read_text())
    text = base64.b64encode(key).decode()
    signing = {"d": base64.urlsafe_b64encode(key).decode().rstrip("=")}
    body[where] = {"master": text, "kek": {"1": text}}.get(where) or body[where] | signing
    written.write_text(json.dumps(body))

    with pytest.raises(KeysRefused, match=r"can guess; .* remove it and start again") as refused:
        build_services(Settings(data_dir=written.parent))
    assert text not in str(refused.value)


def test_no_key_that_is_made_here_looks_like_a_guess() -> None:
    assert not any(is_guessed(os.urandom(KEY_BYTES)) for _ in range(10_000))


def test_each_use_has_a_key_of_its_own_and_always_the_same(ring: KeyRing) -> None:
    keys = {ring.derived(use) for use in Use}

    assert len(keys) == len(Use) >= 5
    assert {len(key) for key in keys} == {KEY_BYTES}
    assert ring.derived(Use.CURSORS) == ring.derived(Use.CURSORS)
    assert ring.master not in keys


def test_a_wrapped_key_is_unwrapped_for_its_own_name_alone(ring: KeyRing) -> None:
    wrapped = ring.wrap(ID, KEY)

    assert ring.unwrap(ID, wrapped) == KEY
    assert KEY not in wrapped
    with pytest.raises(KeyDestroyed):
        ring.unwrap(OTHER, wrapped)


@pytest.mark.parametrize("at", [0, 1, 12, 40, 64])
def test_a_wrapped_key_that_was_changed_is_destroyed(ring: KeyRing, at: int) -> None:
    wrapped = bytearray(ring.wrap(ID, KEY))
    wrapped[at] ^= 1

    with pytest.raises(KeyDestroyed):
        ring.unwrap(ID, bytes(wrapped))


def test_a_key_wrapped_under_an_epoch_that_is_gone_is_destroyed(ring: KeyRing) -> None:
    wrapped = ring.wrap(ID, KEY)
    later = replace(ring, epoch=2, kek={2: b"2" * KEY_BYTES})

    with pytest.raises(KeyDestroyed):
        later.unwrap(ID, wrapped)


def test_after_a_new_epoch_what_was_wrapped_before_is_still_unwrapped(ring: KeyRing) -> None:
    wrapped = ring.wrap(ID, KEY)
    later = replace(ring, epoch=2, kek={**ring.kek, 2: b"2" * KEY_BYTES})

    assert later.unwrap(ID, wrapped) == KEY
    assert later.unwrap(ID, later.wrap(ID, KEY)) == KEY
    with pytest.raises(KeyDestroyed):
        ring.unwrap(ID, later.wrap(ID, KEY))
