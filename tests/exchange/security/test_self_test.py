"""The engine is tried before it may serve, and so is any other that takes its place."""

import subprocess
import sys
import warnings
from pathlib import Path

import joserfc.jwk
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning

from exchange.security.jose_profile import PythonJose
from exchange.security.registered_keys import RegisteredKey
from exchange.security.self_test import SelfTest, self_test
from tests.exchange.security.forging import b64

ROOT = Path(__file__).parents[3]


class Joserfc:
    """Another library behind the same protocol."""

    def verify(self, signing_input: bytes, signature: bytes, key: RegisteredKey) -> bool:
        pem = key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        kind = {"ES256": "EC", "EdDSA": "OKP"}.get(key.algorithm, "RSA")
        known = joserfc.jwk.import_key(pem, kind)  # type: ignore[call-overload]  # by value
        registry = jws.JWSRegistry(algorithms=[key.algorithm])
        token = signing_input + b"." + b64(signature).encode()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SecurityWarning)  # the name EdDSA, for Ed25519
                jws.deserialize_compact(token, known, registry=registry)
        except (JoseError, ValueError):
            return False
        return True


class Answers:
    """An engine that gives one answer to everything."""

    def __init__(self, answer: bool | None) -> None:  # noqa: FBT001 (the answer is the point)
        self.answer = answer

    def verify(self, signing_input: bytes, signature: bytes, key: RegisteredKey) -> bool:
        if self.answer is None:
            raise RuntimeError
        return self.answer


def failed(report: SelfTest) -> list[str]:
    return [check.name for check in report.checks if not check.passed]


def test_our_engine_passes_for_each_algorithm() -> None:
    report = self_test()

    assert report.passed
    names = [check.name for check in report.checks]
    assert [sum(alg in name for name in names) for alg in ("ES256", "EdDSA", "PS256", "RS256")] == [
        8, 7, 7, 7,
    ]  # fmt: skip


def test_another_library_could_take_its_place() -> None:
    assert failed(self_test(Joserfc())) == []


def test_an_engine_that_says_yes_to_everything_fails() -> None:
    report = self_test(Answers(True))  # noqa: FBT003 (the answer is the point)

    assert not report.passed
    assert len(failed(report)) == 4 * 6


@pytest.mark.parametrize("answer", [False, None], ids=["no", "raises"])
def test_an_engine_that_says_no_or_breaks_fails(answer: object) -> None:
    report = self_test(Answers(None if answer is None else False))

    assert failed(report) == [
        f"{alg}: a known good signature holds" for alg in ("ES256", "EdDSA", "PS256", "RS256")
    ]


def test_another_back_end_of_python_jose_fails() -> None:
    assert PythonJose.backend == "CryptographyECKey"
    assert failed(self_test(backend="ECDSAECKey")) == ["ES256 is computed by CryptographyECKey"]


def test_a_report_of_nothing_is_no_pass() -> None:
    assert not SelfTest(()).passed


def test_the_pure_python_libraries_that_come_along_are_never_imported() -> None:
    program = """
import sys
from datetime import UTC, datetime
from exchange.security.self_test import self_test
from exchange.security.tokens import AccessTokens, new_signing_key, signer_from_jwk

desk = AccessTokens(signer_from_jwk(new_signing_key()), "https://i", "https://a")
at = datetime.now(UTC)
token, _ = desk.issue(application="a", organisation="o", scopes=[], at=at, token_id="t")
assert desk.read(f"Bearer {token}", at).token_id == "t" and self_test().passed
sys.stdout.write(" ".join(sorted(sys.modules)))
"""
    run = subprocess.run(  # noqa: S603 (our own interpreter, our own words)
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    loaded = run.stdout.split()

    assert "jose.backends.cryptography_backend" in loaded
    assert {"ecdsa", "rsa", "pyasn1"}.isdisjoint(loaded)
