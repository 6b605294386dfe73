"""A speaker gives sound while text is still being written, tries again, asks ahead, and stops when told."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.character import Mood
from core.config.speech import SpeechSection
from core.errors import ModelError, SpeechError
from core.speech.engine import SpeechChunk, Voice, failure
from core.speech.speakable import Names
from core.speech.speaker import Speaker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

RATE_HZ = 24000
A_CHARACTER = 1200  # samples: 50 ms


@dataclass
class Hummer:
    """An engine in memory: every character is a known sound, and faults happen when the test says so."""

    takes_tokens: bool = False
    name: str = "hummer"
    address: str = "nowhere"
    chunk: int = 4096
    asked: list[tuple[str, Voice]] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    faults: list[int | None] = field(default_factory=list)  # for each request: fail after so many samples, or never
    hang: bool = False
    level: float = 0.5
    endless: bool = False
    closed: int = 0
    gate: asyncio.Event | None = None

    async def open(self) -> None: ...
    async def close(self) -> None: ...

    async def voices(self) -> list[str]:
        return ["one"]

    def native(self, voice: Voice) -> Voice:
        return Voice(voice.name)

    async def stream(self, text: AsyncIterator[str], voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        fault = self.faults.pop(0) if self.faults else None
        sent = 0
        try:
            async for piece in text:
                self.asked.append((piece, voice))
                if self.hang:
                    await asyncio.Event().wait()
                if self.gate is not None:
                    await self.gate.wait()
                sound = np.full(len(piece) * A_CHARACTER, self.level, np.float32)
                for start in range(0, len(sound), self.chunk):
                    if fault is not None and sent >= fault:
                        raise failure(self, "broke the connection")
                    await asyncio.sleep(0)
                    part = sound[start : start + self.chunk]
                    sent += len(part)
                    yield SpeechChunk(part, RATE_HZ, piece if start == 0 else "")
                while self.endless:
                    yield SpeechChunk(np.zeros(RATE_HZ * 10, np.float32), RATE_HZ)
                self.given.append(piece)
        finally:
            self.closed += 1


def speaker(engine: Hummer, **settings: float) -> Speaker:
    return Speaker(engine, SpeechSection(**{"first_audio_timeout_s": 20, **settings}))


async def heard(chunks: AsyncIterator[SpeechChunk]) -> tuple[str, np.ndarray]:
    taken = [chunk async for chunk in chunks]
    assert all(chunk.rate_hz == 48000 for chunk in taken)
    return "".join(chunk.text for chunk in taken), np.concatenate(
        [c.samples for c in taken] or [np.zeros(0, np.float32)]
    )


TEXT = "Hello there, how are you? I am fine. And here is one more sentence, which is long."


@pytest.mark.parametrize("takes_tokens", [False, True])
async def test_all_of_the_text_becomes_sound_at_48_khz(
    takes_tokens: bool, tokens: Callable[..., AsyncIterator[str]]
) -> None:
    said, sound = await heard(speaker(Hummer(takes_tokens)).speak(tokens(TEXT)))
    assert said == f"{TEXT} "
    assert len(sound) == 2 * A_CHARACTER * len(said)
    assert sound.dtype == np.float32


@pytest.mark.parametrize("takes_tokens", [False, True])
async def test_the_first_sound_comes_before_the_text_is_complete(takes_tokens: bool) -> None:
    more = asyncio.Event()

    async def written() -> AsyncIterator[str]:
        yield "Hello there, my"
        await more.wait()
        yield " friend."

    async with aclosing(speaker(Hummer(takes_tokens)).speak(written())) as chunks:
        assert (await anext(chunks)).text.startswith("Hello there,")
        more.set()
        said, _ = await heard(chunks)
        assert said.endswith("friend.")


async def test_what_is_said_is_speakable() -> None:
    engine = Hummer()
    names = Names(user=lambda _: "Ann")
    said, _ = await heard(speaker(engine).speak(_once("**Hi** <@1>, see https://x.y 😀"), names=names))
    assert said == "Hi Ann, see a link "


@pytest.mark.parametrize("takes_tokens", [False, True])
@pytest.mark.parametrize("text", ["", "  \n", "😀🎉", "!!!", "***"])
async def test_a_text_without_words_asks_the_engine_for_nothing(takes_tokens: bool, text: str) -> None:
    engine = Hummer(takes_tokens)
    said, sound = await heard(speaker(engine).say(text))
    assert (said, len(sound), engine.asked) == ("", 0, [])


async def test_a_text_of_ten_thousand_characters_is_spoken_in_pieces() -> None:
    engine = Hummer(chunk=10**6)
    text = "This is a sentence of a long text. " * 300
    said, _ = await heard(speaker(engine).say(text))
    assert said.split() == text.split()
    assert max(len(piece) for piece, _ in engine.asked) <= 300


@pytest.mark.parametrize("takes_tokens", [False, True])
@pytest.mark.parametrize("fault", [0, 4096, 16384])
async def test_a_broken_request_is_tried_again_without_a_gap_or_an_echo(takes_tokens: bool, fault: int) -> None:
    engine = Hummer(takes_tokens, faults=[fault])
    said, sound = await heard(speaker(engine).say("Hello there, friend."))
    assert said == "Hello there, friend."
    if not takes_tokens:
        assert len(sound) == 2 * A_CHARACTER * len(said)


@pytest.mark.parametrize("takes_tokens", [False, True])
async def test_an_engine_that_stays_broken_ends_the_turn_with_its_name(takes_tokens: bool) -> None:
    engine = Hummer(takes_tokens, faults=[0, 0, 0])
    with pytest.raises(SpeechError, match=r"hummer \(nowhere\) broke the connection"):
        await heard(speaker(engine, retries=2).say("Hello there."))
    assert engine.faults == []


@pytest.mark.parametrize("takes_tokens", [False, True])
async def test_an_engine_that_never_speaks_is_given_up(takes_tokens: bool) -> None:
    engine = Hummer(takes_tokens, hang=True)
    with pytest.raises(SpeechError, match=r"hummer \(nowhere\) gave no sound within 0.2 s"):
        await heard(speaker(engine, retries=0, first_audio_timeout_s=0.2).say("Hello there."))
    assert engine.closed == 1


async def test_a_model_that_thinks_is_no_fault_of_a_token_engine() -> None:
    async def written() -> AsyncIterator[str]:
        yield "Well, "
        await asyncio.sleep(1.5)  # longer than the engine's own limit
        yield "yes."

    thinking = speaker(Hummer(takes_tokens=True), retries=0, first_audio_timeout_s=1)
    said, _ = await heard(thinking.speak(written()))
    assert said == "Well, yes."


@pytest.mark.parametrize("takes_tokens", [False, True])
async def test_an_engine_that_does_not_end_is_stopped(takes_tokens: bool) -> None:
    with pytest.raises(SpeechError, match="does not come to an end"):
        await heard(speaker(Hummer(takes_tokens, endless=True), retries=0).say("Hello there."))


@pytest.mark.parametrize("takes_tokens", [False, True])
async def test_closing_stops_engine_and_model(takes_tokens: bool) -> None:
    stopped = asyncio.Event()

    async def endless() -> AsyncIterator[str]:
        try:
            while True:
                await asyncio.sleep(0)
                yield "some more words, "
        finally:
            stopped.set()

    engine = Hummer(takes_tokens)
    chunks = speaker(engine).speak(endless())
    await anext(chunks)
    await chunks.aclose()
    async with asyncio.timeout(30):
        await stopped.wait()
    assert engine.closed >= 1
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not any(name.startswith("speech") for name in names), "no task is left"


async def test_the_next_clause_is_asked_for_while_the_one_before_is_given() -> None:
    engine = Hummer(chunk=100, gate=asyncio.Event())
    text = "First clause here. Second clause here. Third clause here. Fourth clause here. " * 3
    async with aclosing(speaker(engine).say(text)) as chunks:
        first = asyncio.ensure_future(anext(chunks))
        async with asyncio.timeout(30):
            while len(engine.asked) < 2:  # noqa: ASYNC110 - the engine tells nobody
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        assert len(engine.asked) == 2, "one ahead, not more"
        engine.gate.set()
        await first


async def test_text_is_held_back_while_much_is_queued() -> None:
    engine = Hummer(chunk=10**6)
    queued = 0.0
    text = "First clause here. " + "Another sentence of the text. " * 40
    async with aclosing(speaker(engine).speak(_once(text), queued_s=lambda: queued)) as chunks:
        queued = 60.0
        await anext(chunks)
        await asyncio.sleep(0.3)
        assert len(engine.asked) <= 2
        queued = 0.0
        said, _ = await heard(chunks)
        assert said.endswith("text. ")


async def test_a_models_failure_comes_after_the_sound_of_what_it_said() -> None:
    async def written() -> AsyncIterator[str]:
        yield "Hello there, friend. "
        raise ModelError("The model broke.")

    said: list[str] = []
    with pytest.raises(ModelError):
        async for chunk in speaker(Hummer()).speak(written()):
            said.append(chunk.text)  # noqa: PERF401 - what came before the error is looked at
    assert "".join(said).strip() == "Hello there, friend."


@pytest.mark.parametrize("level", [1.5, -3.0, float("nan"), float("inf")])
async def test_no_sample_leaves_the_range(level: float) -> None:
    _, sound = await heard(speaker(Hummer(level=level)).say("Hello there."))
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= 1


async def test_a_mood_and_a_rate_the_engine_cannot_do_are_done_here() -> None:
    engine = Hummer()
    said, sound = await heard(
        speaker(engine).speak(_once("Hello there, friend."), Voice(rate=1.2), mood=Mood(pitch_semitones=2, rate=1.25))
    )
    assert said == "Hello there, friend."
    assert len(sound) == pytest.approx(2 * A_CHARACTER * len(said) / 1.5, rel=0.001)
    assert engine.asked[0][1] == Voice()


async def test_the_configured_voice_is_the_usual_one() -> None:
    assert speaker(Hummer(), rate=1.5, pitch=-2).voice == Voice("", 1.5, -2)


async def test_a_mood_stays_within_an_octave() -> None:
    assert Mood(20, 9).colour(Voice("x", 1.5, 3)) == Voice("x", 2.0, 12.0)


async def _once(text: str) -> AsyncIterator[str]:
    yield text
