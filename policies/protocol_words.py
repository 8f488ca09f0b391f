"""The Dutch words in which an agreement and a risk analysis are told to people."""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from policies.purposes import purpose
from policies.summary_model import summary_model
from policies.vocabulary import FieldId, Section
from policies.yaml_files import read_yaml


@cache
def words() -> Mapping[str, Any]:
    """Every list of words by its name, read once."""
    read: Mapping[str, Any] = read_yaml(
        files("policies").joinpath("protocol_words.yaml").read_bytes()
    )
    return read


def word(kind: str, code: object) -> str:
    """The word for a code of a list; the code itself when the list does not know it."""
    told: str = words()[kind].get(str(code), str(code))
    return told


def day_in_words(day: date) -> str:
    """A day as it is written in Dutch: `1 november 2026`."""
    return f"{day.day} {words()['months'][day.month - 1]} {day.year}"


def field_label(field: FieldId) -> str:
    """What a field is called. Every field of the model has a label: a test looks."""
    return word("fields", field)


def section_label(section: Section) -> str:
    """What a section is called."""
    return summary_model().sections[section].labels["nl"]


def purpose_label(code: str) -> str:
    """What a purpose is called, with its code: two purposes may read alike to a hurried eye."""
    known = purpose(code)
    return code if known is None else f"{known.labels['nl']} ({code})"


def listed(parts: Iterable[str]) -> str:
    """A list in a sentence: `a, b en c`."""
    *first, last = [*parts] or [""]
    return f"{', '.join(first)} en {last}" if first else last
