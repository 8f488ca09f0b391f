"""A setting that is wrong stops the start and is named; its value is never repeated."""

from pathlib import Path

import pytest

from exchange.settings import Profile, Settings, SettingsRefused, read_settings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"OVERDRACHT_{name.upper()}", raising=False)


def test_without_any_variable_it_is_the_demo_on_sqlite() -> None:
    settings = read_settings()

    assert settings.profile is Profile.DEMO
    assert settings.url == f"sqlite:///{Path('overdracht-data') / 'overdracht.db'}"
    assert settings.issuer == "http://127.0.0.1:8080"


def test_each_variable_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {
        "PROFILE": "production",
        "DATA_DIR": str(tmp_path),
        "PUBLIC_BASE_URL": "https://overdracht.example",
        "QUEUE_CAPACITY": "10",
        "MAX_BODY_BYTES": "2048",
        "SQLITE_JOURNAL": "delete",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"OVERDRACHT_{name}", value)

    assert read_settings() == Settings(
        profile=Profile.PRODUCTION,
        data_dir=tmp_path,
        public_base_url="https://overdracht.example",
        queue_capacity=10,
        max_body_bytes=2048,
        sqlite_journal="delete",
    )


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("postgresql://u@host/db", "postgresql+psycopg://u@host/db"),
        ("postgresql+psycopg://u@host/db", "postgresql+psycopg://u@host/db"),
        ("postgresql://u:postgresql://@host/db", "postgresql+psycopg://u:postgresql://@host/db"),
    ],
)
def test_a_postgresql_address_is_given_its_driver_once(
    monkeypatch: pytest.MonkeyPatch, given: str, url: str
) -> None:
    monkeypatch.setenv("OVERDRACHT_DATABASE_URL", given)

    assert read_settings().url == url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROFILE", "prod-s3cret"),
        ("QUEUE_CAPACITY", "s3cret"),
        ("QUEUE_CAPACITY", "0"),
        ("QUEUE_CAPACITY", "100001"),
        ("MAX_BODY_BYTES", "1023"),
        ("MAX_BODY_BYTES", "4194305"),
        ("SQLITE_JOURNAL", "off"),
        ("SQLITE_JOURNAL", "memory"),
        ("PUBLIC_BASE_URL", "overdracht.example"),
        ("PUBLIC_BASE_URL", "ftp://overdracht.example"),
        ("PUBLIC_BASE_URL", "https://overdracht.example/"),
        ("PUBLIC_BASE_URL", "https://overdracht.example?s3cret=1"),
        ("PUBLIC_BASE_URL", ""),
        ("KEY_RING", "s3cret"),
        ("VAULT_ADDRESS", "http://vault.example"),
        ("VAULT_ADDRESS", "http://127.0.0.1.example"),
        ("VAULT_ADDRESS", "https://vault.example/v1"),
        ("VAULT_ADDRESS", "https://s3cret@vault.example"),
        ("VAULT_KEY", "s3cret"),
        ("VAULT_KEY", "transit/../sys"),
        ("VAULT_KEY", "transit/s3cret?x=1"),
        ("PKCS11_KEY", ""),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name_and_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"OVERDRACHT_{name}", value)

    with pytest.raises(SettingsRefused) as refused:
        read_settings()

    words = str(refused.value)
    assert f"OVERDRACHT_{name}:" in words
    assert not value or value not in words.partition(":")[2] or value.isdigit() or value == "off"
    assert "s3cret" not in words
    assert refused.value.__suppress_context__


def test_every_fault_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERDRACHT_PROFILE", "x")
    monkeypatch.setenv("OVERDRACHT_QUEUE_CAPACITY", "x")

    with pytest.raises(SettingsRefused, match=r"OVERDRACHT_PROFILE.*; OVERDRACHT_QUEUE_CAPACITY"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("QUEUE_CAPACITY", "1"), ("QUEUE_CAPACITY", "100000"),
     ("MAX_BODY_BYTES", "1024"), ("MAX_BODY_BYTES", "4194304")],
)  # fmt: skip
def test_the_bounds_themselves_are_taken(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"OVERDRACHT_{name}", value)

    assert getattr(read_settings(), name.lower()) == int(value)
