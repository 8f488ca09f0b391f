"""SoftHSM: a token of software, for those who have none of hardware."""

import os
import shutil
import subprocess
from pathlib import Path

LIBRARIES = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/pkcs11/libsofthsm2.so"),
    Path("/opt/homebrew/lib/softhsm/libsofthsm2.so"),
)
LIBRARY = next((each for each in LIBRARIES if each.exists()), None)
TOOL = shutil.which("softhsm2-util")
FOUND = LIBRARY is not None and TOOL is not None
PIN = "482615"


def prepare(folder: Path) -> None:
    """Have SoftHSM keep its tokens here; to be called before its library is first loaded."""
    (folder / "tokens").mkdir()
    written = f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n"
    (folder / "softhsm2.conf").write_text(written)
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")


def new_token(label: str) -> None:
    """An empty token with this label."""
    assert TOOL is not None
    said = [TOOL, "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "7654321"]
    subprocess.run(said, check=True, capture_output=True)  # noqa: S603 - our own words
