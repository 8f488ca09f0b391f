"""The six sample clients, a chapter each: what is asked, released and withheld, and logged."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from httpx2 import Response

from exchange.api.envelopes import MASKED
from exchange.demo.framing import frame
from exchange.demo.handing_over import handed_over
from exchange.demo.stage import Stage, good
from exchange.demo.views import in_log, only
from exchange.problems import BASE

FORBIDDEN, NOT_FOUND = 403, 404


def minor(stage: Stage) -> None:
    """Seventeen, early school leaver; her capacity to consent was assessed."""
    stage.teller.chapter(
        "1  A minor of 17: CLB TOPunt → Word Wijs!",
        "She agreed herself; a psychologist noted that she can. Her parents are not told.",
    )
    start = stage.log_size()
    noor = stage.entered("cl-0001")
    _, handover = handed_over(stage, noor, "destap-ww", "P1")
    stage.step("destap-ww", handover, "first-contact")
    closed = stage.step("destap-ww", handover, "closure", outcome={"enrolled": True})
    stage.teller.line("loop", "accepted, first contact, closed: she is enrolled")
    stage.teller.expect("the loop is closed", held=closed["state"] == "closed")
    after = _refused(stage.query("destap-ww", "P1", handover=handover))
    stage.teller.expect("a closed handover opens nothing", held=after)
    _log(stage, start)


def newcomer(stage: Stage) -> None:
    """Does not speak Dutch well; the notice was in Arabic, with an interpreter."""
    stage.teller.chapter(
        "2  She reads Arabic: Integration agency → Leerwinkel",
        "Asked in Arabic, with an interpreter; the consent keeps the hash of what she was shown.",
    )
    start = stage.log_size()
    amina = stage.entered("cl-0002")
    answer, _ = handed_over(stage, amina, "leerwinkel-wvl", "P1")
    shown = stage.party(amina.sample.holder).get(f"/v1/clients/{amina.handle}/consents")
    notice = good(shown)["items"][0]["notice"]
    stage.teller.line(
        "notice", f"{notice['id']} {notice['version']} ({notice['lang']}) {notice['sha256'][:16]}…"
    )
    stage.teller.expect("the notice was Arabic", held=notice["lang"] == "ar")
    stage.teller.expect("residence status stays", held="resid" not in answer["summary"])
    _log(stage, start)


def detainee(stage: Stage) -> None:
    """Wants a course; that he is in prison is nobody's business."""
    stage.teller.chapter(
        "3  A detainee: prison service → CVO West, sender masked",
        "He wants a welding course. The school must not learn where he lives now.",
    )
    start = stage.log_size()
    kevin = stage.entered("cl-0003")
    answer, handover = handed_over(stage, kevin, "cvo-west", "P4")
    envelope = stage.envelope("cvo-west", handover)
    stage.teller.line("sender", f"CVO West reads: {envelope['from'].get('label', 'unmasked')}")
    told = json.dumps([answer, envelope]).lower()
    leaks = [each for each in ("prison", "gevangenis", "justice", "pr-2026") if each in told]
    stage.teller.expect("the sender is masked", held=envelope["from"] == MASKED and not leaks)
    _log(stage, start)


def withdrawal(stage: Stage) -> None:
    """Changes her mind after the summary was read."""
    stage.teller.chapter(
        "4  She withdraws: De Stap → VDAB Gent",
        "VDAB has read the summary once. Then she follows the link in an SMS: stop.",
    )
    start = stage.log_size()
    sofie = stage.entered("cl-0004")
    _, handover = handed_over(stage, sofie, "vdab-gent", "P2")
    good(
        stage.party("destap-ww").post(
            f"/v1/consents/{sofie.consent}/withdrawal", {"via": "sms_link"}
        )
    )
    after = stage.query("vdab-gent", "P2", handover=handover)
    stage.teller.line("then", f"withdrawn; the next fetch: {_told(after)}")
    stage.teller.expect("nothing after the withdrawal", held=_refused(after))
    _erasure(stage, handover)
    entries = _log(stage, start)
    (refused,) = only(entries, "summary.refused")
    (ended,) = only(entries, "consent.withdrawn")
    (released,) = only(entries, "summary.released")
    codes = [code for _, *why in refused["trace"] for code in why]
    stage.teller.line("true reason", f"sealed beside #{refused['index']}: {', '.join(codes)}")
    stage.teller.expect("the true reason is logged", held="CONSENT_WITHDRAWN" in codes)
    stage.withdrawn = handover
    inorder = released["index"] < ended["index"] < refused["index"]
    stage.teller.expect("release, withdrawal, refusal stand in that order", held=inorder)


def joint_case(stage: Stage) -> None:
    """Living wage and debts: two partners, and each sees something else."""
    stage.teller.chapter(
        "5  One person, two partners: OCMW Kortrijk → VDAB and Leerwinkel",
        "His debts stay at the OCMW. Leerwinkel learns one thing of his benefits: the exemption.",
    )
    start = stage.log_size()
    ruslan = stage.entered("cl-0005")
    work, handover = handed_over(stage, ruslan, "vdab-wvl", "P2")
    learning, _ = handed_over(stage, ruslan, "leerwinkel-wvl", "P1")
    stage.teller.expect("VDAB reads no benefits", held="benef" not in work["summary"])
    benefits = set(learning["summary"].get("benef", ()))
    stage.teller.expect("Leerwinkel reads the exemption", held=benefits == {"exemption_status"})
    names = [each["summary"]["ident"]["pseudonym"]["value"] for each in (work, learning)]
    stage.teller.line(
        "handles", f"VDAB knows him as {names[0][:8]}…, Leerwinkel as {names[1][:8]}…"
    )
    stage.teller.expect("no two know him by one handle", held=names[0] != names[1])
    prohibited = stage.query("vdab-wvl", "P90", handover=handover)
    stage.teller.line("P90", f"VDAB asks to check his benefits: {_told(prohibited)}, said openly")
    openly = prohibited.status_code == FORBIDDEN and _type(prohibited) == "purpose-prohibited"
    stage.teller.expect("a prohibited purpose is refused openly", held=openly)
    (refused,) = only(_log(stage, start), "summary.refused")
    stage.teller.expect("and logged", held=refused["reason"] == "PURPOSE_PROHIBITED")


def almost_nothing(stage: Stage) -> None:
    """Registered nowhere, known by a letter; said no to work referral."""
    stage.teller.chapter(
        "6  Almost nothing shared: J., known to De Stap by a letter",
        "No name, no number, no birth date. J. was asked about VDAB and said no.",
    )
    start = stage.log_size()
    j = stage.entered("cl-0006")
    push = stage.push(j, "vdab-gent", "P2")
    reasons_told = [each["type"] for each in push.json().get("errors", ())]
    stage.teller.line("asked", "De Stap pushes J. to VDAB Gent, for P2")
    stage.teller.line(
        "sender", f"De Stap, who knows J., is told why not: {', '.join(reasons_told)}"
    )
    stage.teller.expect("the holder is told why", held=reasons_told == ["CONSENT_REFUSED"])
    answers = _told_apart(stage, j.handle)
    entries = _log(stage, start)
    asked_in_log = len(only(entries, "summary.refused"))
    stage.teller.expect("every question is logged", held=asked_in_log == answers)
    (not_pushed,) = only(entries, "handover.refused")
    stage.teller.expect("the true reason too", held=not_pushed["reason"] == "CONSENT_REFUSED")


Chapter = Callable[[Stage], None]
CHAPTERS: tuple[Chapter, ...] = (
    minor,
    newcomer,
    detainee,
    withdrawal,
    joint_case,
    almost_nothing,
    frame,
)


def _told_apart(stage: Stage, handle: str) -> int:
    """Ask about J., about who withdrew and about nobody; how often that was."""
    asked = {
        "J., by De Stap's own handle": {"client": handle},
        "Sofie, who withdrew": {"handover": stage.withdrawn or str(uuid4())},
        "somebody made up": {"handover": str(uuid4())},
    }
    answers = {who: stage.query("vdab-gent", "P2", **whom) for who, whom in asked.items()}
    stage.teller.line(
        "released",
        *(f"VDAB asks about {who:<28} {_told(each)}" for who, each in answers.items()),
    )
    bytes_told = {_bytes(each) for each in answers.values()}
    same = len(bytes_told) == 1 and all(map(_refused, answers.values()))
    stage.teller.line(
        "compared", "status, headers, body: " + ("byte-identical" if same else "not the same")
    )
    stage.teller.expect("the three are told apart by nothing", held=same)
    return len(answers)


def _erasure(stage: Stage, handover: str) -> None:
    """The recipient that has read is told to erase, and says that it did."""
    party = stage.party("vdab-gent")
    events = {each["type"]: each for each in stage.envelope("vdab-gent", handover)["events"]}
    notice: Mapping[str, Any] = events.get("erasure_notice", {})
    stage.teller.expect("who has read is told to erase", held="ack_due" in notice)
    due = notice.get("ack_due", "never")
    said = party.post(f"/v1/handovers/{handover}/acknowledgement", {"ack_of": notice["event_id"]})
    stage.teller.line("told", f"VDAB: erase your copy and answer by {due}; VDAB answers: done")
    stage.teller.expect("the answer is taken", held=said.is_success)


def _log(stage: Stage, start: int) -> list[dict[str, Any]]:
    entries = stage.logged_since(start)
    stage.teller.line("log", in_log(entries))
    return entries


def _refused(response: Response) -> bool:
    return response.status_code == NOT_FOUND and _type(response) == "not-available"


def _type(response: Response) -> str:
    return str(response.json().get("type", "")).removeprefix(BASE)


def _told(response: Response) -> str:
    return f"{response.status_code} {_type(response)}"


def _bytes(response: Response) -> bytes:
    """All that the asker can compare: status, headers and body."""
    headers = json.dumps(sorted(response.headers.multi_items()))
    return b"%d %s %s" % (response.status_code, headers.encode(), response.content)
