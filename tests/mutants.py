"""`make mutants`: the signature profile with one thing wrong at a time; some test must notice.

A mutant that no test notices is printed, unless `docs/mutants.md` says why it is no other
program. Ends with 1 when one survived, or when a reason there is about none that survived.
"""

import argparse
import ast
import copy
import importlib.abc
import importlib.machinery
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

ROOT = Path(__file__).parent.parent
MODULE = "exchange.security.jose_profile"
SOURCE = ROOT / "exchange" / "security" / "jose_profile.py"
TESTS = ROOT / "tests" / "exchange" / "security"
REASONS = ROOT / "docs" / "mutants.md"
PATIENCE = 300
"""A mutant that runs for so many seconds has been noticed."""

_OTHER: dict[type[ast.AST], Any] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Sub: ast.Add,
    ast.Add: ast.Sub,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True)
class Mutant:
    """The whole module with one node changed. `name` is the line as it was and as it is now."""

    name: str
    tree: ast.Module


def mutants(text: str) -> Iterator[Mutant]:
    """Every mutant of a source, in its order."""
    whole = ast.parse(text)
    nodes = list(ast.walk(whole))
    told, names = _told(whole), Counter[str]()
    for place, node in enumerate(nodes):
        if node in told:
            continue
        for turn in range(len(_changes(node))):
            tree = copy.deepcopy(whole)
            before = list(ast.walk(tree))[place]
            changed = _changes(before)[turn]
            _put(tree, before, changed)
            name = f"{_line(whole, node)} -> {_line(ast.fix_missing_locations(tree), changed)}"
            names[name] += 1
            more = f" ({names[name]})" if names[name] > 1 else ""
            yield Mutant(name + more, tree)


def _told(whole: ast.Module) -> set[ast.AST]:
    """What is said to people and to the checker of types alone, and changes nothing."""
    told: set[ast.AST] = set()
    for node in ast.walk(whole):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            told |= {node, node.value}
        if isinstance(node, ast.Raise):
            told |= {each for each in ast.walk(node) if isinstance(each, ast.Constant)}
        for name in ("annotation", "returns"):
            if inner := getattr(node, name, None):
                told |= set(ast.walk(inner))
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
            told |= set(ast.walk(node))
        if isinstance(node, ast.ClassDef) and any(ast.unparse(b) == "Protocol" for b in node.bases):
            told |= set(ast.walk(node))
    return told


def _changes(node: ast.AST) -> list[ast.AST]:  # noqa: PLR0911 - one line for each kind of node
    """What may stand in the place of a node."""
    match node:
        case ast.Compare(left=left, ops=[only], comparators=right) if type(only) in _OTHER:
            return [ast.Compare(left, [_OTHER[type(only)]()], right)]
        case ast.BoolOp(op=op, values=values):
            return [ast.BoolOp(_OTHER[type(op)](), values), *values]
        case ast.BinOp(left=first, op=between, right=second) if type(between) in _OTHER:
            return [ast.BinOp(first, _OTHER[type(between)](), second)]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return [operand]
        case ast.Constant(value=bool(value)):
            return [ast.Constant(not value)]
        case ast.Constant(value=int(value)):
            return [ast.Constant(value + 1), ast.Constant(value - 1)]
        case ast.Constant(value=str(value)):
            return [ast.Constant(f"{value}x")]
        case ast.If(test=test, body=body, orelse=orelse):
            return [ast.If(each, body, orelse) for each in _tests(test)]
        case ast.IfExp(test=test, body=then, orelse=instead):
            return [ast.IfExp(each, then, instead) for each in _tests(test)]
        case ast.Return(value=ast.expr()):
            return [ast.Return(ast.Constant(None))]
        case ast.Raise() | ast.Expr(value=ast.Call()):
            return [ast.Pass()]
    return []


def _tests(test: ast.expr) -> list[ast.expr]:
    return [ast.UnaryOp(ast.Not(), test), ast.Constant(value=True), ast.Constant(value=False)]


def _put(tree: ast.Module, old: ast.AST, new: ast.AST) -> None:
    """Have the new node stand where the old one did."""
    ast.copy_location(new, old)
    for parent in ast.walk(tree):
        for name, held in ast.iter_fields(parent):
            if held is old:
                setattr(parent, name, new)
            elif isinstance(held, list) and any(each is old for each in held):
                setattr(parent, name, [new if each is old else each for each in held])


def _line(tree: ast.Module, node: ast.AST) -> str:
    """The statement around a node; of one that holds others, its beginning."""
    line = getattr(node, "lineno", 0)
    inside = [
        each
        for each in ast.walk(tree)
        if isinstance(each, ast.stmt)
        and each.lineno <= line <= (each.end_lineno or 0)
        and not isinstance(each, ast.FunctionDef | ast.ClassDef | ast.Try | ast.Match)
    ]
    said = ast.unparse(max(inside, key=lambda each: each.lineno, default=node))
    return said.partition(":\n")[0].replace("\n", " ")


class Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Has the mutant imported in the place of the module."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        return importlib.machinery.ModuleSpec(name, self) if name == MODULE else None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(SOURCE)
        exec(compile(self._tree, str(SOURCE), "exec"), module.__dict__)  # noqa: S102 - our own source


def begun(mutant: Mutant, tests: Sequence[str]) -> int:
    """A process that ends with 0 when every test passes with the mutant; its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.alarm(PATIENCE)
        null = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(null, stream)
        sys.meta_path.insert(0, Instead(mutant.tree))
        options = ["-q", "-x", "-p", "no:cacheprovider", "-n", "0", f"--confcutdir={TESTS}"]
        code = int(pytest.main([*options, *tests]))
    finally:
        os._exit(code)


def survivors(
    made: Sequence[Mutant], tests: Sequence[str], beside: int, said: Callable[[str], None]
) -> list[Mutant]:
    """Those that no test noticed; each is `said` as it is found."""
    waiting, running, alive = list(reversed(made)), dict[int, Mutant](), []
    while waiting or running:
        while waiting and len(running) < beside:
            mutant = waiting.pop()
            running[begun(mutant, tests)] = mutant
        child, status = os.wait()
        mutant = running.pop(child)
        if status == 0:
            alive.append(mutant)
            said(f"survived: {mutant.name}")
    return alive


def excused() -> dict[str, str]:
    """The mutants that are the same program, each with the reason, as the page lists them."""
    lines = REASONS.read_text("utf-8").splitlines()
    rows = (line.split(" | ", 1) for line in lines if line.startswith("| `"))
    return {mutant.strip("|` "): why.strip("| ") for mutant, why in rows}


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--beside", type=int, default=2, help="how many at a time")
    beside = asked.parse_args().beside
    tests = sorted(map(str, TESTS.glob("test_*.py")))
    slow = [each for each in tests if each.endswith(("oracle.py", "transit.py"))]
    quick = [each for each in tests if each not in slow]
    made = list(mutants(SOURCE.read_text("utf-8")))
    said = Console(width=200, highlight=False, markup=False).print
    alive = survivors(made, quick, beside, said)
    reasons = excused()
    unexcused = [each.name for each in alive if each.name not in reasons]
    idle = reasons.keys() - {each.name for each in alive}
    for name in unexcused:
        said("needs a test or a reason:", name)
    for name in sorted(idle):
        said("needs no reason:", name)
    same = len(alive) - len(unexcused)
    said(f"{len(made)} mutants: {len(made) - len(alive)} noticed, {same} the same program,")
    said(f"{len(unexcused)} survived")
    return int(bool(unexcused or idle))


if __name__ == "__main__":
    sys.exit(main())
