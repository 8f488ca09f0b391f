"""An import stores what it may, once, and reports places and codes, never what was in them."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Intake
from exchange import records
from exchange.admin_socket import AdminSocket
from exchange.considering import opened_with
from exchange.importing import Import
from exchange.services import SHARD, Services
from exchange.settings import Settings
from policies.vocabulary import NOBODY, OrganisationId
from tests.adapters.exports import EXCERPTS, source_of
from tests.builders import Broker, Clock, logged
from tests.exchange.console import Overdracht, command_line

CSV, JSONL = "registration-csv", "registration-jsonl"
HOLDERS = {CSV: "leerwinkel-wvl", JSONL: "destap-ww"}
FOLDERS = {CSV: EXCERPTS / "leerwinkel", JSONL: EXCERPTS / "destap"}
PERSONAL = ("naam", "voornaam", "INSZ", "straat", "gsm", "telefoon", "email", "notities")

every_kind = pytest.mark.parametrize("kind", HOLDERS)


@pytest.fixture
def overdracht(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Overdracht:
    return command_line(settings, monkeypatch, capsys)


@pytest.fixture
def server(services: Services) -> Iterator[Services]:
    admin = AdminSocket(services)
    yield services
    admin.close()


def imported(services: Services, kind: str, path: Path | None = None, **more: Any) -> Any:
    """The report of an import."""
    run = Import(services, kind, HOLDERS[kind], dry_run=more.get("dry_run", False))
    for _ in run.run(path or FOLDERS[kind]):
        pass
    return run.report.document()


def intakes(kind: str) -> list[Intake]:
    found = source_of(FOLDERS[kind]).intakes(FOLDERS[kind])
    return [each for each in found if isinstance(each, Intake)]


def kinds(services: Services) -> list[str]:
    return [each["k"] for each in logged(services) if not each["k"].startswith("admin.")]


def stored(services: Services, holder: str, reference: str) -> dict[str, Any]:
    """The sections of a client, by its holder's own reference."""
    registration = services.committer.registration(
        OrganisationId(holder), identity={}, reference=reference
    )
    with services.database.reading() as connection:
        (value,) = registration.commitments
        client = records.client_committed_to(connection, shard=SHARD, value=value)
        assert client != NOBODY
        rows = records.sealed_sections(connection, shard=SHARD, client=client)
        return {each.section: opened_with(services.vault, client, each) for each in rows}


@every_kind
def test_every_client_is_registered_and_logged(services: Services, kind: str) -> None:
    report = imported(services, kind)

    found = kinds(services)
    assert report["stored"] == report["new"] == report["clients"] > 1
    assert found.count("client.registered") == report["stored"]
    assert found.count("summary.deposited") == report["stored"]
    assert found[-1] == "intake.imported"


@every_kind
def test_what_was_exported_is_what_is_stored(services: Services, kind: str) -> None:
    imported(services, kind)
    intake, *_ = intakes(kind)

    sections = stored(services, HOLDERS[kind], intake.reference)

    assert set(sections) == set(intake.sections)
    assert sections["ident"]["given_name"]["value"] == intake.identity["given_name"]


@every_kind
def test_the_same_export_again_changes_nothing(services: Services, kind: str) -> None:
    first = imported(services, kind)
    before = kinds(services)

    second = imported(services, kind)

    assert (second["stored"], second["unchanged"]) == (0, first["stored"])
    assert second["clients"] == first["clients"]
    # That somebody imported is logged; no client is touched.
    assert kinds(services)[len(before) :] == ["intake.imported"]


@every_kind
def test_a_dry_run_reports_the_same_and_stores_nothing(services: Services, kind: str) -> None:
    before = len(logged(services))

    dry = imported(services, kind, dry_run=True)
    assert len(logged(services)) == before
    wet = imported(services, kind)

    different = {name for name, value in dry.items() if value != wet[name]}
    assert different <= {"dry_run", "new", "seconds"}
    assert dry["stored"] == wet["stored"]


def test_only_the_client_that_changed_is_stored_again(services: Services, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FOLDERS[JSONL], tmp_path / "export"))
    first = imported(services, JSONL, folder)
    file = folder / "clients.jsonl"
    lines = file.read_text("utf-8").splitlines()
    changed = json.loads(lines[0])
    changed["updated"] = "2026-10-31T10:00:00+01:00"
    changed["adres"]["gemeente"] = "Brugge"
    file.write_text("\n".join([json.dumps(changed), *lines[1:]]) + "\n", "utf-8")

    second = imported(services, JSONL, folder)

    assert (second["stored"], second["new"]) == (1, 0)
    assert second["unchanged"] == first["stored"] - 1
    assert kinds(services).count("client.recognised") == 1


def test_the_holder_finds_the_imported_client_by_its_own_reference(
    services: Services, broker: Broker
) -> None:
    imported(services, JSONL)
    intake, *_ = intakes(JSONL)

    body = {"reference": intake.reference}
    answer = broker.as_("destap-ww").post("/v1/clients", json=body)
    other = broker.as_("leerwinkel-wvl").post("/v1/clients", json=body)

    assert (answer.status_code, answer.json()["created"]) == (200, False)
    assert other.json()["created"] is True


def personal_words() -> set[str]:
    """Whatever somebody is called, lives at or was written about in the export."""
    with (FOLDERS[CSV] / "clienten.csv").open(encoding="cp1252", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    found = {row[name].strip() for row in rows for name in PERSONAL if row.get(name)}
    return {each for each in found if len(each) > 3}


def test_neither_report_nor_screen_nor_log_of_operators_holds_personal_data(
    overdracht: Overdracht, server: Services
) -> None:
    said = overdracht("import", CSV, FOLDERS[CSV], "--organisation", "leerwinkel-wvl", "--json")
    shown = overdracht("import", CSV, FOLDERS[CSV], "--organisation", "leerwinkel-wvl")

    words = personal_words()
    assert len(words) > 20
    assert said.json["stored"] > 1
    assert said.json["quarantined"]
    for each in words:
        assert each not in said.out
        assert each not in shown.out


def test_no_column_of_the_database_holds_personal_data_in_the_clear(services: Services) -> None:
    imported(services, CSV)
    services.close()
    folder = services.settings.data_dir
    held = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    names = {"Desmet", "Abdullahi", "abdi.abdullahi77@client.example", "6701665394"}

    assert names & personal_words() == names
    assert not [each for each in names if each.encode() in held]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((CSV, FOLDERS[CSV], "--organisation", "nobody"), "run `organisations apply` first"),
        (("carrier-pigeon", FOLDERS[CSV], "--organisation", "destap-ww"), "choose one of"),
        ((CSV, "no/such/path", "--organisation", "destap-ww"), "does not exist"),
        ((CSV, FOLDERS[JSONL], "--organisation", "destap-ww"), ""),
        ((JSONL, FOLDERS[CSV], "--organisation", "destap-ww"), ""),
        ((CSV, FOLDERS[CSV]), "organisation"),
        (
            (CSV, FOLDERS[CSV], "--organisation", "destap-ww", "--mapping", "no-such-mapping"),
            "mapping",
        ),
    ],
    ids=["organisation", "kind", "path", "not-csv", "not-jsonl", "whose", "mapping"],
)
@pytest.mark.parametrize("where", ["alone", "with-server"])
def test_an_import_that_cannot_begin_is_exit_code_2_with_words(
    overdracht: Overdracht,
    request: pytest.FixtureRequest,
    words: tuple[object, ...],
    told: str,
    where: str,
) -> None:
    if where == "with-server":
        request.getfixturevalue("server")

    refused = overdracht("import", *words)

    assert refused.code == 2
    assert told in refused.words
    assert "Traceback" not in refused.words
    assert len(refused.words) > 20


@pytest.mark.parametrize("where", ["alone", "with-server"])
def test_an_import_runs_with_and_without_a_server(
    overdracht: Overdracht, request: pytest.FixtureRequest, where: str
) -> None:
    if where == "with-server":
        request.getfixturevalue("server")
    words = ("import", JSONL, FOLDERS[JSONL], "--organisation", "destap-ww")

    dry = overdracht(*words, "--dry-run")
    first = overdracht(*words, "--json")
    second = overdracht(*words, "--json")

    assert (dry.code, first.code, second.code) == (0, 0, 0)
    assert "would be stored" in dry.words
    assert first.json["stored"] > 1
    assert second.json["stored"] == 0
    assert overdracht("audit", "verify", "--deep").code == 0


def test_numbers_are_kept_by_nobody_who_may_not_process_them(
    services: Services, clock: Clock
) -> None:
    report = imported(services, CSV)

    numbers = [each.insz for each in intakes(CSV) if each.insz]
    may = services.directory().recipient(OrganisationId("leerwinkel-wvl"), clock.now.date())
    assert may is not None
    assert not may.insz_authorised
    assert report["numbers_discarded"] + report["numbers_invalid"] == len(numbers) > 0
