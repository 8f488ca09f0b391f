"""The texts that clients are shown: which versions there are, and which are out of date."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from policies.yaml_files import InvalidYaml, read_yaml

_FENCE = "---"
_ID = re.compile(r"N-[A-Za-z0-9-]{1,50}")
_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4})?")
_LANG = re.compile(r"[a-z]{2,3}(-[a-z]{1,10})?")
_LISTS = ("purposes", "recipient_types", "placeholders")
_TEXTS = ("reading_level_target", "native_review")
_SUBSTANTIVE = "substantive_change_since_previous"
_MEMBERS = {"id", "version", "lang", "text_direction", _SUBSTANTIVE, *_LISTS, *_TEXTS}


class NoticeRefused(Exception):
    """The file is no notice. `problems` names the members that do not fit."""

    def __init__(self, *problems: str) -> None:
        super().__init__(", ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice in one language. `sha256` is that of the whole file, in hex.

    `substantive`: recipients, purposes or data differ from the version before, so whoever
    agreed to an older one is asked again.
    """

    id: str
    version: str
    lang: str
    sha256: str
    substantive: bool
    text: str


def read_notice(data: bytes) -> Notice:
    """The notice that a Markdown file with front matter holds.

    Raises `NoticeRefused` for anything but UTF-8 with exactly the members of a notice and
    a text below them.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise NoticeRefused("encoding") from error
    opening, _, rest = text.partition("\n")
    front, fence, body = rest.partition(f"\n{_FENCE}\n")
    if opening != _FENCE or not fence or not body.strip():
        raise NoticeRefused("front matter")
    try:
        said = read_yaml(front)
    except InvalidYaml as error:
        raise NoticeRefused("front matter") from error
    if not isinstance(said, dict):
        raise NoticeRefused("front matter")
    if problems := [*sorted(map(str, said.keys() ^ _MEMBERS)), *_misfits(said)]:
        raise NoticeRefused(*problems)
    hashed = hashlib.sha256(data).hexdigest()
    return Notice(said["id"], said["version"], said["lang"], hashed, said[_SUBSTANTIVE], text)


def _misfits(said: dict[str, Any]) -> Iterable[str]:
    for name, pattern in (("id", _ID), ("version", _VERSION), ("lang", _LANG)):
        if name in said and not (isinstance(said[name], str) and pattern.fullmatch(said[name])):
            yield name
    if said.get("text_direction", "ltr") not in ("ltr", "rtl"):
        yield "text_direction"
    if not isinstance(said.get(_SUBSTANTIVE, False), bool):
        yield _SUBSTANTIVE
    for name in _LISTS:
        words = said.get(name, [])
        if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
            yield name
    for name in _TEXTS:
        if not isinstance(said.get(name, ""), str):
            yield name


class NoticeLibrary:
    """Every notice ever put into use, as it stands now. Never changes."""

    def __init__(self, notices: Iterable[Notice]) -> None:
        self._notices = {(each.id, each.version, each.lang): each for each in notices}
        self._stale = self._newest_substantive()

    def _newest_substantive(self) -> dict[tuple[str, str], tuple[int, ...]]:
        newest: dict[tuple[str, str], tuple[int, ...]] = {}
        for each in self._notices.values():
            if each.substantive:
                key, version = (each.id, each.lang), _in_order(each.version)
                newest[key] = max(version, newest.get(key, version))
        return newest

    def known(self, notice: str, version: str, lang: str) -> str | None:
        """The hash of that notice, or nothing when it was never put into use."""
        found = self._notices.get((notice, version, lang))
        return found.sha256 if found else None

    def stale(self, notice: str, version: str, lang: str) -> bool:
        """Whether a later version in the same language changed something that matters."""
        return self._stale.get((notice, lang), ()) > _in_order(version)

    def text(self, notice: str, version: str, lang: str) -> str | None:
        """The whole file as it was put into use, or nothing."""
        found = self._notices.get((notice, version, lang))
        return found.text if found else None


def _in_order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
