"""The units of Discord's audio: 48 kHz, stereo, frames of 20 ms."""

from __future__ import annotations

from typing import NamedTuple

RATE_HZ = 48_000
CHANNELS = 2
FRAME_SAMPLES = 960  # a channel, in 20 ms
FRAME_S = FRAME_SAMPLES / RATE_HZ
OPUS_SILENCE = b"\xf8\xff\xfe"  # what Discord's clients send for silence; never encrypted end to end


class OpusFrame(NamedTuple):
    """One decrypted Opus packet of one person, as it came.

    `rtp_timestamp` is in 48 kHz ticks and wraps at 2**32, `sequence` wraps at 2**16; `arrival_s` is `time.monotonic`
    at the socket. `payload` is Opus, decrypted and without extension or padding. `said_for` names those for whom the bot
    says or plays it, if it is the bot's own.
    A tuple and no dataclass, because thousands a second are made, and a frozen dataclass takes three times as long.
    """

    user_id: int
    ssrc: int
    rtp_timestamp: int
    sequence: int
    arrival_s: float
    payload: bytes
    said_for: tuple[int, ...] = ()
