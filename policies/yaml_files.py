"""YAML that says one thing: safe types only, and no key twice."""

from collections.abc import Hashable
from typing import Any

import yaml


class InvalidYaml(Exception):
    """The text is no YAML that we read. Says where, as far as that is known."""


class _Loader(yaml.SafeLoader):
    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - PyYAML's signature
    ) -> dict[Hashable, Any]:
        # The parent lets the last of two equal keys win, and nobody would see the first.
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise InvalidYaml(f"key {key.value!r} twice, {key.start_mark}")
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def read_yaml(text: bytes | str) -> Any:
    """What the text says, in plain Python values; dates stay what YAML makes of them.

    Raises `InvalidYaml` for a key that stands twice, for tags beyond the safe ones and for
    anything that is no YAML.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidYaml(str(error)) from error


def item_lines(text: str) -> list[int]:
    """The line on which each item of a list begins. An alias is refused: it can go in a circle.

    Raises `InvalidYaml`.
    """
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                raise InvalidYaml(f"*{event.anchor} is an alias; write it out, {event.start_mark}")
        root = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidYaml(str(error)) from error
    items = root.value if isinstance(root, yaml.SequenceNode) else ()
    return [(each.start_mark.line if each.start_mark else 0) + 1 for each in items]
