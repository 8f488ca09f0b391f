"""A hardware security module as the safe of the key ring, over PKCS#11.

Its keys are made in it and can not be taken out. Each has our label and an id that begins with a
number, of which the highest is the newest. The label belongs to one installation alone.
"""

import os
import re
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.exceptions import (
    MultipleTokensReturned,
    NoSuchToken,
    PinIncorrect,
    PinLocked,
    PKCS11Error,
)

from exchange.security.key_provider import STILL_NEEDED
from exchange.security.keys import KeysRefused
from exchange.security.secret_files import read_secret

NONCE, TAG_BITS, COUNT, ID = 12, 128, 8, 16
_SEALED = re.compile(r"pkcs11:([0-9a-f]{32}):((?:[A-Za-z0-9+/]{4})*[A-Za-z0-9+/=]{4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pkcs11Token:
    """The token with this label in the module, a library file that speaks PKCS#11."""

    module: Path | None
    token: str
    key: str
    pin_file: Path | None
    name: str = "pkcs11"

    def seal(self, secrets: Mapping[str, bytes]) -> dict[str, str]:
        with self._session() as session:
            keys = self._keys(session)
            if not keys:
                raise KeysRefused(f"the token has no key labelled {self.key}; restore the token")
            id = max(keys)
            return {each: _sealed(id, keys[id], secret) for each, secret in secrets.items()}

    def open(self, sealed: Mapping[str, str]) -> dict[str, bytes]:
        texts = {each: _read(text) for each, text in sealed.items()}
        with self._session() as session:
            keys = self._keys(session)
            return {each: _opened(keys[id], box) for each, (id, box) in texts.items() if id in keys}

    def turn(self) -> None:
        with self._session() as session:
            newest = max(self._keys(session), default=bytes(ID))
            count = int.from_bytes(newest[:COUNT]) + 1
            session.generate_key(
                KeyType.AES,
                256,
                id=count.to_bytes(COUNT) + os.urandom(ID - COUNT),
                label=self.key,
                store=True,
                capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
                template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
            )

    def end(self, ended: Collection[str], kept: Collection[str]) -> None:
        going = {_read(text)[0] for text in ended}
        if going & {_read(text)[0] for text in kept}:
            raise KeysRefused(STILL_NEEDED)
        with self._session() as session:
            for id, key in self._keys(session).items():
                if id in going:
                    key.destroy()

    def _keys(self, session: pkcs11.Session) -> dict[bytes, Any]:
        wanted = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: self.key}
        found: list[Any] = list(session.get_objects(wanted))
        if any(each[Attribute.EXTRACTABLE] for each in found):
            mend = "use another label, in OVERDRACHT_PKCS11_KEY"
            raise KeysRefused(f"a key labelled {self.key} can be taken out of the token; {mend}")
        return {each.id: each for each in found}

    @contextmanager
    def _session(self) -> Iterator[pkcs11.Session]:
        pin = read_secret(self.pin_file, setting="OVERDRACHT_PKCS11_PIN_FILE")
        if self.module is None:
            raise KeysRefused("set OVERDRACHT_PKCS11_MODULE to the library of the token")
        try:
            with (
                _library(self.module)
                .get_token(token_label=self.token)
                .open(rw=True, user_pin=pin) as session
            ):
                yield session
        except (NoSuchToken, MultipleTokensReturned):
            mend = "set OVERDRACHT_PKCS11_TOKEN to the label of one"
            raise KeysRefused(f"not one token has this label; {mend}") from None
        except (PinIncorrect, PinLocked):
            mend = "put the right one into OVERDRACHT_PKCS11_PIN_FILE; it locks after a few tries"
            raise KeysRefused(f"the token refuses the PIN; {mend}") from None
        except PKCS11Error as error:
            mend = "see that it is there and is the one of this installation"
            raise KeysRefused(f"the token failed ({type(error).__name__}); {mend}") from None


def _library(module: Path) -> Any:
    try:
        return pkcs11.lib(str(module))
    except (PKCS11Error, OSError):
        mend = "set OVERDRACHT_PKCS11_MODULE to the library of the token"
        raise KeysRefused(f"{module.name} can not be loaded; {mend}") from None


def _sealed(id: bytes, key: Any, secret: bytes) -> str:
    nonce = os.urandom(NONCE)
    how = GCMParams(nonce, None, TAG_BITS)
    box = key.encrypt(secret, mechanism=Mechanism.AES_GCM, mechanism_param=how)
    return f"pkcs11:{id.hex()}:{b64encode(nonce + bytes(box)).decode()}"


def _opened(key: Any, box: bytes) -> bytes:
    how = GCMParams(box[:NONCE], None, TAG_BITS)
    return bytes(key.decrypt(box[NONCE:], mechanism=Mechanism.AES_GCM, mechanism_param=how))


def _read(text: str) -> tuple[bytes, bytes]:
    """The id of the key that sealed it, and the box."""
    found = _SEALED.fullmatch(text)
    if found is None:
        raise KeysRefused("what is sealed was not sealed by a token; restore keys.json")
    return bytes.fromhex(found[1]), b64decode(found[2])
