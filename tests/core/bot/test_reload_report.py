"""A fault as an administrator reads it: where, what, and nothing about the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.bot.reload_report import describe, without_paths
from core.config import CHECKOUT


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"cannot import name 'x' ({CHECKOUT}/core/bot/cog.py)", "cannot import name 'x' (core/bot/cog.py)"),
        ("No such file: '/srv/bots/secret/notes.txt'", "No such file: 'notes.txt'"),
        (r"No such file: 'C:\Users\Bob\bot\notes.txt'", "No such file: 'notes.txt'"),
        (f"{Path.home()}/my bot/notes.txt", "my bot/notes.txt"),
        ("this bot already has /voice, /reload.", "this bot already has /voice, /reload."),
        ("http://127.0.0.1:80/v1/models said no", "http://127.0.0.1:80/v1/models said no"),
        ("cogs/voice.py and either/or", "cogs/voice.py and either/or"),
    ],
)
def test_paths_of_the_machine_are_not_shown(text, shown):
    assert without_paths(text) == shown


def raised(source: str, filename: Path) -> Exception:
    try:
        exec(compile(source, str(filename), "exec"))  # noqa: S102 - makes the errors that a cog's code makes
    except Exception as error:  # noqa: BLE001 - whatever it was is looked at
        return error
    raise AssertionError("no fault")


def test_a_fault_names_the_line_of_ours_and_the_root_cause():
    error = raised("\n\nraise KeyError('teapot')", CHECKOUT / "cogs" / "kitchen.py")
    outer = RuntimeError("outer")
    outer.__cause__ = error
    assert describe(outer, 500) == "cogs/kitchen.py, line 3\nKeyError: 'teapot'"


def test_a_syntax_error_names_its_line():
    text = describe(raised("x = 1\ndef broken(:\n", CHECKOUT / "cogs" / "kitchen.py"), 500)
    assert text.splitlines()[:2] == ["cogs/kitchen.py, line 2", "    def broken(:"]
    assert text.splitlines()[2].startswith("SyntaxError: ")


def test_a_fault_stays_inside_its_code_block_and_its_length():
    text = describe(ValueError("```oh no``` " * 100), 200)
    assert "```" not in text
    assert len(text) <= 200
