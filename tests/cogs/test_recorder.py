"""Recording in calls with encryption on: panel, refusals, reports, reloads, rights, past recordings, privacy."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from core.audio.wav import WavReader
from core.bot.recording_mark import STATUS
from core.bot.recording_messages import ANNOUNCED
from core.recording.metadata import read_metadata
from loopback.world.permissions import Permission

if TYPE_CHECKING:
    from pathlib import Path

COGS = ("cogs.voice", "cogs.recorder", "cogs.recordings", "cogs.admin")


def tone(duration_s: float, hz: float = 440.0) -> np.ndarray:
    t = np.arange(round(duration_s * 48_000)) / 48_000
    return np.repeat((np.sin(2 * np.pi * hz * t) * 9000).astype(np.int16)[:, None], 2, axis=1)


async def recording(scene: Any, **settings: Any) -> Any:
    """Ada in the voice channel, and a recording that she has started."""
    await scene.start(cogs=COGS, model=False, recording={"min_free_mb": 1, **settings})
    ada = await scene.person("Ada", roles=[scene.admin_role])
    await ada.join(scene.voice)
    said = await scene.run(ada, "voice record")
    assert f"Recording <#{scene.voice.id}>" in said, said
    return ada


def live(scene: Any) -> Any:
    return scene.runtime.recordings.live(scene.guild.id)


async def panel(scene: Any, person: Any) -> Any:
    return await person.wait_for_message(scene.text, lambda message: "Recording" in message.content, 5)


async def report(scene: Any, person: Any) -> Any:
    def fits(message: Any) -> bool:
        return message.author is scene.bot_user and message.content.startswith(("✅", "The recording is over", "<@"))

    return await person.wait_for_message(scene.text, fits, 20)


def folders(scene: Any) -> list[Path]:
    return sorted((scene.folder / "data" / "recordings").glob("*/*/*"))


async def test_a_call_is_recorded_shown_and_reported(scene: Any) -> None:
    ada = await recording(scene)
    shown = await panel(scene, ada)
    announced = await ada.wait_for_message(scene.voice, lambda m: m.content == ANNOUNCED["announce"], 5)
    assert announced.author is scene.bot_user
    assert scene.guild.members[scene.bot_user.id].nick.startswith("🔴 ")
    await ada.play(tone(1.5))
    await scene.until(lambda: live(scene).heard())
    noted = await scene.run(ada, "voice record", action="note", text="Roll for initiative")
    assert "Noted at 0:0" in noted
    assert "Stopped" in await scene.run(ada, "voice record", action="stop")
    told = await report(scene, ada)
    assert f"<@{ada.user.id}>" in told.content
    assert [attachment.filename for attachment in told.attachments] == ["timeline.png"]
    await scene.until(lambda: "is over" in shown.content)
    assert scene.guild.members[scene.bot_user.id].nick is None
    (folder,) = folders(scene)
    found = read_metadata(folder)
    assert found.encryption.end_to_end.startswith("DAVE")
    assert found.started_by.name == "Ada"
    assert [note.text for note in found.notes] == ["Roll for initiative"]
    assert found.people[0].speech_s == pytest.approx(1.5, abs=0.25)
    with WavReader(folder / found.people[0].track) as wav:
        samples = wav.read(0, wav.samples)
    assert np.abs(samples.astype(int)).max() == pytest.approx(9000, rel=0.15)
    assert scene.session is not None  # the voice session goes on


async def test_the_panels_buttons_do_what_they_say(scene: Any) -> None:
    ada = await recording(scene)
    shown = await panel(scene, ada)
    pressed = await ada.press(shown, "Pause")
    assert "Paused" in (await pressed.answered()).content
    assert live(scene).paused
    await scene.until(lambda: "Paused" in shown.content)
    await (await ada.press(shown, "Go on")).answered()
    assert not live(scene).paused
    pressed = await ada.press(shown, "Note")
    modal = await pressed.modal()
    assert modal["title"] == "Note"
    submitted = await ada.submit(pressed, text="Remember this")
    assert "Noted" in (await submitted.answered()).content
    await scene.until(lambda: "Recording" in shown.content)
    pressed = await ada.press(shown, "Stop")
    assert "Stopped" in (await pressed.answered()).content
    assert live(scene) is None


async def test_dont_record_me_works_at_once_and_deletes_what_was_there(scene: Any) -> None:
    ada = await recording(scene)
    bob = await scene.person("Bob")
    await bob.join(scene.voice)
    await bob.until_encrypted()
    shown = await panel(scene, ada)
    await asyncio.gather(ada.play(tone(1)), bob.play(tone(1, 700)))
    await scene.until(lambda: len(live(scene).heard()) == 2)
    folder = live(scene).folder
    pressed = await bob.press(shown, "Don't record me")
    said = (await pressed.answered()).content
    assert "not recorded any more" in said
    assert "deleted" in said
    assert not list(folder.glob(f"{bob.user.id}*"))
    await bob.play(tone(1, 700))
    await scene.run(ada, "voice record", action="stop")
    await report(scene, ada)
    assert not list(folder.glob(f"{bob.user.id}*"))
    assert "Bob" not in (folder / "metadata.json").read_text(encoding="utf-8")
    assert "You asked not to be recorded." in await scene.run(bob, "privacy status")


async def test_with_opt_in_only_who_agrees_is_recorded(scene: Any) -> None:
    ada = await recording(scene, consent="opt_in")
    announced = await ada.wait_for_message(scene.voice, lambda m: "only who agrees" in m.content, 5)
    assert f"<@{ada.user.id}>" in announced.content
    await ada.play(tone(0.6))
    assert live(scene).heard() == []
    assert "from now on you are recorded" in (await (await ada.press(announced, "Record me")).answered()).content
    await ada.play(tone(1))
    await scene.until(lambda: live(scene).heard())
    bob = await scene.person("Bob")
    await bob.join(scene.voice)
    await ada.wait_for_message(scene.voice, lambda m: m.content.startswith(f"<@{bob.user.id}>"), 5)


async def test_a_reload_loses_no_packet_and_the_panel_goes_on(scene: Any) -> None:
    ada = await recording(scene)
    scene.bot_user.application.owner = ada.user
    shown = await panel(scene, ada)
    playing = asyncio.create_task(ada.play(tone(4)))
    await asyncio.sleep(1)
    assert "Reloaded" in await scene.run(ada, "reload", cog="recorder")
    await asyncio.sleep(0.5)
    assert "Reloaded" in await scene.run(ada, "reload")
    await playing
    revisions = len(shown.revisions)
    await scene.until(lambda: len(shown.revisions) > revisions)
    await (await ada.press(shown, "Stop")).answered()
    await report(scene, ada)
    found = read_metadata(folders(scene)[0])
    assert found.people[0].packets.lost == 0
    assert found.people[0].speech_s == pytest.approx(4, abs=0.3)
    assert len(found.segments) == 1


async def slow_reload(scene: Any, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Let the next reload keep the recorder away for half a second; the event says when it is."""
    cog, gone = scene.bot.get_cog("Parley Recorder"), asyncio.Event()
    unload = cog.cog_unload

    async def slowly() -> None:
        await unload()
        gone.set()
        await asyncio.sleep(0.5)

    monkeypatch.setattr(cog, "cog_unload", slowly)
    return gone


async def test_buttons_pressed_in_the_middle_of_a_reload_work_once(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await recording(scene)
    scene.bot_user.application.owner = ada.user
    bob = await scene.person("Bob")
    shown = await panel(scene, ada)
    gone = await slow_reload(scene, monkeypatch)
    reload = await ada.slash(scene.text, "reload", cog="recorder")
    await gone.wait()
    note, refusal = await ada.press(shown, "Note"), await bob.press(shown, "Don't record me")
    assert (await note.modal())["title"] == "Note"
    assert "not recorded any more" in (await refusal.answered()).content
    assert "Reloaded" in (await reload.answered()).content
    assert "Noted" in (await (await ada.submit(note, text="Remember this")).answered()).content

    gone = await slow_reload(scene, monkeypatch)
    reload = await ada.slash(scene.text, "reload", cog="recorder")
    await gone.wait()
    pause = await ada.press(shown, "Pause")
    assert "Paused" in (await pause.answered()).content
    assert live(scene).paused
    assert "Reloaded" in (await reload.answered()).content

    gone = await slow_reload(scene, monkeypatch)
    reload = await ada.slash(scene.text, "reload", cog="recorder")
    await gone.wait()
    stop = await ada.press(shown, "Stop")
    assert "Stopped" in (await stop.answered()).content
    assert live(scene) is None
    assert "Reloaded" in (await reload.answered()).content


async def test_a_button_whose_cog_is_gone_is_answered_with_a_sentence(scene: Any) -> None:
    ada = await recording(scene)
    shown = await panel(scene, ada)
    await scene.bot.unload_extension("cogs.recorder")
    assert "not there right now" in (await (await ada.press(shown, "Stop")).answered()).content
    assert live(scene) is not None


async def test_nobody_spoke_is_said_and_leaves_no_files(scene: Any) -> None:
    ada = await recording(scene)
    await scene.run(ada, "voice record", action="stop")
    assert "Nobody spoke" in (await report(scene, ada)).content
    assert folders(scene) == []


async def test_leaving_ends_the_recording_too(scene: Any) -> None:
    ada = await recording(scene)
    await ada.play(tone(0.6))
    await scene.until(lambda: live(scene).heard())
    await scene.run(ada, "voice leave")
    assert "✅" in (await report(scene, ada)).content
    assert live(scene) is None


async def test_refusals_say_what_is_wrong(scene: Any) -> None:
    await scene.start(cogs=COGS, model=False, recording={"min_free_mb": 1})
    ada = await scene.person("Ada", roles=[scene.admin_role])
    bob = await scene.person("Bob")
    assert "Manage Channels" in await scene.run(bob, "voice record")
    assert "Manage Channels" in await scene.run(bob, "recordings list")
    assert "You are in no voice channel" in await scene.run(ada, "voice record")
    for action in ("stop", "pause", "resume"):
        assert "Nothing is being recorded here" in await scene.run(ada, "voice record", action=action)
    assert "needs some text" in await scene.run(ada, "voice record", action="note")
    assert "Nothing was recorded on this server yet" in await scene.run(ada, "recordings list")
    assert "no such recording" in await scene.run(ada, "recordings get", recording="nonsense")
    await ada.join(scene.voice)
    await scene.run(ada, "voice record")
    assert "already being recorded" in await scene.run(ada, "voice record")
    shown = await panel(scene, ada)
    assert "Manage Channels" in (await (await bob.press(shown, "Stop")).answered()).content


async def test_a_role_may_be_given_the_right(scene: Any) -> None:
    role = scene.world.add_role(scene.guild, "recorders", Permission(0))
    await scene.start(cogs=COGS, model=False, recording={"min_free_mb": 1, "roles": [role.id]})
    bob = await scene.person("Bob", roles=[role])
    await bob.join(scene.voice)
    assert "Recording" in await scene.run(bob, "voice record")


async def test_past_recordings_are_listed_fetched_exported_and_deleted(scene: Any) -> None:
    ada = await recording(scene)
    await ada.play(tone(1))
    await scene.until(lambda: live(scene).heard())
    recording_id = live(scene).id
    await scene.run(ada, "voice record", action="stop")
    await report(scene, ada)
    assert recording_id in await scene.run(ada, "recordings list")
    choices = await ada.autocomplete(scene.text, "recordings get", "recording", "Lou")
    assert [choice["value"] for choice in choices] == [recording_id]
    got = await (await ada.slash(scene.text, "recordings get", recording=recording_id)).answered()
    names = [attachment.filename for attachment in got.attachments]
    assert all(name.startswith("20") and "_Lounge_" in name for name in names)
    assert {name.partition("_Lounge_")[2] for name in names} >= {"timeline.png", "session.wav"}
    exported = await ada.slash(scene.text, "recordings export", recording=recording_id, format="mp3")
    (file,) = (await exported.answered()).attachments
    with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
        assert "session.mp3" in archive.namelist()
    assert "Deleted" in await scene.run(ada, "recordings delete", recording=recording_id)
    assert folders(scene) == []


async def test_everybody_has_a_say_about_their_own_data(scene: Any) -> None:
    ada = await recording(scene)
    await ada.play(tone(1))
    await scene.until(lambda: live(scene).heard())
    await scene.run(ada, "voice record", action="stop")
    await report(scene, ada)
    assert "You are on 1 recording(s)" in await scene.run(ada, "privacy status")
    exported = await (await ada.slash(scene.text, "privacy export")).answered()
    with zipfile.ZipFile(io.BytesIO(exported.attachments[0].data)) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".json")]
        assert json.loads(archive.read(name))["you"]["name"] == "Ada"
    assert "deleted from 1 recording" in await scene.run(ada, "privacy delete")
    assert not list((scene.folder / "data" / "recordings").rglob("*.ogg"))
    assert "not recorded any more" in await scene.run(ada, "privacy opt-out")
    assert "from now on you may be recorded" in await scene.run(ada, "privacy opt-in")


async def test_monitored_channels_are_recorded_by_themselves(scene: Any) -> None:
    await scene.start(
        cogs=COGS,
        model=False,
        recording={"min_free_mb": 1, "auto_channels": [scene.voice.id], "auto_min_members": 2, "auto_stop_s": 0.3},
    )
    ada, bob = await scene.person("Ada"), await scene.person("Bob")
    await ada.join(scene.voice)
    await asyncio.sleep(0.3)
    assert live(scene) is None
    await bob.join(scene.voice)
    await scene.until(lambda: live(scene) is not None)
    await ada.wait_for_message(scene.voice, lambda m: m.content == ANNOUNCED["announce"], 5)
    await bob.leave()
    await scene.until(lambda: live(scene) is None and scene.session is None)


async def test_a_crash_is_reported_to_who_started_it(scene: Any) -> None:
    ada = await recording(scene)
    await ada.play(tone(1))
    await scene.until(lambda: live(scene).heard())
    folder = live(scene).folder
    await asyncio.sleep(0.6)
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    await scene.bot.close()
    for path in folder.iterdir():
        path.unlink()
    for name, data in kept.items():  # as the disk was in the middle of it
        folder.joinpath(name).write_bytes(data)
    await scene.start(cogs=COGS, model=False, recording={"min_free_mb": 1})
    told = await ada.wait_for_message(scene.text, lambda m: "cut off in the middle" in m.content, 20)
    assert told.content.startswith(f"<@{ada.user.id}>")
    assert scene.guild.members[scene.bot_user.id].nick is None


async def test_people_of_the_channel_the_bot_is_moved_to_are_told(scene: Any) -> None:
    ada = await recording(scene)
    other = scene.world.add_voice_channel(scene.guild, "Library")
    await scene.until(lambda: scene.bot.get_channel(other.id) is not None)
    scene.world.voice.move(scene.guild, scene.bot_user.id, other)
    await ada.wait_for_message(other, lambda m: m.content == ANNOUNCED["announce"], 10)
    assert live(scene) is not None


async def test_the_recording_notes_the_name_of_the_channel_it_goes_on_in(scene: Any) -> None:
    await recording(scene)
    library = scene.world.add_voice_channel(scene.guild, "Library")
    await scene.until(lambda: scene.bot.get_channel(library.id) is not None)
    scene.world.voice.move(scene.guild, scene.bot_user.id, library)
    recording_id = live(scene).id
    await scene.until(lambda: scene.runtime.recording_places.announced.get(scene.guild.id) == library.id)
    await scene.runtime.recordings.stop(scene.guild.id, "Enough.")
    notes = (await scene.runtime.recordings.rendered(recording_id)).notes
    assert [note.text for note in notes] == ["The recording goes on in “Library”."]


async def test_a_mark_on_the_channel_moves_with_the_bot_and_goes_with_the_recording(scene: Any) -> None:
    everyone, (own,) = scene.guild.roles[scene.guild.id], [r for r in scene.guild.roles.values() if r.name == "bot"]
    everyone.permissions &= ~Permission.CHANGE_NICKNAME
    own.permissions = Permission.SET_VOICE_CHANNEL_STATUS | Permission.MANAGE_CHANNELS
    library = scene.world.add_voice_channel(scene.guild, "Library")
    ada = await recording(scene)
    await scene.until(lambda: scene.voice.status == STATUS)
    scene.world.voice.move(scene.guild, scene.bot_user.id, library)
    await scene.until(lambda: library.status == STATUS)
    assert scene.voice.status is None
    await scene.run(ada, "voice record", action="stop")
    await scene.until(lambda: library.status is None)
    assert scene.voice.status is None
    assert not scene.guild.members[scene.bot_user.id].nick


async def test_an_unannounced_recording_leaves_nothing(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unheard(*_: Any, **__: Any) -> None:
        return None

    await scene.start(cogs=COGS, model=False, recording={"min_free_mb": 1})
    monkeypatch.setattr(sys.modules["cogs.recorder"], "_send", unheard)
    ada = await scene.person("Ada", roles=[scene.admin_role])
    await ada.join(scene.voice)
    assert "must be announced" in await scene.run(ada, "voice record")
    assert live(scene) is None
    assert folders(scene) == []
