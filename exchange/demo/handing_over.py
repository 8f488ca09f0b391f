"""One handover as every chapter plays it: push, acceptance, fetch, and what became of each part."""

import json

from exchange.demo.stage import Answer, Known, Stage, good
from exchange.demo.views import held_back, reasons
from exchange.samples import expected_decisions
from policies.purposes import purpose_list


def handed_over(stage: Stage, known: Known, recipient: str, purpose: str) -> tuple[Answer, str]:
    """Push, acceptance and fetch; what was asked, released and withheld, and why."""
    sample, teller = known.sample, stage.teller
    handover = good(stage.push(known, recipient, purpose))["handover"]
    stage.step(recipient, handover, "acceptance")
    answer = good(stage.query(recipient, purpose, handover=handover))
    if recipient == "leerwinkel-wvl":
        stage.released = answer["audit"]
    teller.line(
        "asked", f"{recipient} asks for everything it may, for {purpose}, {_label(purpose)}"
    )
    coarser = [f"{field} as {level}" for field, level in answer["precision"].items()]
    teller.line("released", ", ".join((*answer["released"], *coarser)))
    kept = held_back(sample, answer["summary"])
    unnamed = [each for each in kept if each in {"health", "justice"}]
    lines = reasons(sample, kept, recipient, purpose)
    if unnamed:
        lines.append(f"not even named to the partner: {', '.join(unnamed)}")
        teller.expect("their existence is not told", held=not {*unnamed} & {*answer["withheld"]})
    teller.line("withheld", *lines)
    _as_foretold(stage, sample.id, recipient, purpose, answer)
    (entry,) = stage.logged_since(answer["audit"]["index"])[:1]
    recorded = entry["k"] == "summary.released" and entry["hash"] == answer["audit"]["leaf_hash"]
    teller.expect("the release stands in the log where the answer says", held=recorded)
    return answer, handover


def _as_foretold(
    stage: Stage, sample_id: str, recipient: str, purpose: str, answer: Answer
) -> None:
    """The sample data foretell what may leave and what must never be in it."""
    for row in expected_decisions():
        if (row["client"], row["requester"], row["purpose"]) != (sample_id, recipient, purpose):
            continue
        if "sections_released" in row:
            same = set(answer["released"]) == set(row["sections_released"])
            stage.teller.expect("what leaves is what was agreed", held=same)
        text = json.dumps(answer, ensure_ascii=False)
        never = [each for each in row.get("must_not_contain", ()) if each in text]
        stage.teller.expect("nothing leaves that must not", held=not never)


def _label(purpose: str) -> str:
    return purpose_list().purposes[purpose].labels["en"].lower()
