"""What the documents say is what the code does."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from core import events
from core.config import CHECKOUT, Config, load
from core.events import Event
from launch.reference import GUIDE, filled

if TYPE_CHECKING:
    from pathlib import Path

DOCS = sorted(
    [*(CHECKOUT / "docs").glob("*.md"), CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", CHECKOUT / "SECURITY.md"]
)


def read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


async def test_the_guides_tables_are_those_of_the_code():
    guide = GUIDE.read_text(encoding="utf-8")
    made = await asyncio.to_thread(filled, guide)
    assert guide == made, "write them anew: python -m launch.reference"
    assert "| `/voice join` [`channel`] |" in guide
    assert "| `max_sessions` | `1` | whole number, ≥ 1, ≤ 100 |" in guide


def test_every_setting_is_in_the_guide_with_its_section():
    guide = GUIDE.read_text(encoding="utf-8")
    for name in Config.model_fields:
        assert name == "base" or f"\n### [{name}" in guide


# Settings -------------------------------------------------------------------------------------------------------------


def test_the_shipped_settings_are_the_defaults():
    assert load(CHECKOUT / "config.toml") == Config()
    given = tomllib.loads(read("config.toml"))
    assert set(given) >= set(Config.model_fields) - {"base", "model"}, "each section is shown"


def test_the_examples_in_the_shipped_settings_are_allowed(tmp_path):
    commented = re.sub(r"^# (?=\[|\w+ = )", "", read("config.toml"), flags=re.MULTILINE)
    file = tmp_path / "config.toml"
    file.write_text(commented, encoding="utf-8")
    config = load(file)
    assert config.model.routes["default"].model == "llama3.2"


@pytest.mark.parametrize("name", ["README.md", "docs/user-guide.md"])
def test_the_examples_of_settings_in_the_documents_are_allowed(name, tmp_path):
    blocks = re.findall(r"```toml\n(.*?)```", read(name), re.DOTALL)
    assert blocks
    for block in blocks:
        file = tmp_path / "config.toml"
        file.write_text(block, encoding="utf-8")
        assert load(file).model.routes


def test_the_container_has_all_that_the_launcher_imports():
    import yaml

    service = yaml.safe_load(read("compose.yaml"))["services"]["parley"]
    assert service["build"] == "."
    assert "data:/parley/data" in service["volumes"]
    dockerfile = read("Dockerfile")
    copied = set(re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE))
    names = {name for line in copied for name in line.split()}
    assert names == {
        "requirements.txt", "launcher.py", "config.toml", "core", "cogs", "launch", "loopback", "migrations",
        "characters",
    }  # fmt: skip
    assert all((CHECKOUT / name).exists() for name in names)
    assert names == {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    assert "USER parley" in dockerfile
    assert "apt" not in re.sub(r"#.*", "", dockerfile)


def test_the_token_of_the_example_environment_is_empty():
    given = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", read(".env.example"), re.MULTILINE))
    assert given["DISCORD_TOKEN"] == ""
    assert set(given.values()) == {""}


# Links and words ------------------------------------------------------------------------------------------------------


def headings(file: Path) -> set[str]:
    found = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.name)
def test_links_lead_somewhere(file):
    for target in re.findall(r"\]\(([^)]+)\)", file.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        linked = file.parent / name if name else file
        assert linked.exists(), f"{file.name} links to {target}"
        if anchor:
            assert anchor in headings(linked), f"{file.name} links to {target}"


def test_the_readmes_commands_name_files_that_are_there():
    text = read("README.md")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2, "two commands do all the set-up"
    for block in blocks:
        assert block.count("\n") == 1
        (requirements,) = re.findall(r"-r (\S+)", block)
        assert (CHECKOUT / requirements).exists()
    assert blocks[0].strip().endswith("launcher.py demo")
    assert blocks[1].strip().endswith("-m pytest -q")


def test_every_promise_names_its_test_and_every_test_of_an_attack_its_promise():
    table = read("SECURITY.md").partition("## What is promised")[2].partition("## What is not promised")[0]
    named = re.findall(r"^\| .+ \| `(tests/attacks/test_\w+\.py)` \|$", table, re.MULTILINE)
    assert sorted(named) == sorted(
        file.relative_to(CHECKOUT).as_posix() for file in (CHECKOUT / "tests/attacks").glob("test_*.py")
    )
    assert "SECURITY.md" in read("README.md")


# The Python API -------------------------------------------------------------------------------------------------------


def test_every_event_is_in_the_api_with_its_fields():
    classes = [found for _, found in inspect.getmembers(events, inspect.isclass) if issubclass(found, Event)]
    table = read("docs/api.md").partition("<!-- events -->")[2].partition("<!-- end of events -->")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE))
    expected = {
        found.__name__: ", ".join(f"`{field.name}`" for field in dataclasses.fields(found) if field.name != "guild_id")
        for found in classes
        if found.__name__ not in ("Event", "GuildEvent")
    }
    assert rows == expected
