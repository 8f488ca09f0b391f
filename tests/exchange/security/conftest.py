"""Python-jose asks the clock itself, and gets one answer; and it can be watched at work."""

from datetime import datetime, tzinfo

import pytest
from jose.backends import ECKey

from tests.exchange.security.forging import NOW


class AtNoon(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "AtNoon":
        return cls.fromtimestamp(NOW, tz)


@pytest.fixture(autouse=True)
def _the_library_lives_at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jose.jwt.datetime", AtNoon)


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What python-jose was asked to verify on P-256, as it is asked."""
    asked: list[object] = []
    verify = ECKey.verify

    def noted(*of: object) -> object:
        asked.append(of)
        return verify(*of)

    monkeypatch.setattr(ECKey, "verify", noted)
    return asked
