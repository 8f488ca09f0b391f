import hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from audit import parts
from audit.parts import KeyChanged, Mac, PartChanged


def sealed_in(golden: dict[str, Any]) -> list[tuple[bytes, dict[str, Any], bytes]]:
    """Event id, part and key of every golden part."""
    return [
        (bytes.fromhex(item["event_id_hex"]), part, bytes.fromhex(golden["keys"][part["key"]]))
        for item in golden["items"]
        for part in item["parts"]
    ]


@given(st.binary(max_size=64), st.binary(max_size=300))
def test_the_quick_hmac_is_the_ordinary_one(key: bytes, message: bytes) -> None:
    assert Mac(key).digest(message) == hmac.digest(key, message, "sha256")


def test_golden_parts_are_sealed_and_opened_byte_for_byte(golden: dict[str, Any]) -> None:
    cases = sealed_in(golden)

    assert len(cases) == 18
    for event_id, part, key in cases:
        label, plaintext = part["label"].encode(), bytes.fromhex(part["plaintext_hex"])
        commitment, ciphertext = parts.seal(Mac(key), label, event_id, plaintext)
        assert parts.salt_of(Mac(key), label, event_id).hex() == part["salt_hex"]
        assert commitment.hex() == part["commitment_hex"]
        assert ciphertext.hex() == part["ciphertext_hex"]
        assert parts.unseal(Mac(key), label, event_id, commitment, ciphertext) == plaintext


def test_a_part_opens_nowhere_but_in_its_place(golden: dict[str, Any]) -> None:
    event_id, part, key = sealed_in(golden)[0]
    commitment = bytes.fromhex(part["commitment_hex"])
    ciphertext = bytes.fromhex(part["ciphertext_hex"])
    flipped = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    whole: list[Any] = [Mac(key), b"s", event_id, commitment, ciphertext]

    assert parts.unseal(*whole)
    for at, wrong in ((0, Mac(bytes(32))), (1, b"a"), (2, bytes(16)), (3, bytes(32)),
                      (4, flipped), (4, b""), (4, ciphertext[:-1])):  # fmt: skip
        with pytest.raises(PartChanged):
            parts.unseal(*spoilt(whole, at, wrong))


def spoilt(values: list[Any], at: int, wrong: Any) -> list[Any]:
    return [*values[:at], wrong, *values[at + 1 :]]


def test_a_part_that_decrypts_but_is_not_what_was_committed_to_is_refused() -> None:
    mac, event_id, false = Mac(b"k"), bytes(16), b"c" * 32
    key = mac.digest(b"enc\x00s\x00" + event_id)
    ciphertext = AESGCM(key).encrypt(bytes(12), b"another text", false)

    with pytest.raises(PartChanged):
        parts.unseal(mac, b"s", event_id, false, ciphertext)


def test_keys_are_wrapped_named_and_blinded_as_the_vectors_say(golden: dict[str, Any]) -> None:
    wrap, index = golden["key_wrap"], golden["blind_index"]
    kek, key_id, key, nonce, wrapped = (
        bytes.fromhex(wrap[f"{name}_hex"])
        for name in ("kek", "key_id", "plaintext", "nonce", "wrapped")
    )

    assert parts.wrap_key(kek, epoch=wrap["epoch"], key_id=key_id, key=key, nonce=nonce) == wrapped
    assert parts.unwrap_key(kek, key_id=key_id, wrapped=wrapped) == key
    assert parts.wrapped_under(wrapped) == wrap["epoch"]
    assert parts.fingerprint(key) == golden["key_fingerprint"]["kf_b64u"]
    mac = Mac(bytes.fromhex(index["index_key_hex"]))
    for use in ("sub", "act", "con"):
        assert parts.blind(mac, use, index[use]["value"]).hex() == index[use]["blind_hex"]


def test_a_wrapped_key_is_of_one_person_and_one_epoch() -> None:
    kek, nonce = b"k" * 32, bytes(12)
    wrapped = parts.wrap_key(kek, epoch=3, key_id=b"a" * 16, key=b"K" * 32, nonce=nonce)
    other_epoch = wrapped[:1] + b"\x00\x00\x00\x04" + wrapped[5:]

    for bad in (wrapped[:-1], b"\x02" + wrapped[1:], other_epoch, b""):
        with pytest.raises(KeyChanged):
            parts.unwrap_key(kek, key_id=b"a" * 16, wrapped=bad)
    with pytest.raises(KeyChanged):
        parts.unwrap_key(kek, key_id=b"b" * 16, wrapped=wrapped)
