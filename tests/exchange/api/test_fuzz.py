"""What the service answers is what its contract says, whatever is asked and whoever asks.

Requests are made from the contract itself, right ones and wrong ones, by schemathesis. More of
them: make fuzz.
"""

import json
import os
import re
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema

from exchange.api.declarations import DECLARED
from exchange.flows.administer import EVERY_SCOPE
from exchange.settings import Settings
from tests.builders import Broker

EXAMPLES = int(os.environ.get("OVERDRACHT_FUZZ_EXAMPLES", "3"))
"""Right and wrong requests of each address, beside those at the bounds of its schema."""

MONITORING = "m" * 24
ROLES = {
    "destap-ww": "client summary consent handover",
    "vdab-gent": "query handover",
    "toezicht": "audit-all",
}
"""Who asks for what each of their scopes reaches."""

MEANINGS = re.compile(
    r".*:(forbidden-character|not-normalised"
    r"|int_type"  # a whole number that is written with a point, like the next
    r"|no_such_time|not_a_date|not_a_time|not_a_national_number|wrong_check_digits|wrong_form"
    r"|in_the_future|future|past|before_from|too_far|not_in_the_register|needs_[a-z_]+)"
    r"|code:not_known"  # of no letter
    # What another basis than consent rests on, in this directory.
    r"|purpose:no_other_basis|kind:no_public_task|agreement:(none_in_force|does_not_name_it)"
    r"|recipient:(not_for_this_purpose|needs_secrecy_release)|conditions:not_all_hold"
    r"|(from|until|checked_by):missing|(from|until):no_such_day|until:over"
    r"|reference:not_a_hash|client:(said_no|objects|too_many)"
    r"|organisation:unknown|state:no_such_state"  # of no directory, not of that box
    r"|document(\..*)?:(does_not_fit|not_a_party|can_not_be_applied)"  # to this directory
    r"|body:pdf_png_or_jpeg_needed"  # told by its first bytes
    r"|.*\.max_uses:invalid"
    r"|.*\.(on|from|until):invalid"  # a 29 February of a year that has none
    r"|(notice\.interpreter|capacity\.assessed_by|evidence\.(auth|place|witness)):invalid"  # signs
    # What the parts of a consent mean together, and to this directory.
    r"|(capacity\.type|notice|evidence\.method):(?!required|invalid).*"
    r"|capacity\.mandate(\.until)?:(guardian_only|required|past)|capacity\.parents:co_signed_needed"
    r"|grants\.\d+\.sections:outside_mandate"
    r"|(grants|denials|refused)(\.\d+(\.(purpose|recipient|until_event))?)?:(?!required|invalid).*"
)
"""Why a request that fits its schema is not taken all the same: what no schema can tell."""


@schemathesis.check
def refused_for_what_it_means(ctx: Any, response: Response, case: Any) -> None:
    """A request that fits its schema is refused for a meaning only, which the answer names."""
    mode = case.meta.generation.mode if case.meta else None
    if mode is None or not mode.is_positive or response.status_code not in {400, 422}:
        return
    body = json.loads(response.content)
    told = [f"{each['loc']}:{each['type']}" for each in body.get("errors", ())]
    if not told or not all(map(MEANINGS.fullmatch, told)):
        raise AssertionError(f"{response.status_code} {body['type']} for {told}")


def failures(
    broker: Broker,
    organisation: str,
    paths: list[str],
    *,
    bounds: bool = True,
    scarce: bool = False,
) -> list[str]:
    """What the service answers these at these addresses otherwise than its contract says.

    With `bounds` every bound of every schema is tried, on both of its sides. `scarce`: there are
    few tries, whoever asks.
    """
    taken = ["2xx", "400", "401", "403", "404", "409", "412", "422", *(["429"] if scarce else [])]
    token = {"Authorization": f"Bearer {broker.token(organisation)}"} if organisation else {}
    said = {
        "headers": token,
        "generation": {"max-examples": EXAMPLES, "deterministic": True, "database": "none"},
        "phases": {"stateful": {"enabled": False}, "coverage": {"enabled": bounds}},
        "checks": {"positive_data_acceptance": {"expected-statuses": taken}},
    }
    config = SchemathesisConfig.from_dict(said)
    contract = schemathesis.openapi.from_asgi("/openapi.json", broker.app, config=config)
    asked, wrong = 0, []
    for event in from_schema(contract.include(path=paths)).execute():
        assert not isinstance(event, events.NonFatalError | events.FatalError), event
        if isinstance(event, events.ScenarioFinished):
            asked += len(event.recorder.interactions)
            checks = [each for some in event.recorder.checks.values() for each in some]
            found = [each.failure_info for each in checks if each.failure_info is not None]
            wrong += [f"{each.failure.message}\n{each.code_sample}" for each in found]
    assert asked > len(paths)
    return wrong


DEPOSIT = "/v1/clients/{client}/summary"
"""Its schema has thousands of bounds: some are tried."""

STOP = ["/stop/{language}", "/v1/withdrawals"]
"""Where codes are tried: a few in a minute."""

OPEN = sorted({path for (_, path), each in DECLARED.items() if not each.scopes} - {*STOP})


def opened(scopes: str) -> list[str]:
    """The addresses that one of the scopes opens."""
    asked = set(scopes.split())
    return sorted({path for (_, path), each in DECLARED.items() if asked & each.scopes})


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"metrics_token": MONITORING})


@pytest.fixture
def furnished(broker: Broker) -> Broker:
    """A broker with somebody in it, so that not every answer is a no."""
    broker.story("cl-0004", "vdab-gent", "P2").fetch()
    return broker


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize("organisation", ROLES)
def test_whatever_is_asked_is_answered_as_the_contract_says(
    furnished: Broker, organisation: str
) -> None:
    paths = opened(ROLES[organisation])

    assert failures(furnished, organisation, [each for each in paths if each != DEPOSIT]) == []
    if DEPOSIT in paths:
        assert failures(furnished, organisation, [DEPOSIT], bounds=False) == []


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_stranger_is_answered_as_the_contract_says(furnished: Broker) -> None:
    assert failures(furnished, "", OPEN) == []
    assert failures(furnished, "", STOP, scarce=True) == []


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize("organisation", ["", "backoffice"])
def test_who_may_not_is_told_so_as_the_contract_says(furnished: Broker, organisation: str) -> None:
    assert failures(furnished, organisation, opened(" ".join(EVERY_SCOPE)), bounds=False) == []


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_the_contract_holds_on_postgresql(furnished: Broker) -> None:
    assert failures(furnished, "destap-ww", opened(ROLES["destap-ww"]), bounds=False) == []
