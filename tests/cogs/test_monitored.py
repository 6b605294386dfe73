"""Monitored channels: recorded by themselves, tried again when the bot is free, and left alone after somebody's no."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from core.events import RecordingStarted, SessionEnded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

COGS = ("cogs.voice", "cogs.recorder", "cogs.admin")


async def watched(scene: Any, *people: str, **voice: Any) -> list[Any]:
    """A bot that records the usual voice channel by itself with two people there, and people in no channel yet."""
    monitored = {"auto_channels": [scene.voice.id], "auto_min_members": 2, "auto_stop_s": 600}
    await scene.start(cogs=COGS, model=False, recording={"min_free_mb": 1, **monitored}, voice=voice)
    return [await scene.person(name, roles=[scene.admin_role]) for name in people]


def live(scene: Any) -> Any:
    return scene.runtime.recordings.live(scene.guild.id)


async def recorded(scene: Any) -> None:
    await scene.until(lambda: scene.runtime.recording_places.announced.get(scene.guild.id) == scene.voice.id)
    assert live(scene).automatic


async def let_events_come(scene: Any) -> None:
    """Long enough for a join, if there were one."""
    await scene.runtime.hub.settle()
    await asyncio.sleep(0.3)


async def test_a_channel_that_filled_while_the_bot_was_elsewhere_is_recorded_once_it_is_free(scene: Any) -> None:
    library = scene.world.add_voice_channel(scene.guild, "Library")
    ada, bob, cy = await watched(scene, "Ada", "Bob", "Cy")
    await ada.join(library)
    await scene.run(ada, "voice record")
    await bob.join(scene.voice)
    await cy.join(scene.voice)
    await let_events_come(scene)
    assert live(scene).record.channel_id == library.id
    await scene.run(ada, "voice leave")
    await recorded(scene)


async def test_a_channel_that_emptied_meanwhile_is_not(scene: Any) -> None:
    library = scene.world.add_voice_channel(scene.guild, "Library")
    ada, bob, cy = await watched(scene, "Ada", "Bob", "Cy")
    await ada.join(library)
    await scene.run(ada, "voice join")
    await bob.join(scene.voice)
    await cy.join(scene.voice)
    await cy.leave()
    await scene.run(ada, "voice leave")
    await let_events_come(scene)
    assert scene.session is None


async def test_another_servers_session_is_waited_for_too(scene: Any) -> None:
    elsewhere = scene.world.add_guild("Elsewhere")
    room = scene.world.add_voice_channel(elsewhere, "Room")
    scene.world.add_member(elsewhere, scene.bot_user)
    ada, bob = await watched(scene, "Ada", "Bob", max_sessions=1)
    await scene.runtime.voice.join(scene.bot.get_channel(room.id))
    await ada.join(scene.voice)
    await bob.join(scene.voice)
    await let_events_come(scene)
    assert scene.session is None
    await scene.runtime.voice.leave(elsewhere.id)
    await recorded(scene)


async def left(scene: Any, ada: Any) -> None:
    await scene.run(ada, "voice leave")


async def stopped(scene: Any, ada: Any) -> None:
    await scene.run(ada, "voice record", action="stop")


async def pressed(scene: Any, ada: Any) -> None:
    panel = await ada.wait_for_message(scene.voice, lambda message: "Recording" in message.content, 5)
    await (await ada.press(panel, "Stop")).answered()


async def thrown_out(scene: Any, ada: Any) -> None:
    scene.world.voice.leave(scene.guild, scene.bot_user.id)


@pytest.mark.parametrize("ends", [left, stopped, pressed, thrown_out])
async def test_who_ended_it_is_obeyed_until_too_few_were_left_once(
    scene: Any, ends: Callable[[Any, Any], Awaitable[None]]
) -> None:
    ada, bob, cy = await watched(scene, "Ada", "Bob", "Cy")
    await ada.join(scene.voice)
    await bob.join(scene.voice)
    await recorded(scene)
    await ends(scene, ada)
    await scene.until(lambda: live(scene) is None)
    begun = scene.events(RecordingStarted)
    await cy.join(scene.voice)
    await let_events_come(scene)
    assert begun == []
    await bob.leave()
    await cy.leave()
    await let_events_come(scene)
    await bob.join(scene.voice)
    await recorded(scene)


async def test_a_no_with_too_few_people_there_does_not_outlast_them(scene: Any) -> None:
    ada, bob = await watched(scene, "Ada", "Bob")
    await ada.join(scene.voice)
    await scene.run(ada, "voice join")
    await scene.run(ada, "voice leave")
    await bob.join(scene.voice)
    await recorded(scene)


async def test_a_channel_that_cannot_be_recorded_is_left_again_and_not_tried_forever(scene: Any) -> None:
    (scene.folder / "data").mkdir(exist_ok=True)
    (scene.folder / "data" / "recordings").write_bytes(b"in the way")
    ada, bob = await watched(scene, "Ada", "Bob")
    ended = scene.events(SessionEnded)
    await ada.join(scene.voice)
    await bob.join(scene.voice)
    await scene.until(lambda: ended)
    await let_events_come(scene)
    assert len(ended) == 1
    assert scene.session is None


async def test_a_recording_that_could_not_begin_is_not_tried_again_with_every_newcomer(
    scene: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (scene.folder / "data").mkdir(exist_ok=True)
    (scene.folder / "data" / "recordings").write_bytes(b"in the way")
    ada, bob, cy = await watched(scene, "Ada", "Bob", "Cy")
    await ada.join(scene.voice)
    await scene.run(ada, "voice join")
    for newcomer in (bob, cy):
        await newcomer.join(scene.voice)
        await scene.until(lambda: "is not recorded" in caplog.text)
        await let_events_come(scene)
    assert caplog.text.count("is not recorded") == 1
    assert scene.session is not None


# Moves and reloads ----------------------------------------------------------------------------------------------------


async def test_a_move_that_happens_during_a_reload_is_announced_and_noted_all_the_same(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = scene.world.add_voice_channel(scene.guild, "Library")
    (ada,) = await watched(scene, "Ada")
    scene.bot_user.application.owner = ada.user
    await ada.join(scene.voice)
    await scene.run(ada, "voice record")
    cog = scene.bot.get_cog("Parley Recorder")
    unload = cog.cog_unload

    async def slowly() -> None:
        await unload()
        scene.world.voice.move(scene.guild, scene.bot_user.id, library)
        await scene.until(lambda: scene.session.channel.id == library.id)
        await scene.runtime.hub.settle()

    monkeypatch.setattr(cog, "cog_unload", slowly)
    assert "Reloaded" in await scene.run(ada, "reload", cog="recorder")
    await ada.wait_for_message(library, lambda message: "This channel is being recorded" in message.content, 10)
    recording_id = live(scene).id
    await scene.runtime.recordings.stop(scene.guild.id, "Enough.")
    notes = (await scene.runtime.recordings.rendered(recording_id)).notes
    assert [note.text for note in notes] == ["The recording goes on in “Library”."]
