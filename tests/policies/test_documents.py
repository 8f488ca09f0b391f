"""Strict reading: the place of every fault is told."""

from datetime import date, datetime

import pytest

from policies.documents import (
    Reader,
    UnfitDocument,
    anything,
    count,
    day,
    flag,
    many,
    mapping,
    maybe,
    one_of,
    record,
    text,
)
from policies.vocabulary import Section

READ: Reader[object] = record(
    dict,
    {"name": text(), "parts": many(record(dict, {"on": day}), 1)},
    {"from": maybe(flag), "level": mapping(one_of(Section), text("[a-z]+"))},
)


def test_a_document_that_fits_is_built_from_its_members() -> None:
    document = {"name": "a", "parts": [{"on": "2026-11-02"}], "from": None, "level": {"educ": "x"}}

    assert READ(document, "") == {
        "name": "a",
        "parts": ({"on": date(2026, 11, 2)},),
        "from_": None,
        "level": ((Section.EDUC, "x"),),
    }


PART = [{"on": "2026-11-02"}]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([], ""),
        ({"name": "a"}, "parts"),
        ({"name": "a", "parts": PART, "nmae": "a"}, "nmae"),
        ({"name": "a", "parts": PART, 7: "a"}, "7"),
        ({"name": " ", "parts": PART}, "name"),
        ({"name": 3, "parts": PART}, "name"),
        ({"name": "a", "parts": {}}, "parts"),
        ({"name": "a", "parts": []}, "parts"),
        ({"name": "a", "parts": [*PART, {"on": "2026-11-31"}]}, "parts[1].on"),
        ({"name": "a", "parts": [*PART, {"on": "20261102"}]}, "parts[1].on"),
        ({"name": "a", "parts": [{"on": "2026-11-02", "off": 1}]}, "parts[0].off"),
        ({"name": "a", "parts": PART, "from": "yes"}, "from"),
        ({"name": "a", "parts": PART, "level": []}, "level"),
        ({"name": "a", "parts": PART, "level": {"diary": "x"}}, "level.diary"),
        ({"name": "a", "parts": PART, "level": {3: "x"}}, "level.3"),
        ({"name": "a", "parts": PART, "level": {"educ": "X"}}, "level.educ"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(document: object, place: str) -> None:
    with pytest.raises(UnfitDocument) as refused:
        READ(document, "")

    assert refused.value.place == place
    assert str(refused.value).startswith(place or "document")


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (count, -1),
        (count, True),
        (count, "3"),
        (flag, 1),
        (day, datetime(2026, 11, 2)),  # noqa: DTZ001 - a time is no day, with a zone or without
        (day, None),
        (text("a"), "ab"),
    ],
)
def test_what_resembles_the_right_thing_is_refused(read: Reader[object], value: object) -> None:
    with pytest.raises(UnfitDocument):
        read(value, "here")


def test_what_is_right_is_given_back() -> None:
    assert count(3, "") == 3
    assert day(date(2026, 11, 2), "") == date(2026, 11, 2)
    assert flag(False, "") is False  # noqa: FBT003
    assert anything({"a": 1}, "") == {"a": 1}
