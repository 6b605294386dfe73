"""A journal becomes a WAV: decoded, laid out in time, with what was lost concealed. Runs in a worker, stretch by stretch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.audio.frames import CHANNELS, FRAME_SAMPLES, OPUS_SILENCE, RATE_HZ
from core.audio.ogg import PRE_SKIP
from core.audio.opus import MAX_PACKET_SAMPLES, Decoder, has_fec, inspect_packet
from core.audio.segmenter import Segmenter, SpeechSpan
from core.audio.wav import WavWriter
from core.errors import AudioError
from core.recording.journal import JournalEntry, JournalReader
from core.recording.marks import SHORTEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_CONCEALED = 5  # frames of 20 ms in a row; what is guessed after that is noise
_STRETCH_LIMIT = 8  # samples a frame may be longer or shorter to make up for drift
_HISTORY = 12  # packets decoded again, unheard, to take up where another worker stopped
_TAIL = 480  # samples of fading where a spurt ends without a silence frame
_BATCH = RATE_HZ + 2 * MAX_PACKET_SAMPLES
_PART = 2 * RATE_HZ  # a track is rendered in parts that end on this grid, or before a pause as long as that:
_PAUSE = RATE_HZ // 4  # each by a decoder of its own, so that the outcome does not depend on who rendered how much


@dataclass(frozen=True, slots=True)
class TrackJob:
    """What to render."""

    journal: str
    wav: str
    utterance_silence_s: float = 2.0
    silence_dbfs: float = -50.0


@dataclass(frozen=True, slots=True)
class LostSpan:
    """A stretch that damage to the journal took, in samples since the recording's start."""

    start: int
    end: int
    bytes: int


@dataclass(frozen=True, slots=True)
class TrackState:
    """How far a track is rendered, and all that is needed to go on."""

    offset: int = 0  # in the journal
    sequence: int | None = None
    shift: int = 0  # in the journal, from granule positions to true ones
    position: int = 0  # end of what was decoded, on the track
    settled: int = 0  # up to here nothing of the track will change
    written: int = 0  # length of the WAV
    history: tuple[bytes, ...] = ()
    speaking: tuple[int, int] = (-1, -1)
    packets: int = 0
    concealed: int = 0  # frames guessed from what came before
    recovered: int = 0  # frames recovered from the copy in the next packet
    damaged: int = 0  # packets that are no Opus after all
    peak: int = 0
    complete: bool = False  # the journal was closed in order


@dataclass(frozen=True, slots=True)
class TrackResult:
    """What a stretch of rendering gave."""

    state: TrackState
    utterances: tuple[SpeechSpan, ...]  # that ended in this stretch
    sounds: tuple[tuple[int, int], ...]  # where the WAV is not silent, as first and behind the last sample
    missing: tuple[LostSpan, ...] = ()


def render_track(job: TrackJob, state: TrackState, until: int | None) -> TrackResult:
    """Render on from `state` up to position `until`; with None, to the journal's end.

    Raises:
        OSError: A file cannot be read or written.
    """
    with (
        Path(job.journal).open("rb") as journal,
        WavWriter(Path(job.wav), resume_at=state.written) as wav,
    ):
        reader = JournalReader(journal, state.offset, state.sequence, state.shift)
        return _Rendering(job, state, wav).run(reader, until)


@dataclass(slots=True)
class _Rendering:
    """One stretch of one track."""

    job: TrackJob
    state: TrackState
    wav: WavWriter
    decoder: Decoder = field(default_factory=Decoder)
    buffer: NDArray[np.int16] = field(default_factory=lambda: np.zeros((_BATCH, CHANNELS), np.int16))
    filled: int = 0  # samples in the buffer
    begin: int = 0  # position of the buffer's first sample
    concealed: int = 0
    recovered: int = 0
    damaged: int = 0
    packets: int = 0
    peak: int = 0
    history: list[bytes] = field(default_factory=lambda: list[bytes]())
    utterances: list[SpeechSpan] = field(default_factory=lambda: list[SpeechSpan]())
    sounds: list[tuple[int, int]] = field(default_factory=lambda: list[tuple[int, int]]())
    missing: list[LostSpan] = field(default_factory=lambda: list[LostSpan]())
    segmenter: Segmenter = field(init=False)

    def run(self, reader: JournalReader, until: int | None) -> TrackResult:
        """Render every part that is over by `until`."""
        state, job = self.state, self.job
        threshold = round(32767 * 10 ** (job.silence_dbfs / 20))
        self.segmenter = Segmenter(round(job.utterance_silence_s * RATE_HZ), threshold, *state.speaking)
        self.begin = state.position
        self.history = list(state.history)
        read_to = (state.offset, state.sequence, state.shift)
        part: list[JournalEntry] = []
        behind = read_to  # the part
        for entry in reader:
            late = until is not None and entry.position + entry.samples > until
            if part and _parts(part[-1], entry):
                self._render(part)
                part, read_to = [], behind
            if late:
                break
            part.append(entry)
            behind = (entry.next_offset, reader.sequence, reader.shift)
        if part and (until is None or until - part[-1].position - part[-1].samples > _PAUSE + MAX_PACKET_SAMPLES):
            self._render(part)
            part, read_to = [], behind
        if until is None:
            self._finish(reader)
        self._write()
        return self._result(read_to, self.begin if part or until is None else until, reader.complete)

    def _finish(self, reader: JournalReader) -> None:
        self._start_anew()
        self._end_spurt(_TAIL)
        if reader.damaged_end is not None:
            at = self.begin + self.filled
            self.missing.append(LostSpan(at, at, reader.damaged_end.size))
        self._write()
        if self.wav.samples:
            self.wav.skip_to(self.begin - PRE_SKIP)  # the silence a spurt ends with belongs to it
        self.utterances += self.segmenter.close()

    def _result(self, read_to: tuple[int, int | None, int], settled: int, complete: bool) -> TrackResult:
        state = self.state
        offset, sequence, shift = read_to
        return TrackResult(
            replace(
                state,
                offset=offset,
                sequence=sequence,
                shift=shift,
                position=self.begin,
                settled=settled,
                written=self.wav.samples,
                history=tuple(self.history),
                speaking=(self.segmenter.start, self.segmenter.end),
                packets=state.packets + self.packets,
                concealed=state.concealed + self.concealed,
                recovered=state.recovered + self.recovered,
                damaged=state.damaged + self.damaged,
                peak=max(state.peak, self.peak),
                complete=complete,
            ),
            tuple(self.utterances),
            tuple(self.sounds),
            tuple(self.missing),
        )

    def _render(self, part: list[JournalEntry]) -> None:
        self._start_anew()
        for entry in part:
            self._take(entry)
        self._write()

    def _start_anew(self) -> None:
        """Have the decoder know what any other would know here: the last few packets."""
        self.decoder.reset()
        for payload in self.history:
            self._decode(payload, 0)
        self.filled = 0

    def _take(self, entry: JournalEntry) -> None:
        expected = self.begin + self.filled
        gap = entry.position - expected
        lost, unit = entry.lost_samples, entry.samples
        if entry.lost_before:
            unit = entry.lost_samples // entry.lost_before // SHORTEST * SHORTEST
        if entry.damage is not None:
            self.missing.append(LostSpan(expected, max(entry.position, expected), entry.damage.size))
            lost = max(lost, gap)
        if gap > _STRETCH_LIMIT:
            self._bridge(entry, gap, lost, min(unit or entry.samples, FRAME_SAMPLES))
            gap = entry.position - (self.begin + self.filled)
        if self._decode(entry.payload, entry.samples):
            self.packets += 1
            self._stretch(entry.samples, gap)
        self.history.append(entry.payload)
        del self.history[:-_HISTORY]
        if self.filled >= RATE_HZ:
            self._write()

    def _bridge(self, entry: JournalEntry, gap: int, lost: int, unit: int) -> None:
        """Fill what lies before `entry`: what was lost guessed or recovered, in units of a frame, the rest silent."""
        lost = min(lost, round(gap / SHORTEST) * SHORTEST)
        info = inspect_packet(entry.payload)
        frame = entry.samples if info is None else info.frame_samples
        copied = frame if entry.recoverable and lost >= frame and has_fec(entry.payload) else 0
        guessed = min(lost - copied, MAX_CONCEALED * FRAME_SAMPLES)
        for at in range(0, guessed, unit):
            self._conceal(min(unit, guessed - at))
        rest = entry.position - (self.begin + self.filled) - copied
        if rest > _STRETCH_LIMIT:
            if lost <= MAX_CONCEALED * FRAME_SAMPLES:
                self._end_spurt(min(_TAIL, rest // SHORTEST * SHORTEST))
            else:
                self._fade()
            self._write()
            self.begin = entry.position - copied
        if copied:
            out = self.buffer[self.filled : self.filled + copied]
            self.filled += self.decoder.recover_into(entry.payload, out)
            self.recovered += 1

    def _decode(self, payload: bytes, samples: int) -> bool:
        """Decode behind what is in the buffer; a packet that is no Opus after all is concealed and counted."""
        out = self.buffer[self.filled :]
        try:
            self.filled += self.decoder.decode_into(payload, out[:MAX_PACKET_SAMPLES])
        except AudioError:
            if samples:
                self.damaged += 1
                self._conceal(samples)
            return False
        return True

    def _conceal(self, samples: int) -> None:
        if self.filled + samples > RATE_HZ:
            self._write()
        self.filled += self.decoder.conceal_into(self.buffer[self.filled : self.filled + samples])
        self.concealed += 1

    def _end_spurt(self, samples: int) -> None:
        """Let the sound fade where a spurt breaks off; senders that end with silence frames need none of it."""
        if not self.history or self.history[-1] == OPUS_SILENCE or samples < SHORTEST:
            return
        tail = self.buffer[self.filled : self.filled + samples]
        self.decoder.conceal_into(tail)
        tail[:] = tail * np.linspace(1, 0, samples, dtype=np.float32)[:, None]
        self.filled += samples

    def _fade(self) -> None:
        tail = self.buffer[max(0, self.filled - FRAME_SAMPLES) : self.filled]
        tail[:] = tail * np.linspace(1, 0, len(tail), dtype=np.float32)[:, None]

    def _stretch(self, samples: int, by: int) -> None:
        """Make the last frame a few samples longer or shorter, by interpolation: nobody hears a part in a thousand."""
        if by == 0 or by < -_STRETCH_LIMIT:
            return
        begin = self.filled - samples
        frame = self.buffer[begin : self.filled].astype(np.float32)
        padded = np.vstack([2 * frame[:1] - frame[1:2], frame, 2 * frame[-1:] - frame[-2:-1], frame[-1:]])
        at = np.linspace(0, samples - 1, samples + by)
        whole = np.minimum(at.astype(np.intp), samples - 2)
        t = (at - whole).astype(np.float32)[:, None]
        a, b, c, d = (padded[whole + k] for k in range(4))  # Catmull-Rom through the four neighbours
        curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
        self.filled = begin + samples + by
        self.buffer[begin : self.filled] = np.clip(np.rint(curve), -32768, 32767)

    def _write(self) -> None:
        """Bring the buffer into the file, earlier by the encoder's delay, and see how loud it is."""
        filled, position = self.filled, self.begin
        self.begin, self.filled = position + filled, 0
        late = max(0, PRE_SKIP - position)  # a recording has no samples before its start
        sound = self.buffer[late:filled]
        if len(sound) == 0:
            return
        start = position + late - PRE_SKIP
        frames = -(-len(sound) // FRAME_SAMPLES)
        edges = np.arange(frames) * FRAME_SAMPLES
        flat = sound.reshape(-1)
        peaks = np.maximum(
            np.maximum.reduceat(flat, CHANNELS * edges).astype(np.int32),
            -np.minimum.reduceat(flat, CHANNELS * edges).astype(np.int32),
        )
        loudest = int(peaks.max())
        if loudest == 0:
            return
        self.peak = max(self.peak, loudest)
        self.utterances += self.segmenter.add(start + edges, FRAME_SAMPLES, peaks)
        self.wav.skip_to(start)
        self.wav.write(sound)
        if self.sounds and start - self.sounds[-1][1] < RATE_HZ // 2:
            self.sounds[-1] = (self.sounds[-1][0], start + len(sound))
        else:
            self.sounds.append((start, start + len(sound)))


def _parts(before: JournalEntry, entry: JournalEntry) -> bool:
    """Whether a new part begins with `entry`."""
    pause = entry.position - before.position - before.samples
    return pause > _PAUSE or entry.position // _PART != before.position // _PART
