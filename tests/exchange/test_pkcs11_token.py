"""A token: its keys can not be taken out, and what goes wrong with it is said with the mend."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from exchange.database import Unsafe
from exchange.key_rings import key_provider
from exchange.security.keys import KeysRefused, new_key_ring
from exchange.settings import KeyRingKind, Settings
from tests.exchange import softhsm
from tests.exchange.safes import TOKEN_LABEL, outside


@pytest.fixture
def reached(token: None, tmp_path: Path) -> Settings:
    """An installation with a sealed ring in the token of this session."""
    with outside("pkcs11", tmp_path, tmp_path.name[-60:]) as built:
        settings = built.settings(Settings(data_dir=tmp_path / "data"))
    key_provider(settings).keep(new_key_ring())
    return settings


def refusal(settings: Settings) -> str:
    with pytest.raises((KeysRefused, Unsafe)) as refused:
        key_provider(settings).read()
    assert softhsm.PIN not in str(refused.value)
    return str(refused.value)


def keys_in(settings: Settings) -> list[Any]:
    """What the token says of each key with the installation's label."""
    pkcs11 = importlib.import_module("pkcs11")
    found = pkcs11.lib(str(settings.pkcs11_module)).get_token(token_label=TOKEN_LABEL)
    told = (pkcs11.Attribute.EXTRACTABLE, pkcs11.Attribute.SENSITIVE)
    with found.open(user_pin=softhsm.PIN) as session:
        wanted = {pkcs11.Attribute.LABEL: settings.pkcs11_key}
        return [[each[name] for name in told] for each in session.get_objects(wanted)]


def test_a_key_is_made_in_the_token_and_can_not_be_taken_out(reached: Settings) -> None:
    assert keys_in(reached) == [[False, True]]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pkcs11_token": "another"}, "set OVERDRACHT_PKCS11_TOKEN to the label of one"),
        ({"pkcs11_key": "another"}, "put the newest copy of it here"),
        ({"pkcs11_module": Path("/etc/hostname")}, "set OVERDRACHT_PKCS11_MODULE to the library"),
        ({"pkcs11_module": Path("/nowhere.so")}, "set OVERDRACHT_PKCS11_MODULE to the library"),
        ({"pkcs11_module": None}, "set OVERDRACHT_PKCS11_MODULE to the library"),
        ({"pkcs11_pin_file": None}, "set OVERDRACHT_PKCS11_PIN_FILE to the file"),
    ],
)
def test_a_token_that_is_not_the_one_is_told_with_the_setting(
    reached: Settings, given: dict[str, Any], words: str
) -> None:
    assert words in refusal(reached.model_copy(update=given))


def test_a_wrong_pin_is_told_and_that_it_locks(reached: Settings) -> None:
    assert reached.pkcs11_pin_file is not None
    reached.pkcs11_pin_file.write_text("482616")

    assert "put the right one into OVERDRACHT_PKCS11_PIN_FILE; it locks" in refusal(reached)


def test_what_was_spoilt_does_not_open(reached: Settings) -> None:
    text = reached.key_ring_path.read_text()
    at = text.rindex("==") - 9 if "==" in text else len(text) - 20
    other = "A" if text[at] != "A" else "B"
    reached.key_ring_path.write_text(text[:at] + other + text[at + 1 :])

    assert "the token failed" in refusal(reached)


def test_without_the_library_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "exchange.security.pkcs11_token", None)
    settings = Settings(data_dir=tmp_path, key_ring=KeyRingKind.PKCS11)

    assert "install overdracht[pkcs11]" in refusal(settings)
