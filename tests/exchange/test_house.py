"""The house rules that no other tool looks after."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("adapters", "audit", "consent", "exchange", "policies")
TEXTS = {".py", ".md", ".toml", ".txt", ".in", ".cfg", ".yaml", ".yml", ".mako", ".cedar", ".html"}
LEFT_OUT = {".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")
ELSEWHERE = re.compile(r"[a-z]+:")
FORBIDDEN = {
    "a path of the machine it was written on": r"/work/",
    "a neighbouring folder": r"\.\./shared|\bshared/(?:design|style|data|security|domain)\b",
    "where packages come from": r"\bpypi\.|pythonhosted|(?<!emit-)(index-url|trusted-host)|npmjs",
    "a conversation": r"co-authored-by|\bclaude\b|\banthropic\b|\bchatgpt\b|\bcopilot\b|as an ai\b",
    "something to be done": r"\bTODO\b|\bFIXME\b|\bHACK\b",
    "an issue": r"\bissues? #?[0-9]+\b|\bpull request\b",
}
NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc"}


def texts() -> Iterator[Path]:
    """Every file of ours that holds text, this one aside: it holds what it forbids."""
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT).parts
        ours = path.suffix in TEXTS or path.name in {"Makefile", "LICENSE", "run", ".gitignore"}
        if ours and path.is_file() and not LEFT_OUT & set(inside) and path != Path(__file__):
            yield path


def modules() -> list[Path]:
    return [path for path in texts() if path.suffix == ".py"]


def contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    found: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return found


def requirements(lock: Path) -> list[str]:
    """Each requirement of a lock file with all that belongs to it."""
    lines = lock.read_text("utf-8").replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.strip().startswith("#")]


def test_there_are_files_to_look_at() -> None:
    assert len(LOCKS) == 5
    assert len(modules()) > 150
    assert ROOT / "Makefile" in texts()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_with_a_hash_and_names_no_address(lock: Path) -> None:
    for each in requirements(lock):
        assert re.match(r"[A-Za-z0-9._\[\],-]+==[^\s;]+", each), each
        assert "--hash=sha256:" in each, each
    assert "://" not in lock.read_text("utf-8")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_speaks_of_anything_but_the_project(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], re.IGNORECASE if what == "a conversation" else 0)

    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in texts()
        for match in [pattern.search(path.read_text("utf-8", errors="replace"))]
        if match
    ]

    assert found == []


def test_no_module_is_called_by_what_it_is_not() -> None:
    named = {part for path in modules() for part in path.relative_to(ROOT).with_suffix("").parts}

    assert not named & NAMES


def test_every_link_in_the_pages_leads_somewhere() -> None:
    pages = [path for path in texts() if path.suffix == ".md"]

    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target, _ in LINK.findall(page.read_text("utf-8"))
        if not ELSEWHERE.match(target) and not (page.parent / target).exists()
    ]

    assert len(pages) > 2
    assert broken == []


def test_no_module_is_longer_than_a_reader_has_patience() -> None:
    # A migration is read once, from top to bottom, and never changed.
    product = [path for path in modules() if path.parent.name != "versions"]

    long = {str(path.relative_to(ROOT)) for path in product if lines(path) > 400}

    # An auditor takes the verifier with them: one file, which needs nothing but Python.
    assert long == {"audit/verify.py"}


def lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


@pytest.mark.parametrize(
    ("library", "importer"),
    [
        ("jose", "exchange.security.jose_profile"),
        ("cedarpy", "policies.site_rules"),
        ("pkcs11", "exchange.security.pkcs11_token"),
        ("typst", "exchange.web.protocol_pdf"),
    ],
)
def test_one_module_alone_may_import_a_library_that_is_held_at_arms_length(
    library: str, importer: str
) -> None:
    (contract,) = [each for each in contracts() if each.get("forbidden_modules") == [library]]

    assert contract["type"] == "forbidden"
    assert set(contract["source_modules"]) == set(PACKAGES)
    assert contract["ignore_imports"] == [f"{importer} -> {library}"]


def test_every_module_of_the_service_has_a_place_among_the_layers() -> None:
    (layers,) = [each for each in contracts() if each.get("containers") == ["exchange"]]

    assert layers["exhaustive"] is True
