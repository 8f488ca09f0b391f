"""A sealed key ring opens with its safe alone, and what has ended opens no more, for nobody."""

import json
import shutil
import stat
import threading
from base64 import b64decode
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from exchange.database import Unsafe
from exchange.key_rings import key_provider, move_ring
from exchange.security.key_provider import SealedRing
from exchange.security.keys import (
    KeyRing,
    KeysRefused,
    new_key_ring,
    read_key_ring,
    ring_document,
    with_new_epoch,
    without_older_epochs,
)
from exchange.settings import KeyRingKind, Settings
from tests.exchange.safes import Outside

URL = str.maketrans("-_", "+/")


@pytest.fixture
def sealed(safe: Outside, tmp_path: Path) -> Settings:
    return safe.settings(Settings(data_dir=tmp_path / "data"))


def secrets_of(ring: KeyRing) -> list[bytes]:
    """Every secret of a ring, as text and as bytes."""
    texts = [ring_document(ring)["master"], *ring_document(ring)["kek"].values()]
    texts += [f"{each['d']}=" for each in (ring.token_signing, ring.receipt_signing)]
    return [each[:43].encode() for each in texts] + [
        b64decode(each.translate(URL), validate=True) for each in texts
    ]


def kept(settings: Settings, ring: KeyRing) -> KeyRing:
    """Kept, and read again."""
    key_provider(settings).keep(ring)
    return key_provider(settings).read()


def test_a_sealed_ring_is_read_back_as_it_was_kept(sealed: Settings) -> None:
    ring = new_key_ring()
    assert not key_provider(sealed).exists()

    assert kept(sealed, ring) == ring
    assert kept(sealed, with_new_epoch(ring)).kek.keys() == {1, 2}
    assert key_provider(sealed).exists()


def test_the_file_holds_no_secret_and_is_for_its_owner_alone(sealed: Settings) -> None:
    ring = kept(sealed, with_new_epoch(new_key_ring()))

    text = sealed.key_ring_path.read_bytes()

    assert [each for each in secrets_of(ring) if each in text] == []
    assert b"master" not in text
    assert stat.S_IMODE(sealed.key_ring_path.stat().st_mode) == 0o600


def test_an_epoch_that_ended_opens_no_more_from_any_copy_of_the_file(
    sealed: Settings, tmp_path: Path
) -> None:
    first, between = tmp_path / "first", tmp_path / "between"
    kept(sealed, new_key_ring())
    shutil.copy(sealed.key_ring_path, first)
    two = kept(sealed, with_new_epoch(key_provider(sealed).read()))
    shutil.copy(sealed.key_ring_path, between)

    one = kept(sealed, without_older_epochs(two))

    assert one.kek.keys() == {2}
    shutil.copy(between, sealed.key_ring_path)  # as another host has it, or as a crash leaves it
    assert key_provider(sealed).read() == one
    assert kept(sealed, without_older_epochs(key_provider(sealed).read())) == one
    shutil.copy(first, sealed.key_ring_path)
    with pytest.raises(KeysRefused, match="put the newest copy of it here"):
        key_provider(sealed).read()


def test_an_epoch_that_is_taken_back_leaves_the_one_before(sealed: Settings) -> None:
    one = kept(sealed, new_key_ring())
    kept(sealed, with_new_epoch(one))

    assert kept(sealed, one) == one
    two = kept(sealed, with_new_epoch(one))
    assert two.kek.keys() == {1, 2}
    assert kept(sealed, without_older_epochs(two)).kek.keys() == {2}


def test_two_secrets_that_changed_places_open_no_more(sealed: Settings) -> None:
    kept(sealed, with_new_epoch(new_key_ring()))
    document = json.loads(sealed.key_ring_path.read_text())
    texts = document["sealed"]
    texts["1"], texts["2"] = texts["2"], texts["1"]
    sealed.key_ring_path.write_text(json.dumps(document))

    with pytest.raises(KeysRefused):
        key_provider(sealed).read()


def test_a_ring_that_moved_there_turns_before_anything_of_it_ends(sealed: Settings) -> None:
    old = sealed.model_copy(update={"key_ring": KeyRingKind.FILE})
    two = kept(old, with_new_epoch(new_key_ring()))

    assert move_ring(sealed) is KeyRingKind.FILE

    assert key_provider(sealed).read() == two
    with pytest.raises(KeysRefused, match="run first: overdracht keys rotate"):
        key_provider(sealed).keep(without_older_epochs(two))
    three = kept(sealed, with_new_epoch(two))
    assert kept(sealed, without_older_epochs(three)).kek.keys() == {3}


def test_a_ring_moves_back_into_a_file_of_the_form_it_always_had(sealed: Settings) -> None:
    ring = kept(sealed, new_key_ring())
    plain = sealed.model_copy(update={"key_ring": KeyRingKind.FILE})
    with pytest.raises(KeysRefused, match=f"set OVERDRACHT_KEY_RING={sealed.key_ring.value}, or"):
        key_provider(plain).read()

    assert move_ring(plain) is sealed.key_ring

    assert read_key_ring(plain.key_ring_path) == ring


def test_a_ring_that_is_not_sealed_is_not_taken_for_one_that_is(sealed: Settings) -> None:
    kept(sealed.model_copy(update={"key_ring": KeyRingKind.FILE}), new_key_ring())

    with pytest.raises(KeysRefused, match=r"is not sealed by .*; run: overdracht keys move"):
        key_provider(sealed).read()


@pytest.mark.case("T109")
@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_t109_c_a_secret_that_others_can_read_is_refused_with_its_mend(
    sealed: Settings, mode: int
) -> None:
    file = sealed.vault_token_file or sealed.pkcs11_pin_file
    assert file is not None
    file.chmod(mode)

    with pytest.raises(KeysRefused, match="secret can be read by others; run: chmod 600"):
        key_provider(sealed).keep(new_key_ring())


@pytest.mark.parametrize("text", ["", "\n", "two words", "two\nlines", "é", "x" * 4097])
def test_a_file_that_holds_no_secret_of_one_line_is_refused_by_name(
    sealed: Settings, text: str
) -> None:
    file = sealed.vault_token_file or sealed.pkcs11_pin_file
    assert file is not None
    file.write_text(text)

    with pytest.raises(KeysRefused, match=r"OVERDRACHT_(VAULT_TOKEN|PKCS11_PIN)_FILE") as refused:
        key_provider(sealed).keep(new_key_ring())
    assert not text.strip() or text not in str(refused.value)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"sealed": []}, "damaged"),
        ({"sealed": {"rest": 1}}, "damaged"),
        ({"sealed": {}}, "newest copy"),
        ({"sealed": {"rest": "x", "one": "x"}}, "damaged"),
        ({"sealed": {"rest": "somebody:else"}}, "was not sealed by"),
        ({"format": 3}, "is not sealed by"),
    ],
)
def test_a_sealed_file_that_was_spoilt_is_refused(
    sealed: Settings, document: dict[str, object], words: str
) -> None:
    kept(sealed, new_key_ring())
    whole = json.loads(sealed.key_ring_path.read_text())
    sealed.key_ring_path.write_text(json.dumps(whole | document))

    with pytest.raises(KeysRefused, match=words):
        key_provider(sealed).read()


@pytest.mark.case("T109")
@pytest.mark.parametrize("text", ["root", "Password", "1234", "123456", "9876", "0000", "aaaaaaaa"])
def test_t109_d_a_secret_that_anybody_can_guess_is_refused_with_its_mend(
    sealed: Settings, text: str
) -> None:
    file = sealed.vault_token_file or sealed.pkcs11_pin_file
    assert file is not None
    file.write_text(text)

    with pytest.raises(KeysRefused, match="holds a secret that anybody can guess; change it"):
        key_provider(sealed).keep(new_key_ring())


class Silent:
    """A safe that never answers."""

    name = "silent"

    def __init__(self) -> None:
        self.never = threading.Event()

    def seal(self, secrets: Mapping[str, bytes]) -> dict[str, str]:
        self.never.wait()
        return dict.fromkeys(secrets, "")

    def open(self, sealed: Mapping[str, str]) -> dict[str, bytes]:
        return dict.fromkeys(sealed, b"")

    def turn(self) -> None:
        """At once."""

    def end(self, ended: Collection[str], kept: Collection[str]) -> None:
        """At once."""


def test_nobody_waits_for_ever_for_a_safe(tmp_path: Path) -> None:
    silent = Silent()
    ring = SealedRing(tmp_path / "keys.json", silent, seconds=0.01)

    with pytest.raises(KeysRefused, match="silent took too long; see that it runs"):
        ring.keep(new_key_ring())

    silent.never.set()
    assert not ring.exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"key_ring": KeyRingKind.VAULT}, "set OVERDRACHT_VAULT_ADDRESS"),
        ({"key_ring": KeyRingKind.VAULT, "vault_address": "https://vault"}, "VAULT_TOKEN_FILE"),
        ({"key_ring": KeyRingKind.PKCS11}, "set OVERDRACHT_PKCS11_PIN_FILE"),
    ],
)
def test_a_ring_whose_safe_is_not_all_set_names_what_is_missing(
    tmp_path: Path, given: dict[str, object], words: str
) -> None:
    settings = Settings(data_dir=tmp_path).model_copy(update=given)

    with pytest.raises((Unsafe, KeysRefused), match=words):
        key_provider(settings).keep(new_key_ring())
