"""After a loss a new log begins, which says what is lost; the old one goes on verifying."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from audit.head_checks import verify_heads
from audit.live import verify_log
from audit.setting_aside import shard_of_old
from exchange import restoring
from exchange.app import create_app
from exchange.keeping import clients_erase
from exchange.operations import OperationRefused
from exchange.restoring import WAIT, Begun, acknowledge, put_files_aside
from exchange.samples import samples
from exchange.security.keys import KeysRefused
from exchange.services import SHARD, Services, build_services
from policies.vocabulary import OrganisationId
from tests.builders import Broker, Clock, Story, logged
from tests.exchange.backups import BIN, backed_up, put_back
from tests.exchange.commands import PATIENCE, note
from tests.exchange.console import command_line
from tests.exchange.tampering import head

OLD = shard_of_old(SHARD, 1)


@dataclass
class Lost:
    """A broker on an older database: what was signed since then is gone."""

    services: Services
    story: Story
    clock: Clock
    size: int
    signed: dict[str, Any]

    def again(self) -> None:
        self.services.close()
        self.services = build_services(self.services.settings, clock=self.clock)
        broker = Broker(self.services, self.clock, _applications=self.story.broker._applications)  # noqa: SLF001 - the same parties
        self.story = Story(broker, *self.story.rest)

    def acknowledge(self) -> Begun:
        assert acknowledge(self.services, reason="disk.lost", operator="op-1") is None
        self.clock.move(WAIT)
        begun = acknowledge(self.services, reason="disk.lost", operator="op-2")
        assert begun is not None
        return begun


@pytest.fixture
def lost(
    broker: Broker, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lost]:
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin:/bin")
    services = broker.services
    story = broker.story("cl-0004", "vdab-gent", "P2")
    assert story.answer("acceptance").is_success
    services.checkpointing.once()
    made = backed_up(services.settings, tmp_path / "copy")
    services.writer.submit(note, "lost").result(PATIENCE)
    services.checkpointing.once()
    services.close()
    signed = json.loads(services.settings.high_water_path.read_text())
    put_back(services.settings, tmp_path / "copy")
    found = Lost(services, story, clock, made["size"], signed)
    found.again()
    yield found
    found.services.close()


@pytest.mark.case("T89")
@pytest.mark.case("AL05")
def test_t89_after_the_acknowledgement_a_new_log_says_what_was_lost(lost: Lost) -> None:
    begun = lost.acknowledge()
    lost.again()

    opened, first, second, *suspended = logged(lost.services)[:4]
    assert lost.services.admission.frozen is None
    assert opened["k"] == "log.opened"
    assert opened["e"] == {
        "epoch": 2,
        "prev": "127.0.0.1:8080/audit/tlog/s0e1",
        "prev_size": lost.size + 1,
        "prev_root": base64.b64decode(lost.signed["root"]).hex(),
        "prev_ck": hashlib.sha256(lost.signed["note"].encode()).hexdigest(),
        "lost_from": lost.size,
        "lost_to": lost.size + 1,
        "reason": "disk.lost",
    }
    assert [each["e"]["id"] for each in (first, second)] == ["op-1", "op-2"]
    assert [each["k"] for each in suspended] == ["consent.suspended"]
    assert (begun.origin, begun.suspended) == ("127.0.0.1:8080/audit/tlog/s0e2", 1)
    done = lost.services.checkpointing.once()
    assert done is not None
    assert done.note.startswith("127.0.0.1:8080/audit/tlog/s0e2\n")


@pytest.mark.case("T89")
def test_t89_the_log_before_goes_on_verifying_and_so_does_the_new_one(lost: Lost) -> None:
    lost.acknowledge()
    lost.again()
    lost.services.checkpointing.once()

    with lost.services.database.reading() as connection:
        old = verify_log(connection, shard=OLD, keys=lost.services.keys, deep=True)
        new = verify_log(connection, shard=SHARD, keys=lost.services.keys, deep=True)
        heads = [verify_heads(connection, shard=each, everything=True) for each in (OLD, SHARD)]

    assert (old.exit_code, old.size) == (0, lost.size)
    assert (new.exit_code, new.size) == (0, len(logged(lost.services)))
    assert heads == [(), ()]


@pytest.mark.case("T89")
def test_t89_nothing_rests_on_a_consent_from_before_until_it_is_given_again(lost: Lost) -> None:
    assert lost.story.fetch().status_code == 503
    lost.acknowledge()
    lost.again()

    assert lost.story.fetch().status_code == 404
    lost.story.broker.given(lost.story.sample, lost.story.handle)
    assert lost.story.fetch().status_code == 200


@pytest.mark.case("T89")
def test_t89_withdrawals_that_came_meanwhile_are_the_first_commands(lost: Lost) -> None:
    assert lost.story.withdraw().status_code == 202
    lost.acknowledge()
    lost.again()

    kinds = [each["k"] for each in logged(lost.services)]

    assert kinds[:5] == [
        "log.opened",
        "admin.changed",
        "admin.changed",
        "consent.suspended",
        "consent.withdrawn",
    ]


def test_one_operator_alone_begins_nothing(lost: Lost) -> None:
    assert acknowledge(lost.services, reason="disk.lost", operator="op-1") is None
    lost.clock.move(WAIT)

    with pytest.raises(OperationRefused, match="another operator"):
        acknowledge(lost.services, reason="disk.lost", operator="op-1")
    assert head(lost.services).epoch == 1


def test_the_second_waits_until_the_proofs_of_the_lost_range_have_run_out(lost: Lost) -> None:
    assert acknowledge(lost.services, reason="disk.lost", operator="op-1") is None
    lost.clock.move(WAIT - timedelta(seconds=1))

    with pytest.raises(OperationRefused, match="run out"):
        acknowledge(lost.services, reason="disk.lost", operator="op-2")
    assert head(lost.services).epoch == 1


def test_a_second_word_with_another_reason_is_a_first_word(lost: Lost) -> None:
    assert acknowledge(lost.services, reason="disk.lost", operator="op-1") is None
    lost.clock.move(WAIT)

    assert acknowledge(lost.services, reason="key.stolen", operator="op-2") is None
    assert head(lost.services).epoch == 1


def test_a_log_that_is_whole_is_never_set_aside(services: Services) -> None:
    with pytest.raises(OperationRefused, match="nothing to mend"):
        acknowledge(services, reason="disk.lost", operator="op-1")


def test_what_fails_half_way_leaves_the_old_log_and_its_guards(
    lost: Lost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    before = head(lost.services)
    acknowledge(lost.services, reason="disk.lost", operator="op-1")
    lost.clock.move(WAIT)
    with monkeypatch.context() as patch:
        patch.setattr(restoring, "suspend_consents", fail)
        with pytest.raises(RuntimeError):
            acknowledge(lost.services, reason="disk.lost", operator="op-2")

    assert head(lost.services) == before
    lost.again()  # it would be refused if a guard were off
    assert lost.services.admission.frozen is not None
    assert acknowledge(lost.services, reason="disk.lost", operator="op-2") is not None


def test_a_crash_after_the_new_log_began_is_gone_on_from(
    lost: Lost, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(restoring, "put_files_aside", lambda _: None)
        lost.acknowledge()
    with pytest.raises(KeysRefused, match="another log"):
        lost.again()

    put_files_aside(lost.services.settings)
    put_files_aside(lost.services.settings)
    lost.again()

    assert lost.services.admission.frozen is None
    kept = {path.name for path in lost.services.settings.data_dir.iterdir()}
    assert {"high-water.json.s0e1", "log.key.s0e1"} <= kept


def test_the_old_log_is_served_to_nobody_under_the_new_name(lost: Lost) -> None:
    lost.acknowledge()
    lost.again()
    lost.services.checkpointing.once()
    anybody = TestClient(create_app(lost.services))

    assert anybody.get("/audit/tlog/s0e1/checkpoint").status_code == 404
    assert anybody.get("/audit/tlog/s0e2/checkpoint").status_code == 200


def test_the_command_line_asks_two_and_verifies_both_logs(
    lost: Lost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost.services.close()
    overdracht = command_line(lost.services.settings, monkeypatch, capsys)
    monkeypatch.setattr(restoring, "WAIT", timedelta(0))
    words = ("restore", "acknowledge", "--reason", "disk.lost", "--operator")

    assert "Another operator" in overdracht(*words, "op-1").words
    assert overdracht(*words, "op-1").code == 2
    done = overdracht(*words, "op-2")

    assert done.code == 0, done.words
    assert f"lost are {lost.size} to {lost.size + 1}." in done.words
    assert overdracht(*words, "Jan Peeters").code == 2
    assert overdracht("audit", "verify", "--deep").code == 0
    old = overdracht("audit", "verify", "--deep", "--epoch", "1")
    assert (old.code, old.words[: len(str(lost.size))]) == (0, str(lost.size))


def test_who_is_erased_later_can_not_be_read_in_the_old_log_either(lost: Lost) -> None:
    lost.acknowledge()
    lost.again()
    story = lost.story
    asked = {"client": story.handle, "organisation": story.sample.holder}
    list(clients_erase(lost.services, asked | {"basis": "gdpr-17-1-b", "request": "r-1"}))

    with lost.services.database.reading() as connection:
        plain = verify_log(connection, shard=OLD)
        deep = verify_log(connection, shard=OLD, keys=lost.services.keys, deep=True)
    assert plain.exit_code == 0
    # Nothing contradicts the log; what can not be opened is told as not verified.
    assert (deep.exit_code, [each.code for each in deep.findings]) == (2, ["key"])


@pytest.fixture
def client_with_basis(broker: Broker) -> str:
    """A client of whom a basis beside consent was recorded before the copy; their handle."""
    sample = replace(samples()["cl-0001"], holder=OrganisationId("vdab-wvl"))
    handle = broker.registered(sample)
    basis = {"kind": "agreement_article", "recipient": "org:leerwinkel-wvl", "purpose": "P1"}
    basis |= {"agreement": "PR-2026-001", "reference": "art-4"}
    assert broker.as_("vdab-wvl").post(f"/v1/clients/{handle}/bases", json=basis).is_success
    return handle


@pytest.mark.case("T89")
def test_t89_nor_does_anything_rest_on_a_basis_from_before(
    client_with_basis: str, lost: Lost
) -> None:
    lost.acknowledge()
    lost.again()

    holder = lost.story.broker.as_("vdab-wvl")
    (basis,) = holder.get(f"/v1/clients/{client_with_basis}/bases").json()["bases"]
    assert basis["state"] == "suspended"
    kinds = [each["k"] for each in logged(lost.services)]
    assert kinds[:5] == [
        "log.opened",
        "admin.changed",
        "admin.changed",
        "consent.suspended",
        "client.corrected",
    ]
