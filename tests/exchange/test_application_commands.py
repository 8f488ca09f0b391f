"""The command line for partners' machines, with a server running and without."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from exchange.admin_socket import AdminSocket
from exchange.security.possession import proof_of_key
from exchange.security.tokens import new_signing_key, signer_from_jwk
from exchange.services import Services
from exchange.settings import Settings
from tests.exchange.console import Overdracht, command_line

FIRST = "app:destap-ww-1"


@pytest.fixture
def overdracht(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Overdracht:
    return command_line(settings, monkeypatch, capsys)


@pytest.fixture(params=["alone", "with-server"])
def wherever(request: pytest.FixtureRequest, overdracht: Overdracht) -> Iterator[Overdracht]:
    if request.param == "alone":
        yield overdracht
        return
    services: Services = request.getfixturevalue("services")
    admin = AdminSocket(services)
    yield overdracht
    admin.close()


def listed(overdracht: Overdracht) -> Any:
    (application,) = overdracht("applications", "list", "--json").json["applications"]
    return application


def test_a_key_changes_over(wherever: Overdracht, tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    wherever("applications", "new", "destap-ww", "--out", one)

    rotated = wherever("applications", "rotate", FIRST, "--out", two, "--hours", "2")

    old, new = (json.loads(each.read_text()) for each in (one, two))
    assert rotated.code == 0, rotated.words
    assert "the key before counts for 2 h" in rotated.words
    assert (new["application"], new["issuer"]) == (FIRST, old["issuer"])
    kids = [each["private_jwk"]["kid"] for each in (new, old)]
    assert listed(wherever)["keys"] == kids


def test_what_can_not_be_changed_over_is_said_and_leaves_no_file(
    wherever: Overdracht, tmp_path: Path
) -> None:
    file = tmp_path / "two.json"
    wherever("applications", "new", "destap-ww", "--out", tmp_path / "one.json")

    unknown = wherever("applications", "rotate", "app:nobody-1", "--out", file)
    long = wherever("applications", "rotate", FIRST, "--out", file, "--hours", "10000")
    wherever("applications", "revoke", FIRST)
    ended = wherever("applications", "rotate", FIRST, "--out", file)

    assert [each.code for each in (unknown, long, ended)] == [2, 2, 2]
    assert "no such application" in unknown.words
    assert "0 to 720 hours" in long.words
    assert "it is revoked" in ended.words
    assert not file.exists()


def test_a_machine_is_kept_out_for_a_time(wherever: Overdracht, tmp_path: Path) -> None:
    wherever("applications", "new", "destap-ww", "--out", tmp_path / "one.json")

    states = [listed(wherever)["state"]]
    for act in ("suspend", "resume"):
        assert wherever("applications", act, FIRST).code == 0
        states.append(listed(wherever)["state"])

    assert states == ["live", "suspended", "live"]
    assert wherever("applications", "suspend", "app:nobody-1").code == 2


def test_the_partners_own_key_is_registered_with_its_proof(
    overdracht: Overdracht, settings: Settings, tmp_path: Path
) -> None:
    signer = signer_from_jwk(new_signing_key())
    said = {"issuer": settings.issuer, "organisation": "destap-ww"}
    proof = proof_of_key(signer, **said, at=datetime.now(UTC))
    file, bad = tmp_path / "key.json", tmp_path / "bad.json"
    file.write_text(json.dumps({"key": signer.public_jwk(), "proof": proof}))
    bad.write_text(json.dumps({"key": signer.public_jwk(), "proof": proof[:-4] + "AAAA"}))

    refused = overdracht("applications", "new", "destap-ww", "--key", bad)
    nothing = overdracht("applications", "new", "destap-ww", "--key", tmp_path)
    made = overdracht("applications", "new", "destap-ww", "--key", file)

    assert (refused.code, nothing.code, made.code) == (2, 2, 0)
    assert "not-proven" in refused.words
    assert listed(overdracht)["keys"] == [signer.kid]


def test_the_key_that_signs_tokens_is_changed(wherever: Overdracht, settings: Settings) -> None:
    path = settings.data_dir / "keys.json"
    wherever("keys", "rotate")
    before = json.loads(path.read_text())

    changed = wherever("keys", "rotate", "--use", "tokens", "--compromised", "--json").json

    after = json.loads(path.read_text())
    assert changed["before"] == before["token_signing"]["kid"]
    assert changed["key"] == after["token_signing"]["kid"] != changed["before"]
    assert before | {"token_signing": after["token_signing"]} == after
