from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from core.clock import SystemClock
from core.config.hearing import HearingSection
from core.errors import HearingError
from core.events import Event, SpeechBegan, UtteranceEnded, WordsHeard
from core.hearing.hearing import Forgotten, Heard, Hearing, NotUnderstood
from core.hearing.listener import HeardRoom
from core.hearing.text import Segment, Transcription
from core.hearing.transcriber import NO_BIAS, Bias
from core.hub import Hub
from tests.core.hearing.mouths import Mouth, speech
from tests.core.hearing.test_listener import Source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import numpy as np

    from core.hearing.hearing import HeardSession, Notice

ADA, BOB = 11, 22


class Scripted:
    """A recogniser that understands everything as the same words, or fails as it is told to."""

    name, address, model = "scripted", "here", "none"

    def __init__(self) -> None:
        self.fails: list[Exception] = []
        self.takes_s = 0.0
        self.asked: list[tuple[float, str | None, Bias]] = []
        self.cancelled = self.opened = self.closed = 0
        self.refuses = False

    async def open(self) -> None:
        if self.refuses:
            raise HearingError("The model tiny.en is missing: get it.")
        self.opened += 1

    async def transcribe(
        self,
        samples: np.ndarray,
        *,
        language: str | None = None,
        bias: Bias = NO_BIAS,
        words: bool = False,
        purpose: str = "live",
        deadline_s: float | None = None,
        replaces: str = "",
    ) -> Transcription:
        self.asked.append((len(samples) / 16_000, language, bias))
        try:
            await asyncio.sleep(self.takes_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.fails:
            raise self.fails.pop(0)
        return Transcription((Segment("Hello there.", 0, 1),), "en", "scripted", "none")

    async def close(self) -> None:
        self.closed += 1


class Scene:
    def __init__(self) -> None:
        self.engine = Scripted()
        self.hub = Hub()
        self.hub.bind(asyncio.get_running_loop())
        self.events: list[Event] = []
        self.hub.subscribe(Event, self.events.append, owner=self)
        self.hearing = Hearing(HearingSection(end_of_turn_s=0.4), self.engine, self.hub, SystemClock())
        self.source = Source()
        self.refused: set[int] = set()
        self.notices: list[Notice] = []
        self.mouths = {user_id: Mouth(user_id, ssrc=user_id) for user_id in (ADA, BOB)}

    async def listen(self) -> HeardSession:
        room = HeardRoom(1, lambda: 2, self.source, lambda user: user not in self.refused)
        return await self.hearing.listen(
            room, self.notices.append, bias=lambda: Bias(("Ada",), "Parley"), language=lambda _: "en"
        )

    async def speak(self, *said: tuple[int, str, float]) -> None:
        """People say something, each after so many seconds, in real time."""
        now_s = time.monotonic()
        frames = [
            frame
            for user_id, text, after_s in said
            for frame in self.mouths[user_id].say(await asyncio.to_thread(speech, text), now_s + after_s)
        ]
        for frame in sorted(frames, key=lambda frame: frame.arrival_s):
            await asyncio.sleep(max(0, frame.arrival_s - time.monotonic()))
            for put in list(self.source.callbacks.values()):
                put(frame)

    async def until(self, kind: type, count: int = 1) -> list:
        async with asyncio.timeout(5):
            while len(found := [one for one in self.notices if isinstance(one, kind)]) < count:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
        return found

    def told(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    for text in ("Good morning.", "Good morning to you all.", "everybody."):
        await asyncio.to_thread(speech, text)
    scene = Scene()
    yield scene
    await scene.hearing.close()


async def test_what_is_said_becomes_text_and_everybody_is_told(scene: Scene) -> None:
    await scene.listen()
    await scene.speak((ADA, "Good morning.", 0))
    (heard,) = await scene.until(Heard)
    assert heard.final and heard.transcription.text == "Hello there." and heard.utterance.user_id == ADA
    await scene.hub.settle()
    (began,), (ended,), (words,) = (scene.told(kind) for kind in (SpeechBegan, UtteranceEnded, WordsHeard))
    assert began.utterance_id == ended.utterance_id == words.utterance_id
    assert (words.guild_id, words.channel_id, words.user_id, words.text) == (1, 2, ADA, "Hello there.")
    assert words.final and words.language == "en"
    assert len(scene.engine.asked) == 1  # the look at the first silence is the text
    assert scene.engine.asked[0][1:] == ("en", Bias(("Ada",), "Parley"))


async def test_a_look_is_thrown_away_if_the_person_goes_on(scene: Scene) -> None:
    scene.engine.takes_s = 0.5
    await scene.listen()
    length_s = len(speech("Good morning.")) / 48_000
    await scene.speak((ADA, "Good morning.", 0), (ADA, "everybody.", length_s + 0.3))
    (heard,) = await scene.until(Heard)
    assert scene.engine.cancelled == 1
    assert heard.utterance.duration_s > length_s + 0.6


async def test_an_utterance_that_fails_is_told_once_and_hearing_goes_on(scene: Scene) -> None:
    scene.engine.fails = [HearingError("The recogniser took longer than 20 s."), ValueError("broken")]
    await scene.listen()
    for _ in range(3):
        await scene.speak((ADA, "Good morning.", 0))
        await asyncio.sleep(0.8)
    first, second = await scene.until(NotUnderstood, 2)
    assert first.error.sentence == "The recogniser took longer than 20 s."
    assert "broken" not in second.error.sentence
    assert len(await scene.until(Heard)) == 1


async def test_who_refuses_while_their_words_are_recognised_is_forgotten(scene: Scene) -> None:
    scene.engine.takes_s = 1.0
    await scene.listen()
    await scene.speak((ADA, "Good morning.", 0))
    await asyncio.sleep(0.5)
    scene.refused.add(ADA)
    await scene.until(Forgotten)
    await scene.hub.settle()
    assert not scene.told(WordsHeard)


async def test_a_session_without_a_recogniser_says_why_and_the_next_one_tries_again(scene: Scene) -> None:
    scene.engine.refuses = True
    with pytest.raises(HearingError, match=r"tiny\.en is missing"):
        await scene.listen()
    assert not scene.source.callbacks
    scene.engine.refuses = False
    await asyncio.gather(scene.listen(), scene.listen())
    assert scene.engine.opened == 1


async def test_nothing_is_decoded_when_nobody_listens(scene: Scene) -> None:
    session = await scene.listen()
    assert len(scene.source.callbacks) == 1
    await session.close()
    await session.close()
    assert not scene.source.callbacks and not scene.hearing.sessions


async def test_what_is_being_said_is_shown_while_somebody_wants_to_see_it(scene: Scene) -> None:
    session = await scene.listen()
    session.show("captions", 0.3)
    await scene.speak((ADA, "Good morning to you all.", 0))
    heard = await scene.until(Heard, 3)
    while not heard[-1].final:
        heard = await scene.until(Heard, len(heard) + 1)
    assert not any(each.final for each in heard[:-1])
    session.hide("captions")
    scene.notices.clear()
    await scene.speak((ADA, "Good morning to you all.", 0))
    await asyncio.sleep(0.6)
    assert len(await scene.until(Heard)) == 1
