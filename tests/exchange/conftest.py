"""What stands outside the broker and holds keys for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exchange import softhsm
from tests.exchange.safes import KINDS, TOKEN_LABEL, Outside, outside

collect_ignore = [] if softhsm.FOUND else ["test_pkcs11_token.py"]
"""It needs a token, of software at least. CI has one: see `.ci/run`."""


@pytest.fixture(scope="session")
def token(tmp_path_factory: pytest.TempPathFactory) -> None:
    if softhsm.FOUND:
        softhsm.prepare(tmp_path_factory.mktemp("softhsm"))
        softhsm.new_token(TOKEN_LABEL)


@pytest.fixture(params=KINDS)
def safe(request: pytest.FixtureRequest, tmp_path: Path, token: None) -> Iterator[Outside]:
    """Each kind of safe, with nothing in it but, in Vault, the key that its operator made."""
    with outside(request.param, tmp_path, tmp_path.name[-60:]) as built:
        yield built


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Outside]:
    """A fresh Vault."""
    with outside("vault", tmp_path, "") as built:
        yield built
