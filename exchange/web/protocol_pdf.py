"""The protocol as a PDF that reads aloud (PDF/A-2a, PDF/UA-1): the same words, the same bytes.

Everything comes from the document and its standing: no clock, no font of the machine, nothing from
elsewhere. What the parties wrote reaches the typesetter as data, never as its own language.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from policies.protocol import Protocol

_KEPT = 256
"""Finished files that are remembered: each some 50 kB, and a hundredth of a second of work."""


@dataclass(frozen=True, slots=True)
class Pdf:
    """A finished file and its SHA-256 in hex."""

    content: bytes
    sha256: str


def protocol_pdf(told: Protocol, *, digest: str, made: date) -> Pdf | None:
    """The file, or nothing where the extra `pdf` is not installed.

    Nothing too where its font lacks a sign that somebody wrote: a file that can not show all of
    it is none (PDF/A-2a asks for every glyph), and page and data show it as they did.
    `digest` is that of the document; `made` the day that the file gives as its own.
    """
    if find_spec("typst") is None:
        return None
    said: dict[str, Any] = {
        "id": told.id,
        "version": told.version,
        "heading": told.title,
        "stands": told.stands,
        "digest": digest,
        "made": [made.year, made.month, made.day],
        "chapters": [
            {
                "title": chapter.title,
                "deeper": chapter.deeper,
                "blocks": [asdict(each) | {"kind": each.kind} for each in chapter.blocks],
            }
            for chapter in told.chapters
        ],
    }
    return _set(json.dumps(said, ensure_ascii=False))


@lru_cache(maxsize=_KEPT)
def _set(told: str) -> Pdf | None:
    import typst  # noqa: PLC0415 - an extra, and 80 MB of it

    source = files("exchange.web").joinpath("templates", "agreement.typ").read_bytes()
    try:
        content = typst.compile(
            source,
            format="pdf",
            ignore_system_fonts=True,
            sys_inputs={"told": told},
            pdf_standards=["a-2a", "ua-1"],
        )
    except typst.TypstError:
        return None
    return Pdf(content, hashlib.sha256(content).hexdigest())
