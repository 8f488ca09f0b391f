"""A2: Leerwinkel hands a client over to VDAB, who agreed to part of it; VDAB asks for all."""

from typing import Any

from exchange.samples import samples
from policies.vocabulary import Section
from tests.builders import Broker, query

AGREED = ["ident", "contact", "lang", "educ", "work", "goals", "agree", "barr"]
GRANT = {
    "purpose": "P2",
    "recipient": "org:vdab-wvl",
    "sections": AGREED,
    "include": ["work.status_detail", "barr.codes"],
    "ops": ["notify", "view"],
    "until": "2027-04-01",
}
MORE: dict[str, Any] = {
    "health": {"functional_limits": ["concentration"]},
    "justice": {},
    "house": {"type": "with_parents"},
}


def test_vdab_gets_what_was_agreed_and_is_told_what_was_not(broker: Broker) -> None:
    answer = asked_for_everything(broker)

    assert set(answer["summary"]) == set(answer["released"]) == set(AGREED)
    withheld = {each.partition(".")[0] for each in answer["withheld"]}
    assert {"benef", "house", "demog", "refer", "traj"} <= withheld
    assert "educ.foreign_credentials" in answer["withheld"]
    assert not withheld & {"health", "justice"}


def test_what_is_agreed_arrives_only_as_precisely_as_it_may(broker: Broker) -> None:
    summary = asked_for_everything(broker)["summary"]

    assert summary["work"]["status_detail"]["value"] == "unknown"
    assert [each["code"] for each in summary["barr"]["codes"]["value"]] == ["confidence", "cost"]
    assert summary["ident"]["birth_date"]["value"] == 2001
    assert "sickness" not in str(summary)
    assert "concentration" not in str(summary)


def asked_for_everything(broker: Broker) -> dict[str, Any]:
    """The answer to a query of VDAB for every section but the national number."""
    sample = samples()["cl-0004"]
    holder, partner = broker.as_("leerwinkel-wvl"), broker.as_("vdab-wvl")
    body = {"identity": dict(sample.identity)}
    handle = holder.post("/v1/clients", json=body).json()["client"]
    sections = {"sections": dict(sample.sections) | MORE}
    assert holder.put(f"/v1/clients/{handle}/summary", json=sections).status_code == 200
    consent = dict(sample.consent) | {"grants": [GRANT]}
    assert holder.post(f"/v1/clients/{handle}/consents", json=consent).status_code == 201
    offered = broker.pushed("leerwinkel-wvl", handle, "vdab-wvl", "P2").json()
    everything = [each for each in Section if each is not Section.NATID]
    asked = query(handover=offered["handover"], purpose="P2", sections=everything)
    answer = partner.post("/v1/summaries/query", json=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
