"""Another edition of summary model and purposes, in force for as long as a test needs it."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any

from policies import purposes, summary_model
from policies.purposes import PurposeList, read_purposes
from policies.summary_model import SummaryModel, read_summary_model
from policies.vocabulary import Section
from policies.yaml_files import read_yaml


def _raw(name: str) -> Any:
    return read_yaml(files("policies").joinpath(name).read_bytes())


@cache
def widest() -> tuple[SummaryModel, PurposeList]:
    """Every field in the base set and exact unless said otherwise; every purpose may use all."""
    model = _raw("summary_model.yaml")
    for section in model["sections"]:
        for field in section["fields"]:
            field["default"] = model["default_levels"][0]
            field.pop("default_precision", None)
    listed = _raw("purposes.yaml")
    for each in listed["purposes"].values():
        each["default"], each["optional"] = [section.value for section in Section], []
    return (
        read_summary_model(json.dumps(model).encode()),
        read_purposes(json.dumps(listed).encode()),
    )


@contextmanager
def in_force(edition: Callable[[], tuple[SummaryModel, PurposeList]]) -> Iterator[None]:
    """The edition instead of the one that ships; what was worked out of either is forgotten."""
    shipped = summary_model.summary_model(), purposes.purpose_list()
    _turn_to(*edition())
    try:
        yield
    finally:
        _turn_to(*shipped)


def _turn_to(model: SummaryModel, listed: PurposeList) -> None:
    kept = summary_model.read_summary_model, purposes.read_purposes
    _forget()
    summary_model.read_summary_model = lambda data: model  # noqa: ARG005 - as it is called
    purposes.read_purposes = lambda data: listed  # noqa: ARG005 - as it is called
    summary_model.summary_model(), purposes.purpose_list()
    summary_model.read_summary_model, purposes.read_purposes = kept


def _forget() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith(("policies.", "consent.")):
            for each in vars(module).values():
                if hasattr(each, "cache_clear"):
                    each.cache_clear()
