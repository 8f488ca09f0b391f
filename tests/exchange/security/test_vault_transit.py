"""Vault, or whatever answers in its place: no answer of it does harm, and each says the mend."""

import base64
import json
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any

import pytest

from exchange.security.key_provider import SealedRing
from exchange.security.keys import KeysRefused, new_key_ring, with_new_epoch, without_older_epochs
from exchange.security.vault_transit import VaultTransit
from tests.exchange.commands import PATIENCE
from tests.exchange.vaulting import TOKEN, TransitKey, Vault, running_vault

SECRET = {"rest": b"what a ring holds"}
AT_MOST = 200
"""Pieces that a hostile server sends of a body without end, before the test would be over."""


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(TOKEN)
    return file


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with running_vault(tmp_path) as server:
        yield server


def reaching(vault: Vault, token: Path, **other: Any) -> VaultTransit:
    said: dict[str, Any] = {
        "address": vault.address,
        "key": "transit/overdracht",
        "ca_file": vault.ca_file,
    }
    return VaultTransit(**(said | {"token_file": token} | other))


@pytest.fixture
def transit(vault: Vault, token: Path) -> VaultTransit:
    return reaching(vault, token)


def refusal(transit: VaultTransit) -> str:
    """What an operator is told when nothing can be sealed."""
    with pytest.raises(KeysRefused) as refused:
        transit.seal(SECRET)
    assert TOKEN not in str(refused.value)
    assert refused.value.__cause__ is None
    return str(refused.value)


def test_what_was_sealed_is_opened_and_what_was_changed_is_not(transit: VaultTransit) -> None:
    sealed = transit.seal(SECRET)
    text = sealed["rest"]
    other = "A" if text[-9] != "A" else "B"

    assert transit.open(sealed) == SECRET
    with pytest.raises(KeysRefused, match="Vault does not open this ring"):
        transit.open({"rest": text[:-9] + other + text[-8:]})


def test_a_version_that_ended_is_gone_from_vault_itself(
    vault: Vault, transit: VaultTransit
) -> None:
    old = transit.seal(SECRET)
    transit.turn()
    new = transit.seal(SECRET)

    transit.end(old.values(), new.values())

    key = vault.keys["overdracht"]
    assert set(key.versions) == {2}
    assert key.told["min_available_version"] == 2
    assert transit.open(old) == {}
    assert transit.open(new) == SECRET
    transit.end(old.values(), new.values())  # again, as after a crash
    assert set(key.versions) == {2}


def test_no_version_ends_that_something_kept_needs(vault: Vault, transit: VaultTransit) -> None:
    sealed = transit.seal(SECRET)

    with pytest.raises(KeysRefused, match="run first: overdracht keys rotate"):
        transit.end(sealed.values(), sealed.values())
    assert set(vault.keys["overdracht"].versions) == {1}


def test_a_key_that_vault_turned_by_itself_does_no_harm(
    vault: Vault, token: Path, tmp_path: Path
) -> None:
    ring = SealedRing(tmp_path / "keys.json", reaching(vault, token))
    one = new_key_ring()
    ring.keep(one)
    key = vault.keys["overdracht"]
    key.versions[key.latest + 1] = bytes(32)
    ring.keep(with_new_epoch(one))
    key.versions[key.latest + 1] = bytes(32)

    ring.keep(without_older_epochs(ring.read()))

    assert ring.read().kek.keys() == {2}
    assert min(key.versions) == 4  # 1 and 3 by Vault, 2 and 4 by us: what 4 sealed is kept


def test_a_key_that_is_not_there_is_not_made(vault: Vault, token: Path) -> None:
    words = refusal(reaching(vault, token, key="transit/another"))

    assert "vault write -f transit/keys/NAME" in words
    assert vault.keys.keys() == {"overdracht"}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"exportable": True}, "can be taken out of Vault; make one"),
        ({"allow_plaintext_backup": True}, "can be taken out of Vault; make one"),
        ({"type": "rsa-2048"}, "is of another kind; make one"),
        ({"derived": True}, "is of another kind; make one"),
    ],
)
def test_a_key_that_does_not_protect_is_refused(
    vault: Vault, transit: VaultTransit, told: dict[str, Any], words: str
) -> None:
    vault.keys["overdracht"].told |= told

    assert words in refusal(transit)


def test_a_token_that_vault_does_not_know_is_refused(transit: VaultTransit, token: Path) -> None:
    token.write_text("hvs.another")

    assert "put one into OVERDRACHT_VAULT_TOKEN_FILE" in refusal(transit)


def test_a_token_that_was_renewed_is_read_anew(transit: VaultTransit, token: Path) -> None:
    token.write_text("hvs.another")
    refusal(transit)
    token.write_text(TOKEN)

    assert transit.open(transit.seal(SECRET)) == SECRET


def test_another_key_opens_nothing(vault: Vault, transit: VaultTransit) -> None:
    sealed = transit.seal(SECRET)
    vault.keys["overdracht"] = TransitKey()

    with pytest.raises(KeysRefused, match="OVERDRACHT_VAULT_KEY is the key of this installation"):
        transit.open(sealed)


def answering(status: int, body: bytes = b"", **headers: str) -> Callable[[Any], None]:
    def answer(request: Any) -> None:
        request.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def cut_off(request: Any) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b"{")
    request.close_connection = True


def key_said(**told: Any) -> bytes:
    return json.dumps({"data": TransitKey().told | {"latest_version": 1} | told}).encode()


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        (answering(500), "Vault failed (500); see its log"),
        (answering(502, b"<html>"), "Vault failed (502); see its log"),
        (answering(503), "Vault is sealed or in maintenance; unseal it"),
        (answering(429), "Vault is on stand-by"),
        (answering(400, b"{}"), "see that OVERDRACHT_VAULT_KEY is the key of this installation"),
        (answering(200, b"<html>"), "is not Vault; see that OVERDRACHT_VAULT_ADDRESS"),
        (answering(200, b"[" * 60_000), "is not Vault; see that OVERDRACHT_VAULT_ADDRESS"),
        (answering(200, b"[]"), "is of another kind"),
        (answering(200, b'{"data": []}'), "is of another kind"),
        (answering(200), "is of another kind"),
        (answering(200, key_said()), "was not sealed by Vault"),
        (cut_off, "Vault does not answer"),
    ],
)  # fmt: skip
def test_whatever_is_answered_the_operator_is_told_what_to_do(
    vault: Vault, transit: VaultTransit, instead: Callable[[Any], None], words: str
) -> None:
    vault.instead = instead

    assert words in refusal(transit)


@pytest.mark.parametrize(
    "told", [{}, {"min_decryption_version": "1"}, {"min_available_version": None}]
)
def test_versions_that_are_no_numbers_open_nothing(
    vault: Vault, transit: VaultTransit, told: dict[str, Any]
) -> None:
    sealed = transit.seal(SECRET)
    vault.instead = answering(200, key_said(**told))

    with pytest.raises(KeysRefused, match="is not Vault"):
        transit.open(sealed)


@pytest.mark.parametrize(
    "text", ["vault:v0:AAAA", "vault:v1", "vault:v9999999999:AAAA", "pkcs11:1"]
)
def test_what_vault_did_not_seal_is_not_sent_to_it(
    vault: Vault, transit: VaultTransit, text: str
) -> None:
    with pytest.raises(KeysRefused, match="was not sealed by Vault; restore"):
        transit.open({"rest": text})
    assert [each for each in vault.asked if "decrypt" in each] == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nobody_is_sent_elsewhere_with_the_token(
    vault: Vault, transit: VaultTransit, tmp_path: Path, status: int
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    with running_vault(folder) as elsewhere:
        vault.instead = answering(status, Location=f"{elsewhere.address}/v1/transit/keys/x")

        assert "we do not follow; set OVERDRACHT_VAULT_ADDRESS" in refusal(transit)
        assert elsewhere.asked == []


def test_who_can_not_prove_to_be_vault_is_not_given_the_token(
    vault: Vault, token: Path, tmp_path: Path
) -> None:
    words = refusal(reaching(vault, token, ca_file=None))
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    with running_vault(folder) as elsewhere:
        others = refusal(reaching(vault, token, ca_file=elsewhere.ca_file))
    name = refusal(reaching(vault, token, address=vault.address.replace("127.0.0.1", "localhost")))

    assert words == others == name
    assert "can not be trusted; set OVERDRACHT_VAULT_CA_FILE" in words
    assert vault.asked == []


def test_a_file_of_no_certificates_is_named(vault: Vault, token: Path) -> None:
    assert "OVERDRACHT_VAULT_CA_FILE names no" in refusal(reaching(vault, token, ca_file=token))


def test_where_nobody_listens_the_address_is_named(vault: Vault, token: Path) -> None:
    words = refusal(reaching(vault, token, address="https://127.0.0.1:1"))

    assert (
        words
        == "Vault does not answer; see that it runs, and that OVERDRACHT_VAULT_ADDRESS is right"
    )


def test_of_a_body_without_end_little_is_read(vault: Vault, transit: VaultTransit) -> None:
    gone: SimpleQueue[str] = SimpleQueue()

    def without_end(request: Any) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        try:
            for piece in repeat(b"10000\r\n" + b" " * 65_536 + b"\r\n", AT_MOST):
                request.wfile.write(piece)
            gone.put("read to its end")
        except OSError:
            gone.put("cut off")
        request.close_connection = True

    vault.instead = without_end

    assert "is not Vault; see that OVERDRACHT_VAULT_ADDRESS" in refusal(transit)
    assert gone.get(timeout=PATIENCE) == "cut off"


def test_who_answers_a_letter_at_a_time_is_not_waited_for(
    vault: Vault, token: Path, tmp_path: Path
) -> None:
    over = Event()

    def drip(request: Any) -> None:
        request.send_response(200)
        while not over.wait(0.01):
            request.wfile.write(b"X")

    vault.instead = drip
    ring = SealedRing(tmp_path / "keys.json", reaching(vault, token), seconds=0.2)

    with pytest.raises(KeysRefused, match="vault took too long; see that it runs"):
        ring.keep(new_key_ring())
    over.set()
    assert not ring.exists()


def test_no_secret_stands_in_an_address_or_in_the_file(
    vault: Vault, token: Path, tmp_path: Path
) -> None:
    ring = SealedRing(tmp_path / "keys.json", reaching(vault, token))
    one = new_key_ring()
    ring.keep(one)

    assert base64.b64encode(one.master).decode() not in (tmp_path / "keys.json").read_text()
    assert [each for each in vault.asked if "?" in each] == []
