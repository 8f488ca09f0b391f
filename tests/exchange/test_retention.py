"""`overdracht retention run`: what had its time goes, through the writer, and the log says so."""

from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest

from audit import search
from audit.live import verify_log
from audit.retention import KEPT, POLICY
from audit.verify import verify_bundle
from exchange.exporting import client_bundle
from exchange.flows.expire_parts import expire_parts
from exchange.keeping import retention_run
from exchange.services import SHARD, Services, build_services
from exchange.settings import Settings
from policies.vocabulary import ClientId
from tests.audit.bundles import members
from tests.builders import Broker, Clock, logged
from tests.exchange.console import command_line


def run(services: Services) -> int:
    *_, result = retention_run(services, {})
    return int(result["parts"])


def test_old_parts_go_and_the_young_ones_still_prove_themselves(
    broker: Broker, clock: Clock, tmp_path: Path
) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    services = broker.services
    before = logged(services)
    client = next(each["client"] for each in before if each["k"] == "client.registered")
    clock.move(clock.now + KEPT - timedelta(days=1))
    assert run(services) == 0
    holder = broker.as_(story.sample.holder)
    assert holder.get(f"/v1/clients/{story.handle}/summary").is_success
    clock.move(clock.now + timedelta(days=2))

    gone = run(services)

    assert gone == sum(len(each.get("x", ())) for each in before) > 0
    with services.database.reading() as connection:
        report = verify_log(connection, shard=SHARD, keys=services.keys, deep=True)
        timeline = search.timeline(connection, shard=SHARD, client=client, keys=services.keys)
    assert report.findings == ()
    assert (timeline.complete, len(timeline.hits)) == (True, 1)
    assert timeline.expired == sum(each.get("client") == client for each in before)
    last = logged(services)[-1]
    assert (last["k"], last["e"]) == ("parts.expired", {"n": gone, "policy": POLICY})
    services.checkpointing.once()
    out = BytesIO()
    client_bundle(services, out, ClientId(client))
    (tmp_path / "b").write_bytes(out.getvalue())
    told = verify_bundle(tmp_path / "b", members(out.getvalue())["policy.txt"])
    assert told.findings == ()


def test_twice_is_once(broker: Broker, clock: Clock) -> None:
    broker.story("cl-0005", "vdab-wvl", "P2")
    clock.move(clock.now + KEPT + timedelta(days=1))
    assert run(broker.services) > 0
    before = logged(broker.services)

    assert run(broker.services) == 0
    # As when another process was quicker: what is gone is gone, and nothing is said of it.
    broker.services.writer.submit(expire_parts, ()).result()

    assert logged(broker.services) == before


def test_a_client_whose_record_has_expired_goes_on(broker: Broker, clock: Clock) -> None:
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    clock.move(clock.now + KEPT + timedelta(days=1))
    assert run(broker.services) > 0

    assert broker.as_(story.sample.holder).get(f"/v1/clients/{story.handle}/summary").is_success

    with broker.services.database.reading() as connection:
        keys = broker.services.keys
        assert verify_log(connection, shard=SHARD, keys=keys, deep=True).findings == ()


def test_from_the_command_line(
    settings: Settings,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    services = build_services(settings, clock=clock)
    Broker(services, clock).story("cl-0005", "vdab-wvl", "P2")
    services.close()
    overdracht = command_line(settings, monkeypatch, capsys)

    ran = overdracht("retention", "run", "--json")

    assert (ran.code, ran.json["parts"]) == (0, 0)
    assert "0 sealed parts" in overdracht("retention", "run").words
