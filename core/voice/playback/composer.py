"""What goes into the next frame: the buses' sound, silence for what is missing, and the end of a talk-spurt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.audio.frames import CHANNELS, FRAME_S, FRAME_SAMPLES, OPUS_SILENCE
from core.voice.playback.bus import Bus, SampleBlock
from core.voice.playback.mixer import Mixer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.voice.playback.stats import Counters
    from core.voice.playback.stream import BusName
    from core.voice.playback.wire import FrameEncoder

SPURT_SILENCE_FRAMES = 5  # Discord: five frames of silence, so that decoders do not interpolate what comes next
PATIENT_FRAMES = round(1.0 / FRAME_S)  # silence sent for a line that has run dry, before the spurt ends

_ZEROS: NDArray[np.float32] = np.zeros((FRAME_SAMPLES, CHANNELS), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Frame:
    """20 ms of Opus, and the blocks to credit once it was sent."""

    opus: bytes
    blocks: tuple[SampleBlock, ...] = ()
    silent: bool = False


class Composer:
    """Makes one frame after another out of the buses. Everything here runs on the player's thread."""

    def __init__(self, encoder: FrameEncoder, counters: Counters, *, volume: float) -> None:
        self.buses: dict[BusName, Bus] = {"speech": Bus(), "media": Bus(), "effect": Bus()}
        self.mixer = Mixer(volume)
        self.paused = False
        self._encoder = encoder
        self._counters = counters
        self._silence = 0  # frames of silence since the last sound
        self._was_paused = False

    @property
    def holding(self) -> bool:
        """Whether a line gathers sound before it begins."""
        return not self.paused and any(bus.holding for bus in self.buses.values())

    def due(self, now_s: float) -> bool:
        """Whether there is sound to send."""
        return not self.paused and any(bus.due(now_s) for bus in self.buses.values())

    def dry(self, now_s: float) -> bool:
        """Whether a line that sounds owes a frame that is not there (yet)."""
        return not self.paused and any(bus.dry(now_s) for bus in self.buses.values())

    def sweep(self, *, cut: bool = False) -> None:
        """Close lines that end without another sound; `cut` when nothing is being sent."""
        for bus in self.buses.values():
            bus.sweep(cut=cut or self.paused)

    def sweep_stopped(self) -> None:
        """Close stopped lines while a frame waits for the connection."""
        for bus in self.buses.values():
            bus.sweep_stopped()

    def begin(self) -> None:
        """A talk-spurt begins."""
        self._silence = 0

    def next(self, now_s: float) -> Frame | None:
        """The next frame, or None when the talk-spurt is over."""
        blocks: dict[BusName, SampleBlock | None]
        if self.paused and not self._was_paused:
            blocks = {name: bus.tail() for name, bus in self.buses.items()}
        elif self.paused:
            blocks = dict.fromkeys(self.buses)
        else:
            if self._was_paused:
                self.mixer.rise()
            blocks = {name: bus.read(now_s) for name, bus in self.buses.items()}
        self._was_paused = self.paused
        dry = not self.paused and self._note_underruns(blocks)
        sounding = [block for block in blocks.values() if block is not None]
        if not sounding:
            return self._quiet(patience=PATIENT_FRAMES if dry else 0)
        self._silence = 0
        speech, media, effect = (block and block.excerpt for block in (blocks[name] for name in self.buses))
        return Frame(self._encoder.encode_float(self.mixer.mix(speech, media, effect)), tuple(sounding))

    def close(self) -> None:
        """End every line."""
        for bus in self.buses.values():
            bus.close()

    def _note_underruns(self, blocks: dict[BusName, SampleBlock | None]) -> bool:
        """Count the buses that owed a frame; true if one did."""
        dry = False
        for name, bus in self.buses.items():
            if blocks[name] is None and bus.open:
                dry = True
                self._counters.underruns += bus.ran_dry()
        self._counters.underrun_frames += dry
        return dry

    def _quiet(self, *, patience: int) -> Frame | None:
        self.mixer.mix(None, None)  # the gains move on
        self._silence += 1
        if self._silence == 1:
            # One frame of encoded silence carries the end of the sound, which the codec holds back by 6.5 ms.
            return Frame(self._encoder.encode_float(_ZEROS), silent=True)
        if self._silence > max(patience, SPURT_SILENCE_FRAMES + 1):
            return None
        return Frame(OPUS_SILENCE, silent=True)
