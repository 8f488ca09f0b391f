"""Where the key ring of an installation is kept, as its settings say it."""

import importlib

from exchange.database import Unsafe
from exchange.security.key_provider import FileRing, KeyProvider, Safe, SealedRing
from exchange.security.keys import KeyRing, new_key_ring, read_document
from exchange.security.vault_transit import VaultTransit
from exchange.settings import KeyRingKind, Settings


def key_provider(settings: Settings, kind: KeyRingKind | None = None) -> KeyProvider:
    """The provider of the kind that is set, or of another. Raises `Unsafe` when not all is set."""
    kind = kind or settings.key_ring
    if kind is KeyRingKind.FILE:
        return FileRing(settings.key_ring_path)
    return SealedRing(settings.key_ring_path, _SAFES[kind](settings))


def opened_ring(settings: Settings, *, needed: bool) -> KeyRing:
    """The ring; a new one where there is none and nothing needs one. Raises `Unsafe` elsewhere.

    `needed` says that there is a log, which some ring has sealed.
    """
    provider = key_provider(settings)
    if not provider.exists():
        if needed:
            name = settings.key_ring_path.name
            raise Unsafe(f"there is a log but no {name}; restore the keys from their backup")
        provider.keep(new_key_ring())
    return provider.read()


def move_ring(settings: Settings) -> KeyRingKind:
    """Have the ring kept as the settings say, wherever it was kept; gives where that was.

    Raises `KeysRefused`, and then nothing has changed.
    """
    safe = read_document(settings.key_ring_path).get("safe", KeyRingKind.FILE.value)
    kind = KeyRingKind(safe)
    key_provider(settings).keep(key_provider(settings, kind).read())
    return kind


def _vault(settings: Settings) -> Safe:
    if not settings.vault_address:
        raise Unsafe("set OVERDRACHT_VAULT_ADDRESS to where Vault listens, https://…")
    return VaultTransit(
        address=settings.vault_address,
        key=settings.vault_key,
        token_file=settings.vault_token_file,
        ca_file=settings.vault_ca_file,
    )


def _pkcs11(settings: Settings) -> Safe:
    try:
        # Only here: whoever has no token need not have the library.
        library = importlib.import_module("exchange.security.pkcs11_token")
    except ImportError:
        raise Unsafe("the library for PKCS#11 is missing; install overdracht[pkcs11]") from None
    token: Safe = library.Pkcs11Token(
        module=settings.pkcs11_module,
        token=settings.pkcs11_token,
        key=settings.pkcs11_key,
        pin_file=settings.pkcs11_pin_file,
    )
    return token


_SAFES = {KeyRingKind.VAULT: _vault, KeyRingKind.PKCS11: _pkcs11}
