"""The embedded engine speaks at once, in the voice it is given, and stops when told."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from core.config.speech import EspeakSection
from core.errors import SpeechError
from core.speech.engine import SpeechChunk, Voice
from core.speech.engines.espeak import EspeakEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TEXT = "Hello there. One two three four five six seven eight nine ten."


async def once(text: str) -> AsyncIterator[str]:
    yield text


async def spoken(voice: Voice, text: str = TEXT) -> list[SpeechChunk]:
    return [chunk async for chunk in EspeakEngine(EspeakSection()).stream(once(text), voice)]


def joined(chunks: list[SpeechChunk]) -> np.ndarray:
    return np.concatenate([chunk.samples for chunk in chunks])


def pitch_of(chunks: list[SpeechChunk]) -> float:
    """The middle pitch of all voiced moments, by autocorrelation."""
    sound, rate_hz = joined(chunks), chunks[0].rate_hz
    shortest, longest = rate_hz // 300, rate_hz // 60
    pitches: list[float] = []
    for start in range(0, len(sound) - 1024, 256):
        window = sound[start : start + 1024] * np.hanning(1024)
        correlation = np.fft.irfft(np.abs(np.fft.rfft(window, 4096)) ** 2)
        lag = shortest + int(np.argmax(correlation[shortest:longest]))
        if np.sqrt(np.mean(window**2)) > 0.03 and correlation[lag] > 0.4 * correlation[0]:
            pitches.append(rate_hz / lag)
    return float(np.median(pitches))


async def test_it_speaks() -> None:
    chunks = await spoken(Voice())
    assert chunks[0].text == TEXT
    assert all(chunk.text == "" for chunk in chunks[1:])
    assert {chunk.rate_hz for chunk in chunks} == {22050}
    sound = joined(chunks)
    assert 3 < len(sound) / 22050 < 8
    assert 0.1 < np.abs(sound).max() <= 1


async def test_sound_comes_before_the_rest_of_it_is_made() -> None:
    engine = EspeakEngine(EspeakSection())
    async with aclosing(engine.stream(once(TEXT * 20), Voice())) as chunks:
        first = await anext(chunks)
        assert 0 < first.duration_s <= 0.25


async def test_rate_changes_the_length() -> None:
    usual, quick, slow = [len(joined(await spoken(Voice(rate=rate)))) for rate in (1.0, 1.5, 0.7)]
    assert quick < 0.8 * usual < usual < 0.8 * slow


async def test_pitch_is_in_semitones() -> None:
    text = "Where were you a year ago, I wonder? We were all alone in a warm room."
    usual, high, low = [pitch_of(await spoken(Voice(pitch=pitch), text)) for pitch in (0.0, 5.0, -5.0)]
    assert 12 * np.log2(high / usual) == pytest.approx(5, abs=0.8)
    assert 12 * np.log2(low / usual) == pytest.approx(-5, abs=0.8)


async def test_what_it_cannot_do_itself_is_left_to_the_speaker() -> None:
    native = EspeakEngine(EspeakSection(words_per_minute=300)).native(Voice("de", 2.0, 12))
    assert native.rate == pytest.approx(1.5)
    assert native.pitch == 9
    assert native.name == "de"


async def test_voices_sound_different_and_are_listed() -> None:
    voices = await EspeakEngine(EspeakSection()).voices()
    assert {"de", "en-us", "fr"} <= set(voices)
    assert len(joined(await spoken(Voice("de")))) != len(joined(await spoken(Voice("en-us"))))
    assert len(joined(await spoken(Voice("en-us+f3"))))


async def test_an_unknown_voice_is_refused_by_name() -> None:
    with pytest.raises(SpeechError, match=r'espeak .* has no voice "klingon!"'):
        await spoken(Voice("klingon!"))
    with pytest.raises(SpeechError, match='no voice "nobody"'):
        await EspeakEngine(EspeakSection(voice="nobody")).open()


@pytest.mark.parametrize("text", ["שלום עולם", "こんにちは", "null \0 byte", "\ud800 half a letter", "1,000,000 %"])
async def test_any_script_gives_sound(text: str) -> None:
    assert len(joined(await spoken(Voice(), text)))


async def test_two_turns_at_once_do_not_mix() -> None:
    alone = joined(await spoken(Voice(), "One. " * 30))
    together = await asyncio.gather(spoken(Voice(), "One. " * 30), spoken(Voice("de", 1.3), "Zwei. " * 30))
    assert abs(len(joined(together[0])) - len(alone)) < 0.02 * len(alone)
    assert [chunk.text for chunk in together[1] if chunk.text] == ["Zwei. " * 30]


async def test_a_closed_turn_makes_room_for_the_next() -> None:
    engine = EspeakEngine(EspeakSection())
    chunks = engine.stream(once("A very long text that goes on. " * 40_000), Voice())  # a minute of work
    await anext(chunks)
    await chunks.aclose()
    async with asyncio.timeout(30):
        assert len(await spoken(Voice(), "Hello."))


async def test_a_whole_turn_through_a_speaker(opened: Any, listen: Any, tokens: Any) -> None:
    async with opened("espeak") as speaker:
        heard = await listen(speaker.speak(tokens("Hello there, this is a test. It has two sentences.")))
    assert heard.text == "Hello there, this is a test. It has two sentences. "
    assert heard.texts[0] == "Hello there, "
    assert 2 < heard.duration_s < 5


async def test_only_voices_whose_dictionary_is_there_are_offered(capfd: pytest.CaptureFixture[str]) -> None:
    voices = await EspeakEngine(EspeakSection()).voices()
    assert {"en-us", "de", "nb"} <= set(voices)
    assert "xex" not in voices  # listed by the library, but its dictionary is not in the wheel
    assert "dictionary" not in capfd.readouterr().err
