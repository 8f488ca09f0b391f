"""T58, T62: whoever looks has a name, a purpose, a case and a tie to the client; all are logged."""

from collections.abc import Mapping
from typing import Any

import pytest

from exchange.samples import samples
from policies.insz import check_insz
from tests.builders import Broker, logged, query
from tests.cases.uniform import assert_uniform, reasons, size

HOLDER, PARTNER = "destap-ww", "vdab-gent"
NUMBER, OTHER = "78640990835", "78640990934"
AUTHORISED, ALSO_AUTHORISED = "ocmw-kortrijk", "vdab-wvl"

MISSING: Mapping[str, Mapping[str, Any]] = {
    "end_user": {"end_user": None},
    "end_user.id": {"end_user": {"function": "f"}},
    "end_user.function": {"end_user": {"id": "u-1"}},
    "an empty end_user.id": {"end_user": {"id": "", "function": "f"}},
    "purpose": {"purpose": None},
    "an empty purpose": {"purpose": ""},
    "case_reference": {"case_reference": None},
    "an empty case_reference": {"case_reference": ""},
}


@pytest.mark.parametrize("what", MISSING)
def test_a_query_without_a_name_a_purpose_and_a_case_is_not_even_decided(
    broker: Broker, what: str
) -> None:
    story = broker.story("cl-0004", PARTNER, "P2")
    body = {
        name: value for name, value in story.query(**MISSING[what]).items() if value is not None
    }
    before = size(broker.services)

    answer = broker.as_(PARTNER).post("/v1/summaries/query", json=body)

    assert answer.status_code == 422
    assert {each["loc"].partition(".")[0] for each in answer.json()["errors"]} == {
        what.rsplit(maxsplit=1)[-1].partition(".")[0]
    }
    assert size(broker.services) == before


@pytest.mark.case("T58")
@pytest.mark.parametrize("known", [True, False], ids=["released", "refused"])
def test_who_asked_for_which_purpose_and_case_stands_in_the_log(
    broker: Broker,
    known: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    story = broker.story("cl-0004", PARTNER, "P2")
    meant = {} if known else {"handover": "00000000-0000-4000-8000-000000000000"}

    answer = story.fetch(
        end_user={"id": "nr-4711", "function": "bemiddelaar"}, case_reference="dossier-9", **meant
    )

    entry = logged(broker.services)[-1]
    assert answer.status_code == (200 if known else 404)
    assert entry["k"] == ("summary.released" if known else "summary.refused")
    assert entry["user"] == f"{PARTNER}/nr-4711"
    assert entry["capacity"] == "bemiddelaar"
    assert entry["u"] == "P2"
    assert entry["case_reference"] == "dossier-9"
    assert entry["ap"] == broker.application(PARTNER)
    assert entry["c"] == f"org:{PARTNER}"


@pytest.mark.case("T58")
def test_a_case_reference_alone_opens_nothing(broker: Broker) -> None:
    """The tie is an open handover; what an organisation writes as its case is only its word."""
    story = broker.story("cl-0004", PARTNER, "P2")
    partner = broker.as_(PARTNER)
    (line,) = partner.get("/v1/handovers").json()["items"]
    by_handle = query(client=line["subject"]["pairwise_id"], purpose="P2")
    assert partner.post("/v1/summaries/query", json=by_handle).status_code == 200

    ended = story.answer("refusal", reason_code="capacity_full")
    assert ended.status_code == 200

    assert_uniform(
        partner.post("/v1/summaries/query", json=by_handle),
        partner.post("/v1/summaries/query", json=by_handle | {"case_reference": "urgent-1"}),
        story.fetch(),
    )
    assert set(reasons(broker.services, "summary.refused")) == {"NO_CARE_RELATION"}


@pytest.mark.case("T62")
@pytest.mark.parametrize("who", [AUTHORISED, HOLDER], ids=["authorised", "not-authorised"])
@pytest.mark.parametrize(
    "text",
    ["78640990836", "00000000000", "78.64.09-908.36", "99999999999", "78649990835"],
    ids=lambda text: f"a-{text}",
)
def test_t62_a_malformed_number_is_told_alike_whoever_is_registered(
    broker: Broker, who: str, text: str
) -> None:
    asker = broker.as_(who)
    before = asker.post("/v1/clients", json={"insz": text})
    broker.as_(AUTHORISED).post("/v1/clients", json={"insz": NUMBER})

    after = asker.post("/v1/clients", json={"insz": text})

    assert before.status_code == after.status_code == 422
    assert before.content == after.content
    assert before.headers == after.headers
    assert text not in after.text


@pytest.mark.case("T62")
def test_t62_b_a_number_that_another_organisation_knows_is_new_like_any_other(
    broker: Broker,
) -> None:
    assert check_insz(NUMBER)
    assert check_insz(OTHER)
    broker.as_(AUTHORISED).post("/v1/clients", json={"insz": NUMBER})

    asker = broker.as_(ALSO_AUTHORISED)
    known, unknown = (asker.post("/v1/clients", json={"insz": each}) for each in (NUMBER, OTHER))

    assert known.status_code == unknown.status_code == 201
    assert known.json() | {"client": ""} == unknown.json() | {"client": ""}
    assert known.headers == unknown.headers


@pytest.mark.case("T62")
def test_t62_b_without_authorisation_no_number_is_looked_up_at_all(broker: Broker) -> None:
    broker.as_(AUTHORISED).post("/v1/clients", json={"insz": NUMBER})
    asker = broker.as_(HOLDER)

    answers: list[Any] = [asker.post("/v1/clients", json={"insz": n}) for n in (NUMBER, OTHER)]

    assert {each.status_code for each in answers} == {403}
    assert {each.content for each in answers} == {answers[0].content}
    assert answers[0].headers == answers[1].headers
    assert answers[0].json()["type"].endswith(":not-authorised-for-identifier")
    assert reasons(broker.services, "client.refused") == ["HARD_RULE_H4"] * 2


@pytest.mark.case("T62")
def test_t62_no_address_takes_a_number_where_somebody_elses_client_is_meant(
    broker: Broker,
) -> None:
    story = broker.story("cl-0004", PARTNER, "P2")
    partner = broker.as_(PARTNER)

    for more in ({"insz": NUMBER}, {"client": NUMBER}, {"handover": NUMBER}):
        answer = partner.post("/v1/summaries/query", json=story.query() | more)
        assert answer.status_code == 422
        assert NUMBER not in answer.text
    assert samples()["cl-0004"].holder == HOLDER
