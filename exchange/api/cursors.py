"""Where a list goes on: a place that only its caller, in the same list, can have been given."""

import base64
import hmac

from exchange.problems import NOT_AVAILABLE, RequestRefused


def cursor(key: bytes, mine: str, at: int, last: str) -> str:
    """The place after an item, for whoever reads the list called `mine`."""
    place = f"{at}.{last}"
    return base64.urlsafe_b64encode(f"{place}.{_seal(key, mine, place)}".encode()).decode()


def place_in(key: bytes, mine: str, text: str) -> tuple[int, str]:
    """Where the last page ended. A cursor of another caller or list is nobody's."""
    try:
        place, _, seal = base64.urlsafe_b64decode(text).decode("ascii").rpartition(".")
        at, _, last = place.partition(".")
        if hmac.compare_digest(seal, _seal(key, mine, place)):
            return int(at), last
    except ValueError:
        pass
    raise RequestRefused(NOT_AVAILABLE)


def _seal(key: bytes, mine: str, place: str) -> str:
    return hmac.digest(key, f"{mine}|{place}".encode(), "sha256").hex()[:32]
