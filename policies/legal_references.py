"""The legal register: where each rule stands that agreements and notices name by its key."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from policies.yaml_files import read_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One rule. `checked`: its place was read or compared, and is not from memory alone."""

    key: str
    instrument: str
    article: str
    about: str
    checked: bool

    @property
    def place(self) -> str:
        """The law and the article in it, in Dutch, as a reader looks it up."""
        return f"{self.instrument}, {self.article}"


@cache
def legal_references() -> Mapping[str, Reference]:
    """Every rule by its key. Nothing here is legal advice: an officer confirms each place."""
    raw = read_yaml(files("policies").joinpath("legal_references.yaml").read_bytes())
    instruments = raw["instruments"]
    return MappingProxyType(
        {
            key: Reference(**{**each, "key": key, "instrument": instruments[each["instrument"]]})
            for key, each in raw["references"].items()
        }
    )


def place_of(key: str) -> str:
    """Where a rule stands; the key itself when the register does not know it."""
    known = legal_references().get(key)
    return key if known is None else known.place
