"""I6: erasing makes every personal part unreadable, backups included, and no proof breaks."""

from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlmodel import SQLModel, col

from audit import export, log
from audit.live import verify_log
from audit.records import AuditIndex, AuditPart, AuditSubject
from audit.tile_store import stored_tiles
from audit.tree import leaf_hash, root_of, verify_consistency, verify_inclusion
from audit.verify import Report, verify_bundle
from exchange.flows.erase_client import Erased, Erasure, erase_client, finish_erasures
from exchange.flows.view_consents import view_consents
from exchange.keeping import clients_erase, keys_rotate
from exchange.key_shelves import KEYS, PendingShred
from exchange.key_store import open_key_store
from exchange.operations import OperationRefused
from exchange.samples import samples
from exchange.security.keys import KeyDestroyed, read_key_ring
from exchange.services import SHARD, Services, build_services
from exchange.settings import Settings
from exchange.transaction import Outcome, Transaction
from policies.decision import Refused
from policies.vocabulary import Handle, OrganisationId
from tests.audit.bundles import members, note_over, policy_for
from tests.builders import Broker, Clock, Story, logged
from tests.exchange.commands import PATIENCE, Hold

ORIGIN = "127.0.0.1:8080/audit/tlog/s0e1"
ORDER = {"basis": "gdpr-17-1-b", "request": "rq-2026-0001"}
sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
postgresql = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)


def erased(broker: Broker, story: Story, **more: Any) -> Mapping[str, Any]:
    asked = ORDER | {"client": story.handle, "organisation": story.sample.holder} | more
    *_, result = clients_erase(broker.services, asked)
    return result


def client_of(broker: Broker, story: Story) -> str:
    registered = [each for each in logged(broker.services) if each["k"] == "client.registered"]
    return str(registered[-1]["client"])


def deep(services: Services) -> Report:
    with services.database.reading() as connection:
        return verify_log(connection, shard=SHARD, keys=services.keys, deep=True)


def everywhere(services: Services, settings: Settings) -> bytes:
    """Every byte that is stored: the files, or for PostgreSQL every row of every table."""
    if services.database.is_sqlite:
        services.database.empty_journal()
        return b"".join(path.read_bytes() for path in settings.data_dir.iterdir() if path.is_file())
    said_in_rows = []
    with services.database.reading() as connection:
        for table in (*SQLModel.metadata.tables.values(), *KEYS.metadata.tables.values()):
            for row in connection.execute(select(table)):
                said_in_rows += [
                    bytes(each) if isinstance(each, bytes | memoryview) else str(each).encode()
                    for each in row
                ]
    return b"\n".join(said_in_rows)


@pytest.mark.case("AL26")
@pytest.mark.case("T94")
def test_nothing_of_an_erased_person_is_found_again(broker: Broker, settings: Settings) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    assert story.fetch().is_success
    client = client_of(broker, story)
    services = broker.services
    key_id = bytes.fromhex(client.replace("-", ""))
    wrapped = services.keys._shelf.get(key_id)  # noqa: SLF001 - what a thief would look for
    assert wrapped is not None
    canaries = {
        "client": client.encode(),
        "key id": key_id,
        "handle": story.handle.encode(),
        "key": services.keys.key(key_id),
        "wrapped": wrapped,
        "blind": services.keys.blind("sub", client),
        "consent": story.consent.encode(),
        "consent blind": services.keys.blind("con", story.consent),
        "handover": story.handover.encode(),
    }
    about_her = [each for each in logged(services) if each.get("client") == client]
    before = everywhere(services, settings)
    stand = {name for name, value in canaries.items() if value in before}
    assert stand == canaries.keys() - {"key"}

    result = erased(broker, story)
    list(keys_rotate(services, {}))
    list(keys_rotate(services, {"destroy_old": True}))

    after = everywhere(services, settings)
    assert [name for name, value in canaries.items() if value in after] == []
    assert result["recipients"] == ["vdab-wvl"]
    assert result["parts"] == 2 * len(about_her)


def test_what_the_index_hides_of_her_goes_with_the_rest(broker: Broker) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    client, services = client_of(broker, story), broker.services
    about_her = [each["index"] for each in logged(services) if each.get("client") == client]

    def hide(tx: Transaction) -> Outcome[None]:
        row = update(AuditIndex).where(col(AuditIndex.idx) == about_her[1])
        tx.connection.execute(row.values(subject_blind=None))
        return Outcome(None)

    services.writer.submit(hide).result(PATIENCE)

    assert erased(broker, story)["parts"] == 2 * len(about_her)
    assert deep(services).findings == ()


@pytest.mark.case("T94")
def test_what_waits_beside_an_erasure_leaves_nothing_of_her_behind(broker: Broker) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    services, holder = broker.services, broker.caller(story.sample.holder)
    client = client_of(broker, story)
    order = Erasure(OrganisationId(story.sample.holder), Handle(story.handle), "b", "r")
    hold = Hold(services.writer)
    look = partial(services.writer.submit, view_consents, holder, Handle(story.handle))
    beside: list[Future[Any]] = [look(), services.writer.submit(erase_client, order), look()]
    hold.release()
    before, gone, after = (each.result(PATIENCE).value for each in beside)
    services.writer.submit(finish_erasures).result(PATIENCE)

    assert not isinstance(before, Refused)
    assert isinstance(gone, Erased)
    assert isinstance(after, Refused)
    key_id = bytes.fromhex(client.replace("-", ""))
    with services.database.reading() as connection:
        for table in (AuditPart, AuditSubject):
            left = select(func.count()).select_from(table).where(col(table.key_id) == key_id)
            assert connection.scalar(left) == 0
    assert deep(services).findings == ()


@pytest.mark.case("T94")
def test_no_proof_breaks_and_others_keep_their_record(broker: Broker) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    other = samples()["cl-0001"]
    handle = broker.registered(other)
    services = broker.services
    with services.database.reading() as connection:
        head = log.head(connection, shard=SHARD)
        old = root_of(head.compact)
        leaves = dict(log.entries(connection, shard=SHARD))
        tiles = stored_tiles(connection, shard=SHARD, size=head.size)
        proofs = {index: tiles.inclusion(index) for index in leaves}

    erased(broker, story)

    report = deep(services)
    assert (report.findings, report.exit_code) == ((), 0)
    with services.database.reading() as connection:
        now = stored_tiles(connection, shard=SHARD, size=report.size)
        grown = now.consistency(head.size)
        assert dict(log.entries(connection, shard=SHARD)).items() >= leaves.items()
    assert verify_consistency(head.size, report.size, old, report.root, grown)
    for index, leaf in leaves.items():
        assert verify_inclusion(index, head.size, leaf_hash(leaf), proofs[index], old)
    assert broker.as_(other.holder).get(f"/v1/clients/{handle}/summary").is_success


def test_an_export_from_before_and_one_from_after_both_hold(broker: Broker, tmp_path: Path) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    first, note = exported(broker)
    erased(broker, story)
    second, _ = exported(broker)

    for bundle in (first, second):
        path = tmp_path / "bundle.odaudit"
        path.write_bytes(bundle)
        report = verify_bundle(path, policy_for(ORIGIN).encode(), [note])
        assert (report.findings, report.exit_code) == ((), 0)
    assert b"shredded" in members(second)["parts.jsonl"]


def exported(broker: Broker) -> tuple[bytes, bytes]:
    """The whole log as a bundle in which everything is shown, and the head it is proven by."""
    services = broker.services
    with services.database.reading() as connection:
        head = log.head(connection, shard=SHARD)
        root, seen = root_of(head.compact), int(broker.clock().timestamp())
        note = note_over(head.size, root, origin=ORIGIN, seen=seen)
        labels = frozenset({"s", "y", "a"})
        source = export.Source(connection, SHARD, note, "", "test", services.keys, labels)
        out = BytesIO()
        export.export_range(source, out)
    return out.getvalue(), note


def test_nothing_made_from_the_key_stays_in_memory(broker: Broker) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    client, vault = client_of(broker, story), broker.services.vault
    box = vault.seal(client, b"her words", "summary")

    erased(broker, story)

    with pytest.raises(KeyDestroyed):
        vault.open(client, box, "summary")


def test_after_it_the_person_is_nobody_and_may_come_back(broker: Broker) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    erased(broker, story)

    holder = broker.as_(story.sample.holder)
    assert story.fetch().status_code == 404
    assert holder.get(f"/v1/clients/{story.handle}/summary").status_code == 404
    assert holder.get(f"/v1/consents/{story.consent}/receipt").status_code == 404
    assert holder.get(f"/v1/handovers/{story.handover}").status_code == 404

    again = broker.story("cl-0005", "vdab-wvl", "P2")
    assert again.handle != story.handle
    assert again.fetch().is_success
    registered = [each for each in logged(broker.services) if each["k"] == "client.registered"]
    assert ["sn" in each for each in registered] == [False, True]
    assert registered[-1]["sn"] == 1
    assert deep(broker.services).findings == ()


def test_what_another_organisation_asks_to_erase_stays(broker: Broker) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")

    with pytest.raises(OperationRefused, match="no such client"):
        erased(broker, story, organisation="vdab-wvl")

    assert story.fetch().is_success
    assert "client.refused" in [each["k"] for each in logged(broker.services)]


def test_what_is_under_inquiry_is_kept_and_the_operator_is_told_until_when(broker: Broker) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    holder = broker.as_(story.sample.holder)
    flags = {"flags": ["under_inquiry"]}
    assert holder.put(f"/v1/clients/{story.handle}/flags", json=flags).is_success

    with pytest.raises(OperationRefused, match="until the end of an inquiry"):
        erased(broker, story)

    assert story.fetch().is_success


@pytest.mark.parametrize("name", ["basis", "request"])
def test_what_stands_for_ever_is_a_code(broker: Broker, name: str) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")

    with pytest.raises(OperationRefused, match=name):
        erased(broker, story, **{name: "on behalf of Zwaantje"})

    assert story.fetch().is_success


@sqlite
def test_a_late_look_does_not_bring_a_key_back(broker: Broker) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    services, holder = broker.services, OrganisationId(story.sample.holder)
    key_id = bytes.fromhex(client_of(broker, story).replace("-", ""))
    order = Erasure(holder, Handle(story.handle), "b", "r")
    services.writer.submit(erase_client, order).result(PATIENCE)

    # Somebody opens what was released just before.
    assert services.keys.by_id(key_id) is not None
    services.writer.submit(finish_erasures).result(PATIENCE)

    assert services.keys.by_id(key_id) is None


@sqlite
def test_a_key_whose_end_is_committed_does_not_outlive_a_crash(
    settings: Settings, clock: Clock
) -> None:
    services = build_services(settings, clock=clock)
    broker = Broker(services, clock)
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    client = client_of(broker, story)
    key_id = bytes.fromhex(client.replace("-", ""))
    holder = OrganisationId(story.sample.holder)
    order = Erasure(holder, Handle(story.handle), "gdpr-17-1-b", "rq-1")
    services.writer.submit(erase_client, order).result()
    # Here the process dies: nothing was told to finish.
    assert services.keys.by_id(key_id) is not None
    services.close()

    services = build_services(settings, clock=clock)

    assert services.keys.by_id(key_id) is None
    with services.database.reading() as connection:
        assert connection.execute(select(PendingShred)).all() == []
    services.close()


def test_a_backup_from_before_opens_no_more_after_a_turn_of_the_wrapping_key(
    settings: Settings, clock: Clock, tmp_path: Path
) -> None:
    services = build_services(settings, clock=clock)
    broker = Broker(services, clock)
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    key_id = bytes.fromhex(client_of(broker, story).replace("-", ""))
    old = services.keys._shelf.get(key_id)  # noqa: SLF001 - as it stands in a backup
    assert old is not None
    first = read_key_ring(settings.data_dir / "keys.json")

    assert list(keys_rotate(services, {}))[-1]["wrapped"] == 1
    assert story.fetch().is_success
    both = read_key_ring(settings.data_dir / "keys.json")
    assert both.unwrap(key_id, old) == first.unwrap(key_id, old)
    assert list(keys_rotate(services, {"destroy_old": True}))[-1] == {
        "epoch": 2, "wrapped": 0, "destroyed": 1,
    }  # fmt: skip
    services.close()

    services = build_services(settings, clock=clock)
    broker = Broker(services, clock)
    with pytest.raises(KeyDestroyed):
        read_key_ring(settings.data_dir / "keys.json").unwrap(key_id, old)
    assert services.keys.by_id(key_id) is not None
    assert [each["e"]["use"] for each in logged(services) if each["k"] == "key.rotated"] == ["kek"]
    assert deep(services).findings == ()
    services.close()


@postgresql
def test_another_process_lets_go_of_a_key_that_was_destroyed(
    broker: Broker, settings: Settings
) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    key_id = bytes.fromhex(client_of(broker, story).replace("-", ""))
    ring = read_key_ring(settings.data_dir / "keys.json")
    elsewhere = open_key_store(broker.services.database, ring, shard=SHARD)
    assert elsewhere.by_id(key_id) is not None

    erased(broker, story)
    elsewhere.forget_destroyed()

    assert elsewhere.by_id(key_id) is None
    elsewhere.close()
