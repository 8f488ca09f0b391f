"""A13: a protocol that ended, one that is not complete, one that is suspended: nothing leaves."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from consent.notices import read_notice
from exchange.admin_socket import answers
from exchange.directory import documents
from exchange.flows.administer import apply_documents
from exchange.flows.keep_agreements import keep_agreements
from exchange.operations import OperationRefused
from exchange.samples import DATA, directory_documents, samples
from exchange.security.agreement_signatures import sign_text
from exchange.services import SHARD, Services
from tests.builders import Broker, Story, logged, put_agreement
from tests.cases.uniform import reasons

SAMPLE = samples()["cl-0004"]
HOLDER = SAMPLE.holder
AGREEMENTS = {"ocmw-gent": "PR-2026-008", "cbe-gent": "PR-2026-009", "caw-ov": "PR-2026-010"}


def asked(services: Services, verb: str, **said: Any) -> dict[str, Any]:
    """What an operator is answered, as JSON."""
    *_, last = answers(services, f"agreements {verb}", said)
    result: dict[str, Any] = json.loads(json.dumps(last["result"]))
    return result


def notice(purpose: str) -> dict[str, Any]:
    """What the client is shown for the purpose."""
    shown = read_notice((DATA / "notices" / f"N-{purpose}.nl.md").read_bytes())
    named = {"id": shown.id, "version": shown.version, "sha256": shown.sha256}
    return {**SAMPLE.consent["notice"], **named}


def in_force(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document as it once was, or may yet be: nobody agrees to what no agreement covers."""
    done = {
        "dpo_advice": {"date": "2026-09-01", "outcome": "positive"},
        "signed_on": "2026-09-02",
        "published": {"on": "2026-09-03", "url": "https://destap-ww.example/protocollen"},
    }
    parties = [each | done for each in document["parties"]]
    then = {"state": "active", "valid_from": "2026-09-10", "valid_until": "2029-08-31"}
    kept: dict[str, Any] = {k: v for k, v in document.items() if k != "suspended"}
    return kept | then | {"review_on": "2028-08-31", "parties": parties}


def agreed(broker: Broker, recipient: str, purpose: str) -> Story:
    """A client who agreed to this in full, and whom the recipient once accepted."""
    handle, writer = broker.registered(SAMPLE), broker.services.writer
    with broker.services.database.reading() as connection:
        documents_now = documents(connection, shard=SHARD, kind="agreement")
    document = documents_now[AGREEMENTS[recipient]]
    writer.submit(put_agreement, in_force(document)).result()
    kept = {"ops": ["view"], "from": "2026-10-01", "until": "2027-03-01"}
    grant = kept | {"purpose": purpose, "recipient": f"org:{recipient}", "sections": ["agree"]}
    body = {**SAMPLE.consent, "notice": notice(purpose), "grants": [grant]}
    body |= {"refused": [], "denials": []}
    given = broker.as_(HOLDER).post(f"/v1/clients/{handle}/consents", json=body)
    assert given.status_code == 201, given.text
    handover = broker.related(HOLDER, handle, recipient, purpose)
    writer.submit(put_agreement, document).result()
    return Story(broker, SAMPLE, handle, given.json()["consent"], handover, recipient, purpose)


def renew(story: Story) -> None:
    """The client says yes once more: a consent gives no more than could leave on its day."""
    body = {"notice": notice(story.purpose), "evidence": SAMPLE.consent["evidence"]}
    holder = story.broker.as_(HOLDER)
    assert holder.post(f"/v1/consents/{story.consent}/renewal", json=body).status_code == 200


def why(story: Story) -> str | None:
    """Why the recipient reads nothing now."""
    services = story.broker.services
    before = len(reasons(services, "summary.refused"))
    answer = story.fetch()
    found = reasons(services, "summary.refused")[before:]
    assert (answer.status_code == 200) == (not found)
    return found[0] if found else None


def acts(services: Services, name: str) -> list[str]:
    """What the log says was done to a version."""
    said = [each["e"] for each in logged(services) if each["k"] == "admin.changed"]
    return [each["act"] for each in said if each["id"] == name]


def test_one_that_ended_lets_nothing_leave_and_keeps_its_date(broker: Broker) -> None:
    story = agreed(broker, "ocmw-gent", "P3")

    shown = asked(broker.services, "show", agreement="PR-2026-008")

    assert why(story) == "NO_ACTIVE_PROTOCOL"
    assert (shown["state"], shown["standing"]) == ("ended", "ended")
    assert shown["valid_until"] == "2026-11-01"
    for verb in ("activate", "suspend", "lift"):
        with pytest.raises(OperationRefused, match="never comes back"):
            asked(broker.services, verb, agreement="PR-2026-008", reason="unlawful_use")


def test_one_that_lacks_an_advice_is_named_and_comes_into_force_step_by_step(
    broker: Broker,
) -> None:
    story, services = agreed(broker, "cbe-gent", "P4"), broker.services
    broker.application("cbe-gent")
    one = {"agreement": "PR-2026-009", "version": "0.9"}
    text = asked(services, "text", **one)["text"]
    signed = {org: sign_text(text, broker.signers[org]) for org in (HOLDER, "cbe-gent")}

    with pytest.raises(OperationRefused, match="signed"):
        asked(services, "activate", **one)
    with pytest.raises(OperationRefused, match=r"parties\.cbe-gent\.dpo_advice \(gdpr-dpo\)"):
        asked(services, "sign", **one, by=HOLDER, signature=signed[HOLDER])
    asked(services, "advise", **one, by="cbe-gent", outcome="positive")
    for org, other in ((HOLDER, "cbe-gent"), ("cbe-gent", HOLDER)):
        with pytest.raises(OperationRefused, match="has made this signature"):
            asked(services, "sign", **one, by=org, signature=signed[other])
        asked(services, "sign", **one, by=org, signature=signed[org])
    for org in signed:
        asked(services, "publish", **one, by=org, url=f"https://{org}.example/p")
    assert why(story) == "NO_ACTIVE_PROTOCOL"
    asked(services, "activate", **one)
    renew(story)

    assert why(story) is None
    steps = asked(services, "show", **one)["steps"]
    assert [each["signature"]["holds"] for each in steps if "signature" in each] == [True, True]
    log = acts(services, "PR-2026-009/0.9")
    assert log == ["applied", "advised", *["signed"] * 2, *["published"] * 2, "activated"]


def test_one_that_is_suspended_lets_nothing_leave_until_its_party_lifts_it(broker: Broker) -> None:
    story, services = agreed(broker, "caw-ov", "P3"), broker.services
    one = {"agreement": "PR-2026-010"}

    (held,) = asked(services, "show", **one)["suspended"]
    assert why(story) == "NO_ACTIVE_PROTOCOL"
    with pytest.raises(OperationRefused, match="who imposed one lifts it"):
        asked(services, "lift", **one)
    asked(services, "lift", **one, by="caw-ov")
    renew(story)

    assert held == {"on": "2026-10-12", "by": "caw-ov", "reason": "security_incident"}
    assert why(story) is None


def test_a_suspension_counts_from_its_commit_and_several_are_lifted_one_by_one(
    broker: Broker,
) -> None:
    story, services = broker.story("cl-0004", "vdab-gent", "P2"), broker.services
    one = {"agreement": "PR-2026-004"}
    assert why(story) is None

    asked(services, "suspend", **one, by="vdab-gent", reason="unlawful_use")
    assert why(story) == "NO_ACTIVE_PROTOCOL"
    asked(services, "suspend", **one, reason="under_review")
    with pytest.raises(OperationRefused, match="imposed"):
        asked(services, "lift", **one, by=HOLDER)
    asked(services, "lift", **one, by="vdab-gent")
    assert why(story) == "NO_ACTIVE_PROTOCOL"
    asked(services, "lift", **one)

    assert why(story) is None
    assert acts(services, "PR-2026-004/2.0")[1:] == ["suspended"] * 2 + ["lifted"] * 2


def test_an_accreditation_that_is_lost_suspends_by_itself_and_comes_back(broker: Broker) -> None:
    story, services = broker.story("cl-0004", "vdab-gent", "P2"), broker.services
    partner = directory_documents()["organisation"]["vdab-gent"]
    lost = partner["accreditation"] | {"status": "withdrawn"}

    def accredited(how: dict[str, Any]) -> None:
        body = {"organisation": {"vdab-gent": {**partner, "accreditation": how}}}
        services.writer.submit(apply_documents, body).result()

    def nightly() -> None:
        for _ in range(2):
            services.writer.submit(keep_agreements).result()

    accredited(lost)
    assert why(story) == "RECIPIENT_NOT_ACCREDITED"
    nightly()
    held = asked(services, "show", agreement="PR-2026-004")["suspended"]
    assert why(story) == "NO_ACTIVE_PROTOCOL"
    accredited(partner["accreditation"])
    nightly()

    (reason,) = [each["reason"] for each in held]
    assert reason == "accreditation_ended"
    assert asked(services, "show", agreement="PR-2026-004")["suspended"] == []
    assert why(story) is None
    assert acts(services, "PR-2026-004/2.0").count("suspended") == 1
