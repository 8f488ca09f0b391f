"""I5: a client's timeline is complete, and provably so: what is hidden leaves its number."""

from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import delete, update
from sqlmodel import col

from audit import log, search
from audit.records import AuditIndex, AuditSubject
from audit.verify import verify_bundle
from exchange.exporting import client_bundle
from exchange.services import SHARD, Services
from policies.vocabulary import ClientId
from tests.audit.bundles import members
from tests.builders import Broker, Story, logged
from tests.exchange.aside import aside


@pytest.fixture
def story(broker: Broker) -> Story:
    """A client of whom much was done: shared, read, looked at, refused, withdrawn."""
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    holder = broker.as_(story.sample.holder)
    assert story.fetch().is_success
    assert holder.get(f"/v1/clients/{story.handle}/summary").is_success
    assert holder.post("/v1/audit/search", json={"client": story.handle}).is_success
    assert story.withdraw().is_success
    assert not story.fetch().is_success
    return story


def entries_about(services: Services) -> tuple[str, list[int]]:
    """The client, and every entry about them, found by opening the whole log."""
    whole = logged(services)
    client = next(each["client"] for each in whole if each["k"] == "client.registered")
    return client, [each["index"] for each in whole if each.get("client") == client]


def timeline(services: Services, client: str) -> search.Timeline:
    with services.database.reading() as connection:
        return search.timeline(connection, shard=SHARD, client=client, keys=services.keys)


def test_the_timeline_is_everything_that_the_log_holds_about_a_client(
    broker: Broker, story: Story
) -> None:
    client, about = entries_about(broker.services)

    found = timeline(broker.services, client)

    assert [hit.index for hit in found.hits] == about
    assert found.complete
    assert len(about) > 6
    kinds = {hit.body["k"] for hit in found.hits}
    assert {"summary.released", "summary.refused", "summary.viewed", "audit.inspected"} <= kinds


@pytest.mark.case("AL08")
def test_al08_whatever_is_hidden_leaves_its_number(broker: Broker, story: Story) -> None:
    services = broker.services
    client, about = entries_about(services)
    for number, index in enumerate(about, 1):
        with aside(services) as connection:
            connection.execute(delete(AuditIndex).where(col(AuditIndex.idx) == index))
            found = search.timeline(connection, shard=SHARD, client=client, keys=services.keys)

        assert not found.complete
        assert found.missing == (number,)


@pytest.mark.case("AL08")
def test_al08_a_tail_that_is_hidden_is_counted_all_the_same(broker: Broker, story: Story) -> None:
    services = broker.services
    client, about = entries_about(services)
    with aside(services) as connection:
        for index in about[-3:]:
            change = update(AuditIndex).where(col(AuditIndex.idx) == index)
            connection.execute(change.values(subject_blind=None))
        found = search.timeline(connection, shard=SHARD, client=client, keys=services.keys)
        connection.execute(update(AuditSubject).values(n=len(about) - 3))
        deceived = search.timeline(connection, shard=SHARD, client=client, keys=services.keys)

    assert found.missing == tuple(range(len(about) - 2, len(about) + 1))
    # A counter that is set back with it is found by whoever opens the whole log.
    assert deceived.complete


@pytest.mark.case("AL08")
def test_al08_a_record_with_a_gap_does_not_verify_as_complete(
    broker: Broker, story: Story, tmp_path: Path
) -> None:
    services = broker.services
    client, about = entries_about(services)
    services.checkpointing.once()
    for hidden, exit_code in ((None, 0), (about[3], 2)):
        if hidden is not None:
            with aside(services, keep=True) as connection:
                connection.execute(delete(AuditIndex).where(col(AuditIndex.idx) == hidden))
        out = BytesIO()
        client_bundle(services, out, ClientId(client))
        (tmp_path / "b").write_bytes(out.getvalue())

        report = verify_bundle(tmp_path / "b", members(out.getvalue())["policy.txt"])

        assert report.exit_code == exit_code, report.findings
        assert [each.at for each in report.findings] == ([] if hidden is None else [about[4]])
    with services.database.reading() as connection:
        assert log.head(connection, shard=SHARD).size > about[-1]
