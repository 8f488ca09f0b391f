"""What a chapter shows: what stayed behind and why, and what the log holds of it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from exchange.samples import Sample

DENIED = "the client said no"
EXCLUDED = "the client took it out"
NOT_GRANTED = "not agreed to"
OUTLINE = "beyond the basics of what was agreed"


def held_back(sample: Sample, released: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the holder has on file and the partner does not get: whole sections, else fields."""
    names = []
    for section, fields in sample.sections.items():
        left = released.get(section)
        if left is None:
            names.append(section)
            continue
        names += [f"{section}.{field}" for field in fields if field not in left]
    return sorted(names)


def why(sample: Sample, name: str, recipient: str, purpose: str) -> str:
    """Why it stays behind, as its holder reads it in the consent."""
    section = name.partition(".")[0]
    mine = {"any", f"org:{recipient}"}
    for denial in sample.consent.get("denials", ()):
        if denial["recipient"] in mine and (
            denial["sections"] == "all" or section in denial["sections"]
        ):
            return DENIED
    grants = [
        each
        for each in sample.consent["grants"]
        if each["purpose"] == purpose and each["recipient"] in mine
    ]
    if any(name in each.get("exclude", ()) for each in grants):
        return EXCLUDED
    if any(section in each["sections"] for each in grants):
        return OUTLINE
    return NOT_GRANTED


def reasons(sample: Sample, names: Iterable[str], recipient: str, purpose: str) -> list[str]:
    """One line for each reason, with all that it keeps back."""
    kept: dict[str, list[str]] = {DENIED: [], EXCLUDED: [], NOT_GRANTED: [], OUTLINE: []}
    for name in names:
        kept[why(sample, name, recipient, purpose)].append(name)
    return [f"{reason}: {', '.join(found)}" for reason, found in kept.items() if found]


def in_log(entries: Sequence[Mapping[str, Any]]) -> str:
    """What was added to the log, each kind once with how often."""
    counted = Counter(each["k"] for each in entries)
    told = [kind if n == 1 else f"{n} {kind}" for kind, n in counted.items()]
    return f"#{entries[0]['index']} to #{entries[-1]['index']}: {', '.join(told)}"


def only(entries: Iterable[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    return [each for each in entries if each["k"] == kind]
