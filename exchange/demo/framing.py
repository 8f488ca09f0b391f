"""The frame in a chapter: an agreement is stopped and taken up again, and a no is explained."""

from collections.abc import Mapping
from typing import Any

from exchange.demo.stage import Stage, good
from exchange.demo.views import only
from exchange.transaction import BROKER

WHO, WHAT = "leerwinkel-wvl", "P1"
NOT_FOUND = 404


def frame(stage: Stage) -> None:
    """OCMW and Leerwinkel share under a public agreement, for as long as it is in force."""
    stage.teller.chapter(
        "7  The frame: what stops when an agreement stops",
        "Every agreement is public. One that is suspended lets nothing go from that moment on.",
    )
    register = {each["id"]: each for each in stage.public("/agreements")["agreements"]}
    stands = {id: each["standing"] for id, each in register.items()}
    stage.teller.line("register", *(f"{id}  {each}" for id, each in sorted(stands.items())))
    told = [stands.get(f"PR-2026-{number}") for number in ("008", "009", "010")]
    words = "ended, incomplete and suspended agreements are shown as that"
    stage.teller.expect(words, held=told == ["ended", "incomplete", "suspended"])
    handover, *_ = stage.inbox(WHO)
    start = stage.log_size()
    protocol = _protocol(stage, handover)
    step = {"agreement": protocol, "by": BROKER, "reason": "under_review"}
    stage.operated("agreements suspend", step)
    stopped = stage.query(WHO, WHAT, handover=handover)
    stage.operated("agreements lift", step)
    again = stage.query(WHO, WHAT, handover=handover)
    stage.teller.line(
        "suspended",
        f"{protocol}: the next fetch {stopped.status_code}; lifted: {again.status_code}",
    )
    stage.teller.expect("nothing leaves while it is suspended", held=not stopped.is_success)
    stage.teller.expect("lifted, it is as before", held=again.is_success)
    _explained(stage, handover, only(stage.logged_since(start), "summary.refused")[0])


def _protocol(stage: Stage, handover: str) -> str:
    released = good(stage.query(WHO, WHAT, handover=handover))
    return str(released["grounds"]["protocol"])


def _explained(stage: Stage, handover: str, refused: Mapping[str, Any]) -> None:
    """The holder may know why; who was refused may not."""
    holder = str(stage.envelope(WHO, handover)["from"]["org"]).removeprefix("org:")
    path = f"/v1/audit/entries/{refused['index']}/explanation"
    told = good(stage.party(holder).get(f"{path}?as=client"))["explanation"]
    stage.teller.line("explained", told["headline"], told["why"])
    stage.teller.expect("the holder can tell the client why", held=bool(told["why"]))
    asker = stage.party(WHO).get(path)
    stage.teller.expect("who was refused cannot ask", held=asker.status_code == NOT_FOUND)
