"""The promise: who asked for something, and who is to hear how a recording ended, is told, however long it took."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import numpy as np

from core.machine.lane import ProcessLane
from core.recording.metadata import read_metadata, write_metadata
from loopback.world.permissions import Permission
from tests.attacks.brought_in import bring_in, unzipped, write_wav
from tests.cogs.test_recorder import live, panel, recording, tone

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

COGS = ("cogs.voice", "cogs.recorder", "cogs.recordings")


async def started(scene: Any, **more: Any) -> tuple[Any, Path]:
    """Ada, who may, and a recording of one minute in the lounge."""
    root = scene.folder / "data" / "recordings"
    folder = bring_in(root, "aaaa", guild_id=scene.guild.id, channel_id=scene.voice.id, duration_s=2.0, **more)
    await scene.start(cogs=COGS, model=False, recording={"min_free_mb": 1})
    return await scene.person("Ada", roles=[scene.admin_role]), folder


async def test_an_export_that_outlives_the_command_comes_as_a_direct_message(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, _ = await started(scene)
    monkeypatch.setattr("loopback.interactions.lifecycle.TOKEN_S", -1.0)
    await ada.slash(scene.text, "recordings export", recording="aaaa", format="mp3")
    direct = scene.world.direct_channel(scene.bot_user, ada.user)
    got = await ada.wait_for_message(direct, lambda m: m.attachments, 30)
    assert "session.mp3" in unzipped(got.attachments[0].data)
    assert scene.notices() == []


async def test_who_takes_no_direct_messages_fetches_it_from_the_channel(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, _ = await started(scene)
    bob = await scene.person("Bob", roles=[scene.admin_role])
    ada.user.accepts_direct_messages = False
    with monkeypatch.context() as patched:
        patched.setattr("loopback.interactions.lifecycle.TOKEN_S", -1.0)
        await ada.slash(scene.text, "recordings export", recording="aaaa")
        offered = await ada.wait_for_message(scene.text, lambda m: "press to get it" in m.content, 30)
    assert offered.attachments == []
    assert "not there any more" in (await (await bob.press(offered, "Get it")).answered()).content
    got = await (await ada.press(offered, "Get it")).answered()
    assert "session.wav" in unzipped(got.attachments[0].data)
    assert "not there any more" in (await (await ada.press(offered, "Get it")).answered()).content


async def test_a_right_that_was_taken_meanwhile_is_a_right_no_more(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _ = await started(scene)
    member = scene.guild.members[ada.user.id]
    archive = scene.runtime.recordings.archive
    make = archive.exports.make

    async def slowly(*args: Any, **options: Any) -> None:
        await make(*args, **options)
        scene.world.edit_member(scene.guild, member, role_ids=[])

    monkeypatch.setattr(archive.exports, "make", slowly)
    said = await (await ada.slash(scene.text, "recordings export", recording="aaaa")).answered()
    assert "may not see that recording any more" in said.content
    assert said.attachments == []


async def test_what_is_too_large_says_what_would_fit_and_no_place_of_the_machine(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, folder = await started(scene)
    noise = np.random.default_rng(1).integers(-9000, 9000, (96_000, 2), np.int16)
    for name in ("11_person11.wav", "session.wav"):
        write_wav(folder / name, noise)
    monkeypatch.setattr("loopback.interactions.payload.ATTACHMENT_SIZE_LIMIT", 200_000)
    got = await (await ada.slash(scene.text, "recordings get", recording="aaaa")).answered()
    assert "`/recordings export recording:aaaa format:" in got.content
    packed = await (await ada.slash(scene.text, "recordings export", recording="aaaa", format="wav")).answered()
    assert "too large" in packed.content
    assert "format:" in packed.content
    for text in (got.content, packed.content):
        assert "data/" not in text
        assert str(scene.folder) not in text
        assert folder.name not in text
    offered = packed.content.partition("format:")[2].partition("`")[0].split()[0]
    fits = await (await ada.slash(scene.text, "recordings export", recording="aaaa", format=offered)).answered()
    assert fits.attachments
    await scene.until(lambda: not list((folder.parent.parent.parent / "exports").iterdir()))


async def test_files_of_two_evenings_have_different_names(scene: Any) -> None:
    root = scene.folder / "data" / "recordings"
    bring_in(root, "bbbb", guild_id=scene.guild.id, channel_id=scene.voice.id, day=1)
    ada, _ = await started(scene)
    names: list[str] = []
    for recording_id in ("aaaa", "bbbb"):
        for command in ("get", "export"):
            got = await (await ada.slash(scene.text, f"recordings {command}", recording=recording_id)).answered()
            names += [attachment.filename for attachment in got.attachments]
    assert len(names) == len(set(names)) >= 6
    assert all("_Lounge" in name and name.startswith("2026-11-0") for name in names)


async def test_mono_keeps_the_format_of_the_recording(scene: Any) -> None:
    ada, folder = await started(scene)
    metadata = read_metadata(folder)
    metadata.audio.format = "flac"
    write_metadata(folder, metadata)
    got = await (await ada.slash(scene.text, "recordings export", recording="aaaa", mono=True)).answered()
    names = set(unzipped(got.attachments[0].data)) - {"metadata.json"}
    assert names == {"session.flac", "11_person11.flac"}


async def ended(scene: Any) -> None:
    await scene.runtime.recordings.stop(scene.guild.id, "Enough.")


def is_report(message: Any) -> bool:
    return message.content.startswith("✅")


async def test_a_report_whose_channel_is_gone_comes_to_the_voice_channels_chat(scene: Any) -> None:
    ada = await recording(scene)
    await ada.play(tone(1))
    await scene.until(lambda: live(scene).heard())
    scene.world.delete_channel(scene.text)
    await ended(scene)
    assert await ada.wait_for_message(scene.voice, is_report, 20)


async def test_a_report_that_no_channel_takes_comes_to_who_has_the_right(scene: Any) -> None:
    ada = await recording(scene)
    await ada.play(tone(1))
    await scene.until(lambda: live(scene).heard())
    scene.strip_bot()
    for channel in (scene.text, scene.voice):
        everyone = scene.guild.roles[scene.guild.id]
        scene.world.set_overwrite(channel, everyone, deny=Permission.SEND_MESSAGES)
    await ended(scene)
    direct = scene.world.direct_channel(scene.bot_user, ada.user)
    told = await ada.wait_for_message(direct, is_report, 20)
    assert [attachment.filename for attachment in told.attachments] == ["timeline.png"]


async def test_a_disk_that_is_full_at_the_end_is_told_the_panel_moves_on_and_the_files_come_later(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = {"free": 0.0}
    monkeypatch.setattr("core.recording.room.LOOK_S", 0.1)
    monkeypatch.setattr("core.recording.room.Room._free", lambda _: state["free"])
    ada = await recording(scene)
    shown = await panel(scene, ada)
    work = ProcessLane.run

    async def run(self: Any, function: Any, *args: Any, **options: Any) -> Any:
        if not state["free"] and function.__module__.startswith("core.recording"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return await work(self, function, *args, **options)

    monkeypatch.setattr(ProcessLane, "run", run)
    await ada.play(tone(0.5))
    await scene.until(lambda: live(scene).heard())
    assert "Stopped" in await scene.run(ada, "voice record", action="stop")
    told = await ada.wait_for_message(scene.text, lambda m: "my disk is full" in m.content, 20)
    assert "safe" in told.content
    await scene.until(lambda: "is over" in shown.content)
    state["free"] = 1e12
    done = await ada.wait_for_message(scene.text, lambda m: m.content.startswith("✅"), 30)
    assert f"<@{ada.user.id}>" in done.content
