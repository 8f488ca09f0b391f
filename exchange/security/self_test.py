"""What is proved about the signature engine before the process may serve anybody."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from exchange.security.base64url import decoded
from exchange.security.contexts import ID_TOKEN
from exchange.security.jose_profile import PythonJose, Verifier
from exchange.security.registered_keys import RegisteredKey, register_key

_BACKEND = "CryptographyECKey"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing tried, in words for the operator, and whether it went as it must."""

    name: str
    passed: bool


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What was tried. Unless it passed, the process must not start."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(check.passed for check in self.checks)


def self_test(verifier: Verifier | None = None, backend: str | None = None) -> SelfTest:
    """Every check of the engine in use, or of another one that is about to take its place."""
    engine = verifier or PythonJose()
    name = PythonJose.backend if backend is None else backend
    checks = [Check(f"ES256 is computed by {_BACKEND}", name == _BACKEND)]
    for algorithm, (jwk, token) in _KNOWN_ANSWERS.items():
        checks.extend(_checks(engine, algorithm, jwk, token))
    return SelfTest(tuple(checks))


def _checks(
    engine: Verifier, algorithm: str, jwk: Mapping[str, str], token: str
) -> Iterator[Check]:
    named = {**jwk, "kid": "known-answer", "alg": algorithm}
    key = register_key(named, issuer="", algorithms=ID_TOKEN.algorithms)
    signing_input, _, last = token.rpartition(".")
    message, signature = signing_input.encode(), decoded(last)
    good = _answer(engine, message, signature, key)
    yield Check(f"{algorithm}: a known good signature holds", good is True)
    for what, bad_message, bad in _spoilt(message, signature):
        answer = _answer(engine, bad_message, bad, key)
        yield Check(f"{algorithm}: {what} does not hold", answer is not True)


def _spoilt(message: bytes, signature: bytes) -> Iterator[tuple[str, bytes, bytes]]:
    """Each with one thing wrong: what the operator reads, the message, the signature."""
    yield "a signature over other words", message + b"x", signature
    yield "a signature with one bit changed", message, bytes([signature[0] ^ 1]) + signature[1:]
    yield "a signature of zeros", message, bytes(len(signature))
    yield "an empty signature", message, b""
    yield "a signature cut short", message, signature[:-1]
    yield "a signature with a byte more", message, signature + b"\0"


def _answer(engine: Verifier, message: bytes, signature: bytes, key: RegisteredKey) -> bool:
    try:
        return engine.verify(message, signature, key)
    except Exception:  # noqa: BLE001 (to throw is a way to say no, here as in the profile)
        return False


_RSA: Final = {
    "kty": "RSA",
    "e": "AQAB",
    "n": "rqe7TDC4ZN4vx3x-knc1NWC7geo-eNeo3fw3sKWAlaAoz7C_Pz5zKsUG-8OaVZjcMycxeg1v3RH7zIgL2mGZ"
    "hG5JmXIl4kzVAT8rOqA68imiTyuDRQTofSbpoAevVqogpmUDU9E8G90TjQ3qQfi-fKLib_X2z3yp_xwVq6H_"
    "p7-urUhQR4rxhwU20939bqk8u9qeTsCA1xgyimbMlgYcAZgHfpqJH0MzfbWySU1xmZuS1MTKnOTLja-o4P7B"
    "T6MBDGWpGj3KcpGUNI4Qv5Nj3pB-04y9mquvgmJpPmHASZuEEsxdM5IwzU-2LWls7ui2pZ-wzYnqUB1wj7t9"
    "5IqXhw",
}
# ES256 and EdDSA from RFC 7515 appendix A.3 and RFC 8037 appendix A.4. The RSA tokens were
# made with joserfc, which shares no code with what is tested here.
_KNOWN_ANSWERS: Final[Mapping[str, tuple[Mapping[str, str], str]]] = {
    "ES256": (
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        },
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGF"
        "tcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw"
        "5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ),
    "EdDSA": (
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7"
        "-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    ),
    "PS256": (
        _RSA,
        "eyJhbGciOiJQUzI1NiJ9.T3ZlcmRyYWNodA.AJdCWCZRw47UhJQ9DPKnkOgxu9Azw2WkK-0tcLuofsUBy7Ku"
        "aS_4ONyA8poAXyngRuNw0pmXur-iwbr8f8gKU6nSvse1FeCom1Tp-sIKfdM2wjno3ekFJwCOs0e-CG_5gr96"
        "TsS_SgDu8jpfPH3Igt3gcGBMx60cZxeTNBjhrBCD4h20BIwmYgXeeoMycO7PjOFZZb2nXnz4aQkDR2EQ4EoV"
        "2ffge_M9Ee5UcTQmUJvyiIbLaKpopkp1euvMJkVX3jWx-O-Nu-FXrJNuz1-NcW9o4Ut74-USSDGrY-uGGQTh"
        "T_vJcjhE5Hc_F7saNnC1xXSx5G9QmchuONzPxQPgmA",
    ),
    "RS256": (
        _RSA,
        "eyJhbGciOiJSUzI1NiJ9.T3ZlcmRyYWNodA.q5V-RTLhoT06ojm8ZO3qVjMiXpG7VCGGukobCcWaU8Qw72hQ"
        "kTzfe7uCPTXKLHrN1nW0xLvJGZJaFCzbbQdWhv_ZU1iumMts8PLPwiI7uEs0w_tYdZaJBuioHAlkcsvNN4Vs"
        "eFGNFaxIieu5UFjHb2tkxtalZ88JbD07NbvoVyruK5cr4O0T6zNrabHWLSvLUHN7YQPwYHyFGQmZxn2aCIGV"
        "4VgIVezu7Lp_P8HhCBew46OF7ydf2om1W5fG5lUAlC667CKMcncE9gqn0_Cen6KN7cCVBoVvjgvVsJg_S_Ct"
        "iy1EJRXJOQYGLbxZ2es2Eam781WE6odNNXWPAdhq1Q",
    ),
}
