import json
from dataclasses import replace
from typing import Any

import pytest

from consent.content import Refusal
from consent.receipts import CONFORMS_TO, Receipt, receipt_claims
from policies.vocabulary import ConsentId, ConsentState, Handle
from tests.consent.builders import (
    ADULT_BORN,
    BASE_NOTICE,
    GUARDIAN,
    HOLDER,
    NOON,
    NOTICE,
    grant,
    terms,
)

RECEIPT = Receipt(
    issuer="https://broker.example",
    handle=Handle("abcdefghijklmnopqrstuvwxyz"),
    consent=ConsentId("c-0001"),
    controller=HOLDER,
    state=ConsentState.GIVEN,
    at=NOON,
    withdraw_at="https://broker.example/my-file/consents",
    names={"destap-ww": "De Stap", "vdab-gent": "VDAB Gent", "lp-zuid-wvl": "Partnerschap"},
)


def claims(lang: str = "nl", **members: Any) -> dict[str, Any]:
    library = {("N-P2", "2.1", lang): BASE_NOTICE.sha256}
    said = terms(notice={**NOTICE, "lang": lang, "sha256": library["N-P2", "2.1", lang]}, **members)
    return receipt_claims(RECEIPT, said)


def test_a_receipt_tells_who_agreed_to_what_with_whom_until_when_and_how_to_stop() -> None:
    said = claims()

    (told,) = said["grants"]
    assert said["sub"] == RECEIPT.handle
    assert said["controller"] == {"id": "org:destap-ww", "name": "De Stap"}
    assert told["recipient"] == {"id": "org:vdab-gent", "name": "VDAB Gent"}
    assert told["purpose"]["label"] == "Doorverwijzing naar werkbegeleiding"
    assert (told["from"], told["until"]) == ("2026-11-02", "2027-04-01")
    assert [each["section"] for each in told["data"]] == ["ident", "goals"]
    assert "goals.reason" in told["data"][1]["fields"]
    assert said["withdraw"] == {"address": RECEIPT.withdraw_at, "consent": "c-0001"}
    assert said["notice"] == {
        "id": "N-P2",
        "version": "2.1",
        "lang": "nl",
        "sha256": BASE_NOTICE.sha256,
    }
    assert said["state"] == {"code": "given", "term": "dpv:ConsentGiven"}
    assert (said["iss"], said["iat"], said["conforms_to"]) == (
        RECEIPT.issuer,
        int(NOON.timestamp()),
        CONFORMS_TO,
    )
    assert "eu-gdpr:A7-3" in said["rights"]


def test_a_receipt_tells_the_noes_and_that_they_have_no_consequence() -> None:
    said = claims(
        denials=[
            {"sections": ["health"], "recipient": "any"},
            {"sections": "all", "recipient": "relation:parent"},
        ],
        refused=[
            {"purpose": "P8", "recipient": "any"},
            {"purpose": "P3", "recipient": "partnership:lp-zuid-wvl@2026-11-02"},
        ],
    )

    assert [each["section"] for each in said["denials"][0]["data"]] == ["health"]
    assert len(said["denials"][1]["data"]) == 23
    assert said["refused"][0]["purpose"]["code"] == "P8"
    assert said["refused"][0]["recipient"] == {"id": "any"}
    assert said["refused"][1]["recipient"]["name"] == "Partnerschap"
    assert said["no_consequence"].startswith("Nee zeggen")


@pytest.mark.parametrize(
    ("lang", "told"), [("nl", "nl"), ("nl-easy", "nl"), ("en", "en"), ("fr", "fr"), ("ar", "nl")]
)
def test_a_receipt_speaks_the_language_of_the_notice_where_it_can(lang: str, told: str) -> None:
    said = claims(lang)

    assert said["lang"] == told
    assert said["notice"]["lang"] == lang


def test_a_receipt_is_plain_json_and_holds_no_name_of_a_person() -> None:
    said = claims(
        capacity=GUARDIAN,
        evidence={"method": "oral_witnessed", "witness": "Els Peeters", "place": "Gent-Zuid"},
        grants=[grant(recipient="org-site:vdab-wvl/ktr", precision={"ident.birth_date": "year"})],
    )

    written = json.dumps(said)
    assert json.loads(written) == said
    for personal in ("Peeters", "Gent-Zuid", str(ADULT_BORN.year)):
        assert personal not in written
    assert said["grants"][0]["recipient"] == {"id": "org-site:vdab-wvl/ktr"}


def test_a_receipt_of_a_purpose_that_is_no_longer_on_the_list_still_names_it() -> None:
    said = replace(terms(), refused=(Refusal("P77", "any"),))

    (refused,) = receipt_claims(RECEIPT, said)["refused"]

    assert refused["purpose"] == {"code": "P77"}
