"""Operators apply, register, revoke and check, whether a server runs or not."""

import json
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.admin_socket import AdminSocket, ask_server, socket_path
from exchange.samples import DATA
from exchange.security.tokens import signer_from_jwk
from exchange.services import Services, build_services
from exchange.settings import Settings
from policies.vocabulary import ApplicationId
from tests.builders import Clock, logged
from tests.exchange.commands import PATIENCE, note
from tests.exchange.console import Overdracht, command_line
from tests.exchange.machines import Machine

ORGANISATIONS = Path("tests/data/organisations.yaml")
MEMBERS = """members:
- {id: m-1, organisation: destap-ww, roles: [counsellor], site: destap-ww-gent}
- {id: m-2, organisation: vdab-gent, roles: [partner_staff, privacy_officer]}
"""


@pytest.fixture
def overdracht(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Overdracht:
    """The command line of an installation where no server runs."""
    return command_line(settings, monkeypatch, capsys)


@pytest.fixture
def server(services: Services) -> Iterator[Services]:
    """A server that runs, as far as its operator can tell."""
    admin = AdminSocket(services)
    yield services
    admin.close()


@pytest.fixture(params=["alone", "with-server"])
def wherever(request: pytest.FixtureRequest, overdracht: Overdracht) -> Overdracht:
    """The command line, once with a server running and once without."""
    if request.param == "with-server":
        request.getfixturevalue("server")
    return overdracht


@pytest.fixture
def members(tmp_path: Path) -> Path:
    path = tmp_path / "members.yaml"
    path.write_text(MEMBERS)
    return path


def copied(folder: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA / folder, tmp_path / folder))


def test_organisations_applied_again_change_nothing(wherever: Overdracht, tmp_path: Path) -> None:
    file = tmp_path / "organisations.yaml"
    shipped = (DATA / "organisations.yaml").read_text("utf-8")
    file.write_text(shipped.replace("Word Wijs!", "Word Wijzer!", 1), "utf-8")

    first = wherever("organisations", "apply", file)
    again = wherever("organisations", "apply", file, "--json")

    assert (first.code, again.code) == (0, 0)
    assert "1 new or changed" in first.words
    assert again.json["changed"] == 0
    assert again.json["unchanged"] > 20


def test_agreements_are_applied_and_the_incomplete_ones_named(
    wherever: Overdracht, tmp_path: Path
) -> None:
    folder = copied("agreements", tmp_path)

    again = wherever("agreements", "apply", folder, "--json").json
    said = wherever("agreements", "apply", folder).words

    assert (again["changed"], again["unchanged"]) == (0, 10)
    assert list(again["incomplete"]) == ["PR-2026-009"]
    assert "PR-2026-009 is not complete" in said


def test_notices_are_applied_once_and_never_change(wherever: Overdracht, tmp_path: Path) -> None:
    folder = copied("notices", tmp_path)
    again = wherever("notices", "apply", folder, "--json").json
    one = next(iter(sorted(folder.glob("*.md"))))
    one.write_text(one.read_text("utf-8") + "\nOne more sentence.\n", "utf-8")

    refused = wherever("notices", "apply", folder)

    assert again["changed"] == 0
    assert again["unchanged"] == len(list(folder.glob("*.md")))
    assert refused.code == 2
    assert "give the new text a new version" in refused.words


def test_members_are_applied_without_names(
    wherever: Overdracht, settings: Settings, members: Path
) -> None:
    said = wherever("members", "apply", members, "--json")

    assert (said.code, said.json["changed"]) == (0, 2)
    assert wherever("members", "apply", members).code == 0


def test_a_new_application_gets_a_key_file_for_its_owner_alone(
    wherever: Overdracht, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "client.json"

    said = wherever("applications", "new", "destap-ww", "--out", file, "--scope", "client")

    body = json.loads(file.read_text())
    assert said.code == 0, said.words
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert set(body) == {"application", "issuer", "token_endpoint", "private_jwk"}
    assert body["application"] == "app:destap-ww-1"
    assert body["issuer"] == settings.issuer
    assert body["token_endpoint"] == f"{settings.issuer}/oauth/token"
    assert "app:destap-ww-1 may: client." in said.words
    assert body["private_jwk"]["d"] not in said.words


def test_the_key_in_the_file_gets_a_token(
    overdracht: Overdracht, settings: Settings, tmp_path: Path, clock: Clock
) -> None:
    file = tmp_path / "client.json"
    overdracht("applications", "new", "destap-ww", "--out", file)
    body = json.loads(file.read_text())
    services = build_services(settings, clock=clock)

    machine = Machine(services, body["application"], signer_from_jwk(body["private_jwk"]))
    answer = machine.ask()
    services.close()

    assert answer.status_code == 200


def test_no_file_is_ever_overwritten_with_a_key(
    overdracht: Overdracht, tmp_path: Path, settings: Settings
) -> None:
    file = tmp_path / "client.json"
    file.write_text("precious")

    refused = overdracht("applications", "new", "destap-ww", "--out", file)

    assert refused.code == 2
    assert file.read_text() == "precious"
    assert overdracht("applications", "list", "--json").json == {"applications": []}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nobody",), "unknown organisation for nobody"),
        (("destap-ww", "--scope", "audit-all"), "it may have appointment, audit, client"),
        (("destap-ww", "--scope", "everything"), "it may have appointment, audit, client"),
    ],
)
def test_an_application_that_may_not_be_is_refused_in_words_and_leaves_no_file(
    wherever: Overdracht, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    file = tmp_path / "client.json"

    refused = wherever("applications", "new", *words, "--out", file)

    assert refused.code == 2
    assert told in refused.words
    assert not file.exists()


def test_applications_are_listed_and_revoked(wherever: Overdracht, tmp_path: Path) -> None:
    wherever("applications", "new", "destap-ww", "--out", tmp_path / "one.json")
    wherever("applications", "new", "vdab-gent", "--out", tmp_path / "two.json")

    revoked = wherever("applications", "revoke", "app:destap-ww-1")
    again = wherever("applications", "revoke", "app:destap-ww-1")
    listed = wherever("applications", "list", "--json").json["applications"]

    assert (revoked.code, again.code) == (0, 2)
    assert "revoked already" in again.words
    assert {each["application"]: each["revoked"] for each in listed} == {
        "app:destap-ww-1": True,
        "app:vdab-gent-1": False,
    }


def test_what_the_operator_does_stands_in_the_log(
    overdracht: Overdracht, server: Services, tmp_path: Path, members: Path
) -> None:
    overdracht("members", "apply", members)
    overdracht("applications", "new", "destap-ww", "--out", tmp_path / "one.json")
    overdracht("applications", "revoke", "app:destap-ww-1")

    done = [each["e"] for each in logged(server) if each["k"] == "admin.changed"][-4:]
    assert [(each["what"], each["act"], each["id"]) for each in done] == [
        ("member", "applied", "destap-ww/m-1"),
        ("member", "applied", "vdab-gent/m-2"),
        ("application", "registered", "app:destap-ww-1"),
        ("application", "revoked", "app:destap-ww-1"),
    ]
    assert server.directory().applications[ApplicationId("app:destap-ww-1")].revoked


@pytest.mark.parametrize(
    "member",
    [
        "{id: m-1, organisation: destap-ww, roles: [king]}",
        "{id: m-1, organisation: destap-ww}",
        "{organisation: destap-ww, roles: [counsellor]}",
        "{id: m-1, organisation: nobody, roles: [counsellor]}",
        "{id: 'Jan Peeters', organisation: destap-ww, roles: [counsellor]}",
        "m-1",
    ],
)
def test_members_that_cannot_be_are_refused_in_words(
    wherever: Overdracht, tmp_path: Path, member: str
) -> None:
    file = tmp_path / "members.yaml"
    file.write_text(f"members:\n- {member}\n")

    refused = wherever("members", "apply", file)

    assert refused.code == 2
    assert "Traceback" not in refused.words
    assert "failed inside" not in refused.words


@pytest.mark.parametrize(
    "document",
    ["", "[]", "organisations: 1\n", "organisations:\n- {id: x}\n", "a: 1\na: 2\n", "\xff"],
    ids=["empty", "list", "number", "poor", "twice", "latin"],
)
def test_a_directory_that_does_not_fit_is_refused_in_words_and_changes_nothing(
    wherever: Overdracht, tmp_path: Path, document: str
) -> None:
    file = tmp_path / "organisations.yaml"
    file.write_bytes(document.encode("latin-1"))

    refused = wherever("organisations", "apply", file)

    assert refused.code == 2
    assert "Traceback" not in refused.words
    assert "failed inside" not in refused.words
    assert (
        wherever("organisations", "apply", DATA / "organisations.yaml", "--json").json["changed"]
        == 0
    )


@pytest.mark.parametrize(
    "words",
    [
        ("organisations", "apply", "missing.yaml"),
        ("agreements", "apply", "missing"),
        ("applications", "new", "destap-ww"),
        ("no-such-command",),
        ("serve", "--port", "0"),
        ("serve", "--port", "many"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_exit_code_2_with_words(
    overdracht: Overdracht, words: tuple[str, ...]
) -> None:
    refused = overdracht(*words)

    assert refused.code == 2
    assert "Error" in refused.words or "Usage" in refused.words


def test_a_setting_that_is_wrong_is_exit_code_2(
    overdracht: Overdracht, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERDRACHT_QUEUE_CAPACITY", "none")

    refused = overdracht("applications", "list")

    assert refused.code == 2
    assert "OVERDRACHT_QUEUE_CAPACITY" in refused.words


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "words", [("applications", "list"), ("migrate",), ("serve", "--port", "65432")], ids=" ".join
)
def test_while_another_process_writes_without_a_door_a_command_is_refused_with_code_2(
    overdracht: Overdracht, services: Services, words: tuple[str, ...]
) -> None:
    refused = overdracht(*words)

    assert refused.code == 2
    assert "another overdracht process writes to this SQLite database" in refused.words
    assert services.writer.submit(note, "goes-on").result(PATIENCE).value == "goes-on"


def test_the_door_is_for_its_owner_alone_and_gone_when_closed(services: Services) -> None:
    path = socket_path(services.settings.data_dir)
    admin = AdminSocket(services)
    mode = path.stat().st_mode
    admin.close()

    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert not path.exists()
    assert ask_server(services.settings.data_dir, "applications list", {}) is None


@pytest.mark.parametrize(
    "line",
    [
        b"no json\n",
        b"[]\n",
        b'{"verb": "no such", "asked": {}}\n',
        b"\n",
        b'{"verb": "import"}\n',
    ],
)
def test_the_door_stays_open_whatever_one_request_was(server: Services, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(PATIENCE)
        asking.connect(str(socket_path(server.settings.data_dir)))
        asking.sendall(line)
        answer = json.loads(asking.makefile("rb").readline())

    assert set(answer) == {"refused"}
    assert list(ask_server(server.settings.data_dir, "applications list", {}) or ()) == [
        {"result": {"applications": []}}
    ]


def test_an_operator_who_hangs_up_leaves_the_door_open(server: Services) -> None:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(socket_path(server.settings.data_dir)))

    answers = ask_server(server.settings.data_dir, "applications list", {})
    assert list(answers or ()) == [{"result": {"applications": []}}]


def test_a_door_that_a_dead_server_left_does_not_keep_anybody_out(
    overdracht: Overdracht, settings: Settings, clock: Clock
) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(socket_path(settings.data_dir)))

    assert overdracht("applications", "list").code == 0
    services = build_services(settings, clock=clock)
    admin = AdminSocket(services)
    assert overdracht("applications", "list").code == 0
    admin.close()
    services.close()
