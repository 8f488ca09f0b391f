"""On PostgreSQL the service can work as a role that was never granted to rewrite the log."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from audit import guards
from audit.live import verify_log
from audit.retention import KEPT
from exchange.checks import examine
from exchange.flows.prune_log import prune_log
from exchange.keeping import clients_erase, retention_run
from exchange.operations import OperationRefused
from exchange.runtime_role import PARTLY
from exchange.services import SHARD, Services, build_services
from exchange.settings import Profile, Settings
from tests.builders import Broker, Clock
from tests.exchange.aside import aside
from tests.exchange.commands import note
from tests.exchange.console import command_line

pytestmark = pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
ATTACKS = [
    "UPDATE audit_entry SET leaf = leaf",
    "DELETE FROM audit_entry",
    "TRUNCATE audit_entry",
    "UPDATE audit_checkpoint SET root = root",
    "DELETE FROM audit_checkpoint",
    "DELETE FROM audit_part",
    "UPDATE audit_part SET idx = idx",
    "DELETE FROM audit_tile",
    "DELETE FROM audit_index",
    "UPDATE audit_index SET kind = kind",
    "UPDATE audit_state SET min_index = 256",
    "UPDATE audit_state SET origin = origin",
    "DELETE FROM audit_state",
    "DELETE FROM audit_cosig",
    "DELETE FROM audit_signer_key",
    "UPDATE agreement_version SET text = text",
    "DELETE FROM agreement_step",
    "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
    "DROP TRIGGER guard_entry_update ON audit_entry",
    "CREATE OR REPLACE FUNCTION guard_entry_update() RETURNS trigger LANGUAGE plpgsql"
    " AS $$ BEGIN RETURN NEW; END $$",
    "SET session_replication_role = replica",
    "DROP TABLE audit_entry",
    "UPDATE alembic_version SET version_num = version_num",
]


@pytest.fixture
def limited(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Settings:
    """The settings of the same broker, working as a role that `migrate --role` has made."""
    role = f"r{uuid4().hex}"
    overdracht = command_line(settings, monkeypatch, capsys)
    for _ in range(2):
        assert overdracht("migrate", "--role", role).code == 0
    url = settings.database_url.replace("//overdracht@", f"//{role}@")
    assert role in url
    return settings.model_copy(update={"database_url": url})


@pytest.fixture
def working(limited: Settings, clock: Clock) -> Iterator[Services]:
    services = build_services(limited, clock=clock)
    yield services
    services.close()


def test_everything_the_service_does_it_can_do_as_that_role(
    working: Services, clock: Clock
) -> None:
    broker = Broker(working, clock)
    story = broker.story("cl-0005", "vdab-wvl", "P2")
    assert story.fetch().is_success
    assert story.answer("acceptance").is_success
    assert story.withdraw().is_success
    for future in [working.writer.submit(note, f"n-{n}") for n in range(600)]:
        future.result()
    assert working.checkpointing.once()
    asked = {"client": story.handle, "organisation": story.sample.holder}
    *_, erased = clients_erase(working, asked | {"basis": "b", "request": "r"})
    assert erased["parts"]
    clock.move(KEPT + timedelta(days=1))
    *_, expired = retention_run(working, {})
    assert expired["parts"]
    with working.database.reading() as connection:
        report = verify_log(connection, shard=SHARD, keys=working.keys, deep=True)
    assert report.findings == ()


@pytest.mark.case("AL14")
@pytest.mark.parametrize("attack", ATTACKS)
def test_al14_that_role_is_refused_what_was_never_granted(working: Services, attack: str) -> None:
    refused = pytest.raises(DBAPIError, match=r"permission denied|must be owner")

    with aside(working) as connection, refused:
        connection.execute(text(attack))


def test_every_table_that_is_guarded_is_granted_in_part(settings: Settings) -> None:
    assert set(guards.KEPT) <= PARTLY.keys()


def test_entries_go_by_the_owners_hand_alone(working: Services, settings: Settings) -> None:
    for future in [working.writer.submit(note, f"n-{n}") for n in range(300)]:
        future.result()
    working.writer.submit(prune_log, 256, "p").result()

    with pytest.raises(OperationRefused, match="owner of the tables"):
        list(retention_run(working, {}))

    owner = build_services(settings, clock=Clock())
    *_, result = retention_run(owner, {})
    owner.close()
    assert result["entries"] == 256


def test_in_production_the_operator_is_told_of_a_role_that_may_rewrite(
    settings: Settings, limited: Settings
) -> None:
    production = {"profile": Profile.PRODUCTION}
    name = "the database role may only add to the log"

    for each, good in ((settings, False), (limited, True)):
        found = {each.check: each for each in examine(each.model_copy(update=production))}
        assert found[name].good is good
    assert {each.check: each.good for each in examine(settings)}[name]
