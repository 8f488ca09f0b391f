"""What is sealed opens for one client, in one place, and for nothing else."""

from uuid import uuid4

import pytest

from exchange.security.keys import KeyDestroyed
from exchange.security.vault import Vault
from exchange.services import Services

ANNA, BEN = str(uuid4()), str(uuid4())
PLAIN = b"what nobody else may read"


class Keys:
    """A key for each client, until it is erased."""

    def __init__(self) -> None:
        self._held = {
            bytes.fromhex(each.replace("-", "")): each.encode()[:32] for each in (ANNA, BEN)
        }

    def __call__(self, wanted: bytes) -> bytes:
        if wanted not in self._held:
            raise KeyDestroyed
        return self._held[wanted]

    def erase(self, client: str) -> None:
        del self._held[key_id(client)]


def key_id(client: str) -> bytes:
    return bytes.fromhex(client.replace("-", ""))


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def vault(keys: Keys) -> Vault:
    return Vault(keys, shard=0)


def test_what_is_sealed_is_opened_again_and_does_not_show(vault: Vault) -> None:
    sealed = vault.seal(ANNA, PLAIN, "summary|work|1")

    assert vault.open(ANNA, sealed, "summary|work|1") == PLAIN
    assert PLAIN not in sealed


def test_the_same_sealed_twice_looks_different(vault: Vault) -> None:
    assert vault.seal(ANNA, PLAIN, "client") != vault.seal(ANNA, PLAIN, "client")


@pytest.mark.parametrize("context", ["summary|work|2", "summary|educ|1", "summary|work|", ""])
def test_it_opens_in_no_other_place(vault: Vault, context: str) -> None:
    sealed = vault.seal(ANNA, PLAIN, "summary|work|1")

    with pytest.raises(KeyDestroyed):
        vault.open(ANNA, sealed, context)


def test_it_opens_for_no_other_client_and_in_no_other_shard(vault: Vault, keys: Keys) -> None:
    sealed = vault.seal(ANNA, PLAIN, "client")

    with pytest.raises(KeyDestroyed):
        vault.open(BEN, sealed, "client")
    with pytest.raises(KeyDestroyed):
        Vault(keys, shard=1).open(ANNA, sealed, "client")


@pytest.mark.parametrize("at", [0, 11, 12, 20, -1])
def test_a_box_that_was_changed_does_not_open(vault: Vault, at: int) -> None:
    sealed = bytearray(vault.seal(ANNA, PLAIN, "client"))
    sealed[at] ^= 1

    with pytest.raises(KeyDestroyed):
        vault.open(ANNA, bytes(sealed), "client")


@pytest.mark.parametrize("length", [0, 5, 12, 13, 27])
def test_a_box_that_was_cut_short_does_not_open(vault: Vault, length: int) -> None:
    sealed = vault.seal(ANNA, PLAIN, "client")

    with pytest.raises(KeyDestroyed):
        vault.open(ANNA, sealed[:length], "client")


def test_turns_between_clients_mix_nothing_up(vault: Vault) -> None:
    boxes = [(each, vault.seal(each, each.encode(), "client")) for each in (ANNA, BEN, ANNA, BEN)]

    assert [vault.open(who, box, "client") for who, box in boxes] == [
        who.encode() for who, _ in boxes
    ]


def test_a_client_without_a_key_can_neither_be_opened_nor_sealed_for(services: Services) -> None:
    unknown = str(uuid4())

    with pytest.raises(KeyDestroyed):
        services.vault.open(unknown, bytes(40), "client")
    with pytest.raises(KeyDestroyed):
        services.vault.seal(unknown, PLAIN, "client")


def test_once_the_key_is_erased_nothing_opens_any_more(vault: Vault, keys: Keys) -> None:
    sealed = vault.seal(ANNA, PLAIN, "client")
    vault.seal(BEN, PLAIN, "client")

    keys.erase(ANNA)

    with pytest.raises(KeyDestroyed):
        vault.open(ANNA, sealed, "client")


def test_several_sealed_at_once_open_each_in_its_own_place_and_share_no_nonce(
    vault: Vault,
) -> None:
    boxes = vault.seal_all(ANNA, {f"summary|work|{number}": PLAIN for number in range(40)})

    assert all(vault.open(ANNA, box, context) == PLAIN for context, box in boxes.items())
    assert len({box[:12] for box in boxes.values()}) == 40
    with pytest.raises(KeyDestroyed):
        vault.open(ANNA, boxes["summary|work|1"], "summary|work|2")
