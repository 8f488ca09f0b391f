"""What a token of each kind must look like. A closed set: nobody can loosen one part of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class TokenFault(StrEnum):
    """Why a token was refused: for our own records, never for who sent it."""

    SHAPE = "shape"
    HEADER = "header"
    HEADER_MEMBER = "header-member"
    TYPE = "type"
    ALGORITHM = "algorithm"
    KEY_ID = "key-id"
    UNKNOWN_KEY = "unknown-key"
    KEY_NOT_IN_FORCE = "key-not-in-force"
    SIGNATURE = "signature"
    CLAIMS = "claims"
    CLAIM_MISSING = "claim-missing"
    CLAIM_UNKNOWN = "claim-unknown"
    CLAIM_TYPE = "claim-type"
    AUDIENCE = "audience"
    EXPIRED = "expired"
    NOT_YET = "not-yet"
    TOO_OLD = "too-old"
    LIFETIME = "lifetime"
    SUBJECT = "subject"
    SCHEME = "scheme"
    BINDING = "binding"
    PROOF_METHOD = "proof-method"
    PROOF_URL = "proof-url"
    PROOF_TOKEN = "proof-token"  # noqa: S105 (a name, not a secret)
    PROOF_NONCE = "proof-nonce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One kind of token. Times in seconds, sizes in bytes.

    The first of `types` is what we write; `None` stands for a header without `typ`.
    Claims that are neither required nor optional are dropped where `foreign`, as RFC 7519
    section 4 asks of a reader, and refused in tokens of our own making, unless `open`.
    `max_lifetime` bounds `exp` from `iat`, `max_ahead` from now; `max_age` bounds `iat`.
    """

    name: str
    types: tuple[str | None, ...]
    algorithms: frozenset[str]
    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    foreign: bool = False
    open: bool = False
    key_in_header: bool = False
    max_lifetime: int | None = None
    max_ahead: int | None = None
    max_age: int | None = None
    max_token: int = 8_192
    max_header: int = 4_096
    max_claims: int = 8_192
    max_depth: int = 8


_STANDARD = frozenset({"iss", "sub", "aud", "exp", "iat", "jti"})
_STRONG = frozenset({"ES256", "EdDSA", "PS256"})
_OURS = frozenset({"ES256"})

CLIENT_ASSERTION: Final = Context(
    name="client-assertion",
    types=("client-authentication+jwt", "JWT"),
    algorithms=_STRONG,
    required=_STANDARD,
    optional=frozenset({"nbf"}),
    foreign=True,
    max_lifetime=60,
    max_ahead=60,
    max_age=60,
)
"""How an application proves who it is (RFC 7523, RFC 7523bis: `aud` is our issuer, as a text)."""

TYPED_CLIENT_ASSERTION: Final = Context(
    name="typed-client-assertion",
    types=("client-authentication+jwt",),
    algorithms=_STRONG,
    required=_STANDARD,
    optional=frozenset({"nbf"}),
    foreign=True,
    max_lifetime=60,
    max_ahead=60,
    max_age=60,
)
"""The same without the customary `JWT`, for sites that forbid it."""

ACCESS_TOKEN: Final = Context(
    name="access-token",
    types=("at+jwt",),
    algorithms=_OURS,
    required=_STANDARD | {"client_id", "organisation", "scope"},
    optional=frozenset({"cnf"}),
    max_lifetime=300,
    max_age=300,
)
"""What we issue (RFC 9068), with the organisation that the application acts for."""

FOREIGN_ACCESS_TOKEN: Final = Context(
    name="foreign-access-token",
    types=("at+jwt",),
    algorithms=_STRONG,
    required=_STANDARD | {"client_id", "organisation", "scope"},
    optional=frozenset({"cnf", "nbf"}),
    foreign=True,
    max_lifetime=3_600,
    max_age=3_600,
)
"""The same from another authorisation server, which may say more and let tokens live longer."""

DPOP_PROOF: Final = Context(
    name="dpop-proof",
    types=("dpop+jwt",),
    algorithms=_OURS,
    required=frozenset({"jti", "htm", "htu", "iat"}),
    optional=frozenset({"ath", "nonce", "exp", "nbf"}),
    foreign=True,
    key_in_header=True,
    max_age=60,
    max_token=4_096,
)
"""That the sender holds the key an access token is bound to (RFC 9449)."""

KEY_PROOF: Final = Context(
    name="key-proof",
    types=("key-possession+jwt",),
    algorithms=_OURS,
    required=frozenset({"aud", "sub", "iat", "jti"}),
    foreign=True,
    key_in_header=True,
    max_age=3_600,
    max_token=4_096,
)
"""That who wants a key registered holds its private half. `sub`: for which organisation."""

RECALL_CERTIFICATE: Final = Context(
    name="recall-certificate",
    types=("recall-certificate+jwt",),
    algorithms=_OURS,
    required=frozenset({"iss", "aud", "iat", "recall", "outcome"}),
    optional=frozenset({"law", "until"}),
    foreign=True,
    max_age=86_400,
    max_token=4_096,
)
"""What a recipient signs of what became of what it had received, for one recall."""

ID_TOKEN: Final = Context(
    name="id-token",
    types=("JWT", None),
    algorithms=_STRONG | {"RS256"},
    required=frozenset({"iss", "sub", "aud", "exp", "iat"}),
    optional=frozenset({"acr", "amr", "auth_time", "azp", "family_name", "given_name", "nbf"})
    | frozenset({"jti", "nonce", "sid"}),
    foreign=True,
    max_lifetime=86_400,
    max_age=86_400,
)
"""Who signed in, as told by a configured provider (OpenID Connect Core section 2)."""

RECEIPT: Final = Context(
    name="receipt",
    types=("consent-receipt+jwt",),
    algorithms=_OURS,
    required=frozenset({"iss", "iat"}),
    open=True,
    max_token=98_304,
    max_claims=65_536,
    max_depth=16,
)
"""What a client keeps of a consent. It has no end: a receipt is proof for as long as it is kept."""

RECORD: Final = Context(
    name="record",
    types=("consent-record+jwt",),
    algorithms=_OURS,
    required=frozenset({"iss", "iat"}),
    open=True,
    max_token=786_432,
    max_claims=524_288,
    max_depth=16,
)
"""A consent as its controller shows it to others, in a form of theirs. Proof, like a receipt."""

AGREEMENT: Final = Context(
    name="framework-agreement",
    types=("framework-agreement+jws",),
    algorithms=_OURS,
    required=frozenset({"id", "version"}),
    open=True,
    key_in_header=True,
    max_token=98_304,
    max_claims=65_536,
    max_depth=16,
)
"""A party's signature under an agreement's text, which has no times of its own, nor an end."""

SIGNED_SUMMARY: Final = Context(
    name="signed-summary",
    types=("intake-summary+jwt",),
    algorithms=_OURS,
    required=frozenset({"iss", "aud", "iat"}),
    open=True,
    max_token=393_216,
    max_claims=262_144,
    max_depth=16,
)
"""A released summary: the answer itself, without its signature, as claims."""
