"""People who speak real words, as packets: synthesised, encoded by libopus, with the silence that Discord's clients send."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass, field

import numpy as np

from core.audio.frames import FRAME_S, FRAME_SAMPLES, OPUS_SILENCE, OpusFrame
from core.audio.opus import Encoder
from loopback.people.espeak import synthesise


@functools.cache
def speech(text: str, voice: str = "en-us") -> np.ndarray:
    """A sentence as int16, shape (n, 2) at 48 kHz, without silence around it."""
    pcm = np.frombuffer(asyncio.run(synthesise(text, voice=voice)), np.int16).reshape(-1, 2)
    loud = np.flatnonzero(np.abs(pcm[:, 0]) > 300)
    return pcm[loud[0] : loud[-1] + 1]


@dataclass
class Mouth:
    """One person's client: counts packets and ticks as Discord's do, and sends nothing in silence."""

    user_id: int
    ssrc: int = 1
    sequence: int = 65_500
    timestamp: int = 2**32 - 48_000
    last_s: float | None = None
    encoder: Encoder = field(default_factory=lambda: Encoder(bitrate_bps=64_000, expected_loss=0.1))

    def say(self, samples: np.ndarray, at_s: float, *, silence: int = 5) -> list[OpusFrame]:
        """Packets that arrive from `at_s` on, 20 ms apart; `silence` frames end them."""
        count = -(-len(samples) // FRAME_SAMPLES)
        padded = np.zeros((count * FRAME_SAMPLES, 2), np.int16)
        padded[: len(samples)] = samples
        sound = [self.encoder.encode(padded[n * FRAME_SAMPLES : (n + 1) * FRAME_SAMPLES]) for n in range(count)]
        if self.last_s is not None:
            self.timestamp += round((at_s - self.last_s) * 48_000)
        frames: list[OpusFrame] = []
        for number, payload in enumerate([*sound, *[OPUS_SILENCE] * silence]):
            stamp, place = self.timestamp & 0xFFFFFFFF, self.sequence & 0xFFFF
            frames.append(OpusFrame(self.user_id, self.ssrc, stamp, place, at_s + number * FRAME_S, payload))
            self.sequence, self.timestamp = self.sequence + 1, self.timestamp + FRAME_SAMPLES
        self.last_s = at_s + len(frames) * FRAME_S
        return frames


def noise(seconds: float, level: float = 0.05, seed: int = 1) -> np.ndarray:
    mono = np.random.default_rng(seed).normal(0, level * 32767, round(seconds * 48_000)).clip(-32767, 32767)
    return np.repeat(mono.astype(np.int16)[:, None], 2, axis=1)
