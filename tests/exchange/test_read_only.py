"""What can not be vouched for is not gone on with; and who says stop is heard all the same."""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from audit import published
from audit.checkpoints import new_note_key, open_note
from audit.signer import Frozen
from exchange import installation
from exchange.checkpointing import Elsewhere, Signing
from exchange.database import Unsafe
from exchange.flows.withdraw_consent import Withdrawal
from exchange.keeping import audit_export
from exchange.security.keys import KeysRefused
from exchange.security.tokens import Caller
from exchange.security.used_assertions import UsedAssertions
from exchange.services import SHARD, Services, build_services
from exchange.withdrawal_spool import WithdrawalSpool
from exchange.writer import Busy
from policies.vocabulary import ConsentId
from tests.builders import Broker, Clock, Story, logged
from tests.exchange.commands import PATIENCE, note
from tests.exchange.machines import Machine, endpoint, machine_of, revoke
from tests.exchange.provers import Prover, prover_of
from tests.exchange.tampering import flip, head, rewind, take_out, tamper


def started_again(services: Services, clock: Clock) -> Services:
    services.close()
    return build_services(services.settings, clock=clock)


@pytest.mark.case("T89")
@pytest.mark.case("AL05")
def test_t89_started_on_an_older_backup_it_only_hears_withdrawals(
    broker: Broker, clock: Clock
) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    broker.application("vdab-gent")
    machine = machine_of(broker.services, story.sample.holder)
    short = head(broker.services)
    broker.services.writer.submit(note, "lost").result(PATIENCE)
    broker.services.checkpointing.once()
    rewind(broker.services, short)

    again = started_again(broker.services, clock)
    there = Story(Broker(again, clock, _applications=broker._applications), *story.rest)  # noqa: SLF001 - the same parties

    assert again.admission.frozen is not None
    form = Machine(again, machine.application, machine.key).form()
    token, replayed = (endpoint(again).post("/oauth/token", data=form) for _ in range(2))
    assert (token.status_code, replayed.status_code) == (200, 401)
    caller = {"Authorization": f"Bearer {token.json()['access_token']}"}
    address = f"/v1/consents/{story.consent}/withdrawal"
    withdrawn = endpoint(again).post(address, json={"via": "portal"}, headers=caller)
    fetched = there.fetch()
    assert fetched.status_code == 503
    assert (withdrawn.status_code, withdrawn.json()["state"]) == (202, "received")
    assert head(again) == short
    anybody = TestClient(there.broker.app)
    assert anybody.get("/readyz").status_code == 200
    # As if the right database had been put back, in which nobody ever found it to be wrong.
    again.settings.high_water_path.unlink()
    tamper(again, partial(installation.thaw, shard=SHARD))
    with again.database.reading() as connection:
        assert published.latest(connection, shard=SHARD) is None

    mended = started_again(again, clock)
    last = Story(Broker(mended, clock, _applications=broker._applications), *story.rest)  # noqa: SLF001 - the same parties

    assert mended.admission.frozen is None
    assert last.fetch().status_code == 404
    kinds = [each["k"] for each in logged(mended)[short.size :]]
    assert kinds[0] == "consent.withdrawn"
    assert not (mended.settings.data_dir / "withdrawals.spool").exists()
    mended.close()


def test_what_was_used_before_the_log_was_frozen_gives_no_token_after(services: Services) -> None:
    machine = machine_of(services, scopes=frozenset({"consent"}))
    form, asking = machine.form(), endpoint(services)
    first = asking.post("/oauth/token", data=form)
    services.admission.freeze("the log is not the one that was signed")

    replayed, unscoped = asking.post("/oauth/token", data=form), machine.ask(scope="audit")

    assert (first.status_code, replayed.status_code) == (200, 401)
    assert unscoped.json()["error"] == "invalid_scope"
    assert machine.ask().status_code == 200


def test_uses_are_remembered_until_they_are_over_and_never_too_many() -> None:
    used = UsedAssertions(most=2)

    assert used.first(b"a", until=10, now=1)
    assert not used.first(b"a", until=10, now=2)
    assert used.first(b"b", until=20, now=2)
    assert not used.first(b"c", until=20, now=3)
    assert used.first(b"c", until=20, now=11)
    assert not used.first(b"b", until=20, now=11)


def test_a_line_that_a_crash_cut_off_takes_no_other_with_it(broker: Broker, clock: Clock) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    caller, services = broker.caller(story.sample.holder), broker.services
    path = services.settings.data_dir / "withdrawals.spool"
    path.write_text('{"application": "torn')
    services.spool.keep(caller, Withdrawal(ConsentId(story.consent), "portal"))
    with path.open("a") as torn:
        torn.write('{"application": "torn aga')

    again = started_again(services, clock)

    assert "consent.withdrawn" in [each["k"] for each in logged(again)]
    assert not path.exists()
    again.close()


def test_what_was_promised_and_could_not_be_done_is_kept_and_told(
    broker: Broker, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    caller, services = broker.caller(story.sample.holder), broker.services
    path = services.settings.data_dir / "withdrawals.spool"
    for consent in (story.consent, "c-unknown"):
        services.spool.keep(caller, Withdrawal(ConsentId(consent), "portal"))
    first, unknown = path.read_text().splitlines()
    path.write_text(f"{first}\nnot a line\n{unknown}\n{first}\n")

    again = started_again(services, clock)

    assert path.read_text() == f"not a line\n{unknown}\n"
    told = capsys.readouterr().out
    assert told.count("withdrawal.undone") == 2
    assert "consent.withdrawn" in [each["k"] for each in logged(again)]
    again.close()


def test_a_damaged_log_is_not_started_on(services: Services, clock: Clock) -> None:
    services.close()
    tamper(services, lambda connection: take_out(connection, 3))
    tamper(services, lambda connection: flip(connection, 5))

    with pytest.raises(Unsafe, match=r"the log is damaged: .*entry 3"):
        build_services(services.settings, clock=clock)


def test_the_log_of_another_address_is_not_started_on(services: Services, clock: Clock) -> None:
    services.close()
    moved = services.settings.model_copy(update={"public_base_url": "https://other.example"})

    with pytest.raises(Unsafe, match="OVERDRACHT_PUBLIC_BASE_URL"):
        build_services(moved, clock=clock)


def test_a_log_that_was_signed_does_not_get_new_keys(services: Services, clock: Clock) -> None:
    services.checkpointing.once()
    services.close()
    services.settings.log_key_path.unlink()

    with pytest.raises(KeysRefused, match="restore it"):
        build_services(services.settings, clock=clock)


@pytest.mark.parametrize(
    ("change", "why"), [("mode", "chmod 600"), ("text", "damaged"), ("other", "another log")]
)
def test_keys_that_are_not_ours_alone_are_refused(
    services: Services, clock: Clock, change: str, why: str
) -> None:
    services.close()
    path = services.settings.log_key_path
    if change == "mode":
        path.chmod(0o640)
    else:
        path.write_text("not a key" if change == "text" else new_note_key("other").text)

    with pytest.raises(KeysRefused, match=why):
        build_services(services.settings, clock=clock)


def test_ml_dsa_is_added_when_it_is_switched_on(services: Services, clock: Clock) -> None:
    first = services.checkpointing.once()
    assert first is not None
    services.close()
    both = services.settings.model_copy(update={"checkpoint_signatures": "ed25519,ml-dsa-44"})
    again = build_services(both, clock=clock)
    again.writer.submit(note, "more").result(PATIENCE)

    done = again.checkpointing.once()

    assert done is not None
    keys = again.checkpointing.vkeys
    assert len(keys) == 2
    assert all(open_note(done.note, [key]) is not None for key in keys)
    assert open_note(first.note, keys[:1]) is not None
    again.close()


def test_the_scrubber_reads_all_and_tells_the_first_bad_entry(
    services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    done = services.checkpointing.once()
    assert done is not None
    assert services.checkpointing.scrub() == done.size
    tamper(services, lambda connection: take_out(connection, 4))

    with pytest.raises(Frozen):
        services.checkpointing.scrub()

    assert '"event": "log.damaged", "index": 4' in capsys.readouterr().out
    assert services.admission.frozen is None


def test_beside_the_requests_heads_follow_the_log(services: Services) -> None:
    services.settings.data_dir.mkdir(exist_ok=True)
    signing = Signing(services.checkpointing, 0.02)
    try:
        services.writer.submit(note, "more").result(PATIENCE)
        wanted = head(services).size
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with services.database.reading() as connection:
                latest = published.latest(connection, shard=SHARD)
            if latest is not None and latest.size == wanted:
                break
            time.sleep(0.02)
    finally:
        signing.close()

    assert latest is not None
    assert latest.size == wanted


def test_a_host_that_does_not_sign_needs_no_key_and_no_file(
    services: Services, clock: Clock
) -> None:
    services.checkpointing.once()
    services.close()
    services.settings.log_key_path.unlink()
    services.settings.high_water_path.unlink()
    other = services.settings.model_copy(update={"signs": False})

    again = build_services(other, clock=clock)

    assert again.admission.frozen is None
    again.writer.submit(note, "more").result(PATIENCE)
    again.close()


def test_a_host_that_does_not_sign_publishes_nothing_and_exports_what_was_signed(
    services: Services, clock: Clock, tmp_path: Path
) -> None:
    signed = services.checkpointing.once()
    other = started_again_as(services, clock, signs=False)
    other.writer.submit(note, "more").result(PATIENCE)

    with pytest.raises(Elsewhere):
        other.checkpointing.once(again=True)
    *_, made = audit_export(other, {"out": str(tmp_path / "bundle")})

    assert signed is not None
    assert made["size"] == signed.size
    again = started_again_as(other, clock, signs=True)
    assert again.admission.frozen is None
    again.close()


@pytest.mark.case("T89")
@pytest.mark.parametrize("running", [True, False], ids=["running", "started again"])
def test_t89_a_host_that_does_not_sign_stops_too_when_the_log_was_put_back(
    services: Services, clock: Clock, *, running: bool
) -> None:
    short = head(services)
    services.writer.submit(note, "lost").result(PATIENCE)
    services.checkpointing.once()
    other = started_again_as(services, clock, signs=False)
    rewind(other, short)

    if running:
        with pytest.raises(Frozen, match="were signed"):
            other.checkpointing.look()
    else:
        other = started_again(other, clock)

    assert other.admission.frozen is not None
    with pytest.raises(Busy):
        other.writer.submit(note, "more")
    other.close()


def started_again_as(services: Services, clock: Clock, **more: Any) -> Services:
    services.close()
    return build_services(services.settings.model_copy(update=more), clock=clock)


def withdrawal_of(prover: Prover, consent: str, **more: Any) -> Response:
    address = f"/v1/consents/{consent}/withdrawal"
    body = {"via": more.pop("via", "phone")}
    return prover.asks("POST", address, json=body, **more)


def test_while_the_log_stands_still_a_proof_withdraws_once_and_what_was_said_waits_once(
    services: Services,
) -> None:
    prover = prover_of(services)
    proof = prover.proof_of_token("POST", "/v1/consents/c-1/withdrawal")
    services.admission.freeze("a test")

    answers = [withdrawal_of(prover, "c-1", proof=proof) for _ in range(2)]
    again, other = withdrawal_of(prover, "c-1"), withdrawal_of(prover, "c-1", via="portal")

    assert [each.status_code for each in answers] == [202, 401]
    assert (again.status_code, other.status_code) == (202, 202)
    said = [each.said[1].via for each in services.spool.kept() if each.said]
    assert said == ["phone", "portal"]


@pytest.mark.parametrize("bound", [True, False], ids=["DPoP", "Bearer"])
def test_while_the_log_stands_still_who_was_revoked_withdraws_nothing(
    services: Services, *, bound: bool
) -> None:
    prover = prover_of(services)
    token = prover.token if bound else prover.machine.ask().json()["access_token"]
    revoke(services, prover.machine)
    services.admission.freeze("a test")

    if bound:
        answer = withdrawal_of(prover, "c-1")
    else:
        headers = {"Authorization": f"Bearer {token}"}
        address = "/v1/consents/c-1/withdrawal"
        answer = prover.http.post(address, json={"via": "phone"}, headers=headers)

    assert answer.status_code == 401
    assert list(services.spool.kept()) == []


def test_a_withdrawal_that_finds_no_room_is_not_promised_and_takes_none_from_others(
    services: Services, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = replace(services, spool=WithdrawalSpool(tmp_path / "spool", most=2))
    many, other = (Prover(machine_of(small)) for _ in range(2))
    assert many.token
    assert other.token
    services.admission.freeze("a test")

    first, second, third = (f"c-{uuid4()}" for _ in range(3))
    answers = [withdrawal_of(many, each) for each in (first, second, third, first)]
    answers.append(withdrawal_of(other, third))

    assert [each.status_code for each in answers] == [202, 202, 503, 202, 202]
    assert len(list(small.spool.kept())) == 3
    assert capsys.readouterr().out.count("withdrawals.full") == 1


def test_what_a_crash_cut_off_is_not_taken_for_what_was_said(tmp_path: Path) -> None:
    spool = WithdrawalSpool(tmp_path / "spool")
    caller = Caller("app-1", "org-1", frozenset({"consent"}), "t-1")
    order = Withdrawal(ConsentId("c-1"), "phone")
    spool.keep(caller, order)
    path = tmp_path / "spool"
    path.write_bytes(path.read_bytes()[:-3])

    for _ in range(2):
        spool.keep(caller, order)

    assert [each.said for each in spool.kept()] == [(caller, order)]
