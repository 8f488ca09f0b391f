"""A holder may rest a release on another basis than consent; the client's no is stronger."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import Response

from exchange.flows.administer import apply_documents
from exchange.flows.erase_client import Erasure, erase_client
from exchange.flows.record_basis import MOST
from exchange.flows.suspend_bases import suspend_bases
from exchange.samples import directory_documents, samples
from policies.bases import Condition, gives
from policies.vocabulary import Handle, OrganisationId
from tests.builders import Broker, logged, next_version, query
from tests.cases.uniform import UNKNOWN_ID, assert_uniform, reasons

HOLDER, PARTNER, PURPOSE = "vdab-wvl", "leerwinkel-wvl", "P1"
SAMPLE = replace(samples()["cl-0001"], holder=OrganisationId(HOLDER))
ARTICLE = {
    "kind": "agreement_article",
    "recipient": f"org:{PARTNER}",
    "purpose": PURPOSE,
    "agreement": "PR-2026-001",
    "reference": "art-4",
}
MANDATE = {"kind": "mandate", "reference": "a" * 64, "until": "2027-01-31"}
FIVE = sorted(Condition)


@dataclass
class File:
    """A client of the employment service who agreed to nothing, and what is done with them."""

    broker: Broker
    handle: str
    handover: str = ""

    def post(self, path: str, **body: Any) -> Response:
        address = f"/v1/clients/{self.handle}/bases{path}"
        return self.broker.as_(HOLDER).post(address, json=body or None)

    def recorded(self, **changes: Any) -> Response:
        return self.post("", **{k: v for k, v in (ARTICLE | changes).items() if v is not None})

    def standing(self, **changes: Any) -> str:
        """A basis, and a handover that rests on it; the id of the basis."""
        answer = self.recorded(**changes)
        assert answer.status_code == 201, answer.text
        pushed = self.broker.pushed(HOLDER, self.handle, PARTNER, PURPOSE)
        assert pushed.is_success, pushed.text
        self.handover = pushed.json()["handover"]
        return str(answer.json()["basis"])

    def fetch(self, **more: Any) -> Response:
        asked = query(handover=self.handover, purpose=PURPOSE) | more
        return self.broker.as_(PARTNER).post("/v1/summaries/query", json=asked)

    def uniform(self) -> None:
        """The partner is answered as if there were nobody."""
        assert_uniform(self.fetch(), self.fetch(handover=UNKNOWN_ID))


@pytest.fixture
def file(broker: Broker) -> File:
    return File(broker, broker.registered(SAMPLE))


def consent_to(purpose: str) -> dict[str, Any]:
    """A grant of contact and goals to the partner."""
    kept = ("id", "ops", "from", "until", "onward")
    grant = {k: v for k, v in SAMPLE.consent["grants"][0].items() if k in kept}
    more = {"purpose": purpose, "recipient": f"org:{PARTNER}", "sections": ["contact", "goals"]}
    return grant | more


def applied(broker: Broker, kind: str, document: dict[str, Any]) -> None:
    documents = {kind: {document["id"]: document}}
    done = broker.services.writer.submit(apply_documents, documents).result()
    assert getattr(done.value, "changed", 0) == 1


def amended(broker: Broker, **legal: Any) -> None:
    """The agreement of holder and partner names something else as its legal basis."""
    before = directory_documents()["agreement"][ARTICLE["agreement"]]
    applied(broker, "agreement", next_version(before, legal=before["legal"] | legal))


def bound(broker: Broker, organisation: str, regime: str) -> None:
    """The organisation's staff are bound to another kind of silence."""
    before = directory_documents()["organisation"][organisation]
    applied(broker, "organisation", {**before, "secrecy_regime": regime})


def consented(file: File) -> str:
    """The client agrees to contact and goals for the same recipient and purpose; the consent."""
    body = dict(SAMPLE.consent) | {"grants": [consent_to(PURPOSE)], "denials": []}
    answer = file.broker.as_(HOLDER).post(f"/v1/clients/{file.handle}/consents", json=body)
    assert answer.is_success, answer.text
    return str(answer.json()["consent"])


def test_what_the_agreement_s_article_lets_go_leaves_without_consent_and_says_so(
    file: File,
) -> None:
    file.standing()

    got = file.fetch()

    assert got.status_code == 200, got.text
    grounds = got.json()["grounds"]
    assert grounds["basis"] == {"kind": "agreement_article", "reference": "PR-2026-001/art-4"}
    assert "consent" not in grounds
    assert grounds["grants"] == []
    last = logged(file.broker.services)[-1]
    assert (last["k"], last["basis"]) == (
        "summary.released",
        "agreement_article:PR-2026-001/art-4",
    )
    assert last["consents"] == []
    assert set(last["fields"]) <= gives(PURPOSE)
    assert not {"health", "justice", "net"}.intersection(got.json()["summary"])


def test_without_a_basis_nothing_leaves(file: File) -> None:
    refused = file.broker.pushed(HOLDER, file.handle, PARTNER, PURPOSE)
    file.handover = file.broker.related(HOLDER, file.handle, PARTNER, PURPOSE)

    assert refused.status_code == 403
    file.uniform()
    assert "NO_CONSENT" in reasons(file.broker.services, "summary.refused")


def test_an_ended_basis_gives_nothing_and_stays_to_be_seen(file: File) -> None:
    basis = file.standing()
    assert file.fetch().status_code == 200

    ended = file.post(f"/{basis}/end")

    assert ended.json()["state"] == "ended"
    file.uniform()
    shown = file.broker.as_(HOLDER).get(f"/v1/clients/{file.handle}/bases").json()["bases"]
    assert [(each["basis"], each["state"]) for each in shown] == [(basis, "ended")]
    again = file.post(f"/{basis}/end")
    assert again.json()["errors"] == [{"loc": "basis", "type": "ended"}]


def test_a_denial_and_an_exclusion_are_stronger_than_a_basis(file: File) -> None:
    file.standing()
    denial = {"sections": ["goals"], "recipient": f"org:{PARTNER}"}
    denied = dict(SAMPLE.consent) | {"grants": [consent_to("P6")], "denials": [denial]}
    told = file.broker.as_(HOLDER).post(f"/v1/clients/{file.handle}/consents", json=denied)
    assert told.is_success, told.text

    got = file.fetch().json()
    out = {"organisation": f"org:{PARTNER}", "member": "u-1"}
    file.broker.as_(HOLDER).post(f"/v1/clients/{file.handle}/exclusions", json=out)

    assert "goals" not in got["released"]
    assert "contact" in got["released"]
    file.uniform()


def test_where_a_consent_stands_it_alone_decides(file: File) -> None:
    file.standing()
    assert len(file.fetch().json()["released"]) > 2
    consent = consented(file)

    got = file.fetch().json()

    assert got["grounds"]["consent"] == consent
    assert "basis" not in got["grounds"]
    assert set(got["released"]) <= {"contact", "goals", "ident"}


def test_a_withdrawal_beats_the_basis_there_was_and_none_goes_round_it(file: File) -> None:
    file.standing()
    consent = consented(file)

    body = {"via": "portal"}
    file.broker.as_(HOLDER).post(f"/v1/consents/{consent}/withdrawal", json=body)

    file.uniform()
    file.handover = file.broker.related(HOLDER, file.handle, PARTNER, PURPOSE)
    file.uniform()
    assert "CONSENT_WITHDRAWN" in reasons(file.broker.services, "summary.refused")
    for kind in (ARTICLE, MANDATE):
        again = file.recorded(**kind)
        assert again.status_code == 422
        assert again.json()["errors"] == [{"loc": "client", "type": "said_no"}]
    assert file.broker.pushed(HOLDER, file.handle, PARTNER, PURPOSE).status_code == 403


def test_a_refusal_lets_no_basis_be_recorded(file: File) -> None:
    no = {"purpose": PURPOSE, "recipient": f"org:{PARTNER}"}
    body = dict(SAMPLE.consent) | {"grants": [consent_to("P6")], "denials": [], "refused": [no]}
    told = file.broker.as_(HOLDER).post(f"/v1/clients/{file.handle}/consents", json=body)
    assert told.is_success, told.text

    assert file.recorded().json()["errors"] == [{"loc": "client", "type": "said_no"}]


def test_an_objection_stops_it_at_once_until_it_is_answered(file: File) -> None:
    basis = file.standing()

    objected = file.post(f"/{basis}/objection")

    assert objected.json()["state"] == "objected"
    file.uniform()
    (said,) = (each for each in logged(file.broker.services) if each["k"] == "client.objected")
    assert said["reason"] == "basis_objection"
    assert not {"c", "u"}.intersection(said)
    assert file.recorded().json()["errors"] == [{"loc": "client", "type": "objects"}]
    assert file.post(f"/{basis}/end").status_code == 422
    answered = file.post(f"/{basis}/objection/answer", outcome="compelling_grounds")
    assert (answered.json()["state"], answered.json()["why"]) == ("standing", "compelling_grounds")
    assert file.fetch().status_code == 200


def test_an_objection_that_was_upheld_stays(file: File) -> None:
    basis = file.standing()
    assert file.post(f"/{basis}/objection/answer", outcome="legal_claims").status_code == 422
    file.post(f"/{basis}/objection")

    heard = file.post(f"/{basis}/objection/answer", outcome="objection_upheld")

    assert heard.json()["state"] == "ended"
    file.uniform()
    assert file.recorded().json()["errors"] == [{"loc": "client", "type": "objects"}]


def test_a_basis_is_over_after_its_last_day_and_after_24_months(file: File) -> None:
    file.standing(until="2026-11-10")
    file.broker.clock.move(timedelta(days=8))
    assert file.fetch().status_code == 200

    file.broker.clock.move(timedelta(days=1))

    file.uniform()


@pytest.mark.parametrize(
    ("changes", "place", "code"),
    [
        ({"kind": "legitimate_interest"}, "kind", "literal_error"),
        ({"purpose": "P9"}, "purpose", "no_other_basis"),
        ({"purpose": "P7"}, "purpose", "no_other_basis"),
        ({"purpose": "P90"}, "purpose", "no_other_basis"),
        ({"purpose": "P3"}, "recipient", "not_for_this_purpose"),
        ({"recipient": "org:nobody-here"}, "recipient", "not_for_this_purpose"),
        ({"recipient": "org:destap-ww"}, "agreement", "none_in_force"),
        ({"agreement": "PR-2026-003"}, "agreement", "none_in_force"),
        ({"agreement": "PR-2026-999"}, "agreement", "none_in_force"),
        ({"kind": "authorisation", "reference": "18/001"}, "agreement", "does_not_name_it"),
        ({"kind": "mandate", "until": "2026-12-31"}, "reference", "not_a_hash"),
        ({"kind": "mandate", "reference": "a" * 64}, "until", "missing"),
        ({"until": "2026-11-01"}, "until", "over"),
        ({"until": "2026-02-31"}, "until", "no_such_day"),
        ({"conditions": ["same_purpose"]}, "checked_by", "missing"),
    ],
)
def test_a_basis_that_law_or_agreement_does_not_know_is_refused(
    file: File, changes: dict[str, Any], place: str, code: str
) -> None:
    refused = file.recorded(**changes)

    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"loc": place, "type": code}]


def test_a_basis_is_only_for_who_has_a_public_task(broker: Broker) -> None:
    sample = samples()["cl-0004"]
    handle = broker.registered(sample)
    body = ARTICLE | {"recipient": "org:vdab-gent", "purpose": "P2", "agreement": "PR-2026-004"}

    refused = broker.as_(sample.holder).post(f"/v1/clients/{handle}/bases", json=body)

    assert refused.json()["errors"] == [{"loc": "kind", "type": "no_public_task"}]


def test_an_authorisation_counts_between_its_days_while_the_agreement_names_it(
    file: File,
) -> None:
    amended(file.broker, deliberation_no="18/001")
    changes = {"kind": "authorisation", "reference": "18/001"}
    file.standing(**changes, **{"from": "2026-11-02", "until": "2026-12-31"})
    assert file.fetch().json()["grounds"]["basis"]["reference"] == "18/001"

    amended(file.broker, deliberation_no=None)

    file.uniform()


def test_a_mandate_counts_by_the_hash_of_its_document(file: File) -> None:
    file.standing(**MANDATE)

    got = file.fetch().json()

    assert got["grounds"]["basis"] == {"kind": "mandate", "reference": MANDATE["reference"]}


def test_a_client_has_not_endlessly_many_bases(file: File) -> None:
    for _ in range(MOST):
        assert file.recorded().status_code == 201

    assert file.recorded().json()["errors"] == [{"loc": "client", "type": "too_many"}]


def test_among_holders_of_secrecy_all_five_conditions_are_checked_and_logged(
    file: File,
) -> None:
    for each in (HOLDER, PARTNER):
        bound(file.broker, each, "beroepsgeheim")
    four = FIVE[:-1]
    for some in ([], four):
        refused = file.recorded(conditions=some, checked_by="maatschappelijk_werker")
        assert refused.json()["errors"] == [{"loc": "conditions", "type": "not_all_hold"}]

    file.standing(conditions=FIVE, checked_by="maatschappelijk_werker")

    assert file.fetch().status_code == 200
    kept = next(each for each in logged(file.broker.services) if each["k"] == "client.corrected")
    assert set(FIVE) < set(kept["flags"])
    assert "maatschappelijk_werker" in kept["flags"]


def test_no_basis_frees_a_holder_of_secrecy_towards_who_has_none(file: File) -> None:
    file.standing()
    assert file.fetch().status_code == 200

    bound(file.broker, HOLDER, "beroepsgeheim")

    file.uniform()
    refused = file.recorded(conditions=FIVE, checked_by="jurist")
    assert refused.json()["errors"] == [{"loc": "recipient", "type": "needs_secrecy_release"}]


def test_a_masked_origin_is_not_told_by_what_the_release_rests_on(file: File) -> None:
    flags = {"flags": ["high_risk"]}
    file.broker.as_(HOLDER).put(f"/v1/clients/{file.handle}/flags", json=flags)
    file.standing()

    assert file.fetch().json()["grounds"]["basis"] == {"kind": "agreement_article"}


def test_a_basis_stands_nowhere_in_plain_and_goes_with_the_client(file: File) -> None:
    file.standing(reference="canary-7F3A")
    with file.broker.services.database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT sealed FROM client").scalars().all()
    assert not any(b"canary" in bytes(each) for each in rows)

    order = Erasure(OrganisationId(HOLDER), Handle(file.handle), basis="gdpr-17-1-b", request="r-1")
    file.broker.services.writer.submit(erase_client, order).result()

    gone = file.broker.as_(HOLDER).get(f"/v1/clients/{file.handle}/bases")
    file.uniform()
    assert gone.status_code == 404
    assert "canary-7F3A" not in str(logged(file.broker.services))


def test_after_a_loss_no_basis_counts_until_it_is_recorded_anew(file: File) -> None:
    file.standing()

    held = file.broker.services.writer.submit(suspend_bases).result()

    assert held.value == 1
    file.uniform()
    assert file.recorded().status_code == 201
    assert file.fetch().status_code == 200


def test_an_unrelated_withdrawal_leaves_what_rests_on_a_basis(file: File) -> None:
    file.standing()
    body = dict(SAMPLE.consent) | {"grants": [consent_to("P6")], "denials": []}
    told = file.broker.as_(HOLDER).post(f"/v1/clients/{file.handle}/consents", json=body)
    consent = told.json()["consent"]

    body = {"via": "portal"}
    done = file.broker.as_(HOLDER).post(f"/v1/consents/{consent}/withdrawal", json=body)

    assert done.is_success
    assert file.fetch().status_code == 200


def test_an_objection_to_one_basis_stops_every_other_for_the_same(file: File) -> None:
    basis = file.recorded().json()["basis"]
    file.standing(**MANDATE)
    assert file.fetch().status_code == 200

    file.post(f"/{basis}/objection")

    file.uniform()
