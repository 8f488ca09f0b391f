"""A holder may rest a release on another basis than consent; the client's no is stronger."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import Response

from exchange.flows.erase_client import Erasure, erase_client
from exchange.flows.record_basis import MOST
from exchange.samples import samples
from policies.bases import gives
from policies.vocabulary import Handle, OrganisationId
from tests.builders import Broker, logged, query
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


def consented(file: File, **changes: Any) -> str:
    """The client agrees to contact and goals for the same recipient and purpose; the consent."""
    grant = dict(SAMPLE.consent["grants"][0])
    grant |= {"purpose": PURPOSE, "recipient": f"org:{PARTNER}", "sections": ["contact", "goals"]}
    for name in ("fields", "include", "exclude", "precision"):
        grant.pop(name, None)
    body = SAMPLE.consent | {"grants": [grant], "denials": []} | changes
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
