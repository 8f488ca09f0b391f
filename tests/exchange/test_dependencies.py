"""docs/dependencies.md lists what runs, under which licence, and with which known faults."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)
ALLOWED = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CNRI-Python", "ISC", "LGPL-3.0-only",
           "MIT", "MIT-0", "PSF-2.0", "Zlib"}  # fmt: skip
"""Licences under which what is pinned may be used beside the EUPL-1.2."""


def pinned() -> dict[str, str]:
    locks = (ROOT / "requirements" / f"{name}.txt" for name in ("runtime", "postgres", "pdf"))
    found = (each for lock in locks for each in PINNED.findall(lock.read_text("utf-8")))
    return {name.lower(): version for name, version in found}


def table(title: str) -> list[list[str]]:
    text = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return rows[2:]


def test_every_package_that_runs_has_a_licence_that_fits() -> None:
    licences = dict(table("Licences"))

    assert set(licences) == set(pinned())
    named = {each for text in licences.values() for each in re.split(r" (?:AND|OR) ", text)}
    assert named <= ALLOWED


def test_every_known_fault_is_of_a_package_that_is_pinned_and_says_why_it_is_borne() -> None:
    faults = table("Known faults")

    assert [row[0] for row in faults] == ["python-jose", "ecdsa"]
    for package, version, fault, why in faults:
        assert version in {"any", pinned()[package]}
        assert re.match(r"CVE-\d{4}-\d{4,}", fault)
        assert len(why.split()) > 5


def test_neither_ecdsa_nor_rsa_is_ever_imported() -> None:
    looked = "import sys, exchange.cli; print(*sorted({'ecdsa', 'rsa'} & set(sys.modules)))"

    told = subprocess.run(  # noqa: S603 - our own interpreter and words
        [sys.executable, "-c", looked], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert told.stdout.strip() == ""
