"""The model is asked ahead of the end of a turn: used if the person is finished, thrown away if they go on."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from core.bot.hearing_session import HearingSession
from core.hearing.hearing import Heard
from core.hearing.text import Segment, Transcription
from core.hearing.utterance import Utterance
from core.hearing.utterance_finder import Began, Ended, WentOn

FIRST, WHOLE = "Is the ferry blue?", "Is the ferry blue or green?"


def heard(text: str) -> Transcription:
    return Transcription((Segment(text, 0.0, 1.0),), "en", "whisper", "tiny.en", text)


class Speaker:
    """Somebody whose words are told as listening tells them."""

    def __init__(self, scene, user_id: int, number: int = 1) -> None:
        parts = scene.runtime.voice_hearing._parts
        self.session = HearingSession(replace(parts, section=scene.runtime.config.hearing), scene.session)
        self.utterance = Utterance(
            f"u{number}", scene.guild.id, scene.voice.id, user_id, time.monotonic(), datetime.now(UTC),
            np.zeros(16_000, np.float32), 1.0, False, 0, False, time.monotonic(),
        )  # fmt: skip

    def begin(self) -> None:
        self.session._tell(Began(self.utterance.id, self.utterance.user_id, time.monotonic()))

    def pause(self, text: str) -> None:
        self.session._tell(Heard(self.utterance, heard(text), final=False, silent=True))

    def go_on(self) -> None:
        self.session._tell(WentOn(self.utterance.id, self.utterance.user_id))

    def finish(self, text: str) -> None:
        done = replace(self.utterance, final=True, spoken_until_s=time.monotonic())
        self.session._tell(Ended(done))
        self.session._tell(Heard(done, heard(text), final=True))


async def speaks(scene, **hearing) -> Speaker:
    await scene.start(hearing={"engine": "off", "answer": "always", **hearing})
    ada = await scene.joined()
    speaker = Speaker(scene, ada.user.id)
    speaker.begin()
    return speaker


async def remembered(scene) -> list[str]:
    await scene.until(lambda: scene.runtime.conversation.recent)
    await scene.turns_over()
    return [line.content for line in await scene.runtime.history.newest(scene.text.id, 10)]


async def test_who_is_finished_gets_the_answer_that_was_asked_for_ahead(scene):
    speaker = await speaks(scene, speculate=True)
    scene.chat.script(text="Blue.")
    speaker.pause(FIRST)
    await scene.until(lambda: len(scene.chat.prompts) == 1)
    assert not scene.runtime.conversation.recent and not scene.chat.requests[0].disconnected
    speaker.finish(FIRST)
    assert await remembered(scene) == [FIRST, "Blue."]
    assert len(scene.chat.prompts) == 1, "it was not asked again"


async def test_who_goes_on_gets_exactly_one_answer_and_the_first_request_is_ended(scene):
    speaker = await speaks(scene, speculate=True)
    scene.chat.script(text="Blue. " * 200, pace_s=0.05)
    speaker.pause(FIRST)
    await scene.until(lambda: scene.chat.requests and scene.chat.requests[0].sent > 2)
    speaker.go_on()
    await scene.until(lambda: scene.chat.requests[0].disconnected)
    scene.chat.script(text="Green.")
    speaker.pause(WHOLE)
    speaker.finish(WHOLE)
    assert await remembered(scene) == [WHOLE, "Green."]
    assert [prompt[-1]["content"] for prompt in scene.chat.prompts] == [f"Ada: {FIRST}", f"Ada: {WHOLE}"], (
        "at most one ahead a turn"
    )
    assert len(scene.runtime.conversation.recent) == 1
    assert not any("Blue" in text for text in scene.notices())


async def test_what_is_asked_otherwise_in_the_end_is_asked_anew_and_nobody_is_asked_ahead_unless_it_is_wanted(scene):
    speaker = await speaks(scene, speculate=True)
    scene.chat.script(text="Blue. " * 200, pace_s=0.05)
    speaker.pause(FIRST)
    await scene.until(lambda: scene.chat.requests and scene.chat.requests[0].sent > 2)
    scene.chat.script(text="Green.")
    speaker.finish(WHOLE)  # the last look at it understood more
    assert await remembered(scene) == [WHOLE, "Green."]
    assert scene.chat.requests[0].disconnected
    second = Speaker(scene, speaker.utterance.user_id, 2)
    second.session._foresight._on = False
    second.begin()
    second.pause(FIRST)
    scene.chat.script(text="Blue.")
    second.finish(FIRST)
    await scene.until(lambda: len(scene.runtime.conversation.recent) == 2)
    assert (await remembered(scene))[-2:] == [FIRST, "Blue."]
    assert len(scene.chat.prompts) == 3
