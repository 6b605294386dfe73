"""The house's rules: each kind of violation is named, and this checkout has none."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from launch.house import CHECKOUT, MAX_FILE_LINES, MAX_FUNCTION_LINES, House, main

if TYPE_CHECKING:
    from pathlib import Path


def build(top: Path, **files: str) -> House:
    """A checkout of these files; `core__llm__client="..."` is `core/llm/client.py`."""
    for name, text in files.items():
        path = top / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return House(top)


@pytest.mark.parametrize(
    ("importing", "imported"),
    [
        ("core__llm__client", "cogs.voice"),  # upward
        ("core__audio__ogg", "core.recording.track"),
        ("core__conversation__intake", "core.bot.cog"),
        ("core__speech__speaker", "core.llm.client"),  # sideways
        ("core__audio__ogg", "core.store.history"),
        ("core__voice__client", "loopback.server"),
        ("loopback__server", "core.errors"),
        ("cogs__voice", "launch.run"),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "from {room} import {module}",
        "import {room}.{module}",
        "from {room}.{module} import Anything",
        "def later():\n    from {room} import {module}",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from {room}.{module} import Anything",
    ],
)
def test_an_import_from_above_or_beside_is_named_with_its_line(tmp_path, importing, imported, text):
    room, _, module = imported.rpartition(".")
    source = text.format(room=room, module=module)
    house = build(tmp_path, **{importing: source, imported.replace(".", "__"): ""})
    line = source[: source.rindex("import")].count("\n") + 1
    (fault,) = house.upward()
    assert fault.startswith(f"{importing.replace('__', '/')}.py:{line}: ")
    assert imported in fault


@pytest.mark.parametrize(
    ("importing", "imported"),
    [
        ("cogs__voice", "core.bot.cog"),
        ("core__bot__cog", "core.voice.service"),
        ("core__voice__service", "core.speech.speaker"),
        ("core__recording__track", "core.audio.ogg"),
        ("core__hub", "core.events"),
        ("launch__demo", "loopback.server"),
    ],
)
def test_an_import_from_below_is_right(tmp_path, importing, imported):
    room, _, module = imported.rpartition(".")
    house = build(tmp_path, **{importing: f"from {room} import {module}", imported.replace(".", "__"): ""})
    assert house.faults() == []


def test_a_room_on_no_floor_is_named(tmp_path):
    (fault,) = build(tmp_path, core__attic__box="").faults()
    assert fault.startswith("core/attic/box.py:1: stands on no floor")


@pytest.mark.parametrize(
    "back",
    [
        "from core.llm import first",
        "def later():\n    from core.llm.first import First",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import core.llm.first",
    ],
)
def test_a_circle_is_named_also_one_for_the_type_checker_alone(tmp_path, back):
    house = build(
        tmp_path,
        core__llm__first="from core.llm.second import anything",
        core__llm__second="from core.llm import third",
        core__llm__third=back,
    )
    (fault,) = house.circles()
    assert {f"core.llm.{name}" for name in ("first", "second", "third")} <= set(fault.split(" "))


def test_two_circles_are_two_faults(tmp_path):
    house = build(
        tmp_path,
        core__llm__a="import core.llm.b",
        core__llm__b="import core.llm.a",
        core__audio__a="import core.audio.b",
        core__audio__b="import core.audio.a",
    )
    assert len(list(house.circles())) == 2


@pytest.mark.parametrize("text", ["import discord", "from discord.ext import commands", "def f():\n    import discord"])
def test_discord_stays_in_its_rooms(tmp_path, text):
    assert len(build(tmp_path / "a", core__llm__client=text).faults()) == 1
    for number, name in enumerate(("core__voice__client", "core__bot__cog", "cogs__voice")):
        assert build(tmp_path / str(number), **{name: text}).faults() == []


def test_a_public_class_has_a_name_of_its_own_on_its_side(tmp_path):
    house = build(
        tmp_path,
        core__llm__a="class Track: ...\nclass _Own: ...",
        core__audio__b="\nclass Track: ...\nclass _Own: ...",
        loopback__world="class Track: ...",
    )
    assert house.faults() == ["core/llm/a.py:1: the class Track is also at core/audio/b.py:2"] or house.faults() == [
        "core/audio/b.py:2: the class Track is also at core/llm/a.py:1"
    ]


def test_long_files_and_functions_are_named(tmp_path):
    body = "\n".join(["def long():", *["    pass"] * MAX_FUNCTION_LINES])
    house = build(tmp_path, core__llm__a=body + "\n" * MAX_FILE_LINES, core__llm__b=body[: -len("\n    pass")])
    assert [fault.split(":")[0] for fault in house.faults()] == ["core/llm/a.py"] * 2


def test_the_command_names_faults_and_fails_on_any(tmp_path, capsys):
    build(tmp_path, core__llm__client="import discord")
    assert main([str(tmp_path)]) == 1
    assert "core/llm/client.py:1" in capsys.readouterr().out
    (tmp_path / "core/llm/client.py").write_text("")
    assert main([str(tmp_path)]) == 0


def test_this_checkout_has_no_fault():
    # In a process of its own: CPython 3.11 can parse nothing more where a test before has gone too deep.
    run = subprocess.run(
        [sys.executable, "-m", "launch.house"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert run.stdout.splitlines()[:-1] == [], run.stderr
    assert run.returncode == 0
