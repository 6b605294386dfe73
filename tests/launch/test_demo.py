"""`launcher.py demo`: the first thing a new person runs; what it claims is what was heard."""

from __future__ import annotations

import json
import re
import wave
from pathlib import Path

import numpy as np
import pytest

from launch.listening import spurts
from launch.recognition import heard_sentences
from loopback.people.ears import HeardFrame
from loopback.people.espeak import synthesise

NUMBERS = (
    "first_audio_ms", "first_audio_after_text_ms", "frames_sent", "frames_heard", "dave_frames", "plain_frames",
    "underruns", "max_gap_ms", "voice_to_voice_ms", "barge_in_ms",
)  # fmt: skip
FRAME_S = 0.02


async def test_the_demo_speaks_and_what_it_reports_is_what_was_heard(desk):
    ended = await desk.run("demo", "--out", "demo")
    assert ended.code == 0, ended.out + ended.err
    assert "Traceback" not in ended.out + ended.err
    report = json.loads((desk.folder / "demo" / "report.json").read_text(encoding="utf-8"))
    assert all(isinstance(report[name], int | float) for name in NUMBERS)
    assert 10 < report["first_audio_after_text_ms"] <= report["first_audio_ms"]
    assert report["frames_sent"] == report["frames_heard"] > 300
    assert report["dave_frames"] + report["silence_frames"] == report["frames_heard"]
    assert (report["plain_frames"], report["lost"], report["underruns"]) == (0, 0, 0)
    assert report["heard_text"] == report["reply_text"] == report["remembered_text"]
    assert report["max_gap_ms"] >= 20
    assert 5 < report["speech_s"] < report["frames_heard"] * FRAME_S
    assert 0.6 < audible_s(desk.folder / "demo" / "heard.wav") / report["speech_s"] <= 1, "pauses are part of speech"
    times = [float(found) for found in re.findall(r"^ *(\d+\.\d\d) s  ", ended.out, re.MULTILINE)]
    assert len(times) > 8
    assert times == sorted(times)
    for part in ("Ada types:", "Ada hears the bot", "/voice status", "Encryption: end to end", "every sentence"):
        assert part in ended.out
    assert not re.search(r"<[@#t]", ended.out), "mentions are shown as a client shows them"
    assert "ERROR" not in (desk.folder / "demo" / "bot.log").read_text(encoding="utf-8")
    assert_recorded(desk.folder / "demo" / "recording", report)
    assert_heard(desk.folder / "demo", report)
    assert_lived(ended.out, report["persona"])


def assert_lived(told: str, persona: dict) -> None:
    """The fifth message was answered, a profile shown, three lines argued in turns; in the session nothing was."""
    assert persona["joined_in_after"] == 5
    assert persona["joined_in"] in told.replace("\n          ", " ")
    assert "I answer you straight to the point" in persona["profile"]
    assert [line["name"] for line in persona["argument"]] == ["Nemesis", "parley", "Nemesis"]
    assert all(line["text"] for line in persona["argument"])
    assert "locked while I am in a voice channel" in persona["in_session"]
    assert persona["lines_in_session"] == 0


def assert_heard(out: Path, report: dict) -> None:
    """Ada's question was understood and answered aloud, Bob's interruption heeded, and the recording written down."""
    understood = report["heard_words"].lower()
    assert understood.startswith("parley")
    assert {"weather", "tomorrow"} <= set(re.findall(r"[a-z]+", understood))
    assert report["voice_to_voice_ms"] > 500, "a turn is over after 0.6 s of silence"
    assert report["barge_in_ms"] >= 200, "so long somebody must speak before it counts"
    spoken = report["interrupted"]
    assert spoken["reply_text"].startswith(spoken["remembered_text"]), "what it remembers is what was heard"
    assert 0 < len(spoken["remembered_text"]) < 0.8 * len(spoken["reply_text"])
    assert spoken["heard_text"] in spoken["remembered_text"]
    assert (out / report["transcript"]).read_text(encoding="utf-8") == report["transcript_text"]
    lines = report["transcript_text"].lower().splitlines()
    assert [re.search(r"\] (\w+):", line)[1] for line in lines] == ["ada", "bob"]
    assert "apples" in lines[0] and "tea" in lines[1]


def assert_recorded(folder: Path, report: dict) -> None:
    """Everybody who spoke is on a track of their own, whole, as loud as speech is, and where others heard them."""
    assert sorted(path.name for path in folder.iterdir()) == report["recording_files"]
    assert {"metadata.json", "session.wav", "timeline.png"} < set(report["recording_files"])
    assert [track["name"] for track in report["tracks"]] == ["Ada", "Bob"]
    for track in report["tracks"]:
        assert (track["lost"], track["concealed"]) == (0, 0)
        assert -35 < track["rms_dbfs"] < -10
        assert abs(track["offset_error_ms"]) < 20 + report["max_gap_ms"], "the machine may be restless"
        assert audible_s(folder / track["file"]) > 0.5


def audible_s(file: Path) -> float:
    """How long somebody who plays the file hears speech; it must be neither faint nor distorted."""
    with wave.open(str(file)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (48_000, 2, 2)
        samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16).reshape(-1, 2).astype(np.float64)
    assert np.abs(samples).max() < 32767, "nothing is cut off"
    pieces = samples[: len(samples) // 960 * 960].reshape(-1, 960, 2)
    level = np.sqrt((pieces**2).mean(axis=(1, 2)))
    speaking = level > 300  # about -40 dBFS
    assert np.sqrt((pieces[speaking] ** 2).mean()) > 1500, "speech is about as loud as speech is"
    return float(speaking.sum() * FRAME_S)


async def test_a_folder_that_cannot_be_written_to_is_told_before_anything_starts(desk):
    (desk.folder / "taken").write_text("", encoding="utf-8")
    ended = await desk.run("demo", "--out", "taken/demo")
    assert ended.code == 2
    assert (
        ended.out.strip()
        == f"The demo cannot write to {Path('taken/demo')}: Not a directory. Name another folder with --out."
    )


# How it listens -------------------------------------------------------------------------------------------------------

SAID = "You are welcome, Ada. It was a pleasure. The rest is tea."


async def spoken(text: str) -> bytes:
    return await synthesise(text, voice="en-us", rate_wpm=165)


async def test_only_sentences_that_are_in_the_sound_count_as_heard():
    sound = await spoken("You are welcome, Ada. It was a pleasure.")
    assert await heard_sentences(SAID, sound) == ["You are welcome, Ada.", "It was a pleasure."]


async def test_a_sentence_that_broke_off_does_not_count():
    sound = await spoken("Two things, I think: somebody who is curious, and somebody who listens to the end.")
    whole = "Two things, I think: somebody who is curious, and somebody who listens to the end."
    assert await heard_sentences(whole, sound) == [whole]
    assert await heard_sentences(whole, sound[: len(sound) // 8 * 4]) == []


async def test_silence_and_noise_hold_no_sentence():
    noise = np.random.default_rng(1).normal(0, 3000, (48_000 * 4, 2)).astype(np.int16)
    assert await heard_sentences(SAID, bytes(48_000 * 4 * 4)) == []
    assert await heard_sentences(SAID, noise.tobytes()) == []
    assert await heard_sentences(SAID, b"") == []


def frame(at_s: float, *, silence: bool = False) -> HeardFrame:
    return HeardFrame(at_s, 0, 0, not silence, silence, not silence, b"")


def test_spurts_tell_gaps_and_dry_runs():
    times = [0.0, 0.02, 0.04, 0.10, 0.12]
    first = [frame(at_s, silence=at_s == 0.04) for at_s in times]
    one, two = spurts([*first, frame(0.14, silence=True), frame(2.0), frame(2.02)])
    assert one.packets == 6
    assert one.silent_inside == 1
    assert one.max_gap_ms == pytest.approx(60)
    assert one.duration_s == pytest.approx(0.1), "the silence at the end is none of the speech"
    assert (two.first_s, two.packets, two.silent_inside) == (2.0, 2, 0)
