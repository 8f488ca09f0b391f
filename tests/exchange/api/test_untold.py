"""Nobody agrees to what they were not told, to what is told no more, or to a text with blanks."""

from dataclasses import replace
from typing import Any

import pytest
from httpx2 import Response

from consent.notices import read_notice
from exchange.flows.administer import apply_notices
from exchange.samples import DATA, Sample, directory_documents, samples
from tests.builders import Broker, put_agreement
from tests.cases.questions import PROOF, answered, asked, at_partner, inbox
from tests.exchange.test_mergers import merge

JOINT = samples()["cl-0002"]
FHIR = {"Content-Type": "application/fhir+json"}


def said(broker: Broker, sample: Sample, handle: str, **more: Any) -> list[Response]:
    """The same body previewed, and given."""
    body = {**sample.consent, **more}
    path = f"/v1/clients/{handle}/consents"
    holder = broker.as_(sample.holder)
    return [holder.post(f"{path}/preview", json=body), holder.post(path, json=body)]


def newer(broker: Broker, notice: str) -> None:
    """A version of the notice that says something else, in use from now on."""
    text = (DATA / "notices" / f"{notice}.md").read_text("utf-8")
    later = text.replace("version: '2.0'", "version: '2.1'").replace("Geen bedragen. ", "")
    broker.services.writer.submit(apply_notices, [read_notice(later.encode())]).result()


def wrong(answer: Response) -> list[dict[str, str]]:
    assert answer.status_code == 422, answer.text
    found: list[dict[str, str]] = answer.json()["errors"]
    return found


def test_the_six_samples_are_taken_as_they_stand(broker: Broker) -> None:
    for sample in samples().values():
        previewed, given = said(broker, sample, broker.registered(sample))

        assert previewed.json()["notice"]["lacking"] == []
        assert given.status_code == 201


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"purpose": "P2", "recipient": "org:vdab-wvl"}, "purpose"),
        ({"purpose": "P6", "recipient": "org:vdab-wvl"}, "recipient"),
    ],
)
def test_a_purpose_or_recipient_that_the_notice_has_not_is_refused(
    broker: Broker, more: dict[str, str], place: str
) -> None:
    handle = broker.registered(JOINT)
    grants = [*JOINT.consent["grants"], JOINT.consent["grants"][0] | {"id": "g9"} | more]

    for answer in said(broker, JOINT, handle, grants=grants):
        assert wrong(answer) == [{"loc": f"grants.3.{place}", "type": "not_on_the_notice"}]
    assert broker.as_(JOINT.holder).get(f"/v1/clients/{handle}/consents").json()["items"] == []


def test_a_notice_that_is_out_of_date_is_refused_and_a_no_on_it_is_not(broker: Broker) -> None:
    handle = broker.registered(JOINT)
    newer(broker, "N-P1P5.nl")

    for answer in said(broker, JOINT, handle):
        assert wrong(answer) == [{"loc": "notice.version", "type": "out_of_date"}]
    no = [{"purpose": "P1", "recipient": "any"}]
    assert [each.status_code for each in said(broker, JOINT, handle, grants=[], refused=no)] == [
        200,
        201,
    ]


def test_a_renewal_is_held_against_its_notice_too(broker: Broker) -> None:
    story = broker.story("cl-0002", "leerwinkel-wvl", "P1")
    holder, path = broker.as_(JOINT.holder), f"/v1/consents/{story.consent}/renewal"
    other = {"id": "N-P2", "version": "2.1", "lang": "nl", "channel": "portal"}
    body = {"notice": other, "evidence": JOINT.consent["evidence"]}

    untold = wrong(holder.post(path, json=body))
    newer(broker, "N-P1P5.nl")
    late = wrong(holder.post(path, json=body | {"notice": JOINT.consent["notice"]}))

    assert "not_on_the_notice" in {each["type"] for each in untold}
    assert late == [{"loc": "notice.version", "type": "out_of_date"}]


def test_a_renewal_goes_to_no_successor_that_the_purpose_has_not(broker: Broker) -> None:
    story = broker.story("cl-0002", "leerwinkel-wvl", "P1")
    merge(broker, "leerwinkel-wvl", "cvo-west")
    body = {name: JOINT.consent[name] for name in ("notice", "evidence")}

    answer = broker.as_(JOINT.holder).post(f"/v1/consents/{story.consent}/renewal", json=body)

    assert wrong(answer) == [{"loc": "grants.0.recipient", "type": "not_for_this_purpose"}]


def test_a_text_with_blanks_is_refused_by_the_name_of_each(broker: Broker) -> None:
    """Nobody knows the contact of a controller that is in no agreement."""
    handle = broker.registered(JOINT)
    for body in directory_documents()["agreement"].values():
        parties = [each for each in body["parties"] if each["org"] != JOINT.holder]
        if len(parties) < len(body["parties"]):
            alone = {"parties": parties, "flows": []}
            broker.services.writer.submit(put_agreement, dict(body) | alone).result()

    for answer in said(broker, JOINT, handle):
        blanks = [f"notice.{name}" for name in ("contact", "dpo", "protocol_url")]
        assert wrong(answer) == [{"loc": each, "type": "lacking"} for each in blanks]


def test_what_was_given_elsewhere_on_an_old_notice_is_kept_and_waits_to_be_renewed(
    broker: Broker,
) -> None:
    handle = broker.registered(JOINT)
    consent = broker.given(JOINT, handle)
    holder = broker.as_(JOINT.holder)
    record = holder.get(f"/v1/consents/{consent}/record", headers={"Accept": FHIR["Content-Type"]})
    newer(broker, "N-P1P5.nl")
    path = f"/v1/clients/{handle}/consents"

    taken = holder.post(path, content=record.content, headers=FHIR)

    assert taken.status_code == 201
    held = holder.get("/v1/consents/due", params={"which": "held"}).json()["items"]
    assert [each["consent"] for each in held] == [taken.json()["consent"]]
    assert broker.pushed(JOINT.holder, handle, "leerwinkel-wvl", "P1").status_code == 403


def test_a_preview_binds_whose_it_is_and_when_it_begins(broker: Broker) -> None:
    first = broker.registered(JOINT)
    twin = replace(JOINT, id="cl-y", insz=None, identity={**JOINT.identity, "given_name": "Other"})
    second = broker.registered(twin)
    grants = [dict(each) for each in JOINT.consent["grants"]]
    later = [grants[0] | {"from": "2027-02-01"}, *grants[1:]]
    shown = said(broker, JOINT, first)[0].json()["hash"]

    for handle, body in ((second, grants), (first, later)):
        answer = said(broker, JOINT, handle, grants=body, preview=shown)[1]
        assert wrong(answer) == [{"loc": "preview", "type": "not_what_was_shown"}]
    assert said(broker, JOINT, first, preview=shown)[1].status_code == 201


def test_an_answer_says_who_consents_where_no_age_is_known(broker: Broker) -> None:
    story = broker.story("cl-0004", "vdab-gent", "P2")
    sample = replace(story.sample, id="cl-x", insz=None, identity={"given_name": "An"}, sections={})
    handle = broker.registered(sample)
    broker.given(replace(sample, consent=paper(sample)), handle)
    handover = broker.pushed(sample.holder, handle, "vdab-gent", "P2").json()["handover"]
    asked(broker, at_partner(broker, handover))
    (line,) = inbox(broker)

    silent = answered(broker, line["request"], "given", **paper(sample, PROOF))
    adult = {"capacity": {"type": "adult"}, **paper(sample, PROOF)}

    assert wrong(silent) == [{"loc": "capacity", "type": "required"}]
    assert answered(broker, line["request"], "given", **adult).status_code == 200


def paper(sample: Sample, body: Any = None) -> Any:
    """A consent, or an answer, with a signature on paper."""
    evidence = {"method": "paper_scan", "place": "Gent"}
    return {**(sample.consent if body is None else body), "evidence": evidence}
