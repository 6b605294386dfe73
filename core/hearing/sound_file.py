"""Sound files that people send become text: decoded where strangers' files are, and heard to their end."""

from __future__ import annotations

import asyncio
import math
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.audio.decode import blocks, clock
from core.audio.frames import RATE_HZ as FILE_RATE_HZ
from core.errors import AudioError, WorkerDied, WorkerOverdue, WorkerOverMemory
from core.hearing.transcripts.sound import RATE_HZ, SpeechResampler

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.hearing.transcriber import Purpose, Transcriber
    from core.machine.lane import Lane, Owner

SHORT_S = 30.0  # as long as somebody's turn; what is longer does not stand in the way of those who speak
DEADLINE_S = 60.0  # of half a minute of sound
TOO_LONG = "That is too long: I listen to at most {most}."
TOO_MUCH_WORK = "That file takes too much time or memory to decode, so I do not listen to it."
NOT_DECODED = "I do not listen to that file: what I look through uploads with was ended by it."
BROKEN_FROM = "The file is damaged from {at} on; I heard what is before."


class TooLong(AudioError):
    """The sound is longer than may be listened to."""


@dataclass(frozen=True, slots=True)
class FileText:
    """What a file says: words that others said. `trouble` is a sentence about what could not be heard, or empty."""

    text: str
    length_s: float
    trouble: str = ""


async def text_of(
    data: bytes, transcriber: Transcriber, strangers: Lane, *, max_bytes: int, max_s: float, owner: Owner
) -> FileText:
    """The words of a sound file, all of them; no text if nobody says any.

    Args:
        data: The file.
        transcriber: The recogniser; it is open.
        strangers: The lane in which the file is decoded.
        max_bytes: A larger file is refused.
        max_s: A longer one is refused.
        owner: Whose file it is.

    Raises:
        AudioError: It is empty, too large, too long, damaged or no sound.
        HearingError: The recogniser failed.
        WorkerError: Too much waits already.
    """
    try:
        pcm, trouble = await strangers.run(speech_of, data, max_bytes, max_s, owner=owner)
    except (WorkerOverdue, WorkerOverMemory) as error:
        raise AudioError(TOO_MUCH_WORK) from error
    except WorkerDied as error:
        raise AudioError(NOT_DECODED) from error
    samples = await asyncio.to_thread(_floats, pcm)
    length_s = len(samples) / RATE_HZ
    purpose: Purpose = "captions" if length_s <= SHORT_S else "recording"
    heard = await transcriber.transcribe(samples, purpose=purpose, deadline_s=DEADLINE_S)
    return FileText(heard.text, length_s, trouble)


def speech_of(data: bytes, max_bytes: int, max_s: float) -> tuple[bytes, str]:
    """A stranger's file as mono s16le at 16 kHz, for a process that may be ended; and what was wrong half way, or nothing.

    Raises:
        AudioError: As of `text_of`.
    """
    resampler = SpeechResampler(FILE_RATE_HZ)
    parts: list[bytes] = []
    length, trouble = 0, ""
    with closing(blocks(data, max_bytes=max_bytes, max_s=math.inf)) as given:
        try:
            for block in given:
                length += len(block)
                if length > max_s * FILE_RATE_HZ:
                    raise TooLong(TOO_LONG.format(most=clock(max_s)))
                parts.append(_pcm16(resampler.convert(block.mean(axis=1, dtype=np.float32))))
        except AudioError as error:
            if isinstance(error, TooLong) or not parts:
                raise
            trouble = BROKEN_FROM.format(at=clock(length / FILE_RATE_HZ))
    return b"".join([*parts, _pcm16(resampler.flush())]), trouble


def _pcm16(samples: NDArray[np.float32]) -> bytes:
    return (samples.clip(-1.0, 1.0) * 32767).astype("<i2").tobytes()


def _floats(pcm: bytes) -> NDArray[np.float32]:
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
