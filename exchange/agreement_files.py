"""Agreements as people write them: a file is taken whole, or refused whole with line and reason."""

import json
from collections.abc import Mapping
from typing import Any

from policies.agreement_document import Agreement, read_agreement
from policies.contradictions import Known, contradictions
from policies.documents import UnfitDocument
from policies.yaml_files import line_at, lines_of, read_yaml


class AgreementRefused(Exception):
    """The document can not be taken. Says each thing that is wrong, where, and by which rule."""


def plain_and_lines(content: bytes) -> tuple[Any, dict[str, int]]:
    """A file in YAML as plain JSON, and on which line each part of it begins.

    Raises `InvalidYaml`, with the line.
    """
    plain = json.loads(json.dumps(read_yaml(content), default=str))
    return plain, lines_of(content)


def fitting(document: object, known: Known, lines: Mapping[str, int] | None = None) -> Agreement:
    """The agreement in a document that fits its form, its purposes and the directory.

    It may lack elements. `lines` say where its parts stand in the file that it was read from.
    Raises `AgreementRefused`.
    """
    try:
        agreement = read_agreement(document)
    except UnfitDocument as error:
        raise AgreementRefused(_told(error.place, str(error), lines)) from None
    found = [_told(each.place, str(each), lines) for each in contradictions(agreement, known)]
    if found:
        raise AgreementRefused("; ".join(found))
    return agreement


def _told(place: str, problem: str, lines: Mapping[str, int] | None) -> str:
    line = line_at(lines or {}, place)
    return problem if line is None else f"line {line}: {problem}"
