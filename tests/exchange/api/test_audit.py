"""The log for auditors: what is found, what each asker may see of it, and bundles that hold."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from audit.verify import included, read_head, read_note, verify_bundle
from exchange import records
from exchange.keeping import audit_export
from exchange.operations import OperationRefused
from exchange.services import SHARD
from policies.vocabulary import ClientId, OrganisationId
from tests.audit.bundles import judged, members, repacked, said
from tests.builders import Broker, Story, logged
from tests.exchange.provers import prover_of


@pytest.fixture
def story(broker: Broker) -> Story:
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    assert story.fetch().is_success
    return story


def authority(broker: Broker) -> str:
    types = broker.services.directory().types
    return next(id for id, type in types.items() if type == "supervisory_authority")


def searched(broker: Broker, by: str, **asked: Any) -> dict[str, Any]:
    answer = broker.as_(by).post("/v1/audit/search", json=asked)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def kinds(found: dict[str, Any]) -> list[str]:
    return [each["kind"] for each in found["items"]]


def handle_at(organisation: str, broker: Broker) -> str:
    """The name that the organisation has for the client who was registered last."""
    registered = [each for each in logged(broker.services) if each["k"] == "client.registered"]
    client, of = ClientId(registered[-1]["client"]), OrganisationId(organisation)
    with broker.services.database.reading() as connection:
        handle = records.handle_of(connection, shard=SHARD, client=client, organisation=of)
    assert handle is not None
    return handle


def test_who_saw_my_file_is_answered_with_places_and_hashes(broker: Broker, story: Story) -> None:
    holder = f"org:{story.sample.holder}"

    found = searched(
        broker, authority(broker), client=story.handle, organisation=holder,
        kinds=["summary.released"],
    )  # fmt: skip

    (hit,) = found["items"]
    assert hit["consumer"] == "org:vdab-wvl"
    assert hit["parts"]["y"]["reason"] in ("OK", "OK_FILTERED")
    assert hit["parts"]["a"]["capacity"] == "bemiddelaar"
    broker.services.checkpointing.once()
    entry = broker.as_(authority(broker)).get(f"/v1/audit/entries/{hit['index']}").json()
    assert entry["leaf_hash"] == hit["leaf_hash"]
    head = read_head(read_note(entry["checkpoint"].encode()).text)
    path = [b64decode(each) for each in entry["proof"]]
    assert included(hit["index"], head.size, bytes.fromhex(hit["leaf_hash"]), path, head.root)


def test_the_question_is_logged_before_its_answer(broker: Broker, story: Story) -> None:
    searched(broker, story.sample.holder, client=story.handle, outcome="deny", purpose="P2")

    last = logged(broker.services)[-1]
    assert (last["k"], last["found"]) == ("audit.inspected", 0)
    assert last["filter"] == {"outcome": "deny", "purpose": "P2"}
    assert "client" in last


def test_an_organisation_sees_its_own_entries_and_no_others(broker: Broker, story: Story) -> None:
    mine, others = story.sample.holder, "clb-gent"

    assert "summary.released" in kinds(searched(broker, mine))
    assert "summary.released" in kinds(searched(broker, "vdab-wvl"))
    for stranger in [id for id in broker.services.directory().types if id in ("destap-ww",)]:
        assert set(kinds(searched(broker, stranger))) <= {"audit.inspected"}
    answer = broker.as_(mine).post("/v1/audit/search", json={"organisation": f"org:{others}"})
    assert answer.json()["items"] == []


def test_a_partner_learns_neither_holder_nor_reason_of_a_refusal(
    broker: Broker, story: Story
) -> None:
    story.withdraw()
    assert story.fetch().status_code == 404

    (refused,) = searched(broker, "vdab-wvl", kinds=["summary.refused"])["items"]
    (held,) = searched(broker, story.sample.holder, kinds=["summary.refused"])["items"]

    assert refused["provider"] == "org:undisclosed"
    assert refused["parts"].keys() == {"a"}
    assert held["provider"] == f"org:{story.sample.holder}"
    assert held["parts"]["y"]["reason"] == "NO_CARE_RELATION"


def test_a_partner_finds_no_refusal_by_what_is_withheld_of_it(broker: Broker, story: Story) -> None:
    own_name = handle_at("vdab-wvl", broker)
    story.withdraw()
    assert story.fetch().status_code == 404
    holder, hidden = f"org:{story.sample.holder}", {"kinds": ["summary.refused"]}
    asked: list[dict[str, Any]] = [
        {"organisation": holder}, {"organisation": "org:undisclosed"},
        {"consent": story.consent}, {"client": own_name},
    ]  # fmt: skip

    for each in asked:
        assert kinds(searched(broker, "vdab-wvl", **hidden, **each)) == [], each
    for each in ({}, {"organisation": "org:vdab-wvl"}):
        assert kinds(searched(broker, "vdab-wvl", **hidden, **each)) == ["summary.refused"]
    for each in ({"organisation": holder}, {"client": story.handle}):
        assert kinds(searched(broker, story.sample.holder, **hidden, **each)) == ["summary.refused"]
    found = searched(broker, authority(broker), **hidden, organisation=holder)
    assert kinds(found) == ["summary.refused"]


def test_a_holder_finds_nothing_by_the_staff_of_a_partner(broker: Broker, story: Story) -> None:
    (shown,) = searched(broker, "vdab-wvl", kinds=["summary.released"])["items"]
    asked = {"kinds": ["summary.released"], "actor": shown["parts"]["a"]["user"]}

    assert kinds(searched(broker, "vdab-wvl", **asked)) == ["summary.released"]
    assert kinds(searched(broker, authority(broker), **asked)) == ["summary.released"]
    assert searched(broker, story.sample.holder, **asked)["items"] == []


def test_another_organisations_client_is_nobody_and_the_look_is_logged(
    broker: Broker, story: Story
) -> None:
    answer = broker.as_("vdab-wvl").post("/v1/audit/search", json={"client": story.handle})

    assert answer.status_code == 404
    assert logged(broker.services)[-1]["k"] == "audit.inspected"


def test_pages_follow_each_other_without_a_gap(broker: Broker, story: Story) -> None:
    asked: dict[str, Any] = {"limit": 3, "to": "2030-01-01T00:00:00Z"}
    whole = searched(broker, story.sample.holder, limit=200)["items"]
    pages: list[int] = []
    for _ in range(20):
        found = searched(broker, story.sample.holder, **asked)
        pages += [each["index"] for each in found["items"] if each["kind"] != "audit.inspected"]
        if found["next"] is None:
            break
        asked["cursor"] = found["next"]

    assert pages == [each["index"] for each in whole if each["kind"] != "audit.inspected"]
    stolen = broker.as_("vdab-wvl").post("/v1/audit/search", json={"cursor": asked["cursor"]})
    assert stolen.status_code == 404


def test_a_cursor_leads_on_in_the_search_that_gave_it_and_in_no_other(
    broker: Broker, story: Story
) -> None:
    holder = broker.as_(story.sample.holder)
    asked: dict[str, Any] = {"outcome": "ok", "limit": 1}
    cursor = searched(broker, story.sample.holder, **asked)["next"]
    # Another machine of the same organisation.
    colleague = prover_of(broker.services, story.sample.holder)

    found = [
        holder.post("/v1/audit/search", json=body | {"cursor": cursor}).status_code
        for body in (asked, asked | {"limit": 2}, {"limit": 1}, asked | {"outcome": "deny"})
    ]
    other = colleague.asks("POST", "/v1/audit/search", json=asked | {"cursor": cursor})

    assert found == [200, 200, 404, 404]
    assert other.status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"kinds": ["summary.read"]},
        {"from": "2026-02-31T10:00:00Z"},
        {"limit": 201},
        {"who": "me"},
        {"outcome": "perhaps"},
        {"client": "x"},
    ],
)
def test_what_cannot_be_asked_is_refused(broker: Broker, wrong: dict[str, Any]) -> None:
    assert broker.as_("vdab-wvl").post("/v1/audit/search", json=wrong).status_code == 422


def test_the_back_office_sees_nothing(broker: Broker, story: Story) -> None:
    types = broker.services.directory().types
    office = next(id for id, type in types.items() if type == "back_office")

    for path, body in (("search", {}), ("exports", {"mode": "range"})):
        answer = broker.as_(office).post(f"/v1/audit/{path}", json=body)
        assert answer.status_code == 403


def test_a_clients_record_is_exported_and_verifies_offline(
    broker: Broker, story: Story, tmp_path: Path
) -> None:
    broker.services.checkpointing.once()

    answer = broker.as_(story.sample.holder).post(
        "/v1/audit/exports", json={"mode": "filtered", "client": story.handle}
    )

    assert answer.headers["content-type"] == "application/zip"
    (tmp_path / "b").write_bytes(answer.content)
    policy = members(answer.content)["policy.txt"]
    report = verify_bundle(tmp_path / "b", policy)
    assert (report.findings, report.exit_code) == ((), 0)
    assert any("without a gap" in each for each in report.notes)
    assert logged(broker.services)[-1]["k"] == "disclosure.exported"


def test_a_range_is_for_oversight_alone(broker: Broker, story: Story, tmp_path: Path) -> None:
    broker.services.checkpointing.once()
    asked = {"mode": "range"}

    assert broker.as_(story.sample.holder).post("/v1/audit/exports", json=asked).status_code == 403
    answer = broker.as_(authority(broker)).post("/v1/audit/exports", json=asked)

    (tmp_path / "b").write_bytes(answer.content)
    report = verify_bundle(tmp_path / "b", members(answer.content)["policy.txt"])
    assert (report.findings, report.exit_code) == ((), 0)
    assert logged(broker.services)[-1]["k"] == "audit.exported"
    too_far = asked | {"from": 0, "to": 999_999}
    assert broker.as_(authority(broker)).post("/v1/audit/exports", json=too_far).status_code == 422


def test_before_anything_was_signed_nothing_is_exported(broker: Broker, story: Story) -> None:
    asked = {"mode": "filtered", "client": story.handle}

    assert broker.as_(story.sample.holder).post("/v1/audit/exports", json=asked).status_code == 404


def made(broker: Broker, path: Path, **asked: Any) -> bytes:
    list(audit_export(broker.services, {"out": str(path)} | asked))
    return path.read_bytes()


def test_the_evidence_of_a_handover_holds_text_receipt_and_decision(
    broker: Broker, story: Story, tmp_path: Path
) -> None:
    bundle = made(broker, tmp_path / "b", handover=story.handover)

    contents = members(bundle)
    evidence = {name.partition("-")[0] for name in contents if name.startswith("evidence/")}
    assert evidence == {"evidence/handover.json", "evidence/consent", "evidence/notice",
                        "evidence/receipt"}  # fmt: skip
    shown = [json.loads(line) for line in contents["parts.jsonl"].splitlines()]
    texts = [json.loads(each["pt"]) for each in shown if "pt" in each and each["l"] == "y"]
    released = [each for each in texts if each.get("fields")]
    assert released[0]["trace"]
    assert released[0]["handover"] == story.handover
    given = json.loads(contents[f"evidence/consent-{story.consent}.json"])
    assert given["notice"]["lang"]
    assert f"evidence/notice-{given['notice']['sha256']}.md" in contents
    report = verify_bundle(tmp_path / "b", contents["policy.txt"])
    assert (report.findings, report.exit_code) == ((), 0)
    assert "a selection: that nothing was left out of it is not proven" in report.notes


@pytest.mark.parametrize("name", ["handover.json", "consent", "notice", "receipt", "more.json"])
def test_a_document_that_the_log_does_not_name_is_not_verified(
    broker: Broker, story: Story, tmp_path: Path, name: str
) -> None:
    contents = members(made(broker, tmp_path / "b", handover=story.handover))
    there = [each for each in contents if each.startswith(f"evidence/{name}")]

    changes = [{each: b"forged"} for each in there or [f"evidence/{name}"]]
    for forged in [contents | each for each in changes]:
        report = judged(tmp_path, repacked(forged), policy=contents["policy.txt"].decode())
        assert report.exit_code in (1, 2)
        assert any("not verified" in each.text for each in report.findings)
    for gone in there:
        fewer = {each: contents[each] for each in contents if each != gone}
        report = judged(tmp_path, repacked(fewer), policy=contents["policy.txt"].decode())
        assert (report.exit_code, said(report)) == (2, {"evidence": None})


def test_an_export_never_writes_over_a_file(broker: Broker, story: Story, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")

    with pytest.raises(OperationRefused, match="can not be written"):
        made(broker, tmp_path / "b")

    assert (tmp_path / "b").read_text() == "mine"


@pytest.mark.parametrize(
    "wrong", [{"client": "x", "organisation": "vdab-gent"}, {"handover": "none"}, {"from": 9999}]
)
def test_an_export_of_nothing_leaves_no_file(
    broker: Broker, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    with pytest.raises(OperationRefused):
        made(broker, tmp_path / "b", **wrong)

    assert not (tmp_path / "b").exists()
