"""The examples of docs/lockdown.md, as they stand there."""

from __future__ import annotations

import json
import re
from contextlib import aclosing

import pytest

from core.config import CHECKOUT, load
from core.config.studio import ComfySection
from core.lockdown import BlockPolicy, Feature
from core.studio.comfyui import ComfyUI as Client
from core.studio.comfyui import Drawing
from core.studio.workflow import Wish, fill, read_workflow
from loopback.services.comfyui import ComfyUI

COGS = ("cogs.voice", "cogs.admin", "cogs.lockdown")
PAGE = (CHECKOUT / "docs" / "lockdown.md").read_text(encoding="utf-8")


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[number]


@pytest.fixture
async def feed(scene, tmp_path, monkeypatch):
    """The page's cog, loaded; gives the cog as it is now."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "lockdown_example.py").write_text(block("python", 1), encoding="utf-8")
    bot = await scene.start(cogs=(*COGS, "lockdown_example"))
    return lambda: bot.get_cog("Feed")


def weather(scene) -> int:
    """How often the cog chattered."""
    return scene.notices().count("Lovely weather.")


async def test_the_pages_cog_gives_way_in_all_its_ways_and_comes_back(scene, feed):
    ada = await scene.person()
    assert feed().read.is_running()
    assert "I have read the feed" in await scene.run(ada, "digest")
    assert await scene.run(ada, "wear", face="🙃") == "🙃"
    await ada.type(scene.text, "chatty today?")
    await scene.until(lambda: weather(scene) == 1)

    await ada.join(scene.voice)
    await scene.run(ada, "voice join")
    await scene.until(lambda: not feed().read.is_running())
    assert await scene.run(ada, "digest") == "I read the news to you after the call."
    assert await scene.run(ada, "wear", face="😡") == "My face is locked while I am in a voice channel."
    assert feed().worn == "🙃"
    await ada.type(scene.text, "chatty today?")
    await scene.run(ada, "lockdown status")  # comes after the message, and takes longer
    assert weather(scene) == 1

    await scene.run(ada, "voice leave")
    assert feed().read.is_running()
    assert "I have read the feed" in await scene.run(ada, "digest")
    assert await scene.run(ada, "wear", face="😇") == "😇"


async def test_the_pages_cog_keeps_its_state_over_a_reload_and_leaves_nothing_behind(scene, feed):
    ada = await scene.joined()
    before = feed()
    await scene.bot.reload_extension("lockdown_example")
    assert feed() is not before
    await scene.until(lambda: not feed().read.is_running())
    await scene.run(ada, "voice leave")
    assert feed().read.is_running()
    assert not before.read.is_running()
    await scene.bot.unload_extension("lockdown_example")
    assert {feature.name for feature in scene.runtime.lockdown.features} == {"text"}


async def test_the_pages_two_lines_are_enough(scene):
    bot = await scene.start(cogs=COGS)
    ada = await scene.joined()
    message = await ada.type(scene.text, "look")
    found = await bot.get_channel(scene.text.id).fetch_message(message.id)
    register, ask = block("python").splitlines()
    names = {"bot": bot, "self": object(), "Feature": Feature, "BlockPolicy": BlockPolicy, "message": found, "seen": []}
    source = f"async def run():\n    {register}\n    {ask.removesuffix('...')}seen.append(1)"
    exec(source, names)  # noqa: S102 - the page's own lines
    await names["run"]()
    assert names["seen"] == []
    assert (await scene.reply(ada, message)).content == "No pictures while I talk."
    await scene.run(ada, "voice leave")
    await names["run"]()
    assert names["seen"] == [1]


def test_the_pages_settings_are_allowed_and_the_workflow_is_beside_them(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(block("toml"), encoding="utf-8")
    config = load(file)
    assert config.lockdown.route in config.model.routes
    assert [hook.name for hook in config.lockdown.hooks] == ["ollama", "comfyui", "trainer"]
    assert config.lockdown.hooks[2].required


async def test_the_pages_workflow_draws(tmp_path):
    file = tmp_path / "workflow.json"
    file.write_text(block("json"), encoding="utf-8")
    workflow = fill(read_workflow(file), Wish("a cat", 7, 64, 64, "blurry"))
    assert workflow["6"]["inputs"]["text"] == "masterpiece, a cat"
    assert workflow["3"]["inputs"]["seed"] == 7
    async with ComfyUI() as server:
        async with aclosing(Client(ComfySection(url=server.url)).draw(json.loads(json.dumps(workflow)))) as told:
            drawn = [item async for item in told]
        assert isinstance(drawn[-1], Drawing)


async def test_every_command_is_on_the_page(scene):
    bot = await scene.start(cogs=("cogs.lockdown",))
    group = bot.tree.get_command("lockdown")
    assert {command.qualified_name for command in group.commands} == set(
        re.findall(r"^\| `/(lockdown \w+)`", PAGE, re.MULTILINE)
    )
