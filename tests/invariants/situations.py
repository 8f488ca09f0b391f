"""Every way in which one partner's question about one client can be refused, by name.

Each makes the situation over the same doors as everybody and gives the question to ask, with
the reason that the log must hold. What is told must be the same for all of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from consent import register
from consent.notices import read_notice
from exchange.flows.administer import apply_documents, apply_notices
from exchange.samples import DATA, Sample, directory_documents, samples
from exchange.transaction import Outcome, Transaction
from policies.vocabulary import ConsentId
from tests.builders import Broker

HOLDER, PARTNER, PURPOSE = "ocmw-kortrijk", "vdab-wvl", "P2"
UNKNOWN_HANDLE = "a" * 26
UNKNOWN_HANDOVER = "00000000-0000-4000-8000-000000000000"
Question = Mapping[str, str]
Situation = Callable[[Broker], Question]


@dataclass(frozen=True)
class Client:
    """One client of the holder, with a handover to the partner that was accepted."""

    broker: Broker
    sample: Sample
    handle: str
    handover: str
    consent: str

    @property
    def question(self) -> Question:
        return {"handover": self.handover}

    def holder(self, method: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self.broker.as_(self.sample.holder).request(method, path, json=dict(body))
        assert answer.is_success, answer.text
        told: Mapping[str, Any] = answer.json()
        return told


def grant(**more: Any) -> dict[str, Any]:
    return {
        "purpose": PURPOSE,
        "recipient": f"org:{PARTNER}",
        "sections": ["ident", "goals", "agree"],
        "ops": ["view"],
        "until": "2027-06-30",
    } | more


def shared(broker: Broker, *grants: dict[str, Any], **more: Any) -> Client:
    """A client who shares by these grants; without any, by one that lets the partner read."""
    model = samples()["cl-0005"]
    said = {"grants": list(grants or [grant()]), "denials": []}
    consent = {**model.consent, **said, **more.pop("consent", {})}
    sample = replace(model, holder=HOLDER, consent=consent, **more)
    handle = broker.registered(sample)
    consent_id = broker.given(sample, handle)
    handover = broker.related(HOLDER, handle, PARTNER, PURPOSE)
    return Client(broker, sample, handle, handover, consent_id)


def nobody(broker: Broker) -> Question:
    return {"client": UNKNOWN_HANDLE}


def no_such_handover(broker: Broker) -> Question:
    return {"handover": UNKNOWN_HANDOVER}


def a_handle_of_somebody_else(broker: Broker) -> Question:
    return {"client": shared(broker).handle}


def a_handover_to_somebody_else(broker: Broker) -> Question:
    client = shared(broker)
    return {"handover": broker.related(HOLDER, client.handle, "leerwinkel-wvl", "P1")}


def refused(broker: Broker) -> Question:
    no = [{"purpose": PURPOSE, "recipient": f"org:{PARTNER}"}]
    return shared(
        broker, grant(purpose="P3", recipient="org:ocmw-gent"), consent={"refused": no}
    ).question


def withdrawn(broker: Broker) -> Question:
    client = shared(broker)
    # Something else still ties the two together: so it is the consent that is missing.
    lasting = [grant(purpose="P6")]
    broker.given(
        replace(client.sample, consent={**client.sample.consent, "grants": lasting}), client.handle
    )
    handover = broker.related(HOLDER, client.handle, PARTNER, "P6")
    client.holder("POST", f"/v1/consents/{client.consent}/withdrawal", {"via": "portal"})
    return {"handover": handover}


def withdrawn_with_its_handover(broker: Broker) -> Question:
    client = shared(broker)
    client.holder("POST", f"/v1/consents/{client.consent}/withdrawal", {"via": "portal"})
    return client.question


def never_asked(broker: Broker) -> Question:
    return shared(broker, grant(purpose="P6")).question


def expired(broker: Broker) -> Question:
    client = shared(broker)
    broker.clock.move(datetime(2027, 7, 1, tzinfo=UTC))
    return client.question


def too_old(broker: Broker) -> Question:
    # Longer than any agreement of the sample data: this one goes on.
    client = shared(broker, grant(until="2029-12-31"))
    for agreement in ("PR-2026-001", "PR-2026-003"):
        later = {"version": "2.1", "valid_until": "2032-12-31"}
        _apply(broker, "agreement", agreement, **later)
    for organisation in (HOLDER, PARTNER):
        _prolong(broker, organisation)
    broker.clock.move(timedelta(days=731))
    return client.question


def denied(broker: Broker) -> Question:
    no = [{"sections": "all", "recipient": f"org:{PARTNER}"}]
    return shared(broker, consent={"denials": no}).question


def suspended(broker: Broker) -> Question:
    client = shared(broker)
    broker.services.writer.submit(_suspend, ConsentId(client.consent)).result()
    return client.question


def on_a_stale_notice(broker: Broker) -> Question:
    client = shared(broker)
    shown = client.sample.consent["notice"]
    text = (DATA / "notices" / f"{shown['id']}.{shown['lang']}.md").read_text("utf-8")
    newer = text.replace(f"version: '{shown['version']}'", "version: '9.0'").replace(
        f'version: "{shown["version"]}"', 'version: "9.0"'
    )
    newer = newer.replace("substantive_change: false", "substantive_change: true")
    applied = broker.services.writer.submit(apply_notices, [read_notice(newer.encode())])
    assert getattr(applied.result().value, "changed", 0) == 1
    return client.question


def used_up(broker: Broker) -> Question:
    client = shared(broker, grant(max_uses=1))
    asked = {"purpose": PURPOSE, "end_user": {"id": "u-1", "function": "f"}, "case_reference": "z"}
    once = broker.as_(PARTNER).post("/v1/summaries/query", json=asked | dict(client.question))
    assert once.status_code == 200
    return client.question


def restricted(broker: Broker) -> Question:
    client = shared(broker)
    client.holder("PUT", f"/v1/clients/{client.handle}/flags", {"flags": ["restricted"]})
    return client.question


def deceased(broker: Broker) -> Question:
    client = shared(broker)
    client.holder("PUT", f"/v1/clients/{client.handle}/flags", {"flags": ["deceased"]})
    return client.question


def without_care_relation(broker: Broker) -> Question:
    client = shared(broker)
    broker.as_(PARTNER).post(f"/v1/handovers/{client.handover}/closure", json={})
    return client.question


def without_agreement_with_this_holder(broker: Broker) -> Question:
    client = shared(broker)
    _apply(broker, "agreement", "PR-2026-003", state="suspended")
    return client.question


def come_of_age(broker: Broker) -> Question:
    young = {"type": "capable_minor", "assessed_by": "team", "on": "2026-10-05"}
    model = samples()["cl-0001"]
    client = shared(
        broker, consent={"capacity": young}, identity=model.identity, sections=model.sections
    )
    broker.clock.move(datetime(2027, 5, 14, 7, tzinfo=UTC))
    return client.question


def on_quarantined_text(broker: Broker) -> Question:
    document = directory_documents()["organisation"]["mentor-x"]
    _apply(broker, "organisation", "mentor-x", name="Karel Verschaeve")
    text = {"what": "call_back", "text": "Karel Verschaeve opbellen", "who": "client"}
    sections = samples()["cl-0005"].sections
    client = shared(broker, sections={**sections, "agree": {"actions": [text]}})
    _apply(broker, "organisation", "mentor-x", name=document["name"])
    return client.question


SITUATIONS: Mapping[str, tuple[Situation, str]] = {
    "unknown handle": (nobody, "UNKNOWN_CLIENT"),
    "unknown handover": (no_such_handover, "UNKNOWN_CLIENT"),
    "foreign handle": (a_handle_of_somebody_else, "UNKNOWN_CLIENT"),
    "foreign handover": (a_handover_to_somebody_else, "UNKNOWN_CLIENT"),
    "refused": (refused, "CONSENT_REFUSED"),
    "withdrawn": (withdrawn, "CONSENT_WITHDRAWN"),
    "withdrawn, handover ended": (withdrawn_with_its_handover, "NO_CARE_RELATION"),
    "never asked": (never_asked, "NO_CONSENT"),
    "expired": (expired, "CONSENT_EXPIRED"),
    "too old": (too_old, "HARD_RULE_H9"),
    "denied": (denied, "EXPLICIT_DENIAL"),
    "suspended": (suspended, "CONSENT_SUSPENDED"),
    "stale notice": (on_a_stale_notice, "CONSENT_STALE_NOTICE"),
    "used up": (used_up, "USES_EXHAUSTED"),
    "restricted": (restricted, "SUBJECT_RESTRICTED"),
    "deceased": (deceased, "SUBJECT_RESTRICTED"),
    "no care relation": (without_care_relation, "NO_CARE_RELATION"),
    "no agreement with this holder": (without_agreement_with_this_holder, "NO_ACTIVE_PROTOCOL"),
    "turned 18": (come_of_age, "CAPACITY_CHANGED_AGE18"),
    "quarantined": (on_quarantined_text, "QUARANTINED"),
}


def _suspend(tx: Transaction, consent: ConsentId) -> Outcome[None]:
    register.suspend(tx.connection, shard=tx.shard, consent=consent, at=tx.at, sealing=tx.vault)
    return Outcome(None)


def _apply(broker: Broker, kind: str, id: str, **changed: Any) -> None:
    document = dict(directory_documents()[kind][id]) | changed
    done = broker.services.writer.submit(apply_documents, {kind: {id: document}}).result()
    assert getattr(done.value, "changed", 0) == 1


def _prolong(broker: Broker, organisation: str) -> None:
    standing = {"status": "accredited", "since": "2025-01-01", "until": "2032-12-31"}
    _apply(broker, "organisation", organisation, accreditation=standing)


def unaccredited(broker: Broker) -> None:
    """From now on the partner is not accredited."""
    standing = {"status": "withdrawn", "since": "2025-01-01", "until": "2028-12-31"}
    _apply(broker, "organisation", PARTNER, accreditation=standing)


def without_any_agreement(broker: Broker) -> None:
    """From now on the partner has no agreement with anybody for the purpose."""
    for agreement in ("PR-2026-001", "PR-2026-003"):
        _apply(broker, "agreement", agreement, state="suspended")


def without_authorisation(broker: Broker) -> None:
    """From now on the partner may not process the national number."""
    none = {"granted": False, "basis": None, "until": None}
    _apply(broker, "organisation", PARTNER, insz_authorisation=none)
