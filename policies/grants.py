"""How a grant is read: which fields it gives, and which names it names itself."""

from collections.abc import Iterable
from functools import lru_cache

from policies.summary_model import Field, SummaryModel, summary_model, told_name
from policies.vocabulary import FieldId, Section


class InvalidGrant(Exception):
    """The grant names what no grant can give. The record that holds it is invalid.

    `code` is `class_x` or `unknown_name`; `name` is the name, or `?` when it is not one that
    may be repeated.
    """

    def __init__(self, code: str, name: str) -> None:
        super().__init__(code)
        self.code, self.name = code, told_name(name)


def read_grant(
    *,
    sections: Iterable[str],
    fields: Iterable[str] = (),
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
) -> tuple[frozenset[FieldId], frozenset[str]]:
    """The fields that a grant gives, and the sections and fields that it names.

    A section gives its base set. `fields` replaces the base set of the sections they belong
    to, `include` adds, `exclude` removes and wins over both; what it removes is not named.
    Raises `InvalidGrant`.
    """
    return _read(tuple(sections), tuple(fields), tuple(include), tuple(exclude))


def base_set(section: Section) -> frozenset[FieldId]:
    """What naming a section gives: its fields at the lowest default level present in it.

    A field with a base precision belongs to it as well, at that precision.
    """
    model = summary_model()
    fields = model.sections[section].fields
    lowest = min((each.default for each in fields), key=model.default_levels.index)
    return frozenset(each.id for each in fields if each.default == lowest or each.base_precision)


@lru_cache(maxsize=4096)
def _read(
    sections: tuple[str, ...],
    fields: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> tuple[frozenset[FieldId], frozenset[str]]:
    model = summary_model()
    whole = {_section(model, each) for each in sections}
    narrowed = {_field(model, each) for each in fields}
    added = {_field(model, each).id for each in include}
    removed = {_field(model, each).id for each in exclude}
    given = {each.id for each in narrowed} | added
    for section in whole - {each.section for each in narrowed}:
        given |= base_set(section)
    named = {each.value for each in whole} | {each.id for each in narrowed} | added
    return frozenset(given - removed), frozenset(named - removed)


def _section(model: SummaryModel, name: str) -> Section:
    if name in model.never_leaves:
        raise InvalidGrant("class_x", name)
    try:
        return Section(name)
    except ValueError:
        raise InvalidGrant("unknown_name", name) from None


def _field(model: SummaryModel, name: str) -> Field:
    if name.partition(".")[0] in model.never_leaves:
        raise InvalidGrant("class_x", name)
    try:
        return model.fields[FieldId(name)]
    except KeyError:
        raise InvalidGrant("unknown_name", name) from None
