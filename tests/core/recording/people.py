"""People who speak through real Opus over a network that can be bad, and what else tests of recordings need."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from core.audio.frames import FRAME_S, FRAME_SAMPLES, OPUS_SILENCE, RATE_HZ, OpusFrame
from core.audio.opus import Encoder
from core.handles import Handle
from core.recording.metadata import ConsentNote, Metadata, Named
from core.recording.recorder import Recorder
from core.recording.source import RecordingSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

START = datetime(2026, 11, 6, 20, 0, tzinfo=UTC)
DELAY_S = 0.04


class FakeClock:
    """A clock that stands where it is put."""

    def __init__(self, at_s: float = 1000.0) -> None:
        self.origin_s = self.at_s = at_s

    def monotonic(self) -> float:
        return self.at_s

    def now(self) -> datetime:
        return START + timedelta(seconds=self.at_s - self.origin_s)

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)


class HereWorkers:
    """Workers that are threads of this process: what is submitted is the same, only sooner begun."""

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.to_thread(function, *args)


class Channel:
    """A source of packets, as a session's receiver is."""

    def __init__(self) -> None:
        self.callbacks: dict[int, Callable[[OpusFrame], None]] = {}

    def subscribe(self, callback: Callable[[OpusFrame], None], *, owner: object) -> None:
        self.callbacks[id(owner)] = callback

    def drop(self, owner: object) -> None:
        self.callbacks.pop(id(owner), None)

    def send(self, frames: Iterable[OpusFrame]) -> None:
        for frame in frames:
            for callback in list(self.callbacks.values()):
                callback(frame)


class Source(RecordingSource):
    """A channel to record, that answers its recorder's questions as a test wants."""

    def __init__(
        self,
        sound: Channel | None = None,
        *,
        own_voice: tuple[int, Channel] | None = None,
        own_id: int | None = None,
        session_id: str | None = None,
        **answers: Callable[..., Any],
    ) -> None:
        super().__init__(Named(id="1", name="Guild"), Named(id="2", name="Lounge"))
        self.sound = sound or Channel()
        self.own_id, self.mouth = (own_id, None) if own_voice is None else own_voice
        self.session_id = session_id
        for question, answer in answers.items():
            assert callable(getattr(RecordingSource, question))
            setattr(self, question, answer)

    def subscribe(self, callback: Callable[[OpusFrame], None], *, own_voice: bool) -> Handle:
        heard = [self.sound, *([self.mouth] if own_voice and self.mouth is not None else [])]
        for channel in heard:
            channel.subscribe(callback, owner=self)
        return Handle(lambda: [channel.drop(self) for channel in heard])


QUESTIONS = ("name_of", "own_id", "undecryptable", "missed", "encryption")


def new_recorder(folder: Path, found: Metadata, **options: Any) -> Recorder:
    """A recorder, with what it asks its source among the options."""
    answers = {question: options.pop(question) for question in QUESTIONS if question in options}
    return Recorder(folder, found, Source(**answers), **options)


def tone(duration_s: float, hz: float = 440.0, level: float = 0.3) -> np.ndarray:
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    mono = (np.sin(2 * np.pi * hz * t) * level * 32767).astype(np.int16)
    return np.stack([mono, mono], axis=1)


def impulses(duration_s: float, at_s: Iterable[float], level: int = 20_000) -> np.ndarray:
    samples = np.zeros((round(duration_s * RATE_HZ), 2), np.int16)
    for each in at_s:
        samples[round(each * RATE_HZ)] = level
    return samples


class Speaker:
    """One person's client: encodes, counts, and sends over a network."""

    def __init__(
        self,
        user_id: int,
        *,
        seed: int = 0,
        jitter_s: float = 0.0,
        loss: float = 0.0,
        bitrate_bps: int = 96_000,
        ssrc: int | None = None,
        start_s: float = 1000.0,
        frozen: bool = False,
        fec: bool = False,
    ) -> None:
        self.user_id = user_id
        self.ssrc = ssrc or user_id * 10
        self.rng = np.random.default_rng(seed)
        self.jitter_s, self.loss = jitter_s, loss
        self.sequence = int(self.rng.integers(65536))
        self.base = int(self.rng.integers(2**32))
        self.clock = 0  # sent samples, when frozen
        self.start_s = start_s
        self.frozen = frozen
        self.encoder = Encoder(
            bitrate_bps=bitrate_bps, fec=fec, expected_loss=0.3 if fec else 0, application="voip" if fec else "audio"
        )

    def say(self, samples: np.ndarray, at_s: float, *, silence: bool = True) -> list[OpusFrame]:
        """Packets of `samples`, spoken at `at_s` seconds since the start, in order of arrival."""
        count = -(-len(samples) // FRAME_SAMPLES)
        padded = np.zeros((count * FRAME_SAMPLES, 2), np.int16)
        padded[: len(samples)] = samples
        payloads = [self.encoder.encode(padded[i * FRAME_SAMPLES : (i + 1) * FRAME_SAMPLES]) for i in range(count)]
        payloads += [OPUS_SILENCE] * 5 if silence else []
        frames: list[OpusFrame] = []
        for index, payload in enumerate(payloads):
            sent_s = at_s + index * FRAME_S
            clock = self.clock if self.frozen else round(sent_s * RATE_HZ)
            arrival_s = self.start_s + sent_s + max(0.001, self.rng.normal(DELAY_S, self.jitter_s))
            if self.rng.random() >= self.loss:
                frames.append(
                    OpusFrame(
                        self.user_id,
                        self.ssrc,
                        (self.base + clock) & 0xFFFFFFFF,
                        self.sequence & 0xFFFF,
                        arrival_s,
                        payload,
                    )
                )
            self.sequence += 1
            self.clock += FRAME_SAMPLES
        return sorted(frames, key=lambda frame: frame.arrival_s)


def together(*groups: Iterable[OpusFrame]) -> list[OpusFrame]:
    return sorted(itertools.chain(*groups), key=lambda frame: frame.arrival_s)


def metadata(recording_id: str = "r1") -> Metadata:
    return Metadata(
        id=recording_id,
        guild=Named(id="1", name="Guild"),
        channel=Named(id="2", name="Lounge"),
        started_at=START,
        consent=ConsentNote(mode="announce"),
    )


def feed(recorder: Recorder, clock: FakeClock, frames: Iterable[OpusFrame], until_s: float) -> None:
    """Let a recorder that has no thread live through `frames`, up to `until_s` seconds since its start."""
    next_turn = clock.at_s + 0.25
    for frame in frames:
        while frame.arrival_s > next_turn:
            clock.at_s = next_turn
            recorder.turn(next_turn)
            next_turn += 0.25
        clock.at_s = max(clock.at_s, frame.arrival_s)
        recorder.write(frame)
    end_s = recorder.started_s + until_s
    while next_turn < end_s:
        clock.at_s = next_turn
        recorder.turn(next_turn)
        next_turn += 0.25
    clock.at_s = end_s


def peaks(samples: np.ndarray, threshold: int) -> list[int]:
    """Where a channel's largest values are, one for each cluster of loud samples."""
    loud = np.nonzero(np.abs(samples[:, 0].astype(int)) > threshold)[0]
    if len(loud) == 0:
        return []
    clusters = np.split(loud, np.nonzero(np.diff(loud) > 480)[0] + 1)
    return [int(cluster[np.argmax(np.abs(samples[cluster, 0].astype(int)))]) for cluster in clusters]


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
