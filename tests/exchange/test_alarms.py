"""A gate or rule that fails is a no, a number, and one line a minute for the operator."""

import pytest
from structlog.testing import capture_logs

from exchange.alarms import Alarms
from exchange.metrics import metrics_text
from exchange.services import Services
from exchange.tally import Tally
from policies.gates import Decider
from policies.vocabulary import Reason
from tests.builders import Broker
from tests.policies.rule_sets import a_rule, with_own
from tests.policies.situations import a_request, some_facts

ERRS = with_own(a_rule("ERRS", 'context.purpose == "P2" && 9223372036854775807 + 1 == 0'))


def test_a_rule_that_errs_is_told_once_a_minute_and_counted_each_time() -> None:
    now, tally = [0.0], Tally()
    decider = Decider(ERRS, alarm=Alarms(tally, lambda: now[0]).raise_for)

    with capture_logs() as lines:
        for at in (0.0, 1.0, 59.9, 60.0):
            now[0] = at
            decision = decider.decide(a_request("goals"), some_facts())

    assert decision.reason is Reason.GATE_FAILED
    assert lines == [{"code": "SITE_ERRS", "event": "gate.failed", "log_level": "error"}] * 2
    assert tally.failed() == {"SITE_ERRS": 4}


def test_what_goes_well_raises_no_alarm() -> None:
    tally = Tally()
    decider = Decider(ERRS, alarm=Alarms(tally).raise_for)

    decider.decide(a_request(purpose="P3"), some_facts())
    decider.decide(a_request(purpose="P90"), some_facts())

    assert tally.failed() == {}


def test_a_gate_that_fails_is_named_by_itself() -> None:
    tally, facts = Tally(), some_facts(denied="not a set of fields")
    decider = Decider(with_own(), alarm=Alarms(tally).raise_for)

    assert decider.decide(a_request(), facts).reason is Reason.GATE_FAILED

    assert tally.failed() == {"the_denials_leave_something": 1, "the_rules_leave_something": 1}


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_the_metrics_name_the_rule_and_nobody(services: Services, broker: Broker) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    services.rulebook.decider.take(ERRS)

    with capture_logs() as lines:
        answer = story.fetch()

    assert answer.status_code == 404
    assert 'overdracht_gate_failures_total{rule="SITE_ERRS"} 1' in metrics_text(services)
    assert {"code": "SITE_ERRS", "event": "gate.failed", "log_level": "error"} in lines
