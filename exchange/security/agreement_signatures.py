"""Signatures under framework agreements: detached JWS over a version's canonical bytes.

The key travels in the header (RFC 7515, section 4.1.3), so that a signature can be checked for
as long as it is kept, also after its application has another key. Whose key it is was looked
up in the register when it was signed, and is kept beside it.
"""

from datetime import datetime

from exchange.security.base64url import encoded
from exchange.security.contexts import AGREEMENT
from exchange.security.jose_profile import InvalidToken, sign_detached, verify_bearing_key
from exchange.security.signing_keys import Signer
from exchange.security.strict_json import NotJson, read_json


def sign_text(text: str, signer: Signer) -> str:
    """The signature of who has this key, under the canonical text of a version."""
    return sign_detached(AGREEMENT, text.encode(), signer)


def signable(text: str) -> bool:
    """Whether a signature under this text could ever be read back."""
    try:
        read_json(text.encode(), max_bytes=AGREEMENT.max_claims, max_depth=AGREEMENT.max_depth)
    except NotJson:
        return False
    return True


def signer_of_text(jws: str, text: str, at: datetime) -> str | None:
    """The thumbprint (RFC 7638) of the key that signed exactly this text; else nothing."""
    head, _, signature = jws.partition("..")
    try:
        whole = f"{head}.{encoded(text.encode())}.{signature}"
        return verify_bearing_key(whole, AGREEMENT, at=at).key.thumbprint
    except InvalidToken:
        return None
