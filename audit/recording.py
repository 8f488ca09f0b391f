"""What every event has in common, and how it is made ready for the log.

An event that could not be written raises `leaf.NotALeaf` when it is made, in the command that
made it, and never in the batch that it would share with others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, ClassVar

from audit.leaf import (
    PUBLIC,
    UNDISCLOSED,
    NotALeaf,
    Stated,
    canon,
    check_client,
    check_extra,
    prefixed,
    state,
)
from audit.leaf import WITHHOLD_PROVIDER as WITHHELD

_KEPT_APART = {
    "client",
    "actor",
    "error",
    "stated",
    "detail",
    "provider_of_record",
    "consent_of_record",
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a person in a capacity, or a system. Exactly one of `user` and `system`."""

    user: str | None = None
    capacity: str | None = None
    system: str | None = None

    def __post_init__(self) -> None:
        if (self.user is None) == (self.system is None):
            raise NotALeaf("An actor is either a user or a system")

    def plaintext(self) -> bytes:
        """The text of the part a."""
        said = {"capacity": self.capacity, "system": self.system, "user": self.user}
        return _sealed_text(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Something that happened. Kinds are never reused and never renamed."""

    kind: ClassVar[str]
    outcome: ClassVar[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonEvent(AuditEvent):
    """Something that happened to one client, or to nobody we know (`client` is then empty).

    `client` is the UUID text of the client. Organisations and the application are given with
    or without `org:` and `app:`; times never: the writer has the only clock.
    """

    application: str
    actor: Actor
    client: str
    provider: str | None = None
    consumer: str | None = None
    purpose: str | None = None
    sections: tuple[str, ...] | None = None
    stated: Stated = field(init=False, repr=False, compare=False)
    """The public side, checked."""
    detail: bytes = field(init=False, repr=False, compare=False)
    """The text of the part y."""
    provider_of_record: str | None = field(init=False, repr=False, compare=False)
    """The providing organisation for the search index, also where the leaf withholds it."""
    consent_of_record: str | None = field(init=False, repr=False, compare=False)
    """The consent for the search index: the one it is about, or the first it rests on."""

    def __post_init__(self) -> None:
        check_client(self.client)
        withheld = self.kind in WITHHELD
        stated = state(
            self.kind,
            self.outcome_code(),
            application=self.application,
            consumer=self.consumer,
            provider=UNDISCLOSED if withheld else self.provider,
            purpose=self.purpose,
            sections=self.sections,
        )
        private = {name: getattr(self, name) for name in _private(self)}
        of_record = stated.provider
        if withheld and self.provider is not None:
            of_record = private["provider"] = prefixed("org:", self.provider)
        object.__setattr__(self, "stated", stated)
        object.__setattr__(self, "provider_of_record", of_record)
        object.__setattr__(self, "consent_of_record", consent_in(private))
        object.__setattr__(self, "detail", _sealed_text(private))

    def outcome_code(self) -> str:
        """The outcome as the leaf says it."""
        return self.outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedEvent(PersonEvent):
    """Something that did not succeed. `error` is a public code: it stands in the leaf."""

    outcome = "error"
    error: str

    def outcome_code(self) -> str:
        return f"error:{self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent(AuditEvent):
    """Something that happened to the log or the installation. All of it but the actor is public."""

    outcome = "ok"
    actor: Actor | None = None

    def __post_init__(self) -> None:
        check_extra(self.kind, self.extra())

    def extra(self) -> Mapping[str, int | str]:
        """The public values, as the leaf names them; what there is none of is left out."""
        said = {name: getattr(self, name) for name in _private(self)}
        return {
            "from" if name == "from_size" else name: each
            for name, each in said.items()
            if each is not None
        }


def consent_in(detail: Mapping[str, Any]) -> str | None:
    """The consent that an entry is found by, given what its part y says."""
    consents = detail.get("consents") or (None,)
    consent: str | None = detail.get("consent") or consents[0]
    return consent


_PRIVATE: dict[str, tuple[str, ...]] = {}


def _private(event: AuditEvent) -> tuple[str, ...]:
    """The fields that a kind adds to what every event has."""
    names = _PRIVATE.get(event.kind)
    if names is None:
        every = (each.name for each in fields(event))
        names = tuple(name for name in every if name not in PUBLIC and name not in _KEPT_APART)
        _PRIVATE[event.kind] = names
    return names


def _sealed_text(values: Mapping[str, Any]) -> bytes:
    """Canonical JSON of what is to be sealed; what is unknown (None) is left out.

    Raises `NotALeaf` for what has no one form: fractions, truth values, broken text.
    """
    try:
        said = {
            name: _codes(each) if name in _CODES and type(each) is tuple else _plain(each)
            for name, each in values.items()
            if each is not None
        }
        return canon(said)
    except UnicodeEncodeError as error:
        raise NotALeaf("Text that is not Unicode") from error


_CODES = frozenset({"fields", "trace"})
"""Private values that are long, the same for many clients, and say nothing of any of them."""


@lru_cache(maxsize=1024)
def _codes(value: tuple[Any, ...]) -> Any:
    return _plain(value)


def _plain(value: Any) -> Any:
    sort = type(value)
    if sort is str or sort is int:
        return value
    if sort is tuple or sort is list:
        return [_plain(each) for each in value if each is not None]
    if isinstance(value, str):
        return "" + value
    if isinstance(value, Mapping):
        return {"" + name: _plain(each) for name, each in value.items() if each is not None}
    raise NotALeaf(f"A value of type {sort.__name__} cannot be sealed")
