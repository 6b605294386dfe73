"""Opens a track on the thread that decodes it: is it sound, how long, and about how loud."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from core.errors import AudioError
from core.music.loudness import guess
from core.music.track import FileSource, TrackFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.music.track import Blocks, Track


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
    if track.facts.loudness_lufs is None and isinstance(track.source, FileSource):
        facts = guess_facts(track.source)
        if facts is not None:
            guessed(facts)
    yield from track.source.blocks(start_s)


def guess_facts(source: FileSource) -> TrackFacts | None:
    """Length and loudness from a few places; None where nothing can be told, which playing will tell better."""
    from core.audio.decode import length_of

    try:
        length_s = length_of(source.path)
        measure = guess(source, length_s)
    except AudioError:
        return None
    return TrackFacts(length_s=length_s, loudness_lufs=measure.lufs, true_peak_db=measure.peak_db)
