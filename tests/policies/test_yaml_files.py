import pytest

from policies.yaml_files import InvalidYaml, line_at, lines_of, read_yaml


def test_plain_yaml_is_read_into_plain_values() -> None:
    text = "base: &base {a: 1}\nother: {<<: *base, b: [x, y]}\n"

    assert read_yaml(text)["other"] == {"a": 1, "b": ["x", "y"]}


def test_bytes_are_read_as_utf_8() -> None:
    assert read_yaml("naam: Zoë".encode()) == {"naam": "Zoë"}


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2\n",
        "outer: {a: 1, 'a': 2}\n",
        "- {b: 1}\n- {c: 1, c: 1}\n",
        "!!python/object/apply:os.getcwd []",
        "a: [1, 2",
        "{a: 1}: {b: 2}",
        "a: 2026-13-45",
    ],
    ids=["twice", "quoted", "nested", "tag", "open", "unhashable", "date"],
)
def test_yaml_that_could_mean_two_things_or_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidYaml):
        read_yaml(text)


@pytest.mark.parametrize(
    "text",
    ["a: &x [1, *x]", "a: &x {b: {c: *x}}", "- &x\n  - &y [*y]", "a: &x\n  <<: *x"],
    ids=["list", "mapping", "inner", "merge"],
)
def test_what_holds_itself_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(InvalidYaml, match=r"stands inside itself, line [12]"):
        read_yaml(text)


def test_what_is_named_once_and_used_twice_is_no_cycle() -> None:
    assert read_yaml("a: &x [1]\nb: [*x, *x]") == {"a": [1], "b": [[1], [1]]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 3", "key 'a' twice, line 3"),
        ("a: 1\nb: [1,\n c: }", "line 3"),
        ("a:\n  !!python/name:os.getcwd x", "line 2"),
    ],
)
def test_the_line_of_what_is_wrong_is_told(text: str, says: str) -> None:
    with pytest.raises(InvalidYaml, match=says):
        read_yaml(text)


def test_each_part_of_a_text_has_its_line() -> None:
    lines = lines_of("a: 1\nflows:\n- b: [1,\n   2]\n- c:\n    d: 3\n")

    assert (lines["a"], lines["flows"], lines["flows[0].b[1]"], lines["flows[1].c.d"]) == (
        1,
        3,
        4,
        6,
    )
    assert line_at(lines, "flows[1].c.e[2].f") == 6
    assert line_at(lines, "nothing.here") == 1
    assert line_at({}, "a") is None
    assert lines_of("") == {}
