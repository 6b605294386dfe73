"""The developer guide names floors, functions and files that are there."""

from __future__ import annotations

import ast
import re

import pytest

from core.config import CHECKOUT
from launch.house import FLOORS

GUIDE = (CHECKOUT / "docs/developer-guide.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py):([\w.]+)`", GUIDE)))
SUBJECTS = (
    "a speech engine",
    "a recogniser",
    "a command",
    "a feature that gives way during a session",
    "an owner of people's data",
    "a bench",
    "a fault on the loopback",
)


def defined(text: str) -> set[str]:
    """Functions and classes of a module, and methods as `Class.method`."""
    found: set[str] = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
            found.update(f"{node.name}.{method.name}" for method in methods)
    return found


def test_the_floors_of_the_guide_are_those_the_code_is_held_against():
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", GUIDE, re.MULTILINE)
    told = [set(re.findall(r"`([\w.]+)`", rooms)) for _, rooms in rows]
    assert told[::-1] == [set(floor) for floor in FLOORS]
    assert [int(number) for number, _ in rows] == list(range(len(FLOORS), 0, -1))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_what_the_guide_names_is_there(file, name):
    assert name in defined((CHECKOUT / file).read_text(encoding="utf-8"))


def test_the_journeys_go_through_functions_in_order():
    journeys = re.findall(r"^\*\*(\d+)\. [^*]+\*\*.*\n((?:\d+\. .+\n)+)", GUIDE, re.MULTILINE)
    assert [int(number) for number, _ in journeys] == list(range(1, len(journeys) + 1))
    assert len(journeys) >= 8
    for _, steps in journeys:
        lines = steps.splitlines()
        assert [int(line.partition(".")[0]) for line in lines] == list(range(1, len(lines) + 1))
        assert all(re.match(r"\d+\. `[\w/]+\.py:[\w.]+`", line) for line in lines)


def test_the_guide_says_where_things_belong():
    table = GUIDE.partition("### Where would I put ...?")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", table, re.MULTILINE)
    assert set(SUBJECTS) <= {subject for subject, _ in rows}
    for folder in re.findall(r"`([\w/]+/)`", table):
        assert (CHECKOUT / folder).is_dir(), folder
