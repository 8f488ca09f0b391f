"""Base64url with exactly one text for each value (RFC 4648 section 5, RFC 7515 section 2)."""

import base64
import binascii


def encoded(data: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decoded(text: str) -> bytes:
    """The bytes. Any other text that a lenient reader takes for the same raises `ValueError`.

    No padding, no junk between the characters, no bits set beyond the last byte: a token
    whose text can be altered without breaking its signature invites trouble further on.
    """
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise ValueError("not base64url") from None
    if encoded(data) != text:
        raise ValueError("not canonical base64url")
    return data
