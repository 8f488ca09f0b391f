"""HashiCorp Vault's transit engine as the safe of the key ring: its key never leaves Vault.

One transit key of one installation alone. Its versions are our epochs: a new one is a rotation,
and one that has ended is trimmed, which nobody can undo; to raise the least version that may
decrypt would not be enough.
"""

import json
import re
import ssl
from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from exchange.security.key_provider import STILL_NEEDED
from exchange.security.keys import KeysRefused
from exchange.security.secret_files import read_secret

SECONDS = 5.0
"""For each step of one request: connecting, sending, each wait for more of the answer."""
LONGEST = 64 * 1024
"""Bytes of an answer; more is not Vault's."""
TYPES = {"aes256-gcm96", "chacha20-poly1305"}
_VERSION = re.compile(r"vault:v([1-9][0-9]{0,8}):[A-Za-z0-9+/=]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultTransit:
    """Vault at `address` with the transit key `key`: the engine's mount and the key's name."""

    address: str
    key: str
    token_file: Path | None
    ca_file: Path | None = None
    name: str = "vault"

    def seal(self, secrets: Mapping[str, bytes]) -> dict[str, str]:
        self._examined()
        return {each: self._sealed(secret) for each, secret in secrets.items()}

    def open(self, sealed: Mapping[str, str]) -> dict[str, bytes]:
        key = self._examined()
        least = max(_number(key, "min_decryption_version"), _number(key, "min_available_version"))
        living = {each: text for each, text in sealed.items() if _version(text) >= least}
        return {each: self._opened(text) for each, text in living.items()}

    def turn(self) -> None:
        self._examined()
        self._ask("POST", f"keys/{self._key}/rotate", {})

    def end(self, ended: Collection[str], kept: Collection[str]) -> None:
        least = min(map(_version, kept))
        if max(map(_version, ended)) >= least:
            raise KeysRefused(STILL_NEEDED)
        key = self._examined()
        if _number(key, "min_available_version") >= least:
            return
        versions = {"min_decryption_version": least, "min_encryption_version": least}
        self._ask("POST", f"keys/{self._key}/config", versions)
        self._ask("POST", f"keys/{self._key}/trim", {"min_available_version": least})

    @property
    def _key(self) -> str:
        return self.key.rpartition("/")[2]

    def _sealed(self, secret: bytes) -> str:
        body = {"plaintext": b64encode(secret).decode()}
        text = self._ask("POST", f"encrypt/{self._key}", body).get("ciphertext")
        _version(text)
        return str(text)

    def _opened(self, text: str) -> bytes:
        data = self._ask("POST", f"decrypt/{self._key}", {"ciphertext": text})
        try:
            return b64decode(str(data["plaintext"]))
        except (KeyError, ValueError):
            raise _strange() from None

    def _examined(self) -> dict[str, Any]:
        """What Vault says of the key. An encryption under no key would make Vault make one."""
        key = self._ask("GET", f"keys/{self._key}")
        if key.get("exportable") or key.get("allow_plaintext_backup"):
            raise KeysRefused(f"the key {self.key} can be taken out of Vault; {self._make}")
        if key.get("type") not in TYPES or key.get("derived"):
            raise KeysRefused(f"the key {self.key} is of another kind; {self._make}")
        return key

    @property
    def _make(self) -> str:
        mount = self.key.rpartition("/")[0]
        return f"make one, and name it in OVERDRACHT_VAULT_KEY: vault write -f {mount}/keys/NAME"

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The `data` of Vault's answer; empty where it has none. Raises `KeysRefused`."""
        token = read_secret(self.token_file, setting="OVERDRACHT_VAULT_TOKEN_FILE")
        url = f"{self.address}/v1/{self.key.rpartition('/')[0]}/{path}"
        options: Any = {"timeout": SECONDS, "trust_env": False, "follow_redirects": False}
        try:
            with (
                httpx2.Client(verify=self._trusted(), **options) as client,
                client.stream(method, url, json=body, headers={"X-Vault-Token": token}) as answer,
            ):
                read = b""
                for piece in answer.iter_bytes():
                    read += piece
                    if len(read) > LONGEST:
                        raise _strange()
        except httpx2.HTTPError as error:
            raise _unreached(error) from None
        if answer.status_code not in {200, 204}:
            raise self._refused(answer.status_code)
        return _data(read)

    def _trusted(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError):
            raise KeysRefused("OVERDRACHT_VAULT_CA_FILE names no certificates; mend it") from None

    def _refused(self, status: int) -> KeysRefused:
        if 300 <= status < 400:  # noqa: PLR2004 - the redirections
            mend = "set OVERDRACHT_VAULT_ADDRESS to the node itself"
            return KeysRefused(f"Vault sends us elsewhere, and we do not follow; {mend}")
        words = {
            400: "Vault does not open this ring; see that OVERDRACHT_VAULT_KEY is the key of "
            "this installation, and keys.json its newest copy",
            403: "Vault refuses the token; put one into OVERDRACHT_VAULT_TOKEN_FILE that may "
            f"read, use, rotate, configure and trim {self.key}",
            404: f"Vault has no key {self.key}; {self._make}",
            429: "Vault is on stand-by; set OVERDRACHT_VAULT_ADDRESS to the active node",
            503: "Vault is sealed or in maintenance; unseal it",
        }
        return KeysRefused(words.get(status, f"Vault failed ({status}); see its log, try again"))


def _version(text: object) -> int:
    found = _VERSION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise KeysRefused("what is sealed was not sealed by Vault; restore keys.json")
    return int(found[1])


def _number(key: Mapping[str, Any], name: str) -> int:
    value = key.get(name)
    if not isinstance(value, int):
        raise _strange()
    return value


def _data(read: bytes) -> dict[str, Any]:
    try:
        body = json.loads(read) if read else {}
    except (ValueError, RecursionError):
        raise _strange() from None
    data = body.get("data") if isinstance(body, dict) else None
    return data if isinstance(data, dict) else {}


def _unreached(error: httpx2.HTTPError) -> KeysRefused:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            mend = "set OVERDRACHT_VAULT_CA_FILE to the certificate of those who signed it"
            return KeysRefused(f"what answers for Vault can not be trusted; {mend}")
        cause = cause.__cause__ or cause.__context__
    mend = "see that it runs, and that OVERDRACHT_VAULT_ADDRESS is right"
    return KeysRefused(f"Vault does not answer; {mend}")


def _strange() -> KeysRefused:
    mend = "see that OVERDRACHT_VAULT_ADDRESS is right"
    return KeysRefused(f"what answers for Vault is not Vault; {mend}")
