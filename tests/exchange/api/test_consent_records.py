"""Receipt, page and record of a consent over HTTP, and a consent that comes as FHIR."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from fhir.resources.R4B.consent import Consent
from joserfc import jwt
from joserfc.jwk import KeySet

from exchange.samples import samples
from tests.builders import Broker, logged
from tests.cases.uniform import assert_uniform

SAMPLE = samples()["cl-0002"]
FHIR = {"Content-Type": "application/fhir+json"}


@pytest.fixture
def given(broker: Broker) -> tuple[str, str]:
    """Handle and consent of a client who was shown a notice in Arabic."""
    handle = broker.registered(SAMPLE)
    return handle, broker.given(SAMPLE, handle)


def looks(broker: Broker) -> list[str]:
    return [each["via"] for each in logged(broker.services) if each["k"] == "client.viewed"]


def test_a_page_is_for_who_asks_for_one_and_the_signed_receipt_for_all_others(
    broker: Broker, given: tuple[str, str]
) -> None:
    holder, address = broker.as_(SAMPLE.holder), f"/v1/consents/{given[1]}/receipt"

    answers = {
        asked: holder.get(address, headers={"Accept": asked})
        for asked in ("*/*", "application/json", "application/jose", "text/html;q=0.5, */*;q=0.1")
    }

    kinds = [each.headers["content-type"] for each in answers.values()]
    assert kinds == ["application/jwt", "application/jwt", "application/jose", *kinds[3:]]
    assert kinds[3].startswith("text/html")
    page = answers["text/html;q=0.5, */*;q=0.1"]
    assert page.headers["content-language"] == "ar"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["content-disposition"].startswith("attachment")
    assert 'dir="rtl"' in page.text
    assert given[0] not in page.text
    assert looks(broker) == ["receipt", "receipt", "receipt", "page"]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [("nl-BE, fr;q=0.5", "nl"), ("de, tr;q=0.2", "tr"), ("de", "ar"), ("*", "ar"), ("fr", "fr")],
)
def test_the_page_is_in_the_language_that_is_asked_for(
    broker: Broker, given: tuple[str, str], wanted: str, told: str
) -> None:
    page = broker.as_(SAMPLE.holder).get(
        f"/v1/consents/{given[1]}/receipt",
        headers={"Accept": "text/html", "Accept-Language": wanted},
    )

    assert page.headers["content-language"] == told


def test_the_record_is_had_in_every_form_and_each_look_is_logged(
    broker: Broker, given: tuple[str, str]
) -> None:
    handle, consent = given
    holder, address = broker.as_(SAMPLE.holder), f"/v1/consents/{given[1]}/record"

    forms = {
        form: holder.get(address, params={"as": form})
        for form in ("dpv", "kantara", "fhir", "oslo", "odrl")
    }
    by_type = holder.get(address, headers={"Accept": "application/fhir+json"})
    plain = holder.get(address)

    assert forms["dpv"].json()["dct:conformsTo"].endswith("#record-eu-gdpr")
    assert forms["kantara"].json()["consentReceiptID"] == consent
    assert Consent.model_validate(forms["fhir"].json()).status == "active"
    assert forms["oslo"].json()["term:lossy"] is True
    assert by_type.json()["resourceType"] == "Consent"
    assert plain.json()["@type"] == "dpv:ConsentRecord"
    assert [each.headers["content-type"] for each in forms.values()] == [
        "application/ld+json",
        "application/json",
        "application/fhir+json",
        "application/ld+json",
        "application/ld+json",
    ]
    assert all(handle in each.text for each in forms.values())
    assert looks(broker) == ["dpv", "kantara", "fhir", "oslo", "odrl", "fhir", "dpv"]


def test_a_record_can_be_had_signed(broker: Broker, given: tuple[str, str]) -> None:
    holder, address = broker.as_(SAMPLE.holder), f"/v1/consents/{given[1]}/record"
    published = holder.get("/.well-known/consent-receipt-keys.json").json()
    keys = KeySet.import_key_set(published)

    plain = holder.get(address).json()
    receipt = holder.get(f"/v1/consents/{given[1]}/receipt").text
    signed = holder.get(address, headers={"Accept": "application/jwt"})

    assert signed.headers["content-type"] == "application/jwt"
    token = jwt.decode(signed.text, keys, algorithms=["ES256"])
    assert token.header["typ"] == "consent-record+jwt"
    assert token.claims["record"] == plain
    assert jwt.decode(receipt, keys, algorithms=["ES256"]).claims["consent"] == given[1]
    assert "d" not in published["keys"][0]


def test_the_record_tells_what_became_of_the_consent(
    broker: Broker, given: tuple[str, str]
) -> None:
    holder, consent = broker.as_(SAMPLE.holder), given[1]
    withdrawn = holder.post(f"/v1/consents/{consent}/withdrawal", json={"via": "sms_link"})

    record = holder.get(f"/v1/consents/{consent}/record").json()
    page = holder.get(f"/v1/consents/{consent}/receipt", headers={"Accept": "text/html"})

    assert withdrawn.is_success
    events = record["dpv:hasConsentStatus"]
    assert [each["term:state"] for each in events] == ["given", "withdrawn"]
    assert [each["dpv:hasIndicationMethod"] for each in events] == ["oral_interpreter", "sms_link"]
    assert "أوقفتَ هذا" in page.text


@pytest.mark.parametrize("what", ["record", "receipt"])
def test_of_somebody_elses_consent_there_is_nothing_in_any_form(
    broker: Broker, given: tuple[str, str], what: str
) -> None:
    stranger = broker.as_("vdab-wvl")

    answer = stranger.get(f"/v1/consents/{given[1]}/{what}", headers={"Accept": "text/html"})

    assert_uniform(answer)
    assert looks(broker) == []


def test_a_form_that_there_is_not_is_refused(broker: Broker, given: tuple[str, str]) -> None:
    answer = broker.as_(SAMPLE.holder).get(f"/v1/consents/{given[1]}/record?as=pdf")

    assert answer.status_code == 422


def resource_of(broker: Broker, handle: str, consent: str) -> dict[str, Any]:
    holder = broker.as_(SAMPLE.holder)
    resource: dict[str, Any] = holder.get(f"/v1/consents/{consent}/record?as=fhir").json()
    assert resource["patient"]["identifier"]["value"] == handle
    return resource


def test_a_consent_that_comes_as_fhir_is_given_like_any_other(
    broker: Broker, given: tuple[str, str]
) -> None:
    handle, consent = given
    holder = broker.as_(SAMPLE.holder)
    resource = resource_of(broker, handle, consent)

    sent = holder.post(f"/v1/clients/{handle}/consents", content=json.dumps(resource), headers=FHIR)

    assert sent.status_code == 201
    items = holder.get(f"/v1/clients/{handle}/consents").json()["items"]
    by_id = {each.pop("consent"): each for each in items}
    assert by_id.keys() == {consent, sent.json()["consent"]}
    assert by_id[consent] == by_id[sent.json()["consent"]]


def test_a_resource_about_another_or_that_is_not_understood_is_refused_by_place(
    broker: Broker, given: tuple[str, str]
) -> None:
    handle, consent = given
    holder = broker.as_(SAMPLE.holder)
    resource = resource_of(broker, handle, consent)
    resource["patient"]["identifier"]["value"] = "z" * 26
    resource["provision"]["data"] = []

    sent = holder.post(f"/v1/clients/{handle}/consents", content=json.dumps(resource), headers=FHIR)

    assert sent.status_code == 422
    places = {(each["loc"], each["type"]) for each in sent.json()["errors"]}
    assert places == {("patient", "not_this_client"), ("provision.data", "unknown")}
    assert "z" * 26 not in sent.text


def test_our_own_form_sent_as_fhir_is_no_consent(broker: Broker, given: tuple[str, str]) -> None:
    sent = broker.as_(SAMPLE.holder).post(
        f"/v1/clients/{given[0]}/consents", content=json.dumps(dict(SAMPLE.consent)), headers=FHIR
    )

    assert sent.status_code == 422


def test_the_address_to_stop_at_is_there_on_the_page_and_on_every_receipt(
    broker: Broker, given: tuple[str, str]
) -> None:
    holder, consent = broker.as_(SAMPLE.holder), f"/v1/consents/{given[1]}"
    said = {name: SAMPLE.consent[name] for name in ("notice", "evidence")}

    first = holder.get(f"{consent}/receipt")
    renewed = holder.post(f"{consent}/renewal", json=said).json()["receipt"]
    page = holder.get(f"{consent}/receipt", headers={"Accept": "text/html"})

    base = broker.services.settings.public_base_url
    (shown,) = set(re.findall(rf"{re.escape(base)}/[a-z/-]+", page.text))
    keys = KeySet.import_key_set(holder.get("/.well-known/consent-receipt-keys.json").json())
    told = {
        jwt.decode(each, keys, algorithms=["ES256"]).claims["withdraw"]["address"]
        for each in (first.text, renewed)
    }
    assert told == {shown}
    assert holder.get(shown.removeprefix(base)).status_code == 200


def test_what_is_over_is_over_in_every_form(broker: Broker, given: tuple[str, str]) -> None:
    broker.clock.move(timedelta(days=800))
    holder = broker.as_(SAMPLE.holder)

    (listed,) = holder.get(f"/v1/clients/{given[0]}/consents").json()["items"]
    record = holder.get(f"/v1/consents/{given[1]}/record").json()
    resource = holder.get(f"/v1/consents/{given[1]}/record?as=fhir").json()

    assert listed["state"] == "expired"
    assert record["dpv:hasConsentStatus"][-1]["term:state"] == "expired"
    assert resource["status"] == "inactive"
