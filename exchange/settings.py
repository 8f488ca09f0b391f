"""What an installation may set: `OVERDRACHT_*` variables, each with a bound and a safe default."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import (
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    StringConstraints,
    ValidationError,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from exchange.quotas import Limits


class Profile(StrEnum):
    """`demo` accepts test numbers only; `production` refuses every unsafe choice."""

    DEMO = "demo"
    PRODUCTION = "production"


class KeyRingKind(StrEnum):
    """Who keeps the key ring: a file alone, or a file that Vault or a token has sealed."""

    FILE = "file"
    VAULT = "vault"
    PKCS11 = "pkcs11"


def _listed(value: object) -> object:
    return (
        [each.strip() for each in value.split(",") if each.strip()]
        if isinstance(value, str)
        else value
    )


class Settings(BaseSettings):
    """Read once, in the composition root; every other part gets plain values."""

    model_config = SettingsConfigDict(env_prefix="OVERDRACHT_", extra="forbid", frozen=True)

    profile: Profile = Profile.DEMO
    """Whose numbers are accepted, and which defaults may stand."""

    data_dir: Path = Path("overdracht-data")
    """Where the database, the keys (0600) and the administration socket lie."""

    database_url: str = ""
    """Empty: SQLite in `data_dir`. Else `postgresql://…` (needs the extra `postgres`)."""

    public_base_url: Annotated[str, StringConstraints(pattern=r"^https?://[^/?#\s]+$")] = (
        "http://127.0.0.1:8080"
    )
    """Scheme and host that clients see. Issuer and addresses come from it, never from a Host."""

    proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_listed)] = ()
    """Addresses or networks, with commas between, of the proxies that end TLS before us: their
    `X-Forwarded-Proto` is believed, and nobody else's; so is whom they add to `X-Forwarded-For`:
    without that, whoever fails to say who they are fails for all behind the proxy. Needed when
    `public_base_url` is https and no certificate is set: what does not come over https is then
    refused."""

    tls_certificate: Path | None = None
    """PEM file with the certificate chain, to end TLS here; needs `tls_key`."""

    tls_key: Path | None = None
    """PEM file (0600) with the key of `tls_certificate`."""

    queue_capacity: Annotated[int, Field(ge=1, le=100_000)] = 2048
    """Commands that may wait for the writer; one more gets 503. Withdrawals have 256 extra."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=4_194_304)] = 262_144
    """Largest request body in bytes, that of a summary; one more byte gets 413."""

    small_body_bytes: Annotated[int, Field(ge=1024, le=4_194_304)] = 65_536
    """The same for every other address."""

    consent_requests_a_day: Annotated[int, Field(ge=1, le=100_000)] = 50
    """Questions to clients that one organisation may ask in 24 hours; one more gets 429."""

    volume_refused_at: Annotated[int, Field(ge=100, le=1_000)] = 150
    """Per cent of the persons a year that an agreement is for, from which on nobody new is
    handed over under it. Who is served already goes on being served."""

    sqlite_journal: Annotated[str, StringConstraints(pattern=r"^(wal|delete)$")] = "wal"
    """`delete` is slower and safe on every SQLite; `wal` needs one free of the WAL-reset fault."""

    key_ring: KeyRingKind = KeyRingKind.FILE
    """`file`: `keys.json` in `data_dir` (0600) holds the keys. `vault`, `pkcs11`: it opens with
    HashiCorp Vault's transit engine, or with a token (HSM), alone. To change it: `keys move`."""

    vault_address: Annotated[
        str, StringConstraints(pattern=r"^(https://[^/?#\s@]+|http://127\.0\.0\.1(:[0-9]+)?)?$")
    ] = ""
    """Where Vault listens, with TLS; without it only an agent on this very machine."""

    vault_key: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_/-]{0,100}/[A-Za-z0-9_-]{1,100}$")
    ] = "transit/overdracht"
    """Mount and name of the transit key. Of this installation alone: old versions are destroyed."""

    vault_token_file: Path | None = None
    """File (0600) with the token; read anew each time, so that an agent may renew it."""

    vault_ca_file: Path | None = None
    """Certificates to trust for Vault; without: those of this machine."""

    pkcs11_module: Path | None = None
    """The library of the token."""

    pkcs11_token: Annotated[str, StringConstraints(max_length=32)] = ""
    """The label of the token, of which there must be one."""

    pkcs11_key: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "overdracht"
    """The label of the keys in it. Of this installation alone."""

    pkcs11_pin_file: Path | None = None
    """File (0600) with the PIN of the token's user."""

    rules_dir: Path | None = None
    """Folder with the installation's own rules; without: `rules` in `data_dir`, if there is one.
    The start is refused when it holds another set than was put in force (`rules apply`)."""

    log_key: Path | None = None
    """The private keys that sign the log's heads (0600); without: `log.key` in `data_dir`."""

    high_water: Path | None = None
    """What was signed last; without: in `data_dir`. Put it on another volume than the database:
    it tells when that was put back. Under `production` it must not lie in `data_dir`."""

    signs: bool = True
    """Whether this host signs the log's heads. Of several hosts on one database, one does."""

    tiles: Path | None = None
    """Folder that the host which signs writes every tile and the checkpoint to, for a static
    host. Without: they are served by the service alone."""

    tiles_with_entries: bool = False
    """Whether the entries go there too. They tell who asked whom when: for mirrors under contract,
    never for a public address."""

    checkpoint_seconds: Annotated[float, Field(ge=1, le=10)] = 1.0
    """Seconds between two heads while the log grows."""

    checkpoint_signatures: Annotated[str, StringConstraints(pattern=r"^ed25519(,ml-dsa-44)?$")] = (
        "ed25519"
    )
    """`ed25519,ml-dsa-44` adds a signature that outlasts quantum computers, 3.3 kB a head."""

    witness_policy: str = ""
    """File with the witnesses and their quorum. `none`: nobody vouches for the log but its
    operator, which `production` takes only when it is said by this name."""

    quorum_alarm_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600
    """Seconds without a quorum of witnesses after which it is told on every head."""

    quorum_refuse_seconds: Annotated[int, Field(ge=0, le=604_800)] = 14_400
    """Seconds without a quorum after which no more data leave; withdrawals go on. 0: never."""

    prune_policy: Annotated[
        str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,59})?$")
    ] = ""
    """Code of the written policy by which `retention run` lets entries go when they are older than
    ten years. It stands in the log for ever. Empty: there is none, and no entry ever goes."""

    metrics_token: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9._~+/-]{24,256})?$")] = (
        Field(default="", repr=False)
    )
    """Who sends it as a bearer token may read `/metrics`. Empty: nobody, and there is no such
    address. Not bound to the loopback: behind a proxy every request comes from there."""

    dpop_compulsory: bool = False
    """Whether every access token must be bound to a key (RFC 9449); `production` always asks it."""

    dpop_nonce_seconds: Annotated[int, Field(ge=0, le=600)] = 0
    """Seconds that a nonce of ours is given for; it counts for as many more. 0: none is asked."""

    token_issuer: Annotated[str, StringConstraints(pattern=r"^(https?://[^?#\s]+)?$")] = ""
    """Another authorisation server that gives the access tokens; then ours gives none.

    Its tokens (RFC 9068) name us in `aud`, a registered application in `client_id` and its
    organisation in `organisation`."""

    token_keys: str = ""
    """Where that server's public keys are read: an address, or a file. Under `production` an
    address is https."""

    assessment_months: Annotated[int, Field(ge=1, le=60)] = 12
    """Months for which it counts that a minor was found capable of deciding."""

    requests_a_minute: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """What an organisation may ask in a minute, in each process. 0: 3,000 under `production`."""

    requests_a_minute_of: Mapping[str, Annotated[int, Field(ge=1, le=10_000_000)]] = {}
    """The same for organisations of a type, as JSON: `{"employer": 60}`."""

    tokens_a_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Access tokens an organisation may have in a minute. 0: 120 under `production`."""

    failures_a_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """How often one address (IPv6: one /64) may fail to say who it is. 0: 60 under `production`."""

    @property
    def limits(self) -> Limits:
        """The quotas in force; under `demo` those alone that are set."""
        usual = Limits(3_000, 120, 60) if self.profile is Profile.PRODUCTION else Limits()
        return Limits(
            requests=self.requests_a_minute or usual.requests,
            tokens=self.tokens_a_minute or usual.tokens,
            failures=self.failures_a_minute or usual.failures,
            requests_of=self.requests_a_minute_of,
        )

    @property
    def dpop_needed(self) -> bool:
        return self.dpop_compulsory or self.profile is Profile.PRODUCTION

    @property
    def key_ring_path(self) -> Path:
        return self.data_dir / "keys.json"

    @property
    def log_key_path(self) -> Path:
        return self.log_key or self.data_dir / "log.key"

    @property
    def high_water_path(self) -> Path:
        return self.high_water or self.data_dir / "high-water.json"

    @property
    def seen_head_path(self) -> Path:
        return self.data_dir / "seen-head.json"

    @property
    def rules_folder(self) -> Path | None:
        """The folder of the installation's own rules, if it has one."""
        usual = self.data_dir / "rules"
        return self.rules_dir or (usual if usual.is_dir() else None)

    @property
    def url(self) -> str:
        """The SQLAlchemy address of the database."""
        if not self.database_url:
            return f"sqlite:///{self.data_dir / 'overdracht.db'}"
        return self.database_url.replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def https(self) -> bool:
        """Whether clients reach us over https, here or at a proxy before us."""
        return self.public_base_url.startswith("https:")

    @property
    def issuer(self) -> str:
        return self.public_base_url


class SettingsRefused(Exception):
    """A variable holds what it may not. The text names the variables, never their values."""


def read_settings() -> Settings:
    """Settings from the environment; raises `SettingsRefused`."""
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(
            f"OVERDRACHT_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}"
            for each in error.errors(include_input=False, include_url=False, include_context=False)
        )
        raise SettingsRefused(faults) from None


_PREFIX = "OVERDRACHT_"


def unknown_variables() -> dict[str, str]:
    """The `OVERDRACHT_*` variables that set nothing, each with the one that it may stand for."""
    known = ["BENCH_DATABASE_URL", *(name.upper() for name in Settings.model_fields)]
    said = sorted(each for each in os.environ if each.upper().startswith(_PREFIX))
    names = {each: each.upper().removeprefix(_PREFIX) for each in said}
    near = {each: get_close_matches(name, known, 1) for each, name in names.items()}
    return {
        each: f"{_PREFIX}{near[each][0]}" if near[each] else ""
        for each, name in names.items()
        if name not in known
    }
