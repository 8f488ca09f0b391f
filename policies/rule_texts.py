"""Rules as text: the files of a set, where each statement stands, and what is wrong with it."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_TOKEN = re.compile(r'//[^\n]*|"(?:[^"\\]|\\.)*"|;', re.DOTALL)
_BEFORE = re.compile(r"(?:\s+|//[^\n]*)*")
RULES, CASES = "*.cedar", "*.cases.yaml"


class Level(StrEnum):
    """How bad a finding is: with an error nothing is decided by the set."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and on which line of which file; line 0 stands for the whole file."""

    file: str
    line: int
    words: str
    level: Level = Level.ERROR

    def __str__(self) -> str:
        at = f":{self.line}" if self.line else ""
        return f"{self.file}{at}: {self.words}"


class RulesRefused(Exception):
    """The rules may not be used: nothing is decided with them. `findings` says why, all of it.

    `found` is the same with file and line apart.
    """

    def __init__(self, findings: Sequence[Finding | str]) -> None:
        self.found = [
            each if isinstance(each, Finding) else Finding("rules", 0, each) for each in findings
        ]
        self.findings = tuple(map(str, findings))
        super().__init__("; ".join(self.findings))


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a file, without what stands before it, and the line it begins on."""

    line: int
    text: str


def statements(text: str) -> Iterator[Statement]:
    """What a file says, one by one; what follows the last semicolon is one too, if it is code."""
    start = 0
    for token in _TOKEN.finditer(text):
        if token.group() == ";":
            yield _statement(text, start, token.end())
            start = token.end()
    if (rest := _statement(text, start, len(text))).text:
        yield rest


def _statement(text: str, start: int, end: int) -> Statement:
    before = _BEFORE.match(text, start, end)
    begin = start if before is None else before.end()
    return Statement(text.count("\n", 0, begin) + 1, text[begin:end].strip())


def read_set(folder: Path, pattern: str = RULES) -> dict[str, str]:
    """The files of a folder by name. Raises `RulesRefused`: no such folder, or no UTF-8."""
    if not folder.is_dir():
        raise RulesRefused([Finding(str(folder), 0, "no such folder")])
    read, unread = dict[str, str](), list[Finding]()
    for path in sorted(folder.glob(pattern)):
        try:
            read[path.name] = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            unread.append(Finding(path.name, 0, "cannot be read"))
    if unread:
        raise RulesRefused(unread)
    return read


def in_order(files: Mapping[str, str]) -> list[tuple[str, str]]:
    """Name and text, h2 before h10: the first rule of this order is the one that is named."""
    return sorted(files.items(), key=lambda each: (len(each[0]), each[0]))


def fingerprint_of(files: Mapping[str, str]) -> str:
    """The SHA-256 of a set in hex, in whatever order its files were read."""
    return hashlib.sha256(json.dumps(in_order(files)).encode()).hexdigest()
