"""Signed pages as they are scanned: told apart by their first bytes, and never looked into.

Whatever stands in them (a script in a PDF, an image made to break a reader) stays there: no
parser of ours meets it, and nobody is shown it but as a file to keep.
"""

from collections.abc import Mapping

MOST_BYTES = 2_097_152
"""Two mebibytes: some pages in grey at a resolution at which a signature can be read."""

KINDS: Mapping[str, bytes] = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
}
"""Media type and first bytes of what is taken."""


def kind_of(data: bytes) -> str | None:
    """The media type by the first bytes, whatever its sender calls it; nothing for others."""
    return next((kind for kind, magic in KINDS.items() if data.startswith(magic)), None)
