"""T105 and T56: the same request twice has one effect; two changes at once lose neither."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from exchange.flows.administer import NewApplication, register_application
from exchange.samples import samples
from exchange.security.tokens import new_signing_key, signer_from_jwk
from policies.decision import Refused
from policies.vocabulary import OrganisationId
from tests.builders import Broker, logged
from tests.cases.uniform import assert_uniform
from tests.exchange.processes import both, send_each

HOLDER, AT_ONCE = "destap-ww", 50
KEY = {"Idempotency-Key": "key-t105-0001"}


def order(broker: Broker) -> dict[str, Any]:
    """A handover that its client agreed to."""
    sample = samples()["cl-0004"]
    handle = broker.registered(sample)
    broker.given(sample, handle)
    body = {"client": handle, "recipient": "org:vdab-gent", "purpose": "P2"}
    return body | {"reason_code": "other"}


def pushed(sender: TestClient, body: Mapping[str, Any], key: Mapping[str, str] = KEY) -> Response:
    return sender.post("/v1/handovers", json=dict(body), headers=dict(key))


def at_once(call: Callable[[int], Response], times: int) -> list[Response]:
    """The answers to that many calls which all begin in the same moment."""
    start = Barrier(times)

    def called(number: int) -> Response:
        start.wait()
        return call(number)

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(called, range(times)))


def offers(broker: Broker) -> int:
    return sum(each["k"] == "handover.offered" for each in logged(broker.services))


@pytest.mark.case("T105")
def test_t105_a_fifty_at_once_have_one_effect_and_one_answer(broker: Broker) -> None:
    body = order(broker)
    senders = [broker.as_(HOLDER) for _ in range(AT_ONCE)]

    answers = at_once(lambda number: pushed(senders[number], body), AT_ONCE)

    assert {(each.status_code, each.content) for each in answers} == {(201, answers[0].content)}
    assert offers(broker) == 1
    assert len(broker.as_("vdab-gent").get("/v1/handovers").json()["items"]) == 1


@pytest.mark.case("T105")
def test_t105_b_the_same_key_with_another_body_is_refused_and_changes_nothing(
    broker: Broker,
) -> None:
    body, sender = order(broker), broker.as_(HOLDER)
    first = pushed(sender, body)

    for other in ({"purpose": "P3"}, {"urgency": "within_48h"}, {"sections": ["educ"]}):
        again = pushed(sender, body | other)
        assert (again.status_code, again.json()["type"]) == (
            422,
            "urn:overdracht:problem:key-reused",
        )
    assert pushed(sender, body).content == first.content
    assert offers(broker) == 1


@pytest.mark.case("T105")
def test_t105_b_of_two_bodies_at_once_one_counts_and_the_other_is_told(broker: Broker) -> None:
    body = order(broker)
    bodies = [body | {"urgency": urgency} for urgency in ("normal", "within_48h")] * 5
    senders = [broker.as_(HOLDER) for _ in bodies]

    answers = at_once(lambda number: pushed(senders[number], bodies[number]), len(bodies))

    assert sorted(each.status_code for each in answers) == [201] * 5 + [422] * 5
    assert offers(broker) == 1


@pytest.mark.case("T105")
def test_t105_c_a_key_is_the_applications_own(broker: Broker) -> None:
    body = order(broker)
    public = signer_from_jwk(new_signing_key()).public_jwk()
    new = NewApplication(OrganisationId(HOLDER), public)
    other = broker.services.writer.submit(register_application, new).result().value
    assert not isinstance(other, Refused)
    token, _ = broker.services.tokens.issue(
        application=other.application,
        organisation=HOLDER,
        scopes=frozenset({"handover"}),
        at=broker.clock(),
        token_id=HOLDER,
    )
    neighbour = TestClient(broker.app, headers={"Authorization": f"Bearer {token}"})

    first = pushed(broker.as_(HOLDER), body)
    theirs = pushed(neighbour, body | {"urgency": "within_48h"})
    stranger = pushed(broker.as_("leerwinkel-wvl"), body)

    assert (first.status_code, theirs.status_code) == (201, 201)
    assert first.json()["handover"] != theirs.json()["handover"]
    assert_uniform(stranger)


@pytest.mark.case("T105")
def test_t105_d_a_key_is_remembered_as_long_as_its_handover(broker: Broker) -> None:
    body = order(broker)
    first = pushed(broker.as_(HOLDER), body)

    broker.clock.move(timedelta(days=400))
    again = pushed(broker.as_(HOLDER), body)

    assert (again.status_code, again.content) == (201, first.content)
    assert offers(broker) == 1


@pytest.mark.parametrize("key", [{}, *({"Idempotency-Key": k} for k in ("", "short", "a b" * 9))])
def test_a_push_without_a_key_of_the_right_form_is_refused(
    broker: Broker, key: dict[str, str]
) -> None:
    answer = pushed(broker.as_(HOLDER), order(broker), key)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == "idempotency-key"


@pytest.mark.case("T56")
def test_t56_of_two_changes_to_one_version_the_second_is_told_that_it_is_stale(
    broker: Broker,
) -> None:
    handle = broker.registered(samples()["cl-0004"])
    path = f"/v1/clients/{handle}/summary"
    tag = broker.as_(HOLDER).get(path).headers["etag"]
    counsellors = [broker.as_(HOLDER) for _ in range(8)]

    def changed(number: int) -> Response:
        body = {"sections": {"goals": {"summary": f"doel {number}"}}}
        body = {"sections": {"lang": {"contact_language": ("nld", "fra")[number % 2]}}}
        return counsellors[number].put(path, json=body, headers={"If-Match": tag})

    answers = at_once(changed, len(counsellors))

    assert sorted(each.status_code for each in answers) == [200] + [412] * 7
    (stale, *_) = [each for each in answers if each.status_code == 412]
    assert stale.json()["type"] == "urn:overdracht:problem:stale-version"
    (done,) = [number for number, each in enumerate(answers) if each.status_code == 200]
    now = broker.as_(HOLDER).get(path)
    assert now.headers["etag"] == answers[done].headers["etag"] != tag
    assert now.json()["sections"]["lang"]["contact_language"]["value"] == ("nld", "fra")[done % 2]


@pytest.mark.case("T56")
def test_t56_two_counsellors_end_one_grant_each_and_both_are_ended(broker: Broker) -> None:
    sample = samples()["cl-0002"]
    handle = broker.registered(sample)
    consent = broker.given(sample, handle)
    path = f"/v1/clients/{handle}/consents"
    (before,) = broker.as_(sample.holder).get(path).json()["items"]
    grants = [each["id"] for each in before["grants"]][:2]
    counsellors = [broker.as_(sample.holder) for _ in grants]

    answers = at_once(
        lambda number: counsellors[number].post(
            f"/v1/consents/{consent}/withdrawal",
            json={"via": "counsellor", "grants": [grants[number]]},
        ),
        len(grants),
    )

    assert [each.status_code for each in answers] == [200, 200]
    ended = [each for each in logged(broker.services) if each["k"] == "consent.narrowed"]
    assert sorted(grant for each in ended for grant in each["grants"]) == sorted(grants)
    again = broker.as_(sample.holder).post(
        f"/v1/consents/{consent}/withdrawal", json={"via": "counsellor", "grants": [grants[0]]}
    )
    assert again.status_code != 200


@pytest.mark.case("T56")
@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_t56_of_two_processes_one_changes_a_version_and_the_other_is_told(broker: Broker) -> None:
    handle = broker.registered(samples()["cl-0004"])
    path = f"/v1/clients/{handle}/summary"
    tag = broker.as_(HOLDER).get(path).headers["etag"]
    headers = {"Authorization": f"Bearer {broker.token(HOLDER)}", "If-Match": tag}
    said = ("nld", "fra")
    changes = tuple(
        ("PUT", path, {"sections": {"lang": {"contact_language": each}}}) for each in said
    )

    answers = both(send_each, broker.services.settings, changes, headers)

    assert sorted(code for code, _ in answers) == [200, 412]
    (done,) = [number for code, number in answers if code == 200]
    now = broker.as_(HOLDER).get(path)
    assert now.headers["etag"] != tag
    assert now.json()["sections"]["lang"]["contact_language"]["value"] == said[done]


@pytest.mark.case("T56")
@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_t56_two_processes_end_one_grant_each_and_both_are_ended(broker: Broker) -> None:
    sample = samples()["cl-0002"]
    handle = broker.registered(sample)
    path = f"/v1/consents/{broker.given(sample, handle)}/withdrawal"
    headers = {"Authorization": f"Bearer {broker.token(sample.holder)}"}
    changes = tuple(
        ("POST", path, {"via": "counsellor", "grants": [each]}) for each in ("g1", "g2")
    )

    answers = both(send_each, broker.services.settings, changes, headers)

    assert sorted(answers) == [(200, 0), (200, 1)]
    shown = broker.as_(sample.holder).get(f"/v1/clients/{handle}/consents").json()["items"]
    ended = [each["id"] for one in shown for each in one["grants"] if each["withdrawn"]]
    assert sorted(ended) == ["g1", "g2"]
