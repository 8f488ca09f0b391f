"""Every recipient is asked to erase what was withdrawn, and certifies what it did."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import insert

from exchange.flows.answer_recall import place
from exchange.flows.follow_withdrawals import tell_recipients
from exchange.recalls import recall_with_id
from exchange.receivers import Received
from exchange.samples import samples
from exchange.security.tokens import new_signing_key, signer_from_jwk
from exchange.transaction import Outcome, Transaction
from policies.vocabulary import ClientId
from tests.builders import Broker, Story
from tests.cases.statements import statements
from tests.cases.uniform import UNKNOWN_ID, assert_uniform
from tests.exchange.recalling import (
    certify,
    of_kind,
    read_once,
    recalls_of,
    sent,
    signed,
    swept,
)


def test_who_received_is_asked_to_erase_and_signs_that_it_did(broker: Broker) -> None:
    story = read_once(broker)

    story.withdraw()

    (asked,) = recalls_of(broker, "vdab-gent")
    assert (asked["state"], asked["told"][:10], asked["due"][:10]) == (
        "open",
        "2026-11-02",
        "2026-11-09",
    )
    text = signed(broker, "vdab-gent", asked["recall"], outcome="erased")
    done = sent(broker, "vdab-gent", asked["recall"], text)
    assert (done.status_code, done.json()["sha256"]) == (200, sha256(text.encode()).hexdigest())
    (shown,) = recalls_of(broker, "destap-ww", box="outbox")
    assert (shown["state"], shown["outcome"], shown["contradicted"]) == (
        "answered",
        "erased",
        False,
    )
    assert shown["subject"]["pairwise_id"] == story.handle
    (entry,) = of_kind(broker.services, "notice.acknowledged")
    assert entry["certificate_sha256"] == done.json()["sha256"]
    with broker.services.database.reading() as found:
        kept = recall_with_id(found, shard=0, recall=asked["recall"])
    assert kept is not None
    assert kept.certificate is not None
    assert text.encode() not in kept.certificate
    opened = broker.services.vault.open(kept.client, kept.certificate, place(kept.id))
    assert opened.decode() == text
    again = certify(broker, "vdab-gent", asked["recall"], outcome="kept")
    assert again.status_code == 422
    again = certify(broker, "vdab-gent", asked["recall"], outcome="erased")
    assert (again.status_code, again.json()["type"][-16:]) == (409, ":recall-answered")


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_what_is_kept_is_kept_by_a_law_that_is_listed_until_a_day_to_come(broker: Broker) -> None:
    story = read_once(broker)
    story.withdraw()
    (asked,) = recalls_of(broker, "vdab-gent")
    recall, law, day = asked["recall"], "vl-local-social", "2027-01-31"
    other = signer_from_jwk(new_signing_key())
    refused = [
        certify(broker, "vdab-gent", recall, **said)
        for said in (
            {"outcome": "kept"},
            {"outcome": "kept", "law": law},
            {"outcome": "kept", "law": "because", "until": day},
            {"outcome": "kept", "law": law, "until": "2026-11-02"},
            {"outcome": "kept", "law": law, "until": "2027-02-30"},
            {"outcome": "erased", "law": law, "until": day},
            {"outcome": "acknowledged"},
            {"outcome": "lost"},
            {"outcome": "erased", "signer": other},
        )
    ]
    theirs = signed(broker, "vdab-wvl", recall, outcome="erased")
    of_another = signed(broker, "vdab-gent", UNKNOWN_ID, outcome="erased")
    refused += [sent(broker, "vdab-gent", recall, text) for text in (theirs, of_another, "x" * 40)]
    assert [each.status_code for each in refused] == [422] * 12

    done = certify(broker, "vdab-gent", recall, outcome="kept", law=law, until=day)

    assert done.status_code == 200
    holder = broker.as_("destap-ww")
    (client_sees,) = holder.get(f"/v1/clients/{story.handle}/recalls").json()["items"]
    assert client_sees["recipient"] == "org:vdab-gent"
    assert [client_sees[each] for each in ("outcome", "law", "until")] == ["kept", law, day]
    assert of_kind(broker.services, "client.viewed")[-1]["via"] == "recalls"


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_that_it_was_never_opened_is_taken_and_marked_where_the_log_says_otherwise(
    broker: Broker,
) -> None:
    read_once(broker).withdraw()
    (asked,) = recalls_of(broker, "vdab-gent")

    done = certify(broker, "vdab-gent", asked["recall"], outcome="never_opened")

    assert (done.status_code, done.json()["contradicted"]) == (200, True)
    (entry,) = of_kind(broker.services, "notice.acknowledged")
    assert entry["said"] == "contradicted"


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_who_received_nothing_is_asked_nothing_and_a_recall_is_nobody_elses(
    broker: Broker,
) -> None:
    unread = broker.story("cl-0004", "vdab-gent", "P2")
    unread.withdraw()
    assert recalls_of(broker, "vdab-gent") == []
    read_once(broker).withdraw()
    (asked,) = recalls_of(broker, "vdab-gent")
    assert recalls_of(broker, "vdab-wvl") == []
    assert recalls_of(broker, "vdab-wvl", box="outbox") == []

    assert_uniform(
        *(
            certify(broker, "vdab-wvl", each, outcome="erased")
            for each in (asked["recall"], UNKNOWN_ID)
        ),
        certify(broker, "vdab-gent", UNKNOWN_ID, outcome="erased"),
    )
    assert recalls_of(broker, "vdab-gent")[0]["state"] == "open"


def test_the_answer_to_the_notice_still_counts_and_may_be_signed_later(broker: Broker) -> None:
    story = read_once(broker)
    story.withdraw()
    events = broker.as_("vdab-gent").get(f"/v1/handovers/{story.handover}").json()["events"]
    (notice,) = [each["event_id"] for each in events if each["type"] == "erasure_notice"]

    assert story.answer("acknowledgement", ack_of=notice).status_code == 200

    (asked,) = recalls_of(broker, "vdab-gent")
    assert (asked["state"], asked["outcome"]) == ("answered", "acknowledged")
    assert certify(broker, "vdab-gent", asked["recall"], outcome="erased").status_code == 200
    assert recalls_of(broker, "vdab-gent")[0]["outcome"] == "erased"


def test_who_does_not_answer_is_reminded_a_few_times_and_told_to_both_sides(
    broker: Broker,
) -> None:
    read_once(broker).withdraw()
    swept(broker.services)
    assert of_kind(broker.services, "notice.undelivered") == []
    broker.clock.move(timedelta(days=7))
    (late,) = recalls_of(broker, "vdab-gent", state="overdue")
    assert (late["state"], late["reminders"]) == ("overdue", 0)
    assert recalls_of(broker, "vdab-gent", state="open") == []

    for _ in range(6):
        swept(broker.services)
        swept(broker.services)
        broker.clock.move(timedelta(days=3))

    reminders = of_kind(broker.services, "notice.undelivered")
    assert [each["o"] for each in reminders] == ["error:overdue"] + ["error:escalated"] * 2
    for who, box in (("vdab-gent", "inbox"), ("destap-ww", "outbox")):
        (shown,) = recalls_of(broker, who, box=box, state="escalated")
        assert (shown["state"], shown["reminders"]) == ("escalated", 3)
    assert certify(broker, "vdab-gent", late["recall"], outcome="erased").status_code == 200
    assert recalls_of(broker, "destap-ww", box="outbox", state="escalated") == []


def test_a_part_that_is_withdrawn_is_asked_back_from_those_who_received_under_it(
    broker: Broker,
) -> None:
    sample = samples()["cl-0004"]
    (grant,) = sample.consent["grants"]
    unused = {**grant, "id": "g2", "purpose": "P6", "sections": ["agree"]}
    sample = replace(sample, consent={**sample.consent, "grants": [grant, unused]})
    handle = broker.registered(sample)
    consent = broker.given(sample, handle)
    handover = broker.pushed(sample.holder, handle, "vdab-gent", "P2").json()["handover"]
    story = Story(broker, sample, handle, consent, handover, "vdab-gent", "P2")
    assert story.fetch().status_code == 200

    assert story.withdraw(grants=["g2"]).json()["state"] == "narrowed"
    assert recalls_of(broker, "vdab-gent") == []
    assert story.withdraw(grants=["g1"]).json()["state"] == "withdrawn"

    (asked,) = recalls_of(broker, "vdab-gent")
    assert (asked["consent"], asked["purpose"]) == (consent, "P2")


def test_a_fetch_after_the_first_keeps_nothing_more(broker: Broker, tmp_path: Path) -> None:
    story = read_once(broker)
    with statements(broker.services, tmp_path / "second") as second:
        assert story.fetch().status_code == 200
    with statements(broker.services, tmp_path / "third") as third:
        assert story.fetch().status_code == 200

    assert second == third
    assert not [each for each in second if "INSERT INTO received" in each]
    with broker.services.database.reading() as found:
        rows = found.exec_driver_sql("SELECT recipient, grant_id, purpose FROM received").all()
    assert [tuple(row) for row in rows] == [("vdab-gent", "g1", "P2")]


def received_by(tx: Transaction, client: str, consent: str, many: int) -> Outcome[None]:
    rows = [
        {
            "shard": tx.shard,
            "client": client,
            "recipient": f"partner-{number:04d}",
            "consent": consent,
            "grant_id": "g1",
            "purpose": "P2",
            "first_at": tx.now,
        }
        for number in range(many)
    ]
    tx.connection.execute(insert(Received), rows)
    return Outcome(None)


def asked_in(seen: list[str]) -> int:
    """How many statements ran; on PostgreSQL also those that prepare one are among what is seen."""
    sent = {"Execute", "Query"}
    return sum(each in sent for each in seen) or len(seen)


def test_a_thousand_recipients_are_told_and_the_withdrawal_is_none_the_slower(
    broker: Broker, tmp_path: Path
) -> None:
    few = broker.story("cl-0004", "vdab-gent", "P2")
    submit = broker.services.writer.submit
    with broker.services.database.reading() as found:
        (client,) = found.exec_driver_sql("SELECT client FROM handover").scalars()
    submit(received_by, ClientId(client), few.consent, 1).result()
    with statements(broker.services, tmp_path / "few") as one:
        assert few.withdraw().status_code == 200
    again = replace(few, consent=broker.given(few.sample, few.handle))
    broker.pushed(few.sample.holder, few.handle, "vdab-gent", "P2")
    submit(received_by, ClientId(client), again.consent, 1000).result()

    with statements(broker.services, tmp_path / "many") as thousand:
        assert again.withdraw().status_code == 200

    assert asked_in(thousand) <= asked_in(one)
    assert len(recalls_of(broker, "destap-ww", box="outbox", limit="200")) == 1
    rounds = 0
    while submit(tell_recipients).result().value:
        rounds += 1
        assert rounds < 100
    with broker.services.database.reading() as found:
        told = found.exec_driver_sql("SELECT count(DISTINCT recipient) FROM recall").scalar()
    assert (told, rounds) == (1000, 10)
    page = broker.as_("destap-ww").get("/v1/recalls", params={"box": "outbox", "limit": 200}).json()
    more = broker.as_("destap-ww").get(
        "/v1/recalls", params={"box": "outbox", "limit": 200, "cursor": page["next"]}
    )
    seen = {each["recall"] for each in page["items"]} & {
        each["recall"] for each in more.json()["items"]
    }
    assert (len(page["items"]), seen) == (200, set())
    stranger = broker.as_("vdab-gent").get("/v1/recalls", params={"cursor": page["next"]})
    assert stranger.status_code == 404


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_masked_sender_stays_masked_in_what_its_recipient_is_asked(broker: Broker) -> None:
    story = read_once(broker)
    services = broker.services
    services.writer.submit(_mask).result()

    story.withdraw()

    (asked,) = recalls_of(broker, "vdab-gent")
    assert asked["from"]["masked"] is True
    assert "destap" not in str(asked)
    assert "consent" not in asked
    assert recalls_of(broker, "destap-ww", box="outbox")[0]["from"] == {"org": "destap-ww"}


def _mask(tx: Transaction) -> Outcome[None]:
    tx.connection.exec_driver_sql("UPDATE handover SET masked = 1")
    return Outcome(None)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_what_was_told_by_phone_under_a_consent_is_asked_back_too(broker: Broker) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    said = {
        "recipient": "org:vdab-gent",
        "purpose": "P2",
        "sections": ["contact"],
        "via": "phone",
        "basis": "consent",
        "at": "2026-01-15T09:00:00Z",
    }
    holder = broker.as_("destap-ww")
    for _ in range(2):
        done = holder.post(f"/v1/clients/{story.handle}/disclosures", json=said)
        assert done.is_success

    story.withdraw()

    (asked,) = recalls_of(broker, "vdab-gent")
    assert (asked["consent"], asked["purpose"]) == (story.consent, "P2")
