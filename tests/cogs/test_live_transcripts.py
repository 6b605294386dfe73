"""What is said on a recording is on disk and found by search while it runs; the final transcript takes its place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from core.bot import transcript_files as files
from core.hearing.transcripts.document import read_transcript
from core.recording.metadata import read_metadata
from tests.cogs.test_transcripts_cog import COGS, FRIDAY, stereo, written
from tests.core.hearing.transcripts.speech import Scripted

if TYPE_CHECKING:
    from pathlib import Path

LIVE, FINAL = "They meet on Friday, Zebedee.", "We meet on Friday at nine, Zebedee."


async def begin(scene: Any, live: str = "always", auto: bool = True) -> tuple[Any, Scripted]:
    """Ada in the voice channel, with a recording under way."""
    await scene.start(
        cogs=COGS,
        model=False,
        recording={"min_free_mb": 1},
        hearing={"answer": "never", "transcripts": {"live": live, "auto": auto}},
    )
    recogniser = Scripted([LIVE])
    scene.runtime.transcripts._transcriber = scene.runtime.hearing._transcriber = recogniser
    ada = await scene.person("Ada", roles=[scene.admin_role])
    await ada.join(scene.voice)
    assert "Recording" in await scene.run(ada, "voice record")
    await scene.until(lambda: live != "always" or bool(scene.runtime.hearing.sessions))
    return ada, recogniser


async def said(scene: Any, person: Any) -> Path:
    """Say something; gives the file in which it is when it is there."""
    running = scene.runtime.recordings.live(scene.guild.id)
    part = files.part_of(running.folder, str(person.user.id))
    await person.play(stereo(FRIDAY))
    await scene.until(part.exists, 20)
    return part


async def rows(scene: Any) -> list[str]:
    running = scene.runtime.recordings.live(scene.guild.id)
    return [each.text for each in await scene.runtime.transcripts.repository.of_recording(running.id)]


async def test_words_are_found_while_it_runs_and_replaced_by_the_final_ones(scene: Any) -> None:
    ada, recogniser = await begin(scene)
    part = await said(scene, ada)
    document = read_transcript(part)
    assert (document.state, document.text, document.speakers[0].name) == ("live", LIVE, "Ada")
    await scene.until(lambda: not scene.runtime.live_transcripts._running[document.recording].writing.locked())
    assert "1 found" in await scene.run(ada, "recordings search", words="friday")
    live = scene.runtime.live_transcripts.document(document.recording)
    assert (live.state, live.text) == ("live", LIVE)
    asked = await ada.slash(scene.text, "recordings transcript", recording=document.recording, format="srt")
    sent = await asked.answered(20)
    assert "so far" in sent.content and LIVE.encode() in sent.attachments[0].data
    recogniser.lines = [FINAL]
    await scene.run(ada, "voice record", action="stop")
    await scene.runtime.recordings.rendered(document.recording)
    record = scene.runtime.recordings.archive.record(document.recording)
    await written(scene, record)
    final = await scene.runtime.transcripts.document(record.id)
    assert (final.state, final.text) == ("finished", FINAL)
    assert not part.exists()
    assert abs(document.segments[0].start_s - final.segments[0].start_s) < 0.1
    repository = scene.runtime.transcripts.repository
    assert [each.text for each in await repository.of_recording(record.id)] == [FINAL]


async def test_without_a_final_transcript_the_live_one_stays(scene: Any) -> None:
    ada, _ = await begin(scene, auto=False)
    part = await said(scene, ada)
    running = scene.runtime.recordings.live(scene.guild.id)
    for cog in COGS:
        await scene.bot.reload_extension(cog)
    await ada.play(stereo(FRIDAY))
    await scene.until(lambda: len(read_transcript(part).segments) == 2)  # a reload costs no word
    await scene.run(ada, "voice record", action="stop")
    await scene.runtime.recordings.rendered(running.id)
    await scene.until(lambda: read_metadata(running.folder).transcripts)
    assert (await scene.runtime.transcripts.document(running.id)).state == "live"


@pytest.mark.parametrize("live", ["heard", "off"])
async def test_nobody_is_decoded_for_it_unless_that_is_set(scene: Any, live: str) -> None:
    ada, recogniser = await begin(scene, live)
    await ada.play(stereo(FRIDAY))
    await asyncio.sleep(0.5)
    assert scene.runtime.hearing.sessions == ()
    assert recogniser.opened == 0
    assert await rows(scene) == []


async def test_what_is_heard_anyway_is_written_and_nobody_is_decoded_twice(scene: Any) -> None:
    ada, _ = await begin(scene)
    assert len(scene.runtime.hearing.sessions) == 1
    await scene.runtime.voice_hearing.start(scene.runtime.voice.session(scene.guild.id))
    own = scene.runtime.live_transcripts._own
    await scene.until(lambda: not own and len(scene.runtime.hearing.sessions) == 1)
    await said(scene, ada)
    assert scene.runtime.hearing.sessions[0]._captions is False
    await scene.runtime.voice_hearing.stop(scene.runtime.voice.session(scene.guild.id))
    await scene.until(lambda: bool(own))
    await scene.run(ada, "voice record", action="stop")
    await scene.until(lambda: not own and scene.runtime.hearing.sessions == ())


@pytest.mark.parametrize("kind", ["heard", "recorded"])
async def test_who_refuses_in_the_middle_is_in_no_byte_and_not_written_down_any_more(scene: Any, kind: Any) -> None:
    ada, _ = await begin(scene)
    part = await said(scene, ada)
    settled = await scene.runtime.privacy.decide(ada.user.id, "out", [kind])
    assert settled.failed == ()
    assert not part.exists()
    assert await rows(scene) == []
    await ada.play(stereo(FRIDAY))
    await asyncio.sleep(1.5)
    assert not part.exists()
    assert await rows(scene) == []
    await scene.runtime.store.scrub()
    assert not [path for path in part.parent.rglob("*") if path.is_file() and b"Zebedee" in path.read_bytes()]


async def test_who_is_deleted_in_the_middle_goes_with_their_name_from_what_others_said(scene: Any) -> None:
    ada, _ = await begin(scene)
    bo = await scene.person("Bo")
    await bo.join(scene.voice)
    part, others = await said(scene, ada), await said(scene, bo)
    deletion = await scene.runtime.privacy.delete_person(ada.user.id, {"Zebedee"})
    assert deletion.failed == ()
    assert not part.exists()
    assert "Zebedee" not in others.read_text()
    assert await rows(scene) == [LIVE.replace("Zebedee", "somebody")]


async def test_words_still_being_understood_when_somebody_is_deleted_are_not_written_down(scene: Any) -> None:
    ada, recogniser = await begin(scene)
    go_on = asyncio.Event()
    recogniser.gate = go_on.wait
    await ada.play(stereo(FRIDAY))
    await scene.until(lambda: bool(recogniser.heard), 20)
    await scene.runtime.privacy.delete_person(ada.user.id, set())
    go_on.set()
    await asyncio.sleep(1.5)
    assert await rows(scene) == []
    assert scene.runtime.live_transcripts.document(scene.runtime.recordings.live(scene.guild.id).id) is None


async def test_what_is_said_in_a_pause_is_not_written_down(scene: Any) -> None:
    ada, recogniser = await begin(scene)
    await said(scene, ada)
    running = scene.runtime.recordings.live(scene.guild.id)
    before = len(recogniser.heard)
    running.recorder.pause()
    await ada.play(stereo(FRIDAY))
    running.recorder.resume()
    await scene.until(lambda: len(recogniser.heard) > before)
    await asyncio.sleep(1.5)
    assert await rows(scene) == [LIVE]
