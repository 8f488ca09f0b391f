"""Where the next page of a list begins: a place that its receiver can not make or move."""

import base64
import hmac

from exchange.problems import NOT_AVAILABLE, RequestRefused
from exchange.services import Services


def cursor_at(services: Services, box: str, at: int, last: str) -> str:
    """The place after the line of that time and id, for this caller and box alone."""
    place = f"{at}.{last}"
    return base64.urlsafe_b64encode(f"{place}.{_seal(services, box, place)}".encode()).decode()


def place_in(services: Services, box: str, cursor: str) -> tuple[int, str]:
    """Where the last page ended. A cursor of another caller or box is nobody's."""
    try:
        place, _, seal = base64.urlsafe_b64decode(cursor).decode("ascii").rpartition(".")
        at, _, last = place.partition(".")
        if hmac.compare_digest(seal, _seal(services, box, place)):
            return int(at), last
    except ValueError:
        pass
    raise RequestRefused(NOT_AVAILABLE)


def _seal(services: Services, box: str, place: str) -> str:
    return hmac.digest(services.cursor_key, f"{box}|{place}".encode(), "sha256").hex()[:32]
