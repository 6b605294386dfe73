"""How loud a track is, and how much louder or quieter it has to be played so that all of them are alike."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from core.audio.frames import RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from core.music.track import Source, TrackFacts

SHORT_S = 2.0  # a jingle is played as it is: EBU R128 says little about so little
PEAK_DB = -1.0  # true peak that a track may have when it is made louder
LIMITED_DB = 4.0  # how far beyond that the limiter may have to hold it
LOUDER_DB, QUIETER_DB = 20.0, -40.0
SILENCE_LUFS = -69.0  # what the measure gives for nothing
LOOKS, LOOK_S = 3, 0.5  # places listened to for a first guess, and for how long


@dataclass(frozen=True, slots=True)
class Measure:
    """Integrated loudness and true peak; None where there was too little to tell."""

    lufs: float | None = None
    peak_db: float | None = None


class LoudnessMeter:
    """EBU R128 over 48 kHz stereo blocks, by FFmpeg."""

    def __init__(self) -> None:
        import av.filter

        graph = self._graph = av.filter.Graph()
        source = graph.add_abuffer(format="flt", sample_rate=RATE_HZ, layout="stereo", time_base=Fraction(1, RATE_HZ))
        meter = graph.add("ebur128", "metadata=1:peak=true:framelog=quiet")
        sink = graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        graph.configure()
        self._samples = 0
        self._last: dict[str, str] = {}

    def add(self, samples: NDArray[np.float32]) -> None:
        """Listen to more, shape (n, 2)."""
        import av

        if not len(samples):
            return
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, np.float32).reshape(1, -1), format="flt", layout="stereo"
        )
        frame.sample_rate = RATE_HZ
        frame.pts = self._samples
        self._samples += len(samples)
        self._graph.push(frame)
        self._read()

    def measured(self) -> Measure:
        """What it was all together; nothing can be added afterwards."""
        self._graph.push(None)
        self._read()
        return self.so_far()

    def so_far(self) -> Measure:
        """What it was until now."""
        lufs = float(self._last.get("lavfi.r128.I", "-70"))
        peak = float(self._last.get("lavfi.r128.true_peak", "0"))
        if lufs <= SILENCE_LUFS or not np.isfinite(lufs):
            return Measure()
        return Measure(lufs, 20 * float(np.log10(peak)) if peak > 0 else None)

    def _read(self) -> None:
        from av.error import BlockingIOError as Starved
        from av.error import EOFError as Ended

        while True:
            try:
                frame: Any = self._graph.pull()
            except (Starved, Ended):
                return
            self._last = dict(frame.metadata) or self._last


@dataclass(frozen=True, slots=True)
class Loudness:
    """What every track is brought to."""

    target_lufs: float | None = -18.0  # None leaves everything as it is

    def gain(self, facts: TrackFacts) -> float | None:
        """What to multiply a track's samples with; None while that is not known."""
        if self.target_lufs is None or (facts.length_s is not None and facts.length_s < SHORT_S):
            return 1.0
        if facts.loudness_lufs is None:
            return None
        gain_db = self.target_lufs - facts.loudness_lufs
        if facts.true_peak_db is not None:
            gain_db = min(gain_db, max(0.0, PEAK_DB - facts.true_peak_db + LIMITED_DB))
        return 10 ** (min(LOUDER_DB, max(QUIETER_DB, gain_db)) / 20)


def measure(blocks: Iterable[NDArray[np.float32]]) -> Measure:
    """The loudness of all of it."""
    meter = LoudnessMeter()
    for block in blocks:
        meter.add(block)
    return meter.measured()


def guess(source: Source, length_s: float | None) -> Measure:
    """A first idea of a file's loudness from a few places in it, in some ten milliseconds.

    Raises:
        AudioError: It cannot be decoded.
    """
    meter = LoudnessMeter()
    places = [0.0] if not length_s else [length_s * (1 + look) / (LOOKS + 1) for look in range(LOOKS)]
    for at_s in places:
        left = round(LOOK_S * RATE_HZ)
        with closing(source.blocks(at_s)) as given:
            while left > 0 and (block := next(given, None)) is not None:
                meter.add(block[:left])
                left -= len(block)
    return meter.measured()
