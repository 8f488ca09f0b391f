"""A Vault of our own on the loopback: the transit engine as its documentation tells it."""

import base64
import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN = "hvs.test-token-of-the-broker"  # noqa: S105 - of a server that lives as long as a test

Answer = tuple[int, dict[str, Any]]


@dataclass
class TransitKey:
    """A key of the engine: its versions, and which of them may still be used."""

    versions: dict[int, bytes] = field(default_factory=lambda: {1: os.urandom(32)})
    told: dict[str, Any] = field(
        default_factory=lambda: {
            "type": "aes256-gcm96",
            "derived": False,
            "exportable": False,
            "allow_plaintext_backup": False,
            "min_decryption_version": 1,
            "min_encryption_version": 0,
            "min_available_version": 0,
        }
    )

    @property
    def latest(self) -> int:
        return max(self.versions)


@dataclass
class Vault:
    """What the server holds, what it was asked, and what it does instead of answering."""

    address: str
    ca_file: Path
    keys: dict[str, TransitKey] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    instead: Callable[[BaseHTTPRequestHandler], None] | None = None

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Answer:  # noqa: PLR0911 - one a call
        """Status and body for a request with the right token."""
        _, _, mount, *rest = path.split("/")
        if mount != "transit":
            return _errors(404)
        match [method, *rest]:
            case ["POST", "encrypt", name]:
                # As Vault does where nobody forbade it: an unknown key is made on first use.
                return self._encrypt(self.keys.setdefault(name, TransitKey()), body)
            case [_, _, name, *_] if name not in self.keys:
                return _errors(404) if method == "GET" else _errors(400, "no such key")
            case ["GET", "keys", name]:
                key = self.keys[name]
                return 200, {"data": key.told | {"latest_version": key.latest, "name": name}}
            case ["POST", "decrypt", name]:
                return self._decrypt(self.keys[name], body)
            case ["POST", "keys", name, "rotate"]:
                key = self.keys[name]
                key.versions[key.latest + 1] = os.urandom(32)
                return 200, {"data": {}}
            case ["POST", "keys", name, "config"]:
                return self._configure(self.keys[name], body)
            case ["POST", "keys", name, "trim"]:
                return self._trim(self.keys[name], body["min_available_version"])
        return _errors(404)

    def _encrypt(self, key: TransitKey, body: dict[str, Any]) -> Answer:
        nonce, plain = os.urandom(12), base64.b64decode(body["plaintext"], validate=True)
        box = nonce + AESGCM(key.versions[key.latest]).encrypt(nonce, plain, None)
        return 200, {"data": {"ciphertext": f"vault:v{key.latest}:{_b64(box)}"}}

    def _decrypt(self, key: TransitKey, body: dict[str, Any]) -> Answer:
        _, version, text = body["ciphertext"].split(":")
        number = int(version[1:])
        if number > key.latest:
            return _errors(400, "invalid ciphertext: version is too new")
        if number < key.told["min_decryption_version"]:
            return _errors(400, "ciphertext or signature version is disallowed by policy (too old)")
        box = base64.b64decode(text)
        try:
            plain = AESGCM(key.versions[number]).decrypt(box[:12], box[12:], None)
        except InvalidTag:
            return _errors(400, "invalid ciphertext: unable to decrypt")
        return 200, {"data": {"plaintext": _b64(plain)}}

    def _configure(self, key: TransitKey, body: dict[str, Any]) -> Answer:
        told = key.told | body
        least = told["min_available_version"]
        decrypts, encrypts = told["min_decryption_version"], told["min_encryption_version"]
        if max(decrypts, encrypts) > key.latest or min(decrypts, encrypts) < least:
            return _errors(400, "cannot set min version")
        if 0 < encrypts < decrypts:
            return _errors(400, "min encryption version must be greater or equal")
        key.told = told
        return 200, {"data": told}

    def _trim(self, key: TransitKey, least: int) -> Answer:
        decrypts, encrypts = key.told["min_decryption_version"], key.told["min_encryption_version"]
        if not key.told["min_available_version"] <= least <= min(decrypts, encrypts) or least < 1:
            return _errors(400, "minimum available version cannot be set")
        key.told["min_available_version"] = least
        key.versions = {each: key.versions[each] for each in key.versions if each >= least}
        return 200, {"data": key.told}


def _errors(status: int, *words: str) -> Answer:
    return status, {"errors": list(words)}


def _b64(plain: bytes) -> str:
    return base64.b64encode(plain).decode()


def _handler(vault: Vault) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve({})

        def do_POST(self) -> None:
            self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _serve(self, body: dict[str, Any]) -> None:
            vault.asked.append(f"{self.command} {self.path}")
            if vault.instead is not None:
                vault.instead(self)
                return
            if self.headers.get("X-Vault-Token") != TOKEN:
                self.say(403, {"errors": ["permission denied"]})
                return
            self.say(*vault.answer(self.command, self.path, body))

        def say(self, status: int, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: Any) -> None:
            """Nothing: a test says itself what it saw."""

    return Handler


@contextmanager
def running_vault(folder: Path) -> Iterator[Vault]:
    """Vault with TLS on the loopback, with one key, `overdracht`."""
    certificate = _certificate(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads, server.block_on_close = True, False
    vault = Vault(f"https://127.0.0.1:{server.server_address[1]}", certificate)
    vault.keys["overdracht"] = TransitKey()
    server.RequestHandlerClass = _handler(vault)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield vault
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vault of a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "vault.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path
