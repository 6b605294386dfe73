"""A track on its way to people's ears: its line, what feeds it, and how loud it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from core.audio.frames import CHANNELS, RATE_HZ
from core.music.feeder import Feeder
from core.music.loudness import Loudness
from core.music.opening import opened
from core.music.track import FileSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.music.feeder import Fed
    from core.music.lines import Lines, MusicLine
    from core.music.track import Track, TrackFacts

_log = logging.getLogger(__name__)

LEARNED_S = 1.5  # within which a track that plays becomes as loud as a measure says, by a factor of e
VOLUME_S = 0.1

NO_SOUND: NDArray[np.float32] = np.zeros((0, CHANNELS), np.float32)


@dataclass(slots=True, eq=False)
class Playing:
    """A track on its way to the wire, from one place in it on."""

    track: Track
    line: MusicLine
    feeder: Feeder
    start_s: float
    carried: int = 0  # samples at the line's beginning that belong to the track before
    fed: Fed | None = None
    cut: bool = False  # something else was put in its place: the queue has moved on, or it goes on elsewhere

    @property
    def position_s(self) -> float:
        """Where in the track people are."""
        return self.start_s + max(0, self.line.heard_samples - self.carried) / RATE_HZ

    def stop(self) -> None:
        """Cut it."""
        self.cut = True
        self.feeder.stop()
        self.line.stop()


@dataclass(frozen=True, slots=True)
class DeckSettings:
    """How a deck plays."""

    loudness: Loudness = field(default_factory=Loudness)
    crossfade_s: float = 0.0
    volume: float = 1.0


class Voicing:
    """Puts tracks on lines, paused or not, each at its loudness."""

    def __init__(self, lines: Lines, settings: DeckSettings) -> None:
        """Nothing sounds yet.

        Args:
            lines: Plays.
            settings: How.
        """
        self.paused = False
        self.volume = settings.volume
        self._lines = lines
        self._settings = settings

    def begin(self, track: Track, start_s: float, carry: NDArray[np.float32] = NO_SOUND) -> Playing:
        """Begin to decode a track, onto a line behind those that there are.

        Args:
            track: What.
            start_s: From where in it.
            carry: Sound of the track before, at that one's loudness, that comes first or fades into this one.

        Raises:
            VoiceError: The connection is over.
        """
        fade_s = self._settings.crossfade_s
        line = self._lines.line(track.id, bus="media", said_for=track.by)
        line.amplify(self.gain(track))
        if self.paused:
            line.pause()
        feeder = Feeder(
            lambda: opened(track, start_s, lambda facts: self._guessed(track, line, facts)),
            line,
            carry=carry,
            fade=fade_s > 0,
            hold_s=0.0 if track.source.endless else fade_s,
        )
        return Playing(track, line, feeder, start_s, 0 if fade_s else len(carry))

    def follow(self, before: Playing, track: Track, rest: NDArray[np.float32]) -> Playing:
        """Begin a track with what is left of the one before it.

        Raises:
            VoiceError: The connection is over.
        """
        mine = self.gain(track)
        carry = rest * np.float32(self.gain(before.track) / mine) if mine else rest
        return self.begin(track, track.start_s, carry)

    async def effect(self, track: Track) -> Playing:
        """Begin a track over everything else; gives it once it sounds, or never will.

        Raises:
            VoiceError: The connection is over.
        """
        line = self._lines.line(f"effect {track.id}", bus="effect", said_for=track.by)
        feeder = Feeder(lambda: track.source.blocks(0.0), line)
        await feeder.begun()
        return Playing(track, line, feeder, 0.0)

    def gain(self, track: Track) -> float:
        """How loud a track is to be played, as far as is known."""
        gain = self._settings.loudness.gain(track.facts)
        return self.volume * (1.0 if gain is None else gain)

    def _guessed(self, track: Track, line: MusicLine, facts: TrackFacts) -> None:
        """A first idea of how loud a track is came before its first sound; on its thread."""
        if track.facts.loudness_lufs is not None and isinstance(track.source, FileSource):
            return  # a whole look came first
        track.facts = replace(
            track.facts,
            length_s=facts.length_s if track.facts.length_s is None else track.facts.length_s,
            loudness_lufs=facts.loudness_lufs,
            true_peak_db=facts.true_peak_db,
        )
        line.amplify(self.gain(track), LEARNED_S if line.begun else 0.0)


async def play_out(playing: Playing) -> None:
    """Write what is left of a track to its own line, and wait until it was heard."""
    fed = await playing.feeder.done()
    if len(fed.rest):
        playing.line.write(fed.rest)
    playing.line.end()
    await playing.line.finished()


def release(track: Track) -> None:
    """Delete what a track kept on disk; what cannot be is swept up when the process starts next."""
    try:
        track.source.release()
    except OSError as error:
        _log.warning("what was kept for %r could not be deleted: %s", track.title, error)
