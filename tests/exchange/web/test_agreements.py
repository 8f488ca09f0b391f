"""The public register: every agreement as a page, as data and as a PDF, for anybody."""

import base64
import hashlib
import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient

from consent.content import canonical
from exchange.flows.administer import apply_documents
from exchange.flows.change_agreement import AgreementAct, change_agreement
from exchange.samples import directory_documents
from policies.agreement_life import Act, Step
from policies.agreement_text import text_of
from policies.decision import Refused
from policies.vocabulary import AgreementId, OrganisationId
from tests.builders import Broker
from tests.cases.uniform import assert_uniform
from tests.exchange.recalling import anybody

DOCUMENTS = directory_documents()["agreement"]
LINKED = "application/ld+json"
DATA, FILE = {"Accept": "application/json"}, {"Accept": "application/pdf"}

SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


def applied(broker: Broker, **changes: Any) -> None:
    """An agreement as it was, but for what is changed."""
    id = changes.pop("id", "PR-2026-001")
    document = DOCUMENTS[id] | changes
    plain = json.loads(json.dumps({"agreement": {id: document}}))
    broker.services.writer.submit(apply_documents, plain).result()


def shown(somebody: TestClient, id: str) -> str:
    return somebody.get(f"/agreements/{id}").text


@SQLITE
def test_every_agreement_is_a_page_data_and_a_file_and_none_asks_for_a_token(
    broker: Broker,
) -> None:
    somebody = anybody(broker)

    listed = somebody.get("/agreements", headers=DATA).json()["agreements"]
    page = somebody.get("/agreements")

    assert {each["id"] for each in listed} == set(DOCUMENTS)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for each in listed:
        assert f'href="{each["address"]}"' in page.text
        data = somebody.get(each["address"], headers=DATA).json()
        assert text_of(data["document"]) == text_of(DOCUMENTS[each["id"]])
        signed = canonical(text_of(DOCUMENTS[each["id"]]))
        assert data["sha256"] == hashlib.sha256(signed).hexdigest()
        protocol = somebody.get(each["address"])
        assert data["sha256"] in protocol.text
        assert protocol.text.count("<h1>") == 1
        assert protocol.text.count("<caption>") == protocol.text.count("<table")
        file = somebody.get(data["pdf"]["address"])
        assert file.headers["content-type"] == "application/pdf"
        assert hashlib.sha256(file.content).hexdigest() == data["pdf"]["sha256"]
        assert data["pdf"]["sha256"] in protocol.text
        assert somebody.get(data["address"]).content == protocol.content
        assert somebody.get(data["address"], headers=FILE).content == file.content


@SQLITE
def test_the_version_in_use_is_a_policy_for_other_registers_too(broker: Broker) -> None:
    somebody, base = anybody(broker), broker.services.settings.public_base_url
    address, linked = "/agreements/PR-2026-010", {"Accept": "application/ld+json"}

    policy = somebody.get(address, headers=linked)
    process = somebody.get(address, params={"as": "dpv"})

    assert {policy.headers["content-type"], process.headers["content-type"]} == {LINKED}
    assert policy.headers["vary"] == "Accept"
    assert policy.json()["@id"] == process.json()["dpv:hasPolicy"] == base + address
    assert process.json()["@type"] == "dpv:LegalAgreement"
    stopped = [each.get("term:standing") for each in policy.json()["prohibition"]]
    assert "suspended" in stopped
    assert somebody.get(address, params={"as": "odrl"}).content == policy.content
    assert somebody.get(address, params={"as": "xml"}).status_code == 422
    assert_uniform(somebody.get("/agreements/PR-2026-999", headers=linked))


@SQLITE
def test_what_ended_or_was_suspended_is_kept_and_says_since_when_and_by_whom(
    broker: Broker,
) -> None:
    somebody = anybody(broker)

    assert "Beëindigd. De laatste dag was 1 november 2026." in shown(somebody, "PR-2026-008")
    assert (
        "Opgeschort sinds 12 oktober 2026 door CAW Oost-Vlaanderen: een beveiligingsincident."
        in shown(somebody, "PR-2026-010")
    )
    waiting = shown(somebody, "PR-2026-009")
    assert "Er ontbreken verplichte onderdelen." in waiting
    assert "advies van de functionaris (Centrum Basiseducatie Gent)" in waiting
    standings = {
        each["id"]: each["standing"]
        for each in somebody.get("/agreements", headers=DATA).json()["agreements"]
    }
    assert list(standings.values()) == ["in force"] * 7 + ["ended", "incomplete", "suspended"]


@SQLITE
def test_a_page_runs_nothing_loads_nothing_and_may_be_kept_for_a_minute(broker: Broker) -> None:
    somebody = anybody(broker)
    for path in ("/agreements", "/agreements/PR-2026-003"):
        page = somebody.get(path)
        policy = page.headers["content-security-policy"]
        style = page.text.partition("<style>")[2].partition("</style>")[0]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"default-src 'none'; style-src 'sha256-{digest}'" in policy
        assert "unsafe" not in policy
        assert "<script" not in page.text
        assert ' style="' not in page.text
        assert '<html lang="nl">' in page.text
        assert page.headers["cache-control"] == "public, max-age=60"
        assert page.headers["vary"] == "Accept"
        assert page.headers["x-content-type-options"] == "nosniff"

        again = somebody.get(path, headers={"If-None-Match": page.headers["etag"]})
        other = somebody.get(path, headers={"If-None-Match": page.headers["etag"]} | DATA)
        head = somebody.head(path)

        assert (again.status_code, again.content) == (304, b"")
        assert other.status_code == 200
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers == page.headers


@SQLITE
def test_who_asks_for_what_there_is_not_learns_nothing(broker: Broker) -> None:
    somebody = anybody(broker)
    for path in (
        "/agreements/PR-2026-999",
        "/agreements/PR-2026-001/versions/9.9",
        "/agreements/PR-2026-001/versions/9.9/pdf",
        "/agreements/%3Cb%3E",
    ):
        assert_uniform(somebody.get(path))


@SQLITE
def test_what_parties_wrote_is_shown_and_never_run(broker: Broker) -> None:
    somebody, hostile = anybody(broker), '"><script>alert(1)</script>#panic("x")$1'
    party = DOCUMENTS["PR-2026-001"]["parties"][0]
    parties = [party | {"contact_function": hostile}, DOCUMENTS["PR-2026-001"]["parties"][1]]

    applied(broker, title=hostile, retention=hostile, version="2.1", parties=parties)

    for path in ("/agreements", "/agreements/PR-2026-001", "/agreements/PR-2026-001/versions/2.1"):
        text = somebody.get(path).text
        assert "<script" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert somebody.get("/agreements/PR-2026-001", headers=FILE).content.startswith(b"%PDF-1.7")


@SQLITE
def test_the_file_is_the_same_whenever_it_is_made_and_can_be_read_aloud(broker: Broker) -> None:
    from exchange.web import protocol_pdf  # noqa: PLC0415 - its memory is emptied below

    somebody = anybody(broker)
    first = somebody.get("/agreements/PR-2026-003", headers=FILE).content
    protocol_pdf._set.cache_clear()  # noqa: SLF001 - as after a restart
    broker.clock.move(broker.clock.now.replace(day=9))

    second = somebody.get("/agreements/PR-2026-003", headers=FILE).content

    assert first == second
    for said in (b"/StructTreeRoot", b"/Marked true", b"/Lang(nl-BE)", b"pdfuaid:part", b"pdfaid:"):
        assert said.replace(b" ", b"") in first.replace(b" ", b""), said
    assert b"OCMW Kortrijk - VDAB West-Vlaanderen - Leerwinkel (joint cases)" in first


@SQLITE
def test_it_shows_functions_and_no_token_of_a_caller_changes_it(broker: Broker) -> None:
    assert (
        broker.as_("vdab-wvl").get("/agreements/PR-2026-001").content
        == anybody(broker).get("/agreements/PR-2026-001").content
    )


def test_each_version_keeps_its_address_and_says_what_became_of_it(broker: Broker) -> None:
    somebody = anybody(broker)
    before = somebody.get("/agreements/PR-2026-001", headers=DATA).json()

    applied(broker, version="2.1", valid_from="2026-11-01")

    now = somebody.get("/agreements/PR-2026-001", headers=DATA).json()
    old = somebody.get(before["address"], headers=DATA).json()
    assert [each["version"] for each in now["versions"]] == ["2.1", "2.0"]
    assert (now["version"], now["standing"]) == ("2.1", "in force")
    assert (old["version"], old["standing"]) == ("2.0", "superseded")
    assert old["stands"].startswith("Vervangen op 2 november 2026 door versie 2.1.")
    assert text_of(old["document"]) == text_of(DOCUMENTS["PR-2026-001"])
    assert old["sha256"] == before["sha256"]
    page = somebody.get(before["address"]).text
    assert "beëindigd: een nieuwe versie kwam in gebruik" in page
    assert 'href="/agreements/PR-2026-001/versions/2.1"' in page


@SQLITE
def test_a_suspension_that_was_lifted_stays_in_the_story(broker: Broker) -> None:
    suspended = Step(
        act=Act.SUSPENDED,
        on=date(2026, 11, 1),
        by=OrganisationId("vdab-wvl"),
        reason="under_review",
    )
    lifted = replace(suspended, act=Act.LIFTED, on=date(2026, 11, 2))
    for step in (suspended, lifted):
        order = AgreementAct(AgreementId("PR-2026-001"), None, step)
        done = broker.services.writer.submit(change_agreement, order).result().value
        assert not isinstance(done, Refused)
        text = shown(anybody(broker), "PR-2026-001")
        assert "opgeschort door VDAB West-Vlaanderen: een lopend onderzoek" in text
        assert ("Opgeschort sinds 1 november 2026" in text) is (step is suspended)

    assert "opschorting opgeheven door VDAB West-Vlaanderen" in text
    assert "Van kracht." in text


@SQLITE
def test_a_sign_that_no_font_of_the_file_has_leaves_page_and_data_as_they_are(
    broker: Broker,
) -> None:
    somebody, told = anybody(broker), "Bewaard zoals afgesproken 🎉"

    applied(broker, retention=told, version="2.1", valid_from="2026-11-01")

    page = somebody.get("/agreements/PR-2026-001")
    data = somebody.get("/agreements/PR-2026-001", headers=DATA)
    assert (page.status_code, data.status_code) == (200, 200)
    assert told in page.text
    assert "als PDF" not in page.text
    assert data.json()["pdf"] is None
    assert somebody.get("/agreements/PR-2026-001/versions/2.1/pdf").status_code == 404
