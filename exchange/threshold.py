"""What every request must be before a route sees it, and what every answer carries.

Pure ASGI, and outermost: the answer to our own mistake carries the same headers as any other.
Neither `Host` nor any `X-Forwarded-…` is read but two, and those from the operator's own proxies
alone: whether they were asked over TLS, and by whom. Addresses that we tell come from the
settings.
"""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, TypeAlias

from exchange.problems import (
    HEADERS_TOO_LARGE,
    HTTPS_NEEDED,
    MALFORMED,
    NOT_ALLOWED,
    UNAVAILABLE,
    Problem,
)
from exchange.refusing import came_whole

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

MOST_HEADERS = 100
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"})
"""What may reach a route; which of them it takes, the route says."""

OTHER_METHOD = frozenset({b"x-http-method-override", b"x-http-method", b"x-method-override"})
OF_A_TRACE = frozenset({b"traceparent", b"tracestate", b"baggage"})
"""A stranger's trace is not ours: following it would tell them what happens here."""

ONCE = (b"host", b"content-type", b"content-length", b"content-encoding", b"transfer-encoding")
PROBES = frozenset({"/healthz", "/readyz"})
"""What an orchestrator asks beside the proxy. They tell nothing, so they may be asked in plain."""

WALLS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]
HSTS = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
NO_STORE = (b"cache-control", b"no-store")


class Threshold:
    """An application behind the checks that no route should have to think of.

    With `https` a request counts only when it came over TLS: to us, or to one of `proxies`.
    """

    def __init__(
        self,
        inside: Application,
        *,
        https: bool,
        proxies: Sequence[IPv4Network | IPv6Network] = (),
    ) -> None:
        self._inside, self._https = inside, https
        self._walls = walls(https=https)
        self._is_proxy = lru_cache(maxsize=256)(partial(_within, proxies))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that may not come in; walk others in, and wall their answers."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._inside(scope, receive, send)
            return

        async def walled(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = with_walls(message["headers"], self._walls)
            await send(message)

        problem = self._fault(scope)
        if problem is None:
            self._name_sender(scope)
            came_whole(scope)
            await self._inside(scope, receive, walled)
            return
        body, headers = problem.body(), refusing(problem)
        start = {"type": "http.response.start", "status": problem.status, "headers": headers}
        await walled(start)
        await send({"type": "http.response.body", "body": body})

    def _fault(self, scope: Scope) -> Problem | None:
        """Why the request may not come in. Drops what its sender may not steer."""
        headers: Headers = scope["headers"]
        names = [name for name, _ in headers]
        if len(names) > MOST_HEADERS:
            return HEADERS_TOO_LARGE
        if scope["method"] not in METHODS or not OTHER_METHOD.isdisjoint(names):
            return NOT_ALLOWED
        if any(names.count(name) > 1 for name in ONCE) or (
            b"host" not in names and scope["http_version"] == "1.1"
        ):
            return MALFORMED
        if b"content-encoding" in names or _strangely_framed(scope):
            return MALFORMED
        if self._https and scope["path"] not in PROBES and not self._came_over_tls(scope):
            return HTTPS_NEEDED
        if not OF_A_TRACE.isdisjoint(names):
            scope["headers"] = [each for each in headers if each[0] not in OF_A_TRACE]
        return None

    def _came_over_tls(self, scope: Scope) -> bool:
        if scope["scheme"] == "https":
            return True
        peer = scope.get("client")
        if peer is None or not self._is_proxy(peer[0]):
            return False
        said = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
        return said == [b"https"]

    def _name_sender(self, scope: Scope) -> None:
        """Put who asked a proxy of ours where the proxy's own address stands.

        Each proxy adds whom it was asked by at the end; what stands before that the sender may
        have written. A proxy that adds nothing, or no address, is taken for the sender.
        """
        peer = scope.get("client")
        if peer is None or not self._is_proxy(peer[0]):
            return
        said = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        sender: str = peer[0]
        for each in reversed(b",".join(said).decode("latin-1").split(",")):
            if not self._is_proxy(sender) or _address(each.strip()) is None:
                break
            sender = each.strip()
        scope["client"] = (sender, 0)


def _within(networks: Sequence[IPv4Network | IPv6Network], peer: str) -> bool:
    address = _address(peer)
    return address is not None and any(address in each for each in networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def walls(*, https: bool) -> Headers:
    """The headers of every answer; browsers are told to keep to https where it is spoken."""
    return [*WALLS, HSTS] if https else WALLS


def with_walls(headers: Sequence[tuple[bytes, bytes]], walls: Headers) -> Headers:
    """The answer's headers and the walls; one that it has of its own stays."""
    own = {name for name, _ in headers}
    more = [each for each in walls if each[0] not in own]
    if NO_STORE[0] not in own:
        more.append(NO_STORE)
    return [*headers, *more]


def refusing(problem: Problem) -> Headers:
    """The headers of a problem document, the walls aside."""
    length = str(len(problem.body())).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", length)]
    if problem is UNAVAILABLE:
        headers.append((b"retry-after", b"1"))
    if problem is NOT_ALLOWED:
        # RFC 9110, section 15.5.6. Which address it is has not been looked up.
        headers.append((b"allow", b"GET, POST, PUT"))
    return headers


def _strangely_framed(scope: Scope) -> bool:
    """A coding besides chunked, or one where it has no meaning (RFC 9112, section 6.1)."""
    coding = [value for name, value in scope["headers"] if name == b"transfer-encoding"]
    return bool(coding) and (coding != [b"chunked"] or scope["http_version"] != "1.1")
