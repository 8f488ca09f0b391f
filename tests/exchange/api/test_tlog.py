"""The log over HTTP: head and tiles for anybody, entries for those they are about."""

import base64

import pytest
from fastapi.testclient import TestClient

from audit import log
from audit.checkpoints import checkpoint_in, open_note
from audit.tree import inclusion_proof, leaf_hash, verify_inclusion
from exchange.keeping import clients_erase
from exchange.services import SHARD
from tests.builders import Broker, logged
from tests.exchange.commands import PATIENCE, note
from tests.exchange.tampering import hashes


@pytest.fixture
def anybody(broker: Broker) -> TestClient:
    return TestClient(broker.app, raise_server_exceptions=False)


def test_before_the_first_head_there_is_nothing_to_show(anybody: TestClient) -> None:
    for path in ("/v1/audit/checkpoint", "/audit/tlog/s0e1/checkpoint"):
        assert anybody.get(path).status_code == 404
    assert anybody.get("/audit/tlog/s0e1/tile/0/000.p/1").status_code == 404


def test_anybody_may_have_the_head_and_the_tiles(broker: Broker, anybody: TestClient) -> None:
    done = broker.services.checkpointing.once()
    assert done is not None
    leaves = hashes(broker.services)
    broker.services.writer.submit(note, "unpublished").result(PATIENCE)

    note_, same = (
        anybody.get(path) for path in ("/v1/audit/checkpoint", "/audit/tlog/s0e1/checkpoint")
    )
    tile = anybody.get(f"/audit/tlog/s0e1/tile/0/000.p/{len(leaves)}")

    assert note_.text == same.text == done.note
    assert note_.headers["cache-control"] == "no-cache"
    assert note_.headers["content-type"] == "text/plain; charset=utf-8"
    assert tile.content == b"".join(leaves)
    assert "immutable" in tile.headers["cache-control"]
    assert anybody.get(f"/audit/tlog/s0e1/tile/0/000.p/{len(leaves) + 1}").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["s0e2/tile/0/000.p/1", "s0e1/tile/00/000.p/1", "s0e1/tile/0/0.p/1", "s0e1/tile/64/000.p/1",
     "s0e1/tile/0/000.p/0", "s0e1/tile/0/000", "s0e1/tile/-1/000.p/1", "s0e1/tile/1/000.p/1",
     "s0e1/tile/0/001.p/1", "s0e1/tile/0/x999/x999/x999/x999/x999/999.p/1", "s0e2/checkpoint"],
)  # fmt: skip
def test_what_is_no_tile_of_this_log_is_not_available(
    broker: Broker, anybody: TestClient, path: str
) -> None:
    broker.services.checkpointing.once()

    answer = anybody.get(f"/audit/tlog/{path}")

    assert answer.status_code == 404
    assert answer.json()["type"].endswith(":not-available")


def test_the_answer_to_a_fetch_can_be_proven_from_its_index(broker: Broker) -> None:
    told = broker.story("cl-0004", "vdab-gent", "P2").fetch().json()["audit"]
    broker.services.checkpointing.once()

    entry = broker.as_("vdab-gent").get(f"/v1/audit/entries/{told['index']}").json()

    assert entry["leaf_hash"] == told["leaf_hash"]
    leaf = base64.b64decode(entry["leaf"])
    assert leaf_hash(leaf).hex() == told["leaf_hash"]
    said = checkpoint_in(open_note(entry["checkpoint"], broker.services.checkpointing.vkeys))
    assert said is not None
    proof = [base64.b64decode(each) for each in entry["proof"]]
    assert verify_inclusion(told["index"], said.size, leaf_hash(leaf), proof, said.root)
    assert proof == inclusion_proof(told["index"], hashes(broker.services)[: said.size])
    assert entry["parts"] == [{"l": label, "state": "withheld"} for label in "asy"]


def test_entries_are_for_those_they_are_about_and_every_look_is_logged(broker: Broker) -> None:
    told = broker.story("cl-0004", "vdab-gent", "P2").fetch().json()["audit"]
    path = f"/v1/audit/entries/{told['index']}"
    before_head = broker.as_("vdab-gent").get(path)
    broker.services.checkpointing.once()

    mine, holders, others, all_ = (
        broker.as_(who).get(path) for who in ("vdab-gent", "destap-ww", "cvo-west", "toezicht")
    )
    log_entry = broker.as_("vdab-gent").get("/v1/audit/entries/0")

    assert [each.status_code for each in (mine, holders, all_)] == [200] * 3
    assert [each.status_code for each in (before_head, others, log_entry)] == [404] * 3
    assert broker.as_("toezicht").get("/v1/audit/entries/0").status_code == 200
    looks = [each for each in logged(broker.services) if each["k"] == "audit.inspected"]
    assert [each["found"] for each in looks] == [0, 1, 1, 0, 1, 0, 1]
    assert [each["filter"]["index"] for each in looks] == [told["index"]] * 5 + [0, 0]
    assert looks[1]["c"] == "org:vdab-gent"


def test_the_entries_themselves_are_for_oversight(broker: Broker) -> None:
    broker.services.checkpointing.once()
    path = "/audit/tlog/s0e1/tile/entries/000.p/3"

    bundle = broker.as_("toezicht").get(path)

    with broker.services.database.reading() as connection:
        stored = [leaf for _, leaf in log.entries(connection, shard=SHARD, stop=3)]
    assert bundle.content == b"".join(len(each).to_bytes(2) + each for each in stored)
    assert "no-store" in bundle.headers["cache-control"]
    assert broker.as_("vdab-gent").get(path).status_code == 403
    assert TestClient(broker.app).get(path).status_code == 401
    beyond = path.replace(".p/3", "")
    assert broker.as_("toezicht").get(beyond).status_code == 404
    looks = [each for each in logged(broker.services) if each["k"] == "audit.inspected"]
    assert [(each["filter"], each["found"]) for each in looks] == [
        ({"bundle": 0, "width": 3}, 3),
        ({"bundle": 0, "width": 256}, 0),
    ]


def test_the_back_office_sees_none(broker: Broker) -> None:
    broker.services.checkpointing.once()
    organisations = broker.services.directory().organisations

    back = [
        each for each in organisations if "back" in str(broker.services.directory().type_of(each))
    ]

    assert back
    assert broker.as_(back[0]).get("/v1/audit/entries/1").status_code == 403


def test_a_refused_partner_is_not_told_what_became_of_the_person(broker: Broker) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    story.withdraw()
    assert story.fetch().status_code == 404
    refused = logged(broker.services)[-1]
    assert refused["k"] == "summary.refused"
    order = {"basis": "gdpr-17-1-b", "request": "rq-2026-0001"}
    asked = order | {"client": story.handle, "organisation": story.sample.holder}
    *_, done = clients_erase(broker.services, asked)
    assert done
    broker.services.checkpointing.once()
    types = broker.services.directory().types
    oversight = next(id for id, type in types.items() if type == "supervisory_authority")

    path = f"/v1/audit/entries/{refused['index']}"
    partner, auditor = (broker.as_(each).get(path).json() for each in ("vdab-wvl", oversight))

    assert partner["parts"] == [{"l": label, "state": "withheld"} for label in "asy"]
    states = [each["state"] for each in auditor["parts"]]
    assert states == ["withheld", "shredded", "shredded"]
