import hashlib
from pathlib import Path

import pytest

from consent.notices import Notice, NoticeLibrary, NoticeRefused, read_notice
from tests.consent.builders import DATA

FILES = sorted((DATA / "notices").glob("*.md"))
GOOD = (DATA / "notices" / "N-P2.nl.md").read_bytes()


def version(number: str, lang: str = "nl", *, substantive: bool = True) -> Notice:
    hashed = hashlib.sha256(number.encode()).hexdigest()
    return Notice("N-P2", number, lang, hashed, substantive, "")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_notice_is_read_with_the_hash_of_its_file(file: Path) -> None:
    data = file.read_bytes()

    notice = read_notice(data)

    assert f"{notice.id}.{notice.lang}" == file.stem
    assert notice.sha256 == hashlib.sha256(data).hexdigest()
    assert notice.substantive
    assert notice.text.encode() == data


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"id: N-P2\n", b"", "id"),
        (b"id: N-P2\n", b"id: P2\n", "id"),
        (b"version: '2.1'", b"version: 2.1", "version"),
        (b"version: '2.1'", b"version: 'two'", "version"),
        (b"lang: nl", b"lang: Dutch", "lang"),
        (b"text_direction: ltr", b"text_direction: up", "text_direction"),
        (b"previous: true", b"previous: perhaps", "substantive_change_since_previous"),
        (b"purposes: [P2]", b"purposes: P2", "purposes"),
        (b"reading_level_target: B1", b"reading_level_target: 1", "reading_level_target"),
        (b"id: N-P2\n", b"id: N-P2\nauthor: me\n", "author"),
        (b"id: N-P2\n", b"id: N-P2\nid: N-P3\n", "front matter"),
        (b"id: N-P2\n", b"- [\n", "front matter"),
        (b"---\n", b"", "front matter"),
        (GOOD[4 : GOOD.index(b"---", 4)], b"just text\n", "front matter"),
        (GOOD[GOOD.index(b"# ") :], b"\n", "front matter"),
        (b"# ", b"\xff", "encoding"),
    ],
)
def test_what_is_no_notice_is_refused_by_the_member_that_does_not_fit(
    old: bytes, new: bytes, problem: str
) -> None:
    spoilt = GOOD.replace(old, new, 1)

    assert spoilt != GOOD
    with pytest.raises(NoticeRefused) as refused:
        read_notice(spoilt)
    assert problem in refused.value.problems


def test_a_library_knows_a_notice_by_id_version_and_language() -> None:
    library = NoticeLibrary([version("2.1")])

    assert library.known("N-P2", "2.1", "nl") == version("2.1").sha256
    assert library.text("N-P2", "2.1", "nl") == ""
    for other in (("N-P3", "2.1", "nl"), ("N-P2", "2.0", "nl"), ("N-P2", "2.1", "fr")):
        assert library.known(*other) is None
        assert library.text(*other) is None


def test_a_notice_is_stale_once_a_later_one_changed_what_matters() -> None:
    library = NoticeLibrary([version("2.1"), version("2.9", substantive=False), version("2.10")])

    assert library.stale("N-P2", "2.1", "nl")
    assert library.stale("N-P2", "2.9", "nl")
    assert not library.stale("N-P2", "2.10", "nl")


def test_a_slip_of_the_pen_put_right_makes_nothing_stale() -> None:
    library = NoticeLibrary([version("2.1"), version("2.2", substantive=False)])

    assert not library.stale("N-P2", "2.1", "nl")


def test_another_language_makes_nothing_stale() -> None:
    library = NoticeLibrary([version("2.1"), version("3.0", lang="fr")])

    assert not library.stale("N-P2", "2.1", "nl")
    assert not library.stale("N-P9", "1.0", "nl")
