"""T21: over plain http nothing is said where https is spoken. T109: whose keys others can read."""

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from fastapi.testclient import TestClient

from exchange.app import create_app
from exchange.database import Unsafe
from exchange.services import Services
from exchange.serving import server_for
from exchange.settings import Settings
from tests.builders import Broker
from tests.cases.listening import (
    listening,
    request,
    sent,
    statuses,
)


def behind_https(broker: Broker, peer: str, *proxies: str) -> TestClient:
    """Somebody who comes from that address to a broker whose public address is https."""
    secured = Settings.model_validate(
        broker.services.settings.model_dump()
        | {"public_base_url": "https://overdracht.example", "proxies": ",".join(proxies)}
    )
    token = broker.as_("vdab-gent").headers["Authorization"]
    return TestClient(
        create_app(replace(broker.services, settings=secured)),
        base_url="http://overdracht.example",
        headers={"Authorization": token},
        client=(peer, 40_000),
        follow_redirects=False,
    )


@pytest.mark.case("T21")
@pytest.mark.parametrize(
    ("proxies", "headers"),
    [
        ([], {}),
        ([], {"X-Forwarded-Proto": "https"}),
        (["10.0.0.1"], {"X-Forwarded-Proto": "https"}),
        (["192.0.2.0/24"], {}),
        (["192.0.2.0/24"], {"X-Forwarded-Proto": "http"}),
        (["192.0.2.0/24"], {"X-Forwarded-Proto": "http, https"}),
        (["192.0.2.0/24"], {"X-Forwarded-Proto": "https, http"}),
    ],
)
def test_t21_plain_http_is_refused_and_never_redirected(
    broker: Broker, proxies: list[str], headers: dict[str, str]
) -> None:
    plain = behind_https(broker, "192.0.2.7", *proxies)

    for path in ("/v1/handovers", "/.well-known/jwks.json", "/nothing"):
        answer = plain.get(path, headers=headers)

        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:overdracht:problem:https-needed"
        assert "location" not in answer.headers
        assert answer.headers["strict-transport-security"].startswith("max-age=63072000")
    assert plain.get("/healthz").status_code == 200


@pytest.mark.case("T21")
def test_t21_what_came_over_tls_to_the_operators_proxy_is_taken(broker: Broker) -> None:
    plain = behind_https(broker, "192.0.2.7", "192.0.2.7", "2001:db8::/32")

    answer = plain.get("/v1/handovers", headers={"X-Forwarded-Proto": "https"})

    assert answer.status_code == 200


@pytest.mark.case("T21")
def test_t21_tls_of_our_own_is_https_and_speaks_nothing_old(
    services: Services, tmp_path: Path
) -> None:
    secured = with_certificate(services, tmp_path)
    server = server_for(secured, "127.0.0.1", 0)
    server.config.load()
    assert server.config.ssl is not None
    assert server.config.ssl.minimum_version >= ssl.TLSVersion.TLSv1_2

    with listening(secured) as port:
        trusting = ssl.create_default_context(cafile=secured.settings.tls_certificate)
        address = f"https://127.0.0.1:{port}/.well-known/jwks.json"
        answer = httpx2.get(address, verify=trusting)
        assert statuses(sent(port, request("GET /healthz"))) == []

    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"].startswith("max-age=")


@pytest.mark.case("T109")
def test_t109c_a_key_of_the_certificate_that_others_can_read_stops_the_start(
    services: Services, tmp_path: Path
) -> None:
    secured = with_certificate(services, tmp_path)
    (tmp_path / "key.pem").chmod(0o640)

    with pytest.raises(Unsafe, match="chmod 600"):
        server_for(secured, "127.0.0.1", 0)
    half = services.settings.model_copy(update={"tls_certificate": tmp_path / "certificate.pem"})
    with pytest.raises(Unsafe, match="OVERDRACHT_TLS_KEY"):
        server_for(replace(services, settings=half), "127.0.0.1", 0)


def with_certificate(services: Services, folder: Path) -> Services:
    """The same services, reached by an https address with a certificate of its own making."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, SHA256())
    )
    unencrypted = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(*unencrypted))
    (folder / "key.pem").chmod(0o600)
    settings = services.settings.model_copy(
        update={
            "public_base_url": "https://127.0.0.1",
            "tls_certificate": folder / "certificate.pem",
            "tls_key": folder / "key.pem",
        }
    )
    return replace(services, settings=settings)
