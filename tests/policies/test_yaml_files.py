import pytest

from policies.yaml_files import InvalidYaml, read_yaml


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
