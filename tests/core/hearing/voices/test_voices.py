from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from core.errors import HearingError
from core.hearing.transcripts.document import Said, Transcript, TranscriptSpeaker
from core.hearing.voices import weights
from core.hearing.voices.clusters import cluster
from core.hearing.voices.telling_apart import tell_apart
from tests.core.hearing.transcripts.speech import RATE_HZ, speech, write_track

if TYPE_CHECKING:
    from numpy.typing import NDArray

WHEEL = os.environ.get("PARLEY_RESEMBLYZER_WHEEL", "")
LINES = (
    "Good evening, I would like to talk about the budget.",
    "The stage will cost us ten thousand this year.",
    "Then I will call the carpenter on Monday morning.",
    "Nobody told me that the lights are broken again.",
)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with the speaker network."""
    if not WHEEL or not Path(WHEEL).is_file():
        pytest.skip(f"PARLEY_RESEMBLYZER_WHEEL names no wheel of {weights.PACKAGE} (pip download --no-deps)")
    folder = tmp_path_factory.mktemp("models")
    weights.convert(Path(WHEEL), folder)
    return folder


def conversation(path: Path, *voices: str) -> Transcript:
    """A track on which voices take turns, and its transcript."""
    said, segments, at_s = [], [], 1.0
    for number, line in enumerate(LINES * 2):
        sound = speech(line, voices[number % len(voices)])
        said.append((at_s, sound))
        end_s = at_s + len(sound) / RATE_HZ
        segments.append(Said(speaker="5", start_s=at_s, end_s=end_s, text=line))
        at_s = end_s + 1
    write_track(path, at_s + 1, *said)
    speakers = [TranscriptSpeaker(id="5", user_id="5", name="Ada")]
    return Transcript(recording="r1", speakers=speakers, segments=segments)


def told_apart(transcript: Transcript, path: Path, models: Path, count: int | None = None) -> Transcript:
    return Transcript.model_validate_json(tell_apart(transcript.model_dump_json(), str(path), str(models), count))


@pytest.mark.parametrize("count", [None, 2])
def test_two_voices_behind_one_microphone_are_told_apart(tmp_path: Path, models: Path, count: int | None) -> None:
    transcript = conversation(tmp_path / "5.wav", "en-us", "en-us+f3")
    found = told_apart(transcript, tmp_path / "5.wav", models, count)
    assert found.names() == {"5:1": "Ada (1)", "5:2": "Ada (2)"}
    assert [said.speaker for said in found.segments] == ["5:1", "5:2"] * 4
    again = told_apart(found, tmp_path / "5.wav", models, 1)
    assert again.names() == {"5": "Ada"}


def test_one_voice_stays_one_person(tmp_path: Path, models: Path) -> None:
    transcript = conversation(tmp_path / "5.wav", "en-us")
    assert told_apart(transcript, tmp_path / "5.wav", models).names() == {"5": "Ada"}


def test_a_missing_or_damaged_model_is_told(tmp_path: Path) -> None:
    transcript = conversation(tmp_path / "5.wav", "en-us")
    with pytest.raises(HearingError, match="models get speaker"):
        told_apart(transcript, tmp_path / "5.wav", tmp_path)
    (tmp_path / "speaker").mkdir()
    (tmp_path / "speaker" / weights.FILE).write_bytes(b"PK nonsense")
    with pytest.raises(HearingError, match="damaged"):
        weights.load(tmp_path)


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"PK")
    with pytest.raises(HearingError, match="not the published wheel"):
        weights.convert(tmp_path / "x.whl", tmp_path)


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_a_file_that_wants_to_run_something_runs_nothing(tmp_path: Path) -> None:
    data = b"".join(pickle.dumps(part) for part in (1, 2, {}, {"model_state": Evil(tmp_path / "made")}, []))
    with pytest.raises(HearingError):
        weights.read_tensors(data)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("data", [b"", b"nonsense", pickle.dumps(1) * 5])
def test_what_is_no_file_of_tensors_is_told(data: bytes) -> None:
    with pytest.raises(HearingError):
        weights.read_tensors(data)


def around(*centres: int, each: int = 4) -> NDArray[np.float32]:
    noise = np.random.default_rng(1).normal(0, 0.02, (len(centres) * each, 256))
    vectors = np.repeat(np.eye(256)[list(centres)], each, axis=0) + noise
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_voices_are_numbered_as_they_are_first_heard_and_short_ones_join_others() -> None:
    lengths_s = np.full(12, 0.8)
    assert cluster(around(7, 3, 7), lengths_s) == [0] * 4 + [1] * 4 + [0] * 4
    lengths_s[4:8] = 0.1  # less than 1.5 s together
    assert set(cluster(around(7, 3, 7), lengths_s)) == {0}
    assert set(cluster(around(7, 3, 7), lengths_s, 2)) == {0, 1}
    assert set(cluster(around(1, 2, 3), np.full(12, 0.8), 2)) == {0, 1}
    assert cluster(np.zeros((0, 256), np.float32), np.zeros(0)) == []
