"""What a key ring is sealed by in tests: Vault on the loopback, a token where there is one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exchange.settings import KeyRingKind, Settings
from tests.exchange import softhsm
from tests.exchange.vaulting import TOKEN, Vault, running_vault

KINDS = ["vault", "pkcs11"] if softhsm.FOUND else ["vault"]
TOKEN_LABEL = "of a test"  # noqa: S105 - the label of a token, which is no secret


@dataclass(frozen=True)
class Outside:
    """What stands outside the broker: how to reach it, and Vault itself where it is Vault."""

    reached: dict[str, Any]
    vault: Vault | None = None

    def settings(self, settings: Settings) -> Settings:
        """The same installation with this safe."""
        return settings.model_copy(update=self.reached)


@contextmanager
def outside(kind: str, folder: Path, label: str) -> Iterator[Outside]:
    """A fresh Vault; or the one token of this session, with a label of its own."""
    secret = folder / "secret"
    secret.touch(mode=0o600)
    if kind == "pkcs11":
        secret.write_text(softhsm.PIN)
        reached = {"pkcs11_module": softhsm.LIBRARY, "pkcs11_token": TOKEN_LABEL}
        more = {"pkcs11_key": label, "pkcs11_pin_file": secret}
        yield Outside({"key_ring": KeyRingKind.PKCS11} | reached | more)
        return
    secret.write_text(TOKEN + "\n")
    with running_vault(folder) as vault:
        more = {"vault_token_file": secret, "vault_ca_file": vault.ca_file}
        yield Outside({"key_ring": KeyRingKind.VAULT, "vault_address": vault.address} | more, vault)
