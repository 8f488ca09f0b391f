"""The one answer that tells nobody whether somebody is a client, and how it is recognised."""

from httpx2 import Response

from exchange.services import Services
from tests.builders import logged

UNKNOWN_HANDLE = "a" * 26
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
BODY = b'{"type":"urn:overdracht:problem:not-available","title":"Not available","status":404}'


def assert_uniform(*answers: Response) -> None:
    """Each answer is the uniform denial, to the byte and with the same headers."""
    for each in answers:
        assert each.status_code == 404, each.text
        assert each.content == BODY
        assert each.headers == answers[0].headers
    assert answers[0].headers["content-type"] == "application/problem+json"


def reasons(services: Services, kind: str) -> list[str]:
    """Why each event of the kind was a no, oldest first: what the log knows and nobody is told."""
    return [each["reason"] for each in logged(services) if each["k"] == kind]


def size(services: Services) -> int:
    """How many entries the log has, those of operators aside."""
    return sum(not each["k"].startswith("admin.") for each in logged(services))
