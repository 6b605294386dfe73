"""The promise: whatever strangers send a running bot, they are told in a sentence, and the recording beside it misses nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from core.recording.metadata import read_metadata
from tests.attacks import bombs
from tests.cogs.test_recorder import live, report, tone

if TYPE_CHECKING:
    from pathlib import Path

COGS = ("cogs.voice", "cogs.prompt", "cogs.recorder", "cogs.recordings", "cogs.studio")


async def test_bombs_in_a_channel_and_as_sounds_cost_the_recording_nothing(scene: Any) -> None:
    route = {"base_url": scene.chat.base_url, "model": "stand-in", "retries": 0, "vision": True}
    await scene.start(
        cogs=COGS,
        recording={"min_free_mb": 1},
        model={"routes": {"default": route}},
        voice={"play_limit_s": 600},
    )
    ada = await scene.person("Ada", roles=[scene.admin_role])
    bob = await scene.person("Bob")
    for person in (ada, bob):
        await person.join(scene.voice)
    assert "Recording" in await scene.run(ada, "voice record")
    await scene.until(lambda: live(scene) is not None)
    talking = asyncio.create_task(ada.play(tone(3.0)))
    await bob.type(scene.text, f"<@{scene.bot_user.id}> look", attachments=[("a.gif", bombs.gif(), "image/gif")])
    said = []
    for name, data in (
        ("long.opus", bombs.silence(3)),
        ("strange.wav", bombs.wav(384_000, 255, 2000)),
        ("nothing.mp3", b"\0" * 100_000),
        ("picture.wav", bombs.gif()),
    ):
        said.append(await scene.run(bob, "voice play", upload=(name, data, "audio/ogg")))
    await talking
    assert all(text and "log" not in text for text in said), said
    assert not any(text.startswith("Playing") for text in said), said
    await scene.run(ada, "voice record", action="stop")
    await report(scene, ada)
    (folder,) = sorted(_folders(scene))
    (person,) = [each for each in read_metadata(folder).people if each.id == str(ada.user.id)]
    assert person.packets.lost == 0
    assert 2.7 < person.speech_s < 3.4


def _folders(scene: Any) -> list[Path]:
    return list((scene.folder / "data" / "recordings").glob("*/*/*"))
