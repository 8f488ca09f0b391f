"""The demonstration, run as its user runs it, and the pieces that decide whether it went well."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient
from rich.console import Console

from exchange.demo.chapters import CHAPTERS, almost_nothing
from exchange.demo.house import listening
from exchange.demo.stage import NotAsTold, Stage
from exchange.demo.story import play
from exchange.demo.telling import Teller
from exchange.demo.views import DENIED, EXCLUDED, NOT_GRANTED, OUTLINE, why
from exchange.operations import OperationRefused
from exchange.samples import samples
from tests.builders import Broker

OVERDRACHT = str(Path(sys.executable).with_name("overdracht"))
TITLES = (
    "1  A minor of 17: CLB TOPunt → Word Wijs!",
    "2  She reads Arabic: Integration agency → Leerwinkel",
    "3  A detainee: prison service → CVO West, sender masked",
    "4  She withdraws: De Stap → VDAB Gent",
    "5  One person, two partners: OCMW Kortrijk → VDAB and Leerwinkel",
    "6  Almost nothing shared: J., known to De Stap by a letter",
)


def surroundings(tmp_path: Path) -> dict[str, str]:
    """An environment that points at a database which the demonstration must not touch."""
    return os.environ | {
        "OVERDRACHT_DATA_DIR": str(tmp_path / "mine"),
        "OVERDRACHT_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "TMPDIR": str(tmp_path),
        "PYTHONIOENCODING": "utf-8",
    }


@contextmanager
def port_taken() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_told_once_it_ends_well_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with port_taken() as port:
        ended = subprocess.run(  # noqa: S603 - our own command
            [OVERDRACHT, "demo", "--once", "--port", str(port)],
            env=surroundings(tmp_path),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )

    lines = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [each for each in lines if each in TITLES] == list(TITLES)
    assert "418 clients" in ended.stdout
    assert re.search(r"[0-9]+ entries, every sealed part opened: the log holds", ended.stdout)
    assert re.search(r"([0-9]+) of \1 claims of this story held", ended.stdout)
    (size,) = re.findall(r"verified +([0-9]+) entries", ended.stdout)
    witnessed = ended.stdout.partition("Somebody else signs for the log")[2]
    assert re.search(rf"/audit/tlog/s0e1\n +{size}\n +[A-Za-z0-9+/]{{43}}=\n", witnessed)
    assert "witness.ligo.example" in witnessed
    assert re.search(r"hashes prove that release #[0-9]+ stands under this head", witnessed)
    assert "\x1b" not in ended.stdout
    assert max(map(len, lines)) <= 100
    assert list(tmp_path.iterdir()) == []


def test_left_up_it_can_be_called_as_it_says_until_it_is_stopped(tmp_path: Path) -> None:
    with port_taken() as port:
        pass
    with subprocess.Popen(  # noqa: S603 - our own command
        [OVERDRACHT, "demo", "--port", str(port)],
        env=surroundings(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as running:
        assert running.stdout is not None
        said = list(_until("overdracht audit verify", running.stdout))
        (fetch,) = [each for each in said if each.startswith("curl") and "query" in each]
        (look,) = [each for each in said if each.startswith("curl") and "outbox" in each]
        answers = [_as_curl(each) for each in (fetch, look)]
        (data,) = re.findall(r"OVERDRACHT_DATA_DIR=(\S+)", said[-1])
        verified = subprocess.run(  # noqa: S603 - our own command
            [OVERDRACHT, "audit", "verify", "--deep"],
            env={**os.environ, "OVERDRACHT_DATA_DIR": data},
            capture_output=True,
            check=False,
        )
        running.send_signal(signal.SIGINT)
        last = running.stdout.read()

    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].json()["summary"]["ident"]["given_name"]["value"] == "Ruslan"
    assert len(answers[1].json()["items"]) == 1
    assert verified.returncode == 0
    assert running.returncode == 0
    assert data in last
    assert all(each.stat().st_mode & 0o077 == 0 for each in Path(data).glob("*.token"))


def _until(last: str, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line.rstrip("\n")
        if last in line:
            return


def _as_curl(line: str) -> httpx2.Response:
    """Do what the printed line does."""
    (url,) = re.findall(r"http://[^ ']+", line)
    (token,) = re.findall(r"\$\(cat (\S+)\)", line)
    body = re.findall(r"-d '(.+)'", line)
    headers = {"Authorization": f"Bearer {Path(token).read_text()}"}
    if not body:
        return httpx2.get(url, headers=headers)
    json_type = {"Content-Type": "application/json"}
    return httpx2.post(url, headers=headers | json_type, content=body[0])


@pytest.fixture
def stage(broker: Broker) -> Stage:
    """The chapters' stage on the test's broker, at the time the sample data are true."""
    http = TestClient(broker.app)
    return Stage(broker.services, http, samples(), Teller(Console(file=StringIO())))


def test_every_chapter_ends_as_it_should_on_both_databases(stage: Stage) -> None:
    play(CHAPTERS, stage)

    assert stage.teller.failed == []
    assert stage.teller.expected > len(CHAPTERS)


def test_a_chapter_that_breaks_off_is_a_claim_that_did_not_hold(stage: Stage) -> None:
    def broken(_: Stage) -> None:
        raise NotAsTold("POST was answered with 500")

    def unforeseen(_: Stage) -> None:
        raise KeyError("erasure_notice")

    play((broken, unforeseen), stage)

    assert stage.teller.failed == [
        "POST was answered with 500",
        "unforeseen runs to its end (KeyError)",
    ]


def test_a_release_that_nobody_agreed_to_would_be_noticed(stage: Stage) -> None:
    sample = stage.samples["cl-0006"]
    grant = {**sample.consent["grants"][0], "purpose": "P2", "recipient": "org:vdab-gent"}
    notice = stage.samples["cl-0004"].consent["notice"]
    told = {"notice": notice, "grants": [{**grant, "sections": ["contact"]}]}
    consent = {**sample.consent, **told}
    del consent["refused"]
    stage.samples["cl-0006"] = replace(sample, consent=consent)

    play((almost_nothing,), stage)

    assert "the holder is told why" in stage.teller.failed


def test_a_port_in_use_is_said_with_what_to_do() -> None:
    with port_taken() as port, pytest.raises(OperationRefused, match="--port"):
        listening(port, or_any=False)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("health", DENIED),
        ("educ.last_track", EXCLUDED),
        ("work", NOT_GRANTED),
        ("educ.dropout_reason", OUTLINE),
    ],
)
def test_what_stays_behind_is_explained_from_the_consent(name: str, reason: str) -> None:
    assert why(samples()["cl-0001"], name, "destap-ww", "P1") == reason
