"""What proves a consent: the client's code, and the page that was signed."""

import hashlib
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlmodel import col

from consent.codes import MOST_TRIES
from consent.proof_records import ConsentConfirmation, ConsentEvidence
from consent.records import Consent
from consent.scans import MOST_BYTES
from exchange.flows.erase_client import Erasure, erase_client
from exchange.flows.lapse_consents import lapse_consents
from exchange.samples import samples
from exchange.transaction import Outcome, Transaction
from policies.vocabulary import Handle, OrganisationId
from tests.builders import Broker, Story, logged

PAGE = b"%PDF-1.7 " + b"signed by Sofie" * 100
NAMED = hashlib.sha256(PAGE).hexdigest()
SAMPLE = samples()["cl-0004"]
HOLDER = SAMPLE.holder
BY_WORD = {"method": "oral_witnessed", "witness": "destap-ww/team"}
ON_PAPER = {"method": "paper_scan", "sha256": NAMED}
WRONG = "0000-0000"
LARGE = b"\xff\xd8\xff" + bytes(MOST_BYTES - 3)


def given(broker: Broker, evidence: dict[str, Any], handle: str = "") -> dict[str, Any]:
    """The sample client's consent in another way; the answer, with the client's handle."""
    handle = handle or broker.registered(SAMPLE)
    body = {**SAMPLE.consent, "evidence": evidence}
    answer = broker.as_(HOLDER).post(f"/v1/clients/{handle}/consents", json=body)
    assert answer.status_code == 201, answer.text
    return {**answer.json(), "handle": handle}


def confirmed(broker: Broker, consent: str, code: str, by: str = HOLDER) -> tuple[int, Any]:
    """Status and what is wrong, or how the consent stands."""
    answer = broker.as_(by).post(f"/v1/consents/{consent}/confirmation", json={"code": code})
    said = answer.json()
    return answer.status_code, said.get("state") or [each["type"] for each in said["errors"]]


def listed(broker: Broker, said: dict[str, Any]) -> dict[str, Any]:
    answer = broker.as_(HOLDER).get(f"/v1/clients/{said['handle']}/consents").json()
    (item,) = [each for each in answer["items"] if each["consent"] == said["consent"]]
    found: dict[str, Any] = item
    return found


def told_partner(broker: Broker, said: dict[str, Any]) -> Story:
    """The client handed over on the strength of that consent."""
    pushed = broker.pushed(HOLDER, said["handle"], "vdab-gent", "P2")
    assert pushed.status_code == 201, pushed.text
    names = (said["handle"], said["consent"], pushed.json()["handover"])
    return Story(broker, SAMPLE, *names, "vdab-gent", "P2")


def test_what_was_said_aloud_counts_at_once_and_ends_when_nobody_confirms_it(
    broker: Broker,
) -> None:
    said = given(broker, BY_WORD)
    story = told_partner(broker, said)

    assert (said["provisional"], said["confirm_by"]) == (True, "2026-11-16T23:00:00Z")
    assert listed(broker, said)["provisional"] is True
    assert story.fetch().status_code == 200

    broker.clock.move(timedelta(days=14, hours=9))
    assert story.fetch().status_code == 404
    assert listed(broker, said)["state"] == "expired"
    assert "consent.expired" not in kinds(broker)

    swept = [broker.services.writer.submit(lapse_consents).result().value for _ in range(2)]
    assert swept == [1, 0]
    assert kinds(broker).count("consent.expired") == 1
    assert confirmed(broker, said["consent"], said["code"]) == (422, ["not_awaited"])


def test_a_confirmed_consent_stands_until_its_own_end(broker: Broker) -> None:
    said = given(broker, BY_WORD)
    story = told_partner(broker, said)
    typed = said["code"].lower().replace("0", "o").replace("1", "l")

    assert confirmed(broker, said["consent"], typed) == (200, "given")
    broker.clock.move(timedelta(days=20))
    assert broker.services.writer.submit(lapse_consents).result().value == 0

    assert "provisional" not in listed(broker, said)
    assert listed(broker, said)["state"] == "given"
    assert broker.pushed(HOLDER, said["handle"], "vdab-gent", "P2").status_code == 201
    assert story.withdraw().status_code == 200
    assert confirmed(broker, said["consent"], said["code"]) == (422, ["not_awaited"])


def test_counsellor_and_client_both_stand_in_the_log_and_the_code_stands_nowhere(
    broker: Broker,
) -> None:
    said = given(broker, BY_WORD)
    bare = said["code"].replace("-", "")
    (row,) = rows(broker, ConsentConfirmation)

    assert confirmed(broker, said["consent"], said["code"])[0] == 200

    held = logged(broker.services)
    ways = [each["via"] for each in held if each["k"] == "consent.given"]
    assert ways == ["oral_witnessed", "confirmation"]
    assert said["code"] not in str(held)
    assert bare not in str(held)
    assert len(row.digest) == 32
    assert bare.encode() not in bytes(row.digest)
    assert rows(broker, ConsentConfirmation) == []


def test_a_code_is_worn_out_after_five_wrong_answers_and_then_the_right_one_is_too(
    broker: Broker,
) -> None:
    said = given(broker, BY_WORD)
    consent, code = said["consent"], said["code"]
    other = given(broker, BY_WORD, said["handle"])
    no_code = [confirmed(broker, consent, "7K4M-2QX") for _ in range(MOST_TRIES)]

    wrong = [confirmed(broker, consent, other["code"]) for _ in range(MOST_TRIES)]

    assert no_code == wrong == [(422, ["wrong"])] * MOST_TRIES
    assert confirmed(broker, consent, code) == (422, ["worn_out"])
    assert kinds(broker).count("consent.refused") == 2 * MOST_TRIES + 1
    assert confirmed(broker, other["consent"], other["code"]) == (200, "given")


def test_what_can_not_be_a_code_wears_nothing_out_and_a_late_one_confirms_nothing(
    broker: Broker,
) -> None:
    said = given(broker, BY_WORD)
    other = given(broker, BY_WORD, said["handle"])

    for _ in range(MOST_TRIES):
        assert confirmed(broker, said["consent"], "7K4M-2QX") == (422, ["wrong"])
    assert confirmed(broker, said["consent"], said["code"]) == (200, "given")

    broker.clock.move(timedelta(days=15))
    assert confirmed(broker, other["consent"], other["code"]) == (422, ["too_late"])


def test_nobody_else_confirms_or_sees_a_consent(broker: Broker) -> None:
    said = given(broker, {**BY_WORD, "sha256": NAMED})
    stranger = broker.as_("leerwinkel-wvl")

    for consent in (said["consent"], "c-0000"):
        put = stranger.put(f"/v1/consents/{consent}/evidence", content=PAGE)
        code = stranger.post(f"/v1/consents/{consent}/confirmation", json={"code": WRONG})
        seen = stranger.get(f"/v1/consents/{consent}/evidence")
        assert {put.status_code, code.status_code, seen.status_code} == {404}


def test_a_signed_page_is_kept_sealed_and_read_again_by_its_controller_alone(
    broker: Broker,
) -> None:
    said = given(broker, ON_PAPER)
    address, holder = f"/v1/consents/{said['consent']}/evidence", broker.as_(HOLDER)

    assert holder.get(address).status_code == 404
    assert [holder.put(address, content=PAGE).status_code for _ in range(2)] == [204, 204]

    (row,) = rows(broker, ConsentEvidence)
    assert b"Sofie" not in bytes(row.sealed)
    scan = {"method": "paper_scan", "sha256": hashlib.sha256(LARGE).hexdigest()}
    largest = given(broker, scan, said["handle"])["consent"]
    assert holder.put(f"/v1/consents/{largest}/evidence", content=LARGE).status_code == 204

    before = kinds(broker).count("client.viewed")
    again = holder.get(address)
    assert (again.status_code, again.content) == (200, PAGE)
    assert again.headers["content-type"] == "application/pdf"
    assert again.headers["content-disposition"] == "attachment"
    assert kinds(broker).count("client.viewed") == before + 1


def test_a_page_that_is_not_the_one_is_not_kept(broker: Broker) -> None:
    said = given(broker, ON_PAPER)
    holder, address = broker.as_(HOLDER), f"/v1/consents/{said['consent']}/evidence"

    for page, status, code in (
        (PAGE + b".", 422, ["not_the_evidence"]),
        (b"<html>" + PAGE, 422, ["pdf_png_or_jpeg_needed"]),
        (b"", 422, ["pdf_png_or_jpeg_needed"]),
        (b"%PDF-" + bytes(MOST_BYTES), 413, []),
    ):
        answer = holder.put(address, content=page)
        assert answer.status_code == status
        assert [each["type"] for each in answer.json().get("errors", [])] == code

    assert rows(broker, ConsentEvidence) == []


def test_what_proves_the_consents_of_an_erased_client_is_erased_with_them(broker: Broker) -> None:
    word = given(broker, BY_WORD)
    paper = given(broker, ON_PAPER, word["handle"])
    broker.as_(HOLDER).put(f"/v1/consents/{paper['consent']}/evidence", content=PAGE)
    order = Erasure(OrganisationId(HOLDER), Handle(word["handle"]), "gdpr-17-1-a", "req-1")
    assert len(rows(broker, ConsentEvidence)) == len(rows(broker, ConsentConfirmation)) == 1

    broker.services.writer.submit(erase_client, order).result()

    assert rows(broker, ConsentEvidence) == rows(broker, ConsentConfirmation) == []


def test_who_is_known_to_be_detained_is_asked_alone_wherever_they_agree(broker: Broker) -> None:
    sample = samples()["cl-0003"]
    handle = broker.registered(sample)
    evidence = {**sample.consent["evidence"], "freedom_check": {"asked_alone": True}}
    holder = broker.as_(sample.holder)

    refused = holder.post(
        f"/v1/clients/{handle}/consents", json={**sample.consent, "evidence": evidence}
    )
    taken = holder.post(f"/v1/clients/{handle}/consents", json=sample.consent)

    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"loc": "evidence.freedom_check", "type": "required"}]
    assert taken.status_code == 201


def kinds(broker: Broker) -> list[str]:
    return [each["k"] for each in logged(broker.services)]


def rows(broker: Broker, table: Any) -> list[Any]:
    with broker.services.database.reading() as connection:
        return list(connection.execute(select(table.__table__)))


def test_what_nobody_confirmed_is_asked_back_and_its_handover_is_over(broker: Broker) -> None:
    said = given(broker, BY_WORD)
    story = told_partner(broker, said)
    assert story.fetch().status_code == 200
    broker.clock.move(timedelta(days=15))

    broker.services.writer.submit(lapse_consents).result()

    (handover,) = broker.as_("vdab-gent").get("/v1/handovers").json()["items"]
    assert handover["state"] == "revoked"
    (recall,) = broker.as_("vdab-gent").get("/v1/recalls").json()["items"]
    assert (recall["state"], recall["consent"]) == ("open", said["consent"])
    assert "handover.revoked" in [each["k"] for each in logged(broker.services)]


def test_what_can_not_be_opened_keeps_no_other_consent_from_lapsing(broker: Broker) -> None:
    broken, whole = given(broker, BY_WORD), given(broker, BY_WORD)
    torn = update(Consent).where(col(Consent.id) == broken["consent"]).values(sealed=b"torn")
    broker.services.writer.submit(_run, torn).result()
    broker.clock.move(timedelta(days=15))

    swept = [broker.services.writer.submit(lapse_consents, 1).result().value for _ in range(3)]

    assert swept.count(1) == 1
    expired = [each for each in logged(broker.services) if each["k"] == "consent.expired"]
    assert [each["consent"] for each in expired] == [whole["consent"]]
    broker.clock.move(timedelta(days=2))
    assert broker.services.writer.submit(lapse_consents).result().value == 0


def test_what_was_held_and_lapses_is_held_no_longer(broker: Broker) -> None:
    said = given(broker, BY_WORD)
    path = f"/v1/consents/{said['consent']}/suspension"
    assert broker.as_(HOLDER).post(path, json={"reason": "under_review"}).status_code == 200
    broker.clock.move(timedelta(days=15))

    assert broker.services.writer.submit(lapse_consents).result().value == 1

    stands = listed(broker, said)
    assert (stands["state"], stands["suspended"]) == ("expired", False)


def _run(tx: Transaction, statement: Any) -> Outcome[None]:
    tx.connection.execute(statement)
    return Outcome(None)
