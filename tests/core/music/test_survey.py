"""What a file says of itself is found, bounded and harmless; how loud it is, too."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from PIL import Image

from core.errors import AudioError
from core.music.loudness import Loudness, guess, measure
from core.music.places import read_place
from core.music.survey import small_picture, survey
from core.music.track import FileSource, TrackFacts
from core.music.votes import SkipVotes

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 48_000
LIMITS = {"max_bytes": 2**40, "max_s": 1e9}


def sine(amplitude: float, duration_s: float = 5.0, hz: float = 1000.0) -> np.ndarray:
    at = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return (amplitude * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def flac(samples: np.ndarray, **tags: str) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="flac") as file:
        file.metadata.update(tags)
        stream = file.add_stream("flac", rate=RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None, :], format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        frame.pts = 0
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def with_cover(sound: bytes, picture: bytes) -> bytes:
    """A FLAC file with a picture block before its last block of metadata."""
    mime = b"image/png"
    body = (3).to_bytes(4, "big") + len(mime).to_bytes(4, "big") + mime + bytes(4 + 16)
    body += len(picture).to_bytes(4, "big") + picture
    return sound[:42] + bytes([6]) + len(body).to_bytes(3, "big") + body + sound[42:]


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(out, "PNG")
    return out.getvalue()


def test_tags_picture_length_and_loudness_are_found(tmp_path: Path) -> None:
    file = tmp_path / "song.flac"
    file.write_bytes(with_cover(flac(sine(0.1), title="Air @everyone", artist="B" * 1000), png(900, 600)))
    facts = survey(file, **LIMITS)
    assert facts.title == "Air @everyone"  # as it is; it is shown as a stranger's text
    assert len(facts.artist) == 200
    assert facts.length_s == pytest.approx(5.0, abs=0.01)
    assert facts.loudness_lufs == pytest.approx(-20.0, abs=0.3)
    assert facts.true_peak_db == pytest.approx(-20.0, abs=0.3)
    assert facts.picture is not None
    with Image.open(io.BytesIO(facts.picture)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (320, 213))


@pytest.mark.parametrize("data", [b"", b"no picture", png(10, 10)[:40], png(12000, 9000)], ids=len)
def test_a_picture_that_is_none_or_too_large_is_left_out(data: bytes) -> None:
    assert small_picture(data) is None


def test_silence_has_no_loudness(tmp_path: Path) -> None:
    file = tmp_path / "silence.flac"
    file.write_bytes(flac(np.zeros(3 * RATE_HZ, np.float32)))
    assert survey(file, **LIMITS).loudness_lufs is None


def test_a_guess_from_a_few_places_is_near(tmp_path: Path) -> None:
    file = tmp_path / "song.flac"
    file.write_bytes(flac(np.concatenate([sine(0.001, 2.0), sine(0.2, 18.0)])))
    guessed = guess(FileSource(file, **LIMITS), 20.0)
    assert guessed.lufs == pytest.approx(measure([np.stack([sine(0.2)] * 2, axis=1)]).lufs, abs=0.5)


def test_every_track_is_brought_to_the_same_loudness_as_far_as_its_peaks_allow() -> None:
    evened = Loudness(-18.0)
    assert evened.gain(TrackFacts(60, loudness_lufs=-28.0, true_peak_db=-12.0)) == pytest.approx(10 ** (10 / 20))
    assert evened.gain(TrackFacts(60, loudness_lufs=-8.0, true_peak_db=0.5)) == pytest.approx(10 ** (-10 / 20))
    assert evened.gain(TrackFacts(60, loudness_lufs=-30.0, true_peak_db=-3.0)) == pytest.approx(10 ** (6 / 20))
    assert evened.gain(TrackFacts(1.0, loudness_lufs=-30.0)) == 1.0
    assert evened.gain(TrackFacts(60)) is None
    assert Loudness(None).gain(TrackFacts(60, loudness_lufs=-30.0)) == 1.0


@pytest.mark.parametrize(
    ("text", "at_s"),
    [("90", 90), ("1:30", 90), ("1:02:03", 3723), ("+10", 110), ("-0:30", 70), ("-500", 0), ("2.5s", 2.5)],
)
def test_places_are_read_as_people_write_them(text: str, at_s: float) -> None:
    assert read_place(text, 100.0) == at_s


@pytest.mark.parametrize("text", ["", "now", "1:2:3:4", "٣", "-", "1e9", "99999999"])
def test_what_is_no_place_is_told(text: str) -> None:
    with pytest.raises(AudioError, match="no place in a track"):
        read_place(text, 100.0)


def test_votes_count_once_and_only_of_who_still_listens() -> None:
    votes = SkipVotes(0.5)
    assert (votes.vote(1, "a", {1, 2, 3, 4, 5}).votes, votes.vote(1, "a", {1, 2, 3, 4, 5}).needed) == (1, 3)
    votes.vote(2, "a", {1, 2, 3, 4, 5})
    tally = votes.vote(3, "a", {2, 3, 4, 5})
    assert (tally.votes, tally.needed, tally.carried) == (2, 2, True)
    assert votes.vote(3, "b", {2, 3, 4, 5}).votes == 1, "another track, other votes"
