"""How an application asks for an access token."""

from dataclasses import dataclass
from datetime import UTC, datetime

from exchange.security.contexts import CLIENT_ASSERTION, TYPED_CLIENT_ASSERTION, TokenFault
from exchange.security.jose_profile import InvalidToken, KeyLookup, verify


@dataclass(frozen=True, slots=True)
class Assertion:
    """An application that proved who it is. Counts once: `token_id`, until `expires_at`."""

    application: str
    token_id: str
    expires_at: datetime


class ClientAssertions:
    """Reads how an application proves who it is (`private_key_jwt`, RFC 7523)."""

    def __init__(self, issuer: str, *, typed_only: bool = False) -> None:
        self._issuer = issuer
        self._context = TYPED_CLIENT_ASSERTION if typed_only else CLIENT_ASSERTION

    def read(self, assertion: str, key_of: KeyLookup, at: datetime) -> Assertion:
        """The application, if it signed this for us, now. Raises only `InvalidToken`.

        `key_of` is given an application and a `kid`, neither of them believed yet; what it
        raises is passed on. Record `token_id` durably before anything is issued for it.
        """
        claims = verify(assertion, self._context, key_of=key_of, audience=self._issuer, at=at)
        if claims.text("iss") != claims.text("sub"):
            raise InvalidToken(TokenFault.SUBJECT)
        return Assertion(
            application=claims.text("sub"),
            token_id=claims.text("jti"),
            expires_at=datetime.fromtimestamp(claims.second("exp"), UTC),
        )
