"""Heads are signed, witnessed and published beside the requests, and stop when they must."""

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from audit import log, published
from audit.checkpoints import Checkpoint, checkpoint_in, open_note
from audit.live import verify_log
from audit.published import AuditCheckpoint
from audit.signer import ClockBehind, Frozen
from audit.tree import inclusion_proof, leaf_hash, root, verify_inclusion
from exchange.checkpointing import AGAIN, Elsewhere
from exchange.services import SHARD, Services, build_services
from exchange.writer import Busy
from tests.builders import Broker, Clock, logged
from tests.exchange.commands import PATIENCE, note
from tests.exchange.tampering import head, rewind, tamper


def published_head(services: Services) -> Checkpoint:
    with services.database.reading() as connection:
        latest = published.latest(connection, shard=SHARD)
        assert latest is not None
        found = checkpoint_in(open_note(latest.note, services.checkpointing.vkeys))
    assert found is not None
    return found


def hashes(services: Services) -> list[bytes]:
    with services.database.reading() as connection:
        return [leaf_hash(leaf) for _, leaf in log.entries(connection, shard=SHARD)]


def test_the_head_that_is_published_is_that_of_the_log(services: Services) -> None:
    done = services.checkpointing.once()

    assert done is not None
    said, leaves = published_head(services), hashes(services)
    assert (said.size, said.root) == (len(leaves), root(leaves)) == (done.size, done.root)
    assert said.origin.endswith("/audit/tlog/s0e1")
    with services.database.reading() as connection:
        assert verify_log(connection, shard=SHARD).exit_code == 0
        assert published.signer_keys(connection, shard=SHARD) == services.checkpointing.vkeys


def test_publishing_leaves_the_log_as_it_is(services: Services) -> None:
    before = hashes(services)

    services.checkpointing.once()

    assert hashes(services) == before


def test_only_a_log_that_has_grown_has_a_new_head(services: Services, clock: Clock) -> None:
    first = services.checkpointing.once()
    assert first is not None

    assert services.checkpointing.once() is None
    clock.move(AGAIN)
    again = services.checkpointing.once()
    assert again is not None
    assert (again.size, again.note) == (first.size, first.note)
    services.writer.submit(note, "more").result(PATIENCE)
    more = services.checkpointing.once()
    assert more is not None
    assert more.size == first.size + 1


def test_what_was_signed_and_not_published_is_published_the_next_time(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Busy

    with monkeypatch.context() as patch:
        patch.setattr(services.writer, "submit", refuse)
        with pytest.raises(Busy):
            services.checkpointing.once()
    signed = json.loads(services.settings.high_water_path.read_text())
    services.writer.submit(note, "more").result(PATIENCE)

    done = services.checkpointing.once()

    assert done is not None
    assert (done.size, done.note) == (signed["size"], signed["note"])
    following = services.checkpointing.once()
    assert following is not None
    assert following.size == done.size + 1


@pytest.mark.case("T93")
@pytest.mark.case("AL24")
def test_t93_a_clock_that_runs_backwards_keeps_the_order_and_holds_the_signer(
    services: Services, clock: Clock
) -> None:
    services.checkpointing.once()
    clock.move(timedelta(hours=-1))
    services.writer.submit(note, "back").result(PATIENCE)

    with pytest.raises(ClockBehind):
        services.checkpointing.once()

    times = [each["t"] for each in logged(services)]
    assert times == sorted(times)
    assert services.admission.frozen is None
    clock.move(timedelta(hours=1))
    assert services.checkpointing.once() is not None


def test_one_process_signs_for_all(services: Services, clock: Clock) -> None:
    services.checkpointing.once()
    if services.database.is_sqlite:
        services.database.close()
    other = build_services(services.settings, clock=clock)

    with pytest.raises(Elsewhere):
        other.checkpointing.once()
    services.checkpointing.close()
    other.writer.submit(note, "more").result(PATIENCE)
    assert other.checkpointing.once() is not None
    other.close()


@pytest.fixture
def frozen(services: Services) -> Services:
    """A broker whose log was cut after it was signed, consistently."""
    short = head(services)
    services.writer.submit(note, "lost").result(PATIENCE)
    services.checkpointing.once()
    rewind(services, short)
    return services


@pytest.mark.case("T89")
@pytest.mark.case("AL04")
@pytest.mark.case("AL05")
def test_t89_a_log_that_was_put_back_takes_nothing_and_releases_nothing(
    frozen: Services,
) -> None:
    with frozen.database.reading() as connection:
        assert verify_log(connection, shard=SHARD).exit_code == 0  # the database can not tell
    before = hashes(frozen)

    with pytest.raises(Frozen, match="were signed"):
        frozen.checkpointing.examine()

    assert frozen.admission.frozen is not None
    with pytest.raises(Busy):
        frozen.writer.submit(note, "more")
    with pytest.raises(Frozen):
        frozen.checkpointing.once()
    assert hashes(frozen) == before


@pytest.mark.case("AL15")
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_second_writer_is_refused_at_the_door(services: Services, clock: Clock) -> None:
    with pytest.raises(Exception, match="another overdracht process"):
        build_services(services.settings, clock=clock)


@pytest.mark.parametrize(
    ("text_", "why"),
    [("{}", "can not be read"), ("", "can not be read"), (None, "is gone")],
)
def test_without_its_high_water_file_nothing_is_signed_any_more(
    services: Services, text_: str | None, why: str
) -> None:
    services.checkpointing.once()
    path: Path = services.settings.high_water_path
    path.unlink()
    if text_ is not None:
        path.write_text(text_)

    with pytest.raises(Frozen, match=why):
        services.checkpointing.once()


def test_a_high_water_file_that_we_did_not_sign_is_not_believed(services: Services) -> None:
    services.checkpointing.once()
    path = services.settings.high_water_path
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"size": said["size"] - 1}))

    with pytest.raises(Frozen, match="no head that we signed"):
        services.checkpointing.examine()


@pytest.mark.case("AL07")
def test_a_second_root_of_one_size_is_never_published(services: Services) -> None:
    done = services.checkpointing.once()
    assert done is not None
    tamper(services, lambda known: known.execute(update(AuditCheckpoint).values(root=bytes(32))))

    with pytest.raises(Frozen):
        services.checkpointing.once(again=True)


# Over HTTP


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
