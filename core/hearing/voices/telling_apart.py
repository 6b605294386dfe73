"""A person's transcript with the voices behind their microphone told apart. Runs in a worker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.hearing.transcripts.document import Transcript, TranscriptSpeaker
from core.hearing.transcripts.sound import blocks
from core.hearing.voices.clusters import cluster
from core.hearing.voices.embedding import RATE_HZ, VoiceEmbedding
from core.hearing.voices.weights import load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.hearing.transcripts.document import Said

WINDOW_S, HOP_S = 1.6, 0.8
LEAST_S = 0.4  # of a sound that says something of a voice
MOST_WINDOWS = 40  # of one thing said


def tell_apart(transcript_json: str, track: str, models: str, count: int | None = None) -> str:
    """The transcript with a speaker for each voice; one voice alone stays the person.

    Args:
        transcript_json: The transcript of one person.
        track: Their track.
        models: The folder of models.
        count: How many voices there are, if somebody knows.

    Raises:
        HearingError: The model is missing, or the track cannot be decoded.
        OSError: The track cannot be read.
    """
    transcript = Transcript.model_validate_json(transcript_json)
    embedding = VoiceEmbedding(load(Path(models)))
    windows: list[NDArray[np.float32]] = []
    owners: list[int] = []
    for number, said in enumerate(transcript.segments):
        found = _windows(Path(track), said)
        windows += found
        owners += [number] * len(found)
    vectors = embedding.embed(windows)
    lengths_s = np.array([min(WINDOW_S, len(window) / RATE_HZ) / 2 for window in windows])
    voices = cluster(vectors, lengths_s, count)
    return _assigned(transcript, owners, voices).model_dump_json()


def _windows(track: Path, said: Said) -> list[NDArray[np.float32]]:
    parts = list(blocks(track, said.start_s, max(said.end_s, said.start_s + LEAST_S)))
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    size, hop = round(WINDOW_S * RATE_HZ), round(HOP_S * RATE_HZ)
    starts = list(range(0, max(1, len(samples) - size + 1), hop))[:MOST_WINDOWS]
    cut = [samples[start : start + size] for start in starts]
    return [window for window in cut if len(window) >= LEAST_S * RATE_HZ]


def _assigned(transcript: Transcript, owners: list[int], voices: list[int]) -> Transcript:
    """Each thing said goes to the voice of most of its windows; what is too short, to the one before."""
    user_id = transcript.speakers[0].user_id if transcript.speakers else "0"
    name = next((each.name for each in transcript.speakers if each.voice is None), "")
    name = name or next((each.name.rpartition(" (")[0] for each in transcript.speakers if not each.named), user_id)
    several = len(set(voices)) > 1
    last = 0
    for number, said in enumerate(transcript.segments):
        own = [voice for owner, voice in zip(owners, voices, strict=True) if owner == number]
        last = max(own, key=own.count) if own else last
        said.speaker = f"{user_id}:{last + 1}" if several else user_id
    used = sorted({said.speaker for said in transcript.segments}, key=lambda each: int(each.partition(":")[2] or 0))
    transcript.speakers = [
        TranscriptSpeaker(id=each, user_id=user_id, name=name, voice=int(each.partition(":")[2]) if several else None)
        for each in used
    ]
    transcript.call(user_id, name)
    return transcript
