"""Sound files become text, to their last word; what is broken, empty or too long is one sentence."""

from __future__ import annotations

import re

import numpy as np
import pytest

from core.errors import AudioError
from core.hearing.sound_file import speech_of, text_of
from core.machine.lane import Owner
from loopback.people.espeak import synthesise
from tests.cogs.sounds import encoded, wav

MOST = 25_000_000
SENTENCES = (
    "My sister has bought a yellow bicycle.",
    "I have brought a lemon cake for everybody.",
    "The old library opens again in September.",
    "Our neighbours have two dogs and a black cat.",
    "The weather will be sunny tomorrow afternoon.",
    "He plays the piano every evening after dinner.",
    "We need seven chairs and one large table.",
    "They walked along the river to the old bridge.",
    "Coffee is on the shelf beside the window.",
    "Please tell the driver to wait at the station.",
    "There are three letters for you in the office.",
    "We had soup and potatoes at the hotel.",
    "The children are playing football behind the school.",
    "The doctor will see you on Thursday.",
)


async def spoken(*texts: str, pause_s: float = 0.4) -> np.ndarray:
    """Sentences as int16 mono at 48 kHz."""
    parts = [np.frombuffer(await synthesise(text, voice="en-us"), np.int16)[::2] for text in texts]
    pause = np.zeros(round(pause_s * 48_000), np.int16)
    return np.concatenate([each for part in parts for each in (part, pause)])


def plain(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


async def heard(whisper, workers, data: bytes, max_s: float = 600):
    return await text_of(data, whisper, workers.strangers, max_bytes=MOST, max_s=max_s, owner=Owner(1, 2))


@pytest.mark.parametrize(("container", "codec"), [("ogg", "libopus"), ("mp3", "libmp3lame"), ("mp4", "aac")])
async def test_what_is_said_in_a_file_is_understood(whisper, workers, container, codec):
    samples = await spoken(SENTENCES[0])
    found = await heard(whisper, workers, encoded(samples, container, codec))
    assert {"sister", "yellow"} <= set(plain(found.text))
    assert not found.trouble
    assert found.length_s == pytest.approx(len(samples) / 48_000, abs=0.1)


async def test_a_long_message_does_not_lose_its_rest(whisper, workers):
    samples = await spoken(*SENTENCES)
    assert len(samples) / 48_000 > 31, "longer than a recogniser looks at once"
    found = await heard(whisper, workers, encoded(samples, "ogg", "libopus"))
    words = plain(found.text)
    for word in ("bicycle", "lemon", "september", "dogs", "piano", "bridge", "window", "football", "thursday"):
        assert words.count(word) == 1, (word, found.text)
    assert words[-1] == "thursday"


async def test_a_file_that_is_damaged_half_way_is_heard_up_to_there(whisper, workers):
    whole = encoded(await spoken(*SENTENCES[:3]), "ogg", "flac")
    rubbish = bytes(np.random.default_rng(1).integers(0, 255, len(whole) // 2, np.uint8))
    found = await heard(whisper, workers, whole[: len(whole) // 2] + rubbish)
    words = plain(found.text)
    assert "sister" in words
    assert "september" not in words


BAD = {
    "no bytes": (b"", "The file is empty"),
    "no sound": (b"this is no sound at all" * 50, "no sound that can be read"),
    "no packets": (wav(np.zeros(0, np.int16)), "nothing in it can be played"),
    "broken": (b"OggS" + bytes(range(256)) * 40, "sound"),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_cannot_be_decoded_is_one_sentence(workers, name):
    data, said = BAD[name]
    with pytest.raises(AudioError, match=said):
        await workers.strangers.run(speech_of, data, MOST, 600.0, owner=Owner(1, 2))


async def test_three_hours_are_refused_without_being_decoded_to_their_end():
    quiet = encoded(np.zeros(48_000 * 700, np.int16), "ogg", "libopus")
    with pytest.raises(AudioError, match=r"too long: I listen to at most 10:00\.$"):
        speech_of(quiet, MOST, 600.0)
    with pytest.raises(AudioError, match=r"at most 0:30\.$"):
        speech_of(quiet, MOST, 30.0)


async def test_silence_noise_and_music_have_no_words(whisper, workers):
    rng = np.random.default_rng(3)
    noise = (rng.normal(0, 3000, 48_000 * 8)).clip(-32767, 32767).astype(np.int16)
    for samples in (np.zeros(48_000 * 4, np.int16), noise):
        assert (await heard(whisper, workers, encoded(samples, "ogg", "libopus"))).text == ""
