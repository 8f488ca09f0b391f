"""What would leave is shown before the client agrees, and nothing else leaves afterwards."""

import hashlib
import json
from typing import Any

import pytest

from consent.notices import read_notice
from exchange.flows.administer import apply_documents, apply_notices
from exchange.samples import DATA, directory_documents, samples
from tests.builders import Broker, logged, next_version

SAMPLE = samples()["cl-0002"]
PARTNER = "leerwinkel-wvl"


def previewed(broker: Broker, handle: str, consent: Any = SAMPLE.consent) -> Any:
    holder = broker.as_(SAMPLE.holder)
    answer = holder.post(f"/v1/clients/{handle}/consents/preview", json=consent)
    assert answer.status_code == 200, answer.text
    return answer.json()


def to(preview: Any, recipient: str) -> Any:
    return next(each for each in preview["previews"] if each["recipient"] == f"org:{recipient}")


def given(broker: Broker, handle: str, **more: Any) -> Any:
    body = dict(SAMPLE.consent) | more
    return broker.as_(SAMPLE.holder).post(f"/v1/clients/{handle}/consents", json=body)


def fetched(broker: Broker, handle: str, recipient: str = PARTNER, purpose: str = "P1") -> Any:
    """What a partner reads after a handover."""
    handover = broker.pushed(SAMPLE.holder, handle, recipient, purpose).json()["handover"]
    query = {
        "handover": handover,
        "purpose": purpose,
        "end_user": {"id": "4411", "function": "counsellor"},
        "case_reference": "case-1",
    }
    return broker.as_(recipient).post("/v1/summaries/query", json=query).json()


def agreements(broker: Broker, id: str, **flow: Any) -> None:
    """The agreement applied anew, with these members in each of its flows."""
    body = json.loads(json.dumps(directory_documents()["agreement"][id], default=str))
    body = next_version(body, flows=[each | flow for each in body["flows"]])
    broker.services.writer.submit(apply_documents, {"agreement": {id: body}}).result()


def test_what_is_previewed_is_what_a_fetch_gives_right_after_the_giving(broker: Broker) -> None:
    handle = broker.registered(SAMPLE)

    preview = previewed(broker, handle)
    assert given(broker, handle, preview=preview["hash"]).status_code == 201
    summary = fetched(broker, handle)

    shown = to(preview, PARTNER)
    assert shown["reason"] is None
    assert shown["protocol"] == summary["grounds"]["protocol"]
    assert shown["precision"] == summary["precision"]
    theirs, ours = summary["summary"], shown["sections"]
    assert theirs["ident"].pop("pseudonym")["value"] != ours["ident"].pop("pseudonym")["value"]
    assert theirs == ours
    assert {f"{s}.{f}" for s, fields in ours.items() for f in fields} <= shown["may"].keys()


def test_a_preview_names_each_recipient_and_why_a_field_stays_behind(broker: Broker) -> None:
    handle = broker.registered(SAMPLE)

    preview = previewed(broker, handle)

    pairs = [(each["recipient"], each["purpose"], each["grants"]) for each in preview["previews"]]
    assert pairs == [
        ("org:leerwinkel-wvl", "P1", ["g1"]),
        ("org:agii-wvl", "P5", ["g2"]),
        ("org:cvo-west", "P4", ["g3"]),
    ]
    whys = {each["why"] for one in preview["previews"] for each in one["withheld"]}
    assert whys <= {"denied", "not_for_this_purpose", "no_agreement", "not_in_the_agreement"}
    assert whys


def test_a_preview_keeps_nothing_and_is_logged_as_a_look_at_the_summary(broker: Broker) -> None:
    handle = broker.registered(SAMPLE)
    before = len(logged(broker.services))

    previewed(broker, handle)

    (entry,) = logged(broker.services)[before:]
    assert (entry["k"], entry["o"]) == ("summary.viewed", "ok")
    holder = broker.as_(SAMPLE.holder)
    assert holder.get(f"/v1/clients/{handle}/consents").json()["items"] == []


def test_nobody_but_the_holder_sees_a_preview_and_a_faulty_body_is_told_of(broker: Broker) -> None:
    handle = broker.registered(SAMPLE)
    address = f"/v1/clients/{handle}/consents/preview"

    stranger = broker.as_(PARTNER).post(address, json=SAMPLE.consent)
    faulty = broker.as_(SAMPLE.holder).post(address, json=dict(SAMPLE.consent) | {"grants": 1})

    assert stranger.status_code == 404
    assert faulty.status_code == 422
    assert [each["k"] for each in logged(broker.services)[-2:]] == ["client.refused"] * 2


def test_the_notice_is_shown_filled_in_and_its_hash_is_kept_with_the_consent(
    broker: Broker,
) -> None:
    handle = broker.registered(SAMPLE)

    preview = previewed(broker, handle)
    given(broker, handle)
    notice = preview["notice"]
    holder = broker.as_(SAMPLE.holder)
    (item,) = holder.get(f"/v1/clients/{handle}/consents").json()["items"]

    assert notice["lacking"] == []
    assert "Leerwinkel West-Vlaanderen" in notice["text"]
    assert "Vlaamse Toezichtcommissie" in notice["text"]
    assert notice["filled_sha256"] == hashlib.sha256(notice["text"].encode()).hexdigest()
    assert item["notice"]["filled_sha256"] == notice["filled_sha256"]
    assert item["hash"] == preview["hash"]


def test_a_consent_is_refused_when_it_is_no_longer_what_was_shown(broker: Broker) -> None:
    handle = broker.registered(SAMPLE)
    shown = previewed(broker, handle)["hash"]
    grants = [dict(each) for each in SAMPLE.consent["grants"]]
    grants[0]["ops"] = ["notify", "view"]

    other = given(broker, handle, preview=shown, grants=grants)
    agreements(broker, "PR-2026-002", precision_caps={"ident.birth_date": "age_band"})
    moved = given(broker, handle, preview=shown)
    again = given(broker, handle, preview=previewed(broker, handle)["hash"])

    for refused in (other, moved):
        assert refused.status_code == 422
        assert refused.json()["errors"] == [{"loc": "preview", "type": "not_what_was_shown"}]
    assert again.status_code == 201


def test_an_agreement_that_grows_later_gives_nothing_more_on_an_old_consent(
    broker: Broker,
) -> None:
    handle = broker.registered(SAMPLE)
    agreements(broker, "PR-2026-002", sections=["ident", "contact", "lang", "agree"])
    shown = to(previewed(broker, handle), PARTNER)
    given(broker, handle)
    before = fetched(broker, handle)
    agreements(broker, "PR-2026-002")

    after = fetched(broker, handle)
    given(broker, handle)
    anew = fetched(broker, handle)

    assert "educ" not in shown["sections"]
    assert set(after["released"]) == set(before["released"]) == set(shown["sections"])
    assert "educ" in anew["released"]


def test_a_consent_without_agreement_shows_that_nothing_would_leave(broker: Broker) -> None:
    handle = broker.registered(SAMPLE)
    agreements(broker, "PR-2026-002", purposes=["P6"])

    shown = to(previewed(broker, handle), PARTNER)

    assert (shown["reason"], shown["sections"], shown["may"]) == ("NO_ACTIVE_PROTOCOL", {}, {})
    assert "no_agreement" in {each["why"] for each in shown["withheld"]}


@pytest.mark.parametrize("substantive", [True, False], ids=["recipients", "comma"])
def test_a5_a_new_version_stops_an_old_consent_only_when_it_says_something_else(
    broker: Broker, *, substantive: bool
) -> None:
    handle = broker.registered(SAMPLE)
    given(broker, handle)
    text = (DATA / "notices" / "N-P1P5.nl.md").read_text("utf-8")
    later = text.replace("version: '2.0'", "version: '2.1'").replace(
        "previous: true", "previous: false"
    )
    if substantive:
        later = later.replace("training_provider]", "training_provider, exam_board]")
    else:
        later = later.replace("Geen bedragen.", "Geen bedragen!")

    broker.services.writer.submit(apply_notices, [read_notice(later.encode())]).result()

    handed = broker.pushed(SAMPLE.holder, handle, PARTNER, "P1")
    if substantive:
        assert handed.json()["errors"][0]["type"] == "CONSENT_STALE_NOTICE"
    else:
        assert handed.status_code == 201
