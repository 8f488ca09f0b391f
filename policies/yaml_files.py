"""YAML that says one thing: safe types only, no key twice, nothing that holds itself.

A file that is not so is refused as a whole, with the line: nothing half-read is ever used.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import yaml


class InvalidYaml(Exception):
    """The text is no YAML that we read. Says where, as far as that is known."""


class _Loader(yaml.SafeLoader):
    def __init__(self, stream: bytes | str) -> None:
        super().__init__(stream)
        self._open: list[str] = []

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        # Without this an alias inside its own anchor is read into a value that holds itself, and
        # whoever walks through that never comes back.
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs' gap
        name = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent) and name in self._open:
            raise InvalidYaml(f"{name!r} stands inside itself, {_line(event.start_mark)}")
        if name is None or isinstance(event, yaml.AliasEvent):
            return super().compose_node(parent, index)
        self._open.append(name)
        node = super().compose_node(parent, index)
        self._open.pop()
        return node

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - PyYAML's signature
    ) -> dict[Hashable, Any]:
        # The parent lets the last of two equal keys win, and nobody would see the first.
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise InvalidYaml(f"key {key.value!r} twice, {_line(key.start_mark)}")
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def read_yaml(text: bytes | str) -> Any:
    """What the text says, in plain Python values; dates stay what YAML makes of them.

    Raises `InvalidYaml`, with the line where it is known, for a key that stands twice, a value
    that holds itself, tags beyond the safe ones and anything that is no YAML.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", {_line(mark)}" if mark else ""
        raise InvalidYaml(f"{error.problem or error.context}{where}") from error
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


def lines_of(text: bytes | str) -> dict[str, int]:
    """On which line each part of the text begins, by its place (`flows[0].sections[1]`).

    The first line is 1. For a text that `read_yaml` has read.
    """
    found: dict[str, int] = {}
    waiting = [("", yaml.compose(text, Loader=_Loader))]
    while waiting:
        place, node = waiting.pop()
        if node is None or place in found:
            continue
        found[place] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                waiting.append((f"{place}.{key.value}" if place else str(key.value), value))
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(f"{place}[{index}]", each) for index, each in enumerate(node.value)]
    return found


def line_at(lines: Mapping[str, int], place: str) -> int | None:
    """The line of a place, or of the nearest part around it that the text has."""
    while place and place not in lines:
        place = place.rpartition("[")[0] if place.endswith("]") else place.rpartition(".")[0]
    return lines.get(place)


def _line(mark: Any) -> str:
    return f"line {mark.line + 1}"
