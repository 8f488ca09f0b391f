"""Secrets that are handed to the service in files of their own: a token, a PIN."""

import stat
from pathlib import Path

from exchange.security.keys import KeysRefused

LONGEST = 4096
KNOWN = {"root", "myroot", "token", "password", "secret", "changeme", "default", "overdracht"}
"""Words that stand in instructions, Vault's own among them."""
RUNS = "012345678901234567890 98765432109876543210"


def read_secret(path: Path | None, *, setting: str) -> str:
    """The one line in the file that `setting` names, at most 4,096 characters of ASCII.

    Raises `KeysRefused` when there is none, or when others can read it; never shows it.
    """
    if path is None:
        raise KeysRefused(f"set {setting} to the file that holds the secret")
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        raise KeysRefused(f"{path.name} can not be read; put the secret there: {setting}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeysRefused(f"{path.name} can be read by others; run: chmod 600 on it")
    if not text.isprintable() or not 0 < len(text) <= LONGEST or " " in text:
        raise KeysRefused(f"{path.name} holds no secret of one line; mend it: {setting}")
    if text.lower() in KNOWN or len(set(text)) == 1 or text in RUNS:
        raise KeysRefused(f"{path.name} holds a secret that anybody can guess; change it")
    return text
