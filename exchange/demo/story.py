"""The story from beginning to end, and what stays up after it."""

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from httpx2 import Client, HTTPError

from audit.checkpoints import checkpoint_in, open_note
from audit.live import verify_log
from audit.tree import verify_inclusion
from exchange.admin_socket import AdminSocket
from exchange.checkpointing import Signing
from exchange.demo.chapters import CHAPTERS, Chapter
from exchange.demo.house import EXPORTS, Door, built, furnish, imported, listening, shift_to_today
from exchange.demo.neighbour import Neighbour
from exchange.demo.stage import NotAsTold, Stage
from exchange.demo.telling import Teller
from exchange.samples import samples
from exchange.services import SHARD, Services
from exchange.serving import Upkeep

CLIENTS = 418
PLAYED = (
    "clb-topunt",
    "destap-ww",
    "agii-wvl",
    "leerwinkel-wvl",
    "prison-brugge-tb",
    "cvo-west",
    "vdab-gent",
    "ocmw-kortrijk",
    "vdab-wvl",
)
FRESH_SECONDS = 120.0
"""How often the ready-made tokens are replaced while the service stays up; they live 300."""


def tell(*, once: bool, port: int) -> int:
    """Tell the story over HTTP, verify the log, and unless `once` stay up until Ctrl-C.

    0: the log holds and every chapter ended as it should; 1: something did not. Raises
    `OperationRefused` when the port is taken (with `once`: takes another one).
    """
    with ExitStack() as at_end:
        at_door = listening(port, or_any=once)
        at_end.callback(at_door.close)
        data = Path(tempfile.mkdtemp(prefix="overdracht-demo-"))
        if once:
            at_end.callback(shutil.rmtree, data, ignore_errors=True)
        address = "http://{}:{}".format(*at_door.getsockname())
        neighbour = Neighbour(data / "neighbour")
        at_end.callback(neighbour.close)
        services = built(data, address, neighbour.policy())
        at_end.callback(services.close)
        neighbour.begin(services.checkpointing.vkeys)
        at_end.callback(Door(services, at_door).close)
        http = at_end.enter_context(Client(base_url=address, trust_env=False, timeout=30))
        teller = Teller()
        stage = Stage(services, http, samples(shift_to_today(services)), teller)
        code = _told(services, stage, neighbour, data, address)
        if not once:
            seconds = services.settings.checkpoint_seconds
            at_end.callback(Signing(services.checkpointing, seconds).close)
            at_end.callback(AdminSocket(services).close)
            at_end.callback(Upkeep(services).close)
            _stay(stage, data, address)
        return code


def _told(services: Services, stage: Stage, neighbour: Neighbour, data: Path, address: str) -> int:
    began, teller = time.monotonic(), stage.teller
    teller.title(
        "Overdracht: a client is handed over, and nobody has to tell their story twice",
        "A whole broker, called over HTTP by nine organisations. All people are invented.",
        f"{address}   {data}",
    )
    _before(services, teller)
    for organisation in PLAYED:
        stage.party(organisation)
    play(CHAPTERS, stage)
    holds = _after(services, stage)
    _witnessed(services, stage, neighbour)
    seconds = time.monotonic() - began
    held = teller.expected - len(teller.failed)
    teller.line(
        "checked", f"{held} of {teller.expected} claims of this story held; {seconds:.0f} s"
    )
    return 0 if holds and not teller.failed else 1


def play(chapters: Iterable[Chapter], stage: Stage) -> None:
    """Play them all: one that breaks off counts as a claim that did not hold."""
    for chapter in chapters:
        try:
            chapter(stage)
        except NotAsTold as error:
            stage.teller.expect(str(error), held=False)
        except (HTTPError, ValueError, LookupError) as error:
            words = f"{chapter.__name__} runs to its end ({type(error).__name__})"
            stage.teller.expect(words, held=False)


def _before(services: Services, teller: Teller) -> None:
    """Directory, agreements, notices, and the clients that two services had already."""
    teller.chapter(
        "Before the story: two services bring their clients",
        "Exports as they come out of two registration systems: Windows-1252, dirt and all.",
    )
    found = furnish(services)
    teller.line(
        "directory",
        f"{found['organisations']} organisations, {found['agreements']} agreements, "
        f"{found['notices']} consent notices",
        f"never in force, since incomplete: {', '.join(found['incomplete'])}",
    )
    stored = 0
    for kind, folder, organisation in EXPORTS:
        with teller.busy(f"importing {organisation}"):
            report = imported(services, kind, folder, organisation)
        stored += report["stored"]
        teller.line(organisation, _counts(report))
    teller.line("together", f"{stored} clients; ticks for consent are not read: nobody shares yet")
    teller.expect(f"{CLIENTS} clients are stored", held=stored == CLIENTS)


def _counts(report: Mapping[str, Any]) -> str:
    return (
        f"{report['stored']} stored ({report['partial']} thin files), "
        f"{sum(report['dropped'].values())} cells not read, "
        f"{len(report['quarantined'])} texts quarantined, {len(report['rejected'])} rejected"
    )


def _after(services: Services, stage: Stage) -> bool:
    """What the whole log holds, and whether it holds: read again, every part opened."""
    teller, kinds = stage.teller, stage.kinds()
    teller.chapter(
        "After the story: the log",
        "Every look, refusal and change, in the order of the decisions.",
    )
    teller.line("holds", ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())))
    with services.database.reading() as connection:
        report = verify_log(connection, shard=SHARD, keys=services.keys, deep=True)
    words = "the log holds" if report.exit_code == 0 else "THE LOG DOES NOT HOLD"
    teller.line("verified", f"{report.size} entries, every sealed part opened: {words}")
    teller.line("root", report.root.hex())
    teller.expect("the log holds", held=report.exit_code == 0)
    teller.expect("all of it was read", held=report.size == kinds.total() == stage.log_size())
    return report.exit_code == 0


def _witnessed(services: Services, stage: Stage, neighbour: Neighbour) -> None:
    """The log's head, signed by the log and by another organisation; and a release under it."""
    teller = stage.teller
    teller.chapter(
        "Somebody else signs for the log",
        "A witness of another organisation signs each head only if it extends the last one.",
    )
    done = services.checkpointing.once(again=True)
    size, note = stage.log_size(), stage.head()
    head, (leaf, proof) = neighbour.opened(note), stage.proof_of_release()
    known = open_note(note, services.checkpointing.vkeys)
    teller.line("log", *note.splitlines()[:3])
    teller.line("signed by", *(each.partition(" ")[2][:40] for each in note.splitlines()[4:]))
    whole = head is not None and head.size == size and checkpoint_in(known) == head
    teller.expect("log and witness signed the whole of it", held=whole)
    teller.expect("the quorum is met", held=done is not None and done.quorum)
    proven = head is not None and verify_inclusion(
        leaf.index, head.size, leaf.leaf_hash, proof, head.root
    )
    words = f"{len(proof)} hashes prove that release #{leaf.index} stands under this head"
    teller.line("proof", words if proven else "NO PROOF")
    teller.expect("a release is proven to stand in the log", held=proven)


def _stay(stage: Stage, data: Path, address: str) -> None:
    """Stay up until told to stop, with a fresh token for two organisations always at hand."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    files = {name: data / f"{name}.token" for name in ("leerwinkel-wvl", "destap-ww")}
    _renew(stage, files)
    _invite(stage, files, data, address)
    while not stop.wait(FRESH_SECONDS):
        _renew(stage, files)
    stage.teller.plain(f"\nStopped. The data stay in {data} until you delete them.")


def _renew(stage: Stage, files: Mapping[str, Path]) -> None:
    for organisation, path in files.items():
        token = stage.party(organisation).token(fresh=True)
        new = path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(token)
        new.replace(path)


def _invite(stage: Stage, files: Mapping[str, Path], data: Path, address: str) -> None:
    teller, (handover, *_) = stage.teller, stage.inbox("leerwinkel-wvl")
    bearer = {name: f'-H "Authorization: Bearer $(cat {path})"' for name, path in files.items()}
    body = (
        f'{{"handover": "{handover}", "purpose": "P1", "case_reference": "demo-2",'
        ' "end_user": {"id": "u-17", "function": "counsellor"}}'
    )
    teller.chapter("The service stays up", f"{address} until Ctrl-C; the tokens renew themselves.")
    teller.plain("\n# Leerwinkel reads what one client agreed to share:")
    teller.plain(
        f"curl -s {address}/v1/summaries/query {bearer['leerwinkel-wvl']} "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )
    teller.plain("\n# De Stap looks at what it sent:")
    teller.plain(f"curl -s '{address}/v1/handovers?box=outbox' {bearer['destap-ww']}")
    teller.plain(f"\n# The agreements, for everybody, in the browser: {address}/agreements")
    teller.plain("\n# The log, once more, with your look in it:")
    teller.plain(f"OVERDRACHT_DATA_DIR={data} overdracht audit verify --deep")
