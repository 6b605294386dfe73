"""Do the tests see it? Changes one number, comparison or condition at a time and runs the tests: what survives is told.

    python -m bench mutate core/voice/playback --tests tests/core/voice/playback --share 0.2

It works on a copy of the tree. Unlike mutmut, which changes functions only, it also changes constants of modules, where this
program keeps its thresholds. A survivor is no fault by itself: if a person would notice the change, a test is missing.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("bench", "cogs", "core", "launch", "loopback", "migrations", "tests")
FILES = ("config.toml", "launcher.py", "pyproject.toml")
LIMIT_S = 300.0
_SWAPPED: dict[type[ast.cmpop], str] = {
    ast.Lt: ">=",
    ast.LtE: "<",
    ast.Gt: "<=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change of a file: the source between two offsets, in bytes, becomes other text."""

    path: Path
    line: int
    start: int
    end: int
    text: str
    before: str


def mutations(path: Path) -> Iterator[Mutation]:
    """Every change of a file."""
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def change(node: ast.expr, text: str) -> Mutation:
        assert node.end_lineno is not None  # noqa: S101 - parsed from source
        assert node.end_col_offset is not None  # noqa: S101 - the same
        start, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        return Mutation(path, node.lineno, start, end, text, source[start:end].decode())

    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=bool() as value):
                yield change(node, str(not value))
            case ast.Constant(value=int() | float() as value):
                yield change(node, repr(value * 3 if value else 1))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _SWAPPED:
                yield change(node, f"({ast.unparse(left)} {_SWAPPED[type(op)]} {ast.unparse(right)})")
            case ast.BoolOp(op=op, values=[first, *rest]):
                word = "or" if isinstance(op, ast.And) else "and"
                yield change(node, "(" + f" {word} ".join(f"({ast.unparse(part)})" for part in (first, *rest)) + ")")
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield change(node, f"({ast.unparse(operand)})")
            case _:
                pass


def survives(mutation: Mutation, tree: Path, tests: list[str]) -> bool:
    """Whether the tests pass in a tree that has the change."""
    path = tree / mutation.path.relative_to(ROOT)
    source = path.read_bytes()
    path.write_bytes(source[: mutation.start] + mutation.text.encode() + source[mutation.end :])
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        run = subprocess.run(command, cwd=tree, capture_output=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return False  # it hangs, which is seen
    finally:
        path.write_bytes(source)
    return run.returncode == 0


def main(argv: list[str]) -> int:
    """Run it and print a JSON line for each survivor and one for all; 0 whatever survives."""
    parser = argparse.ArgumentParser(prog="bench mutate", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("paths", nargs="+", help="files and folders to change, from the root of the checkout")
    parser.add_argument("--tests", nargs="+", required=True, help="what to run")
    parser.add_argument("--share", type=float, default=1.0, help="how many of the changes to try, by chance")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    files = [file for name in options.paths for file in (sorted((ROOT / name).rglob("*.py")) or [ROOT / name])]
    chosen = [found for file in files for found in mutations(file)]
    rng = random.Random(options.seed)
    chosen = [found for found in chosen if rng.random() < options.share]
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="parley-mutate-") as name:
        tree = Path(name)
        for part in PARTS:
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in FILES:
            shutil.copy(ROOT / part, tree / part)
        for found in chosen:
            if survives(found, tree, options.tests):
                survivors += 1
                where = f"{found.path.relative_to(ROOT).as_posix()}:{found.line}"
                print(json.dumps({"survived": where, "before": found.before, "after": found.text}), flush=True)
    print(json.dumps({"bench": "mutate", "tried": len(chosen), "survived": survivors}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
