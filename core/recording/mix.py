"""Everybody together: the tracks summed with headroom, held below clipping by a limiter that looks ahead."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.audio.frames import CHANNELS, RATE_HZ
from core.audio.wav import WavReader, WavWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

Span = tuple[int, int]

HEADROOM = 10 ** (-3 / 20)  # voices are as loud in the mix as alone, less 3 dB
CEILING = 10 ** (-1 / 20) * 32767
_BLOCK = 480  # 10 ms: the limiter's step, and how far it looks ahead
_RELEASE = 0.02  # of full gain, regained each block
_CHUNK = RATE_HZ


@dataclass(frozen=True, slots=True)
class MixState:
    """How far the mix is."""

    position: int = 0
    gain: float = 1.0


@dataclass(frozen=True, slots=True)
class MixSource:
    """One track, and where it is not silent, in ascending order."""

    wav: str
    sounds: tuple[Span, ...]


def mix_tracks(sources: Sequence[MixSource], target: str, state: MixState, until: int) -> MixState:
    """Write the mix on from `state` up to sample `until`; memory does not grow with length.

    Raises:
        OSError: A file cannot be read or written.
    """
    with ExitStack() as stack:
        tracks = [
            (stack.enter_context(WavReader(Path(source.wav))), source.sounds) for source in sources if source.sounds
        ]
        wav = stack.enter_context(WavWriter(Path(target), resume_at=state.position))
        position, gain = state.position, state.gain
        for start, end in _busy_chunks([sounds for _, sounds in tracks], position, until):
            if start > position:
                gain = min(1.0, gain + _RELEASE * ((start - position) // _BLOCK))
            ahead = min(end + _BLOCK, until)
            total = np.zeros((ahead - start, CHANNELS), np.float32)
            for reader, sounds in tracks:
                _add(total, reader, sounds, start, ahead)
            total *= HEADROOM
            gain = _limit(total, end - start, gain)
            wav.skip_to(start)
            wav.write(np.rint(total[: end - start]).astype(np.int16))
            position = end
        wav.skip_to(until)
        return MixState(until, gain)


def _busy_chunks(tracks: Sequence[tuple[Span, ...]], start: int, until: int) -> Iterator[Span]:
    """Stretches of at most a chunk in which at least one track is not silent."""
    spans = sorted((max(a, start), min(b, until)) for sounds in tracks for a, b in sounds if b > start and a < until)
    done = start
    for a, b in spans:
        a = max(a, done)
        while a < b:
            end = min(a + _CHUNK, until)
            yield a, end
            a = done = end


def _add(total: NDArray[np.float32], reader: WavReader, sounds: tuple[Span, ...], start: int, end: int) -> None:
    if any(a < end and b > start for a, b in sounds):
        samples = reader.read(start, end - start)
        total[: len(samples)] += samples


def _limit(total: NDArray[np.float32], length: int, gain: float) -> float:
    """Turn `total` down in place where it would exceed the ceiling; gives the gain behind its first `length` samples.

    Each block's gain runs in a straight line between two values neither of which is above what the block bears.
    """
    edges = np.arange(0, len(total), _BLOCK) * CHANNELS
    peaks = np.maximum.reduceat(np.abs(total).reshape(-1), edges)
    bearable = np.minimum(1.0, CEILING / np.maximum(peaks, 1.0))
    blocks = -(-length // _BLOCK)
    if gain >= 1.0 and bearable.min() >= 1.0:
        return 1.0
    gains = [min(gain, float(bearable[0]))]
    for index in range(blocks):
        following = float(bearable[index + 1]) if index + 1 < len(bearable) else 1.0
        gains.append(min(gains[-1] + _RELEASE, float(bearable[index]), following, 1.0))
    curve = np.interp(np.arange(length), np.arange(blocks + 1) * _BLOCK, gains)
    total[:length] *= curve[:, None].astype(np.float32)
    return gains[-1]
