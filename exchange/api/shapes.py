"""The words that shapes of bodies and answers are written in: JSON Schema, closed."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
SAID: Schema = {"type": "string", "minLength": 1}
WHOLE: Schema = {"type": "integer", "minimum": 0}
TRUTH: Schema = {"type": "boolean"}
NOTHING: Schema = {"type": "null"}
OBJECT: Schema = {"type": "object"}


def text(pattern: str) -> Schema:
    return {"type": "string", "pattern": pattern}


def word(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def many(each: Schema) -> Schema:
    return {"type": "array", "items": each}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, NOTHING]}


def whole(optional: Sequence[str] = (), /, **members: Schema) -> Schema:
    """An object with these members and no other; all are there but the `optional`."""
    return {
        "type": "object",
        "properties": members,
        "required": [name for name in members if name not in optional],
        "additionalProperties": False,
    }


def more(schema: Schema, optional: Sequence[str] = (), /, **members: Schema) -> Schema:
    """The object with more members; of a name with a dash or of a word of Python, too."""
    needed = [name for name in members if name not in optional]
    return {
        **schema,
        "properties": {**schema["properties"], **members},
        "required": [*dict.fromkeys((*schema["required"], *needed))],
    }
