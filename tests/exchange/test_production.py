"""The production profile serves from what is made for it, and names what is not."""

from pathlib import Path
from typing import Any

import pytest

from exchange.checks import examine, require_fit
from exchange.database import Unsafe
from exchange.services import build_services
from exchange.serving import serve
from exchange.settings import Profile, Settings, unknown_variables
from tests.builders import Clock


@pytest.fixture
def fit(settings: Settings, tmp_path: Path) -> Settings:
    """What production wants, but for the role that PostgreSQL is asked about."""
    said: dict[str, Any] = {
        "profile": Profile.PRODUCTION,
        "public_base_url": "https://127.0.0.1:8080",
        "tls_certificate": tmp_path / "certificate.pem",
        "high_water": tmp_path / "elsewhere" / "high-water.json",
        "witness_policy": "none",
    }
    return settings.model_copy(update=said)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_an_installation_with_all_that_production_wants_is_fit(fit: Settings) -> None:
    build_services(fit, clock=Clock()).close()

    require_fit(fit)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_variable_that_is_mistyped_is_named_with_the_one_that_it_may_stand_for(
    fit: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_services(fit, clock=Clock()).close()
    monkeypatch.setenv("OVERDRACHT_DPOP_COMPULSARY", "true")
    monkeypatch.setenv("OVERDRACHT_DATA_DIR", str(fit.data_dir))
    demo = fit.model_copy(update={"profile": Profile.DEMO})

    with pytest.raises(Unsafe, match=r"DPOP_COMPULSARY .*OVERDRACHT_DPOP_COMPULSORY"):
        require_fit(fit)
    require_fit(demo)
    (found,) = [each for each in examine(demo) if each.check == "every variable sets something"]
    assert not found.good
    monkeypatch.delenv("OVERDRACHT_DPOP_COMPULSARY")
    monkeypatch.setenv("OVERDRACHT_XYZZY", "1")
    assert unknown_variables() == {"OVERDRACHT_XYZZY": ""}


@pytest.mark.parametrize(
    ("changed", "mend"),
    [
        ({"public_base_url": "http://127.0.0.1:8080"}, "OVERDRACHT_PUBLIC_BASE_URL"),
        ({"tls_certificate": None}, "OVERDRACHT_PROXIES"),
        ({"high_water": None}, "OVERDRACHT_HIGH_WATER"),
        ({"high_water": "beside"}, "OVERDRACHT_HIGH_WATER"),
        ({"witness_policy": ""}, "witness"),
    ],
)
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_what_is_not_made_for_production_is_not_served_and_the_mend_is_named(
    fit: Settings, changed: dict[str, Any], mend: str
) -> None:
    if changed.get("high_water") == "beside":
        changed = {"high_water": fit.data_dir / "deep" / "high-water.json"}
    services = build_services(fit, clock=Clock())
    unfit = fit.model_copy(update=changed)
    object.__setattr__(services, "settings", unfit)

    with pytest.raises(Unsafe, match=mend):
        serve(services, "127.0.0.1", 0)
    services.close()
    require_fit(unfit.model_copy(update={"profile": Profile.DEMO}))


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_as_the_owner_of_its_tables_nobody_is_served(fit: Settings) -> None:
    build_services(fit, clock=Clock()).close()

    with pytest.raises(Unsafe, match="--role"):
        require_fit(fit)
