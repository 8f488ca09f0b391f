"""T57: what is changed on its way from the broker is not taken for what the broker gave.

The receiver is the one in docs/signed-summaries.md, with a library that the broker does not use.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from joserfc.errors import JoseError

from exchange import key_rotation, token_rotation
from exchange.security.contexts import SIGNED_SUMMARY
from exchange.security.jose_profile import sign_detached
from exchange.security.tokens import new_signing_key, signer_from_jwk
from exchange.services import build_services
from tests.builders import Broker, Story

PAGE = Path(__file__).parents[2] / "docs" / "signed-summaries.md"
REFUSED = (JoseError, ValueError, KeyError, AttributeError)
ORGANISATION = "org:vdab-gent"


@cache
def checked() -> Callable[..., dict[str, Any]]:
    """The receiver's check, as it is written down for partners."""
    (recipe,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(recipe, names)  # noqa: S102 - our own page
    check: Callable[..., dict[str, Any]] = names["checked"]
    return check


class Receiver:
    """A partner that has fetched the broker's keys once, and one summary."""

    def __init__(self, story: Story) -> None:
        broker = story.broker
        self.keys = keys_of(broker)
        self.answer = story.fetch().content
        self.said = {
            "broker": broker.services.settings.issuer,
            "organisation": ORGANISATION,
            "client": handle_of(broker),
        }

    def check(self, answer: bytes | None = None, **other: Any) -> dict[str, Any]:
        asked = {"keys": self.keys} | self.said | other
        return checked()(self.answer if answer is None else answer, asked.pop("keys"), **asked)


def keys_of(broker: Broker) -> dict[str, Any]:
    keys: dict[str, Any] = TestClient(broker.app).get("/v1/summaries/keys").json()
    return keys


def handle_of(broker: Broker) -> str:
    (line,) = broker.as_("vdab-gent").get("/v1/handovers").json()["items"]
    return str(line["subject"]["pairwise_id"])


def altered(value: Any) -> Iterator[Any]:
    """The value with one thing in it changed or left out, for each thing in it."""
    match value:
        case dict():
            for name, inner in value.items():
                yield {key: each for key, each in value.items() if key != name}
                yield from ({**value, name: other} for other in altered(inner))
        case list():
            for place, inner in enumerate(value):
                yield [*value[:place], *value[place + 1 :]]
                rest = value[place + 1 :]
                yield from ([*value[:place], other, *rest] for other in altered(inner))
        case bool():
            yield not value
        case int():
            yield value + 1
        case _:
            yield f"{value}x"


@pytest.fixture
def receiver(broker: Broker) -> Receiver:
    return Receiver(broker.story("cl-0004", "vdab-gent", "P2"))


@pytest.mark.case("T57")
def test_t57_a_summary_as_it_was_given_is_taken_in_whatever_order_it_is_written(
    receiver: Receiver,
) -> None:
    document = json.loads(receiver.answer)
    reordered = json.dumps(dict(reversed(document.items())), indent=2).encode()

    assert receiver.check() == receiver.check(reordered)
    assert receiver.check().keys() | {"signature"} == document.keys()
    assert {"iss", "aud", "sub", "iat", "audit"} <= receiver.check().keys()


@pytest.mark.case("T57")
def test_t57_whatever_is_altered_in_transit_the_check_fails(receiver: Receiver) -> None:
    document = json.loads(receiver.answer)
    others = list(altered(document))

    assert len(others) > 2 * len(document)
    for each in others:
        with pytest.raises(REFUSED):
            receiver.check(json.dumps(each).encode())


@pytest.mark.case("T57")
def test_t57_an_answer_without_signature_or_with_that_of_another_key_is_not_taken(
    receiver: Receiver,
) -> None:
    document = json.loads(receiver.answer)
    del document["signature"]
    thief = signer_from_jwk(new_signing_key() | {"kid": receiver.keys["keys"][0]["kid"]})
    forged = sign_detached(SIGNED_SUMMARY, json.dumps(document).encode(), thief)

    for said in ({}, {"signature": ""}, {"signature": ".."}, {"signature": forged}):
        with pytest.raises(REFUSED):
            receiver.check(json.dumps(document | said).encode())


@pytest.mark.case("T57")
@pytest.mark.parametrize("other", ["broker", "organisation", "client"])
def test_t57_an_answer_of_another_broker_to_others_or_about_somebody_else_is_not_taken(
    receiver: Receiver, other: str
) -> None:
    with pytest.raises(REFUSED):
        receiver.check(None, **{other: receiver.said[other] + "x"})


@pytest.mark.case("T57")
def test_t57_a_signature_outlives_the_turning_of_every_key(
    receiver: Receiver, broker: Broker
) -> None:
    key_rotation.begin(broker.services)
    token_rotation.rotate(broker.services, compromised=True)
    key_rotation.destroy_old(broker.services)
    broker.services.close()
    again = build_services(broker.services.settings, clock=broker.clock)
    now = Broker(again, broker.clock)

    assert keys_of(now) == receiver.keys
    assert receiver.check(keys=keys_of(now))["aud"] == ORGANISATION
    again.close()


def test_the_key_of_summaries_signs_nothing_else(broker: Broker) -> None:
    tokens = TestClient(broker.app).get("/.well-known/jwks.json").json()["keys"]
    (mine,) = keys_of(broker)["keys"]

    assert mine["kid"] not in {each["kid"] for each in tokens}
    assert "d" not in mine
