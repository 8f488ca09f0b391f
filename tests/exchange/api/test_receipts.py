"""Who was answered can have the log's word on it, and show with it what the log left out."""

from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response

from audit import log
from audit.receipts import open_receipt
from audit.tree import leaf_hash
from audit.verify import Report, verify_bundle
from exchange.exporting import range_bundle
from exchange.services import SHARD, Services
from tests.builders import Broker, Story, logged
from tests.exchange.commands import PATIENCE, note
from tests.exchange.machines import revoke
from tests.exchange.provers import prover_of
from tests.exchange.tampering import head, rewind


@pytest.fixture
def story(broker: Broker) -> Story:
    return broker.story("cl-0005", "vdab-wvl", "P2")


def told(story: Story) -> dict[str, Any]:
    """What the answer to a fetch says of its entry."""
    found: dict[str, Any] = story.fetch().json()["audit"]
    return found


def ask(broker: Broker, named: dict[str, Any], by: str = "vdab-wvl") -> Response:
    return broker.as_(by).post("/v1/audit/receipts", json=named)


def receipt_of(broker: Broker, named: dict[str, Any]) -> bytes:
    return str(ask(broker, named).json()["receipt"]).encode()


def verified(services: Services, place: Path, *receipts: bytes, policy: bytes = b"") -> Report:
    """What the offline verifier says of the whole log, and of these receipts."""
    path = place / "bundle.odaudit"
    with path.open("wb") as out:
        range_bundle(services, out, 0, None)
    return verify_bundle(path, policy or None, (), receipts)


def findings(report: Report) -> list[tuple[str, int | None, bool]]:
    # Without a policy of one's own the verifier says so; here that is all right.
    found = [each for each in report.findings if each.code != "policy"]
    return [(each.code, each.at, each.contradicts) for each in found]


def test_a_receipt_names_the_entry_its_hash_and_its_time(broker: Broker, story: Story) -> None:
    named = told(story)

    answer = ask(broker, named).json()

    receipt = open_receipt(answer["receipt"], answer["vkey"])
    assert receipt is not None
    entry = logged(broker.services)[named["index"]]
    assert receipt == (
        "127.0.0.1:8080/audit/tlog/s0e1",
        named["index"],
        bytes.fromhex(named["leaf_hash"]),
        entry["t"],
        60,
    )
    assert entry["k"] == "summary.released"


def test_asking_for_a_receipt_is_no_look_and_leaves_the_log_as_it_is(
    broker: Broker, story: Story
) -> None:
    named = told(story)
    before = head(broker.services)

    assert ask(broker, named).is_success

    assert head(broker.services) == before


def test_who_does_not_know_the_hash_of_an_entry_gets_no_receipt(
    broker: Broker, story: Story
) -> None:
    named = told(story)

    for other in (
        {"index": named["index"], "leaf_hash": "00" * 32},
        {"index": named["index"] - 1, "leaf_hash": named["leaf_hash"]},
        {"index": 2**40, "leaf_hash": named["leaf_hash"]},
    ):
        assert ask(broker, other).status_code == 404
    nobody = broker.as_("vdab-wvl")
    nobody.headers.pop("Authorization")
    assert nobody.post("/v1/audit/receipts", json=named).status_code == 401
    assert ask(broker, named | {"leaf_hash": "00"}).status_code == 422


def test_who_reads_the_hashes_from_the_tiles_learns_no_time_of_what_others_did(
    broker: Broker, story: Story
) -> None:
    named, stranger = told(story), "destap-ww"
    assert ask(broker, named, stranger).status_code == 404
    with broker.services.database.reading() as connection:
        leaves = dict(log.entries(connection, shard=SHARD, start=0, stop=2**40))

    given = {
        index
        for index, leaf in leaves.items()
        if ask(broker, {"index": index, "leaf_hash": leaf_hash(leaf).hex()}, stranger).is_success
    }

    assert named["index"] in leaves
    assert given == set()


def test_both_sides_of_an_entry_have_the_word_on_it(broker: Broker, story: Story) -> None:
    named = told(story)

    for side in ("vdab-wvl", story.sample.holder):
        assert ask(broker, named, side).is_success, side


def test_a_log_that_is_not_the_one_that_was_signed_gives_none(broker: Broker, story: Story) -> None:
    named = told(story)
    broker.services.admission.freeze("a test")

    assert ask(broker, named).status_code == 503


@pytest.mark.parametrize("bound", [True, False], ids=["DPoP", "Bearer"])
def test_who_was_revoked_gets_no_receipt_any_more(
    services: Services, broker: Broker, story: Story, *, bound: bool
) -> None:
    named, prover, path = told(story), prover_of(services, "vdab-wvl"), "/v1/audit/receipts"
    token = prover.token if bound else prover.machine.ask().json()["access_token"]

    def asked() -> Response:
        if bound:
            return prover.asks("POST", path, json=named)
        return prover.http.post(path, json=named, headers={"Authorization": f"Bearer {token}"})

    before = asked()
    revoke(services, prover.machine)
    after = asked()

    assert (before.status_code, after.status_code) == (200, 401)


@pytest.mark.case("AL09")
def test_al09_an_entry_that_was_never_left_standing_is_shown_by_its_receipt(
    broker: Broker, story: Story, tmp_path: Path
) -> None:
    services = broker.services
    before = head(services)
    answers = [told(story) for _ in range(2)]
    receipts = [receipt_of(broker, each) for each in answers]
    # Everything is rewritten by one who has the database and the log's key: nothing was released.
    rewind(services, before)
    for number in range(3):
        services.writer.submit(note, f"other-{number}").result(PATIENCE)
    services.checkpointing.once()

    assert findings(verified(services, tmp_path)) == []
    report = verified(services, tmp_path, *reversed(receipts))

    assert report.exit_code == 1
    assert findings(report) == [("receipt", answers[0]["index"], True)]
    assert [each.times for each in report.findings if each.code == "receipt"] == [2]


@pytest.mark.case("AL09")
def test_al09_a_log_that_kept_its_word_agrees_with_every_receipt(
    broker: Broker, story: Story, tmp_path: Path
) -> None:
    receipts = [receipt_of(broker, told(story)) for _ in range(2)]
    broker.services.checkpointing.once()

    assert findings(verified(broker.services, tmp_path, *receipts)) == []


def test_a_receipt_for_what_no_head_covers_yet_is_told_as_missing(
    broker: Broker, story: Story, tmp_path: Path
) -> None:
    services = broker.services
    services.checkpointing.once()
    size = head(services).size
    named = told(story)
    report = verified(services, tmp_path, receipt_of(broker, named))

    assert named["index"] >= size
    assert findings(report) == [("receipt", named["index"], False)]


def test_a_receipt_that_anybody_could_have_written_accuses_nobody(
    broker: Broker, story: Story, tmp_path: Path
) -> None:
    services = broker.services
    true = receipt_of(broker, told(story))
    services.checkpointing.once()
    digest = true.split(b"\n")[3]
    forged = true.replace(digest, digest.swapcase())

    for false in (forged, b"nonsense", true.replace(b"s0e1", b"s0e2")):
        assert {each[2] for each in findings(verified(services, tmp_path, false))} == {False}


def test_receipts_have_a_key_of_their_own_which_can_sign_no_head(services: Services) -> None:
    assert services.receipt_key.name == "127.0.0.1:8080/audit/tlog/s0e1/receipt"
    assert services.receipt_key.seed not in {key.seed for key in services.checkpointing.keys}
