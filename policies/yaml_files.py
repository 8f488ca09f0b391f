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
