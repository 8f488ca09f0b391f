"""What an operator types for an agreement, from its first text to its end."""

import json
from pathlib import Path

import pytest
import yaml
from alembic import command
from sqlalchemy import text

from exchange.agreement_book import books
from exchange.database import Database, DatabaseOptions
from exchange.migrations import migrate
from exchange.samples import DATA
from exchange.security.agreement_signatures import sign_text, signer_of_text
from exchange.security.signing_keys import new_signing_key, signer_from_jwk
from exchange.services import SHARD
from exchange.settings import Settings
from tests.builders import REFERENCE
from tests.exchange.console import Overdracht, command_line
from tests.exchange.test_migrations import config

ID, VERSION = "PR-2026-009", "0.9"
LACKING = DATA / "agreements/PR-2026-009-destap-cbe-no-dpo-advice.yaml"
WHOLE = DATA / "agreements/PR-2026-004-destap-vdab.yaml"


@pytest.fixture
def overdracht(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Overdracht:
    return command_line(settings, monkeypatch, capsys)


def test_an_agreement_is_brought_into_use_from_the_terminal_and_its_signatures_hold(
    overdracht: Overdracht, settings: Settings, tmp_path: Path
) -> None:
    one = (ID, VERSION)
    keys = {org: tmp_path / f"{org}.json" for org in ("destap-ww", "cbe-gent")}
    for org, file in keys.items():
        overdracht("applications", "new", org, "--out", file)
    early = overdracht("agreements", "sign", *one, "--party", "cbe-gent", "--key", keys["cbe-gent"])
    advice = ("--party", "cbe-gent", "--outcome", "positive_with_remarks", "--remarks", "Kort.")
    overdracht("agreements", "advise", *one, *advice)
    authority = ("--body", "VTC", "--reference", "VTC/1")
    asked = overdracht("agreements", "authority-advice", *one, *authority)
    overdracht("agreements", "sign", *one, "--party", "destap-ww", "--key", keys["destap-ww"])
    made = tmp_path / "signature"
    private = json.loads(keys["cbe-gent"].read_text())["private_jwk"]
    bytes_to_sign = overdracht("agreements", "text", *one).out
    made.write_text(sign_text(bytes_to_sign, signer_from_jwk(private)) + "\n")
    overdracht("agreements", "sign", *one, "--party", "cbe-gent", "--signature", made)
    for org in keys:
        url = f"https://{org}.example/protocollen"
        overdracht("agreements", "publish", *one, "--party", org, "--url", url)
    done = overdracht("agreements", "activate", *one)
    another = ("--out", tmp_path / "another.json", "--hours", "0")
    overdracht("applications", "rotate", "app:cbe-gent-1", *another)
    shown = overdracht("agreements", "show", ID)
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / LACKING.name).write_bytes(LACKING.read_bytes())
    again = overdracht("agreements", "apply", tmp_path / "again", "--json")
    database = Database(DatabaseOptions(settings.url))
    with database.writing(shard=SHARD) as connection:
        connection.execute(
            text("UPDATE agreement_version SET text = replace(text, 'De Stap', 'De Trap')")
        )
    database.close()
    forged = overdracht("agreements", "show", ID)

    assert early.code == 2
    assert "parties.cbe-gent.dpo_advice (gdpr-dpo)" in early.words
    assert "authority_advice" in asked.words
    assert (done.code, done.words) == (0, f"{ID}/{VERSION}: activated. It is now active.")
    assert (shown.code, shown.words.count("holds")) == (0, 2)
    assert (again.json["changed"], again.json["incomplete"]) == (0, {})
    assert (forged.code, forged.words.count("does not hold")) == (1, 2)


def test_a_file_is_checked_and_each_missing_element_named_with_its_rule(
    overdracht: Overdracht, tmp_path: Path
) -> None:
    document = yaml.safe_load(WHOLE.read_text("utf-8"))
    del document["retention"]
    file = tmp_path / "lacking.yaml"
    file.write_text(yaml.safe_dump(document), "utf-8")

    whole, lacking = (overdracht("agreements", "check", each) for each in (WHOLE, file))
    unsigned = overdracht("agreements", "check", LACKING, "--json")
    bad = overdracht("agreements", "check", __file__)

    assert (whole.code, whole.words) == (0, "It is complete.")
    assert lacking.code == 1
    assert "missing retention gdpr-retention" in lacking.words
    assert unsigned.code == 1
    named = [each["element"] for each in unsigned.json["missing"]]
    assert "parties.cbe-gent.dpo_advice" in named
    assert bad.code == 2


def test_agreements_are_listed_and_those_due_for_review_apart(overdracht: Overdracht) -> None:
    overdracht("agreements", "suspend", "PR-2026-004", "--reason", "under_review")
    found = overdracht("agreements", "list", "--json").json["agreements"]
    due = overdracht("agreements", "list", "--due", "--json").json["agreements"]
    words = overdracht("agreements", "list").words
    twice = overdracht("agreements", "suspend", "PR-2026-004", "--reason", "under_review")
    unknown = overdracht("agreements", "end", "PR-2026-999", "1")
    reserved = overdracht("agreements", "suspend", "PR-2026-001", "--reason", "accreditation_ended")

    by_id = {each["agreement"]: each for each in found}
    assert len(by_id) == 10
    assert by_id["PR-2026-004"]["standing"] == "suspended"
    assert by_id["PR-2026-009"]["state"] == "dpo_advice"
    assert {each["agreement"] for each in due} == {k for k, v in by_id.items() if v["review_due"]}
    assert "PR-2026-008/1.2 ended until 2026-11-01" in words
    assert [each.code for each in (twice, unknown, reserved)] == [2, 2, 2]
    assert "there is no such agreement" in unknown.words


def test_another_text_of_a_kept_version_is_refused_with_what_differs(
    overdracht: Overdracht, tmp_path: Path
) -> None:
    document = yaml.safe_load(WHOLE.read_text("utf-8")) | {"periodicity": "daily"}
    (tmp_path / "changed.yaml").write_text(yaml.safe_dump(document), "utf-8")

    refused = overdracht("agreements", "apply", tmp_path)

    assert refused.code == 2
    assert "PR-2026-004/2.0 is kept with another text, which differs in periodicity" in (
        refused.words
    )


def test_what_stands_before_the_upgrade_is_kept_with_its_steps(settings: Settings) -> None:
    database = Database(DatabaseOptions(settings.url))
    with database.reading() as connection:
        before = books(connection, shard=SHARD)
    with database.writing(shard=SHARD) as connection:
        command.downgrade(config(connection), "0017_consent_requests")
    migrate(database)
    with database.reading() as connection:
        after = books(connection, shard=SHARD)
    database.close()

    assert list(after) == list(before)
    for id, book in after.items():
        (was,), (now,) = before[id].versions, book.versions
        assert (now.hash, now.text, now.document) == (was.hash, was.text, was.document)
        assert [each.step.act for each in now.steps] == [each.step.act for each in was.steps]
        assert all(each.on_paper for each in now.steps)


def test_a_signature_is_of_one_text_by_one_key_and_of_nothing_else() -> None:
    signer = signer_from_jwk(new_signing_key())
    signed = '{"id":"PR-2026-001","version":"2.0"}'
    made = sign_text(signed, signer)
    head, _, signature = made.partition("..")

    assert signer_of_text(made, signed, REFERENCE)
    for jws, over in (
        (made, signed.replace("2.0", "2.1")),
        (f"{head}..{signature[:-4]}AAAA", signed),
        (f"{head}.{signature}", signed),
        ("", signed),
        (made, "no JSON"),
    ):
        assert signer_of_text(jws, over, REFERENCE) is None
