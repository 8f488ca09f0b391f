"""A11: a client complains; an auditor finds out who saw the file, and whether the log is true."""

import time

import pytest

from audit.live import verify_log
from audit.signer import Frozen
from audit.verify import Report
from exchange.services import SHARD, Services
from tests.builders import Broker, Story, logged
from tests.exchange.tampering import flip, head, rewind, tamper

SECONDS = 5
FIRST_BAD = 9


@pytest.fixture
def story(broker: Broker) -> Story:
    """Read by the recipient, looked at by its holder, and asked for once more after the end."""
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    assert story.fetch().is_success
    assert broker.as_(story.sample.holder).get(f"/v1/clients/{story.handle}/summary").is_success
    assert story.withdraw().is_success
    assert not story.fetch().is_success
    return story


def authority(broker: Broker) -> str:
    types = broker.services.directory().types
    return next(id for id, type in types.items() if type == "supervisory_authority")


def verified(services: Services) -> Report:
    with services.database.reading() as connection:
        return verify_log(connection, shard=SHARD, keys=services.keys, deep=True)


def test_who_saw_the_file_is_told_and_the_look_is_logged(broker: Broker, story: Story) -> None:
    auditor = authority(broker)
    asked = {"client": story.handle, "organisation": f"org:{story.sample.holder}"}
    began = time.monotonic()

    found = broker.as_(auditor).post("/v1/audit/search", json=asked).json()["items"]

    assert time.monotonic() - began < SECONDS
    looks = [each["kind"] for each in found if each["kind"].startswith("summary.")]
    assert looks == ["summary.refused", "summary.viewed", "summary.released", "summary.deposited"]
    (released,) = (each for each in found if each["kind"] == "summary.released")
    assert released["consumer"] == "org:vdab-wvl"
    assert released["parts"]["y"]["fields"]
    last = logged(broker.services)[-1]
    assert (last["k"], last["c"], last["found"]) == (
        "audit.inspected",
        f"org:{auditor}",
        len(found),
    )
    assert verified(broker.services).findings == ()


def test_a_flipped_bit_is_found_and_the_first_bad_entry_named(broker: Broker, story: Story) -> None:
    services = broker.services
    for index in (FIRST_BAD + 3, FIRST_BAD):
        tamper(services, lambda connection, index=index: flip(connection, index))  # type: ignore[misc]  # bound per turn

    report = verified(services)

    assert report.exit_code == 1
    assert min(each.at for each in report.findings if each.at is not None) == FIRST_BAD


def test_a_cut_tail_is_found_through_the_head_that_was_signed(broker: Broker, story: Story) -> None:
    services = broker.services
    short = head(services)
    assert broker.as_(story.sample.holder).get(f"/v1/clients/{story.handle}/summary").is_success
    services.checkpointing.once()
    rewind(services, short)

    # Nothing in what is left contradicts itself …
    with services.database.reading() as connection:
        assert "leaf" not in {each.code for each in verify_log(connection, shard=SHARD).findings}

    # … but it is not the log whose head was signed.
    with pytest.raises(Frozen):
        services.checkpointing.once()
    assert (
        broker.as_(story.sample.holder).get(f"/v1/clients/{story.handle}/summary").status_code
        == 503
    )


@pytest.mark.case("AL09")
def test_al09_whoever_got_data_holds_what_the_log_must_show(broker: Broker) -> None:
    services = broker.services
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    before = head(services)
    told = [story.fetch().json()["audit"] for _ in range(2)]

    def unaccounted() -> list[int]:
        entries = {each["index"]: each["leaf_hash"] for each in released(broker)}
        return [each["index"] for each in told if entries.get(each["index"]) != each["leaf_hash"]]

    assert unaccounted() == []
    # Data left, and the log was put back as if it had not: the recipient's own list says so.
    rewind(services, before)
    assert unaccounted() == [each["index"] for each in told]
    assert not {each["k"] for each in logged(services)} & {"summary.released"}


def released(broker: Broker) -> list[dict[str, object]]:
    """What the recipient finds of its own reading, as it would to compare with its list."""
    asked = {"kinds": ["summary.released"]}
    answer = broker.as_("vdab-wvl").post("/v1/audit/search", json=asked)
    items: list[dict[str, object]] = answer.json()["items"]
    return items
