"""T17, T34, T39: keys change over without a gap, and a key that was stolen counts no more."""

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import event

from exchange import registering, token_rotation
from exchange.flows.rotate_keys import retire_token_key
from exchange.following import follow
from exchange.operations import OperationRefused
from exchange.security.possession import proof_of_key
from exchange.security.tokens import Signer, new_signing_key, signer_from_jwk
from exchange.services import Services, build_services
from exchange.settings import Settings
from exchange.writer import NotStored
from tests.builders import Broker, Clock, logged
from tests.exchange.commands import Commit, at_commit
from tests.exchange.disasters import disk_full
from tests.exchange.machines import Machine, endpoint, machine_of
from tests.exchange.provers import BOXES, Prover, assert_refused, prover_of

HOUR = timedelta(hours=1)
JWKS = "/.well-known/jwks.json"
ORGANISATION = "destap-ww"


@pytest.fixture
def machine(services: Services) -> Machine:
    return machine_of(services)


def new_signer() -> Signer:
    return signer_from_jwk(new_signing_key())


def proven(services: Services, key: Signer, **more: Any) -> dict[str, Any]:
    """A public key with a good proof of it, but for what is said to be different."""
    said: dict[str, Any] = {"issuer": services.settings.issuer, "organisation": ORGANISATION}
    said |= {"at": services.clock()}
    proof = proof_of_key(more.pop("signer", key), **(said | more))
    return {"key": key.public_jwk(), "proof": proof, "organisation": ORGANISATION}


def rotated(machine: Machine, hours: int = 24) -> Machine:
    """The machine with its next key, beside which the one before counts for so long."""
    key = new_signer()
    asked = proven(machine.services, key) | {"application": machine.application, "hours": hours}
    list(registering.applications_rotate(machine.services, asked))
    return replace(machine, key=key)


def codes(*machines: Machine) -> list[int]:
    return [each.ask().status_code for each in machines]


def test_for_a_while_a_machine_may_sign_with_either_key(machine: Machine, clock: Clock) -> None:
    after = rotated(machine, hours=2)

    at_first = codes(machine, after)
    clock.move(2 * HOUR - timedelta(seconds=1))
    at_last = codes(machine, after)
    clock.move(timedelta(seconds=1))

    assert (at_first, at_last) == ([200, 200], [200, 200])
    assert codes(machine, after) == [401, 200]


def test_there_are_never_three_keys(machine: Machine) -> None:
    second = rotated(machine)
    third = rotated(second)

    assert codes(machine, second, third) == [401, 200, 200]
    (listed,) = next(registering.applications_list(machine.services, {}))["applications"]
    assert listed["keys"] == [third.key.kid, second.key.kid]


@pytest.mark.case("T39")
def test_t39_after_a_key_was_stolen_it_signs_nothing_from_the_next_request_on(
    machine: Machine,
) -> None:
    signed_before = machine.assertion()
    after = rotated(machine, hours=0)

    assert machine.ask(client_assertion=signed_before).json()["error"] == "invalid_client"
    assert codes(machine, after) == [401, 200]


@pytest.mark.case("T39")
@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_t39_another_process_asks_for_the_new_key_at_once(machine: Machine, clock: Clock) -> None:
    other = build_services(machine.services.settings, clock=clock)
    elsewhere = Machine(other, machine.application, machine.key, count(500))
    before = codes(elsewhere)

    after = rotated(machine, hours=0)
    old, new = codes(elsewhere, Machine(other, machine.application, after.key, count(900)))
    other.close()

    assert (before, old, new) == ([200], 401, 200)


@pytest.mark.case("T17")
@pytest.mark.parametrize("_", [pytest.param(None, id="b")])
def test_t17_a_second_key_of_the_same_name_is_refused(machine: Machine, _: None) -> None:
    key = signer_from_jwk(new_signing_key() | {"kid": machine.key.kid})
    asked = proven(machine.services, key) | {"application": machine.application, "hours": 1}

    with pytest.raises(OperationRefused, match="has that key"):
        list(registering.applications_rotate(machine.services, asked))
    assert codes(machine) == [200]


@pytest.mark.parametrize(
    "said",
    [
        {"organisation": "vdab-gent"},
        {"issuer": "https://somewhere.example"},
        {"signer": new_signer()},
        {"at": timedelta(seconds=-3_601)},
        {"at": timedelta(seconds=11)},
    ],
    ids=["for-another", "elsewhere", "by-another-key", "old", "not-yet"],
)
def test_a_key_that_nobody_proves_to_hold_is_not_registered(
    services: Services, said: dict[str, Any]
) -> None:
    if "at" in said:
        said = {"at": services.clock() + said["at"]}
    asked = proven(services, new_signer(), **said)

    with pytest.raises(OperationRefused, match="not-proven"):
        list(registering.applications_new(services, asked))
    with pytest.raises(OperationRefused, match="not-proven"):
        list(registering.applications_new(services, asked | {"proof": None}))
    assert services.directory().applications == {}


def test_a_key_with_its_proof_is_registered_until_the_day_said(
    services: Services, clock: Clock
) -> None:
    key = new_signer()
    asked = proven(services, key) | {"until": "2026-11-04"}
    (made,) = registering.applications_new(services, asked)
    machine = Machine(services, made["application"], key)

    before = codes(machine)
    clock.move(clock().replace(day=3, hour=23))  # midnight in Brussels

    assert (before, codes(machine)) == ([200], [401])
    (listed,) = next(registering.applications_list(services, {}))["applications"]
    assert listed["state"] == "expired"


@pytest.mark.case("T34")
@pytest.mark.parametrize("_", [pytest.param(None, id="a")])
def test_t34_tokens_of_the_key_before_count_until_they_expire(
    services: Services, clock: Clock, _: None
) -> None:
    before = prover_of(services)
    assert before.asks("GET", BOXES).status_code == 200

    token_rotation.rotate(services, compromised=False)
    after = Prover(before.machine)

    keys = endpoint(services).get(JWKS).json()["keys"]
    assert next(each["kid"] for each in keys) == services.tokens.kid
    assert len(keys) == 2
    clock.move(timedelta(seconds=299))
    assert [each.asks("GET", BOXES).status_code for each in (before, after)] == [200, 200]
    clock.move(timedelta(seconds=1))
    assert_refused(before.asks("GET", BOXES), "invalid_token")


@pytest.mark.case("T34")
@pytest.mark.parametrize("_", [pytest.param(None, id="b")])
def test_t34_tokens_of_a_compromised_key_count_no_more(services: Services, _: None) -> None:
    before = prover_of(services)
    assert before.asks("GET", BOXES).status_code == 200

    token_rotation.rotate(services, compromised=True)

    assert_refused(before.asks("GET", BOXES), "invalid_token")
    assert len(endpoint(services).get(JWKS).json()["keys"]) == 1
    assert Prover(before.machine).asks("GET", BOXES).status_code == 200
    change = logged(services)[-1]["e"]
    assert (change["what"], change["act"]) == ("token.key", "destroyed")


@pytest.mark.case("T34")
@pytest.mark.parametrize("compromised", [False, True], ids=["a", "b"])
def test_t34_what_counts_after_a_change_counts_after_a_restart(
    services: Services, clock: Clock, *, compromised: bool
) -> None:
    before = prover_of(services)
    token = before.token
    token_rotation.rotate(services, compromised=compromised)
    after = Prover(before.machine)
    tokens = {token: before, after.token: after}
    services.close()
    again = build_services(services.settings, clock=clock)

    found: list[int] = []
    for held, prover in tokens.items():
        elsewhere = Prover(Machine(again, prover.machine.application, prover.machine.key))
        elsewhere.key, elsewhere.__dict__["token"] = prover.key, held
        proof = elsewhere.proof_of_token("GET", BOXES, jti=f"again-{len(found)}")
        found.append(elsewhere.asks("GET", BOXES, proof=proof).status_code)
    again.close()

    assert found == [401 if compromised else 200, 200]


@pytest.mark.case("T34")
@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
@pytest.mark.parametrize("_", [pytest.param(None, id="b")])
def test_t34_another_process_refuses_a_compromised_key_at_once_and_takes_up_the_new_one(
    services: Services, clock: Clock, _: None
) -> None:
    other = build_services(services.settings, clock=clock)
    here = prover_of(services)
    there = Prover(Machine(other, here.machine.application, here.machine.key, count(500)))
    before = there.asks("GET", BOXES)

    token_rotation.rotate(services, compromised=True)
    refused = there.asks("GET", BOXES)
    followed = [follow(other) for _ in range(2)]
    machine = Machine(other, here.machine.application, here.machine.key, count(900))
    mended = Prover(machine).asks("GET", BOXES, proof=None)
    kid = other.tokens.kid
    other.close()

    assert (before.status_code, refused.status_code, mended.status_code) == (200, 401, 200)
    assert followed == [True, False]
    assert kid == services.tokens.kid


def ends(services: Services) -> list[str]:
    """The keys of which no token counts any more, as the log names them, oldest first."""
    changes = [each["e"] for each in logged(services) if each["k"] == "admin.changed"]
    told = [each for each in changes if each["what"] == "token.key"]
    return [each["id"].removeprefix("key:") for each in told if each["act"] == "destroyed"]


@pytest.mark.case("T34")
@pytest.mark.parametrize("_", [pytest.param(None, id="b")])
def test_t34_where_the_end_of_a_compromised_key_is_not_stored_the_next_try_ends_it(
    services: Services, monkeypatch: pytest.MonkeyPatch, _: None
) -> None:
    before, stolen = prover_of(services), services.tokens.kid
    assert before.asks("GET", BOXES).status_code == 200

    def broken(_connection: Any, _commit: Commit) -> None:
        raise disk_full(services.database)

    with monkeypatch.context() as patch:
        at_commit(patch, services.database, broken)
        with pytest.raises(NotStored):
            token_rotation.rotate(services, compromised=True)
    kept = services.tokens.kid
    token_rotation.rotate(services, compromised=True)

    assert (kept, ends(services)) == (stolen, [stolen])
    assert_refused(before.asks("GET", BOXES), "invalid_token")
    assert Prover(before.machine).asks("GET", BOXES).status_code == 200


@pytest.mark.case("T34")
@pytest.mark.parametrize("compromised", [True, False], ids=["b", "b, asked for as a plain change"])
def test_t34_where_the_next_key_is_not_kept_nothing_passes_until_it_is(
    services: Services, clock: Clock, *, compromised: bool
) -> None:
    before, stolen = prover_of(services), services.tokens.kid
    token = before.token
    in_the_way = services.settings.key_ring_path.with_name("keys.json.new")
    in_the_way.mkdir()
    with pytest.raises(OSError, match=r"keys\.json\.new"):
        token_rotation.rotate(services, compromised=True)
    refused = [before.asks("GET", BOXES), Prover(before.machine).asks("GET", BOXES)]
    assert not follow(services)
    in_the_way.rmdir()
    services.close()

    again = build_services(services.settings, clock=clock)
    token_rotation.rotate(again, compromised=compromised)
    machine = Machine(again, before.machine.application, before.machine.key, count(900))
    old = Prover(machine, before.key, count(500))
    old.__dict__["token"] = token
    found = [each.asks("GET", BOXES).status_code for each in (old, Prover(machine))]
    ended, kid = ends(again), again.tokens.kid
    again.close()

    assert [each.status_code for each in refused] == [401, 401]
    assert found == [401, 200]
    assert (ended, kid != stolen) == ([stolen], True)


@pytest.mark.case("T34")
@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
@pytest.mark.parametrize("compromised", [False, True], ids=["a", "b"])
def test_t34_another_process_takes_a_token_of_the_new_key_at_once(
    services: Services, clock: Clock, *, compromised: bool
) -> None:
    other = build_services(services.settings, clock=clock)
    here = prover_of(services)
    token_rotation.rotate(services, compromised=compromised)
    there = Prover(here.machine, here.key, count(500))
    there.__dict__["token"] = here.token
    there.__dict__["http"] = endpoint(other)

    answer = there.asks("GET", BOXES)
    kid = other.tokens.kid
    other.close()

    assert (answer.status_code, kid) == (200, services.tokens.kid)


def test_a_token_of_a_key_that_is_not_known_counts_as_no_failure_and_is_looked_after_once(
    settings: Settings, clock: Clock
) -> None:
    strict = settings.model_copy(update={"failures_a_minute": 2})
    services = build_services(strict, clock=clock)
    prover = prover_of(services)
    assert prover.token
    services.tokens.rotate(new_signer(), compromised=True)
    looks: list[Any] = []
    event.listen(services.database.reading_engine, "checkout", lambda *_: looks.append(1))

    unknown = [prover.asks("GET", BOXES) for _ in range(5)]
    told = len(looks)
    after = Prover(prover.machine).asks("GET", BOXES)
    services.close()

    assert [each.status_code for each in unknown] == [401] * 5
    assert (told, after.status_code) == (1, 200)


def test_a_key_whose_name_begins_with_a_dash_is_ended_like_any_other(broker: Broker) -> None:
    """One in thirty-two thumbprints does, and no code in the log may."""
    broker.services.writer.submit(retire_token_key, {"kid": "-zf"}, 0).result()

    assert logged(broker.services)[-1]["e"]["id"] == "key:-zf"
