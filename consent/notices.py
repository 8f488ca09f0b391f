"""The texts that clients are shown: which versions there are, and which are out of date."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from consent.substance import Substance, substance
from policies.purposes import is_prohibited
from policies.yaml_files import InvalidYaml, read_yaml

APPOINTMENT = "P6"
"""Planning an appointment has no notice of its own: it comes with one that announces with whom."""
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

    `substantive`: its author says that recipients, purposes or data differ from the version
    before. Whether they do is computed (see `changes_in`).
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
    said, _ = _parts(text)
    if problems := [*sorted(map(str, said.keys() ^ _MEMBERS)), *_misfits(said)]:
        raise NoticeRefused(*problems)
    hashed = hashlib.sha256(data).hexdigest()
    return Notice(said["id"], said["version"], said["lang"], hashed, said[_SUBSTANTIVE], text)


@lru_cache(maxsize=256)
def front_and_body(text: str) -> tuple[Mapping[str, Any], str]:
    """The front matter of a notice, and the text that is shown. Without a front, all is text."""
    try:
        return _parts(text)
    except NoticeRefused:
        return {}, text


def _parts(text: str) -> tuple[dict[str, Any], str]:
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
    return said, body


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
    purposes = said.get("purposes", [])
    # A text about a use that nobody may have would make a client believe that there is a choice.
    if isinstance(purposes, list) and any(is_prohibited(str(each)) for each in purposes):
        yield "purposes"


Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A version of a notice that has one before it in its language.

    `found`: what matters is told in other words. `undeclared`: and its author says it is not.
    """

    notice: Notice
    found: bool

    @property
    def substantive(self) -> bool:
        """Whoever agreed to an older version is asked again; said or found, either is enough."""
        return self.found or self.notice.substantive

    @property
    def undeclared(self) -> bool:
        return self.found and not self.notice.substantive


def changes_in(notices: Iterable[Notice]) -> Iterator[Change]:
    """Every version of a notice that follows one in the same language, in order.

    The first in a language changes nothing: nobody agreed to one before it.
    """
    versions: dict[tuple[str, str], list[Notice]] = {}
    for each in notices:
        versions.setdefault((each.id, each.lang), []).append(each)
    for known in versions.values():
        known.sort(key=lambda each: in_order(each.version))
        for before, after in pairwise(known):
            yield Change(after, found=_substance_of(before) != _substance_of(after))


def lagging(notices: Iterable[Notice]) -> Iterator[tuple[Notice, tuple[str, ...]]]:
    """The last substantive change of each notice, with the languages that have not got it."""
    known = tuple(notices)
    last: dict[str, Notice] = {}
    for change in changes_in(known):
        before = last.get(change.notice.id, change.notice)
        if change.substantive and in_order(change.notice.version) >= in_order(before.version):
            last[change.notice.id] = change.notice
    for newest in last.values():
        held: dict[str, Version] = {}
        for each in known:
            if each.id == newest.id:
                version = in_order(each.version)
                held[each.lang] = max(version, held.get(each.lang, version))
        behind = (lang for lang, version in held.items() if version < in_order(newest.version))
        if langs := tuple(sorted(behind)):
            yield newest, langs


def in_order(version: str) -> Version:
    """A version as what it is compared by: 2.10 comes after 2.9."""
    return tuple(map(int, version.split(".")))


def _substance_of(notice: Notice) -> Substance:
    return substance(*front_and_body(notice.text))


class NoticeLibrary:
    """Every notice ever put into use, as it stands now. Never changes."""

    def __init__(self, notices: Iterable[Notice]) -> None:
        self._notices = {(each.id, each.version, each.lang): each for each in notices}
        self._newest: dict[str, Version] = {}
        for change in changes_in(self._notices.values()):
            if change.substantive:
                id, version = change.notice.id, in_order(change.notice.version)
                self._newest[id] = max(version, self._newest.get(id, version))

    def known(self, notice: str, version: str, lang: str) -> str | None:
        """The hash of that notice, or nothing when it was never put into use."""
        found = self._notices.get((notice, version, lang))
        return found.sha256 if found else None

    def stale(self, notice: str, version: str, lang: str) -> bool:  # noqa: ARG002 - asked as `known`
        """Whether a later version, in whatever language, changed something that matters.

        A translation that lags behind is out of date too: it says what is no longer so.
        """
        return self._newest.get(notice, ()) > in_order(version)

    def text(self, notice: str, version: str, lang: str) -> str | None:
        """The whole file as it was put into use, or nothing."""
        found = self._notices.get((notice, version, lang))
        return found.text if found else None
