"""A protocol to be read: chapters of paragraphs, lists, facts and tables, whatever shows them."""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list, each item as it is."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names, and what each is."""

    kind: ClassVar[str] = "facts"
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head; the caption says what they are. The first cell names its row."""

    kind: ClassVar[str] = "table"
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block: TypeAlias = Text | Bullets | Facts | Table


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of the protocol under its own title; deeper ones belong to the one before."""

    title: str
    blocks: tuple[Block, ...]
    deeper: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One version of one agreement, to be read. `standing` is a code, `stands` its sentence."""

    id: str
    title: str
    version: str
    standing: str
    stands: str
    chapters: tuple[Chapter, ...]
