"""Opens a track on the thread that decodes it: is it sound, how long, and about how loud."""

from __future__ import annotations

import struct
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from core.audio.decode import blocks, length_of
from core.audio.frames import RATE_HZ
from core.errors import AudioError
from core.music.loudness import LoudnessMeter, guess
from core.music.track import FileSource, TrackFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.music.track import Blocks, Track

FAINT_LUFS = -45.0  # a beginning that comes up out of silence tells nothing
METERED_S = 600.0  # of what has no end


def first_block(track: Track) -> None:
    """See that a file is sound; what is at an address was looked at there, or is when its turn comes.

    Raises:
        AudioError: It is not, or cannot be opened.
    """
    if not isinstance(track.source, FileSource):
        return
    with closing(track.source.blocks(track.start_s)) as given:
        next(given, None)


def opened(track: Track, start_s: float, guessed: Callable[[TrackFacts], None]) -> Blocks:
    """The blocks of a track from a place on; before the first, `guessed` is told how loud it seems if nobody knows.

    Raises:
        AudioError: It cannot be opened.
    """
    given = track.source.blocks(start_s)
    if track.facts.loudness_lufs is not None:
        yield from given
    elif isinstance(track.source, FileSource):
        if (facts := guess_facts(track.source)) is not None:
            guessed(facts)
        yield from given
    else:
        yield from _metered(given, guessed)


def _metered(given: Blocks, guessed: Callable[[TrackFacts], None]) -> Blocks:
    """Sound that nobody can look through before: how loud it is becomes known while it comes."""
    meter, heard, told = LoudnessMeter(), 0, 0
    for block in given:
        if heard < METERED_S * RATE_HZ:
            meter.add(block)
            heard += len(block)
        if heard >= 2 * told and heard >= RATE_HZ // 2 and len(block):  # ever less often
            told = heard
            measure = meter.so_far()
            if measure.lufs is not None and measure.lufs > FAINT_LUFS:
                guessed(TrackFacts(loudness_lufs=measure.lufs, true_peak_db=measure.peak_db))
        yield block


def warm_up() -> None:
    """Import and make once what the first track would wait for."""
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 516, b"WAVE", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8, b"data", 480)
    LoudnessMeter().add(np.concatenate(list(blocks(head + bytes([128]) * 480))))


def guess_facts(source: FileSource) -> TrackFacts | None:
    """Length and loudness from a few places; None where nothing can be told, which playing will tell better."""
    try:
        length_s = length_of(source.path)
        measure = guess(source, length_s)
    except AudioError:
        return None
    return TrackFacts(length_s=length_s, loudness_lufs=measure.lufs, true_peak_db=measure.peak_db)
