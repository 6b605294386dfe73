"""The examples of docs/api.md, as they stand there."""

from __future__ import annotations

import asyncio
import importlib
import re
import wave
from typing import TYPE_CHECKING

from core.config import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path


def example(folder: Path, number: int) -> str:
    """Write a block of Python of api.md as a module into the folder; gives its name."""
    blocks = re.findall(r"```python\n(.*?)```", (CHECKOUT / "docs" / "api.md").read_text(encoding="utf-8"), re.DOTALL)
    name = f"api_example_{number}"
    (folder / f"{name}.py").write_text(blocks[number], encoding="utf-8")
    return name


async def test_the_cog_of_the_api_page_greets_who_comes(scene, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    name = example(tmp_path, 0)
    bot = await scene.start()
    await bot.load_extension(name)
    ada = await scene.joined()
    bob = await scene.person("Bob")
    await bob.join(scene.voice)
    await ada.ears.wait_for_voice(scene.bot_user.id)
    assert [turn.prompt.text for turn in scene.runtime.conversation.recent] == ["Welcome, Bob."]
    await bot.unload_extension(name)
    assert all(type(found.owner).__name__ != "Doorbell" for found in scene.runtime.hub._subscriptions.now)


async def test_the_tour_of_the_api_page_does_everything_once(scene, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module(example(tmp_path, 1))
    jingle = tmp_path / "jingle.wav"
    with wave.open(str(jingle), "wb") as sound:
        sound.setparams((1, 2, 48_000, 0, "NONE", "not compressed"))
        sound.writeframes(bytes(48_000))
    bot = await scene.start()
    ada = await scene.person("Ada")
    await ada.join(scene.voice)
    listening = asyncio.create_task(ada.ears.wait_for_voice(scene.bot_user.id))
    status = await module.tour(scene.runtime, bot.get_channel(scene.voice.id), jingle)
    await listening
    assert status["Channel"] == f"<#{scene.voice.id}>"
    assert scene.session is None
    written = [message.content for message in ada.history(scene.voice) if message.author is scene.bot_user]
    assert any(re.fullmatch(r"Here: Ada\. Speaking: \d\.", text) for text in written), written
