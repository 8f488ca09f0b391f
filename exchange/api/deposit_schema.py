"""What a deposit may hold, in JSON Schema made from the summary model that it is held to."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from consent.shape import A_DAY_OF_A_MONTH
from exchange.api.shapes import TRUTH, Schema, many, text, whole, word
from policies.summary_model import Field, Shape, summary_model

_DATE = text(f"^(?:(?:19|20)[0-9]{{2}}|2100)-{A_DAY_OF_A_MONTH}$")
_MONTH = text(r"^(?:(?:19|20)[0-9]{2}|2100)-(?:0[1-9]|1[0-2])$")
_YEAR: Schema = {"type": "integer", "minimum": 1900, "maximum": 2100}
_MOST = 2**53 - 1


def deposit_schema() -> Schema:
    """A deposit: sections by name, in each its fields. Other names are dropped, and told."""
    sections = {
        model.id.value: {
            "type": "object",
            "properties": {each.name: _held(each) for each in model.fields if _fillable(each)},
        }
        for model in summary_model().sections.values()
    }
    return whole(sections={"type": "object", "properties": sections})


def _fillable(field: Field) -> bool:
    return not field.made_by_broker


def _held(field: Field) -> Schema:
    """A bare value, or a value with where it comes from, or the reason why there is none."""
    value, lists = _value(field), summary_model().code_lists
    said = {
        "source": word(*sorted(lists["value_source"].codes)),
        "observed_on": _DATE,
        "verified": TRUTH,
    }
    free = ("observed_on", "verified")
    reason = word(*sorted(lists["missing_reason"].codes))
    told = whole(free, value=value, **said)
    untold = whole(free, value={"type": "null"}, missing_reason=reason, **said)
    return {"anyOf": [value, told, untold]}


def _value(shape: Shape) -> Schema:
    schema = _KINDS[shape.type](shape)
    return {"anyOf": [_YEAR, schema]} if shape.also == "year" else schema


def _list(each: Callable[[Shape], Schema], shape: Shape) -> Schema:
    return {**many(each(shape)), "maxItems": shape.max_items}


def _codes(shape: Shape) -> Schema:
    return {**_list(_code, shape), "uniqueItems": True}


def _integer(shape: Shape) -> Schema:
    least = {} if shape.minimum is None else {"minimum": shape.minimum}
    most = _MOST if shape.maximum is None else shape.maximum
    return {"type": "integer", **least, "maximum": most}


def _truth(shape: Shape) -> Schema:
    return TRUTH if shape.must_be is None else {"const": shape.must_be}


def _object(shape: Shape) -> Schema:
    members: Mapping[str, Any] = {name: _value(each) for name, each in shape.members.items()}
    return {**whole(tuple(members), **members), "minProperties": 1}


def _code(shape: Shape) -> Schema:
    codes = shape.codes
    if codes is None:
        return text("")
    return word(*codes.codes) if codes.pattern is None else text(f"^(?:{codes.pattern.pattern})$")


def _text(shape: Shape) -> Schema:
    found: dict[str, Any] = {"type": "string"}
    if shape.max_length is not None:
        found["maxLength"] = shape.max_length
    if shape.pattern is not None:
        found["pattern"] = f"^(?:{shape.pattern.pattern})$"
    if shape.format == "email":
        found["format"] = "email"
    return found


_KINDS: Mapping[str, Callable[[Shape], Schema]] = {
    "string": _text,
    "text": _text,
    "code": _code,
    "integer": _integer,
    "boolean": _truth,
    "object": _object,
    "object_list": partial(_list, _object),
    "string_list": partial(_list, _text),
    "code_list": _codes,
    "date": lambda _: _DATE,
    "datetime": lambda _: {"type": "string", "format": "date-time"},
    "month": lambda _: _MONTH,
    "year": lambda _: _YEAR,
}
