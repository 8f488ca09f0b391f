"""Who can not say who they are is in the log: how often, by application and minute."""

import pytest

from exchange.api.limits import NOBODY_KNOWN, named_in
from exchange.flows.note_failures import note_failures
from exchange.quotas import Failures
from exchange.services import Services
from tests.builders import Broker
from tests.exchange.machines import endpoint, machine_of
from tests.exchange.recalling import of_kind


def test_minutes_that_are_over_are_taken_once_and_those_of_before_are_not_lost() -> None:
    now = [30.0]
    failures = Failures(lambda: now[0])
    failures.note("app:a")
    failures.note("app:a")
    early = failures.take()
    now[0] = 61.0
    failures.note("app:b")
    now[0] = 200.0

    assert early == []
    assert failures.take() == [("app:a", 2), ("app:b", 1)]
    assert failures.take() == []
    failures.note("app:c", 3)
    assert failures.take(unfinished=True) == [("app:c", 3)]
    assert failures.take(unfinished=True) == []


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "a.W10.c", "a.eyJpc3MiOjF9.c", "a.é.c"])
def test_what_names_nobody_names_nobody(text: str) -> None:
    assert named_in(text) == ""


def test_a_refused_assertion_token_and_scope_are_noted_by_application(
    services: Services, broker: Broker
) -> None:
    machine, http = machine_of(services), endpoint(services)
    forged = machine.assertion()[:-4] + "AAAA"
    http.post("/oauth/token", data=machine.form(client_assertion=forged))
    http.get("/v1/handovers", headers={"Authorization": "Bearer no.such.token"})
    good = broker.token("backoffice")
    http.get("/v1/handovers", headers={"Authorization": f"Bearer {good[:-4]}AAAA"})
    far = http.get("/v1/handovers", headers={"Authorization": f"Bearer {good}"})

    counted = services.quotas.failures.take(unfinished=True)
    services.writer.submit(note_failures, counted).result()

    assert far.status_code == 403
    noted = {each["e"]["app"]: each["e"]["n"] for each in of_kind(services, "auth.failures")}
    theirs = broker.application("backoffice")
    assert noted == {machine.application: 1, NOBODY_KNOWN: 1, theirs: 2}
