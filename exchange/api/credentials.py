"""How an application says who it is at the addresses of OAuth: a form with a signed assertion."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from urllib.parse import parse_qsl

from fastapi import Request

from consent.belgian_time import instant
from exchange.directory import Directory
from exchange.problems import BAD_TOKEN_REQUEST, INVALID_CLIENT, RequestRefused
from exchange.security.jose_profile import KeyLookup
from exchange.security.registered_keys import RegisteredKey, register_key
from exchange.security.tokens import Assertion, InvalidToken
from exchange.services import Services
from exchange.uses import Use
from policies.vocabulary import ApplicationId

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CREDENTIALS = frozenset({"client_assertion_type", "client_assertion", "client_id"})
_MOST_BYTES = 16_384


async def form_of(request: Request, fields: Collection[str]) -> Mapping[str, str]:
    """The form's fields, each at most once; no more of them than there are names."""
    raw = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded" or len(raw) > _MOST_BYTES:
        raise RequestRefused(BAD_TOKEN_REQUEST)
    try:
        pairs = parse_qsl(raw.decode("ascii"), strict_parsing=True, max_num_fields=len(fields))
    except ValueError:
        raise RequestRefused(BAD_TOKEN_REQUEST) from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise RequestRefused(BAD_TOKEN_REQUEST)
    return form


async def assertion_in(form: Mapping[str, str], services: Services) -> Assertion:
    """Who the application is, if it signed for us with a key of its own (RFC 7523).

    It counts once: what is done for it must use it up.
    """
    if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
        raise RequestRefused(INVALID_CLIENT)
    directory, at = await services.reader.run(services.reads_directory.current), services.clock()

    try:
        assertion = services.assertions.read(form["client_assertion"], keys_in(directory, at), at)
    except InvalidToken:
        raise RequestRefused(INVALID_CLIENT) from None
    if form.get("client_id", assertion.application) != assertion.application:
        raise RequestRefused(INVALID_CLIENT)
    return assertion


def keys_in(directory: Directory, at: datetime) -> KeyLookup:
    """The keys that applications are registered with, as they stand in the directory at a time."""

    def key_of(issuer: str, kid: str) -> RegisteredKey | None:
        known = directory.applications.get(ApplicationId(issuer))
        if known is None or not known.may_stop(instant(at)):
            return None
        key = known.key_named(kid, instant(at))
        return None if key is None else register_key(key, issuer=issuer)

    return key_of


def use_of_assertion(assertion: Assertion) -> Use:
    """The assertion as something that counts once; each application has ids of its own."""
    name = hashlib.sha256(f"{assertion.application}\0{assertion.token_id}".encode()).digest()
    # Remembered for longer than any clock of ours could still take it for valid.
    return Use(name, instant(assertion.expires_at) + 120_000_000)
