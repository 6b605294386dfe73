"""25 people speaking at once: their real Opus, encrypted as a voice server sends it to one listener."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench._offline import KEY, dave_group
from core.audio.opus import Encoder
from loopback.voice.rtp import OPUS_PAYLOAD_TYPE, RtpPacket, header_and_body
from loopback.voice.transport import MODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import davey

FRAME_S, FRAME_SAMPLES = 0.02, 960
EXTENSION = bytes.fromhex("10ff9000")  # audio level and friends, as Discord sends them
FIRST_USER, FIRST_SSRC = 100, 5000


@dataclass(frozen=True, slots=True)
class Crowd:
    """What the listener needs and what arrives."""

    people: dict[int, int]  # SSRC to user id
    sessions: list[davey.DaveSession]  # one a listener; none without DAVE
    datagrams: list[tuple[float, bytes]]  # seconds since the start, in order
    dropped: int  # by the simulated network


def crowd(
    people: int,
    duration_s: float,
    *,
    mode: str,
    dave: bool,
    loss: float,
    listeners: Sequence[int] = (1,),
    seed: int = 1,
) -> Crowd:
    """Everybody speaks all the time; `loss` is the share of packets the network takes, `listeners` are user ids."""
    rng = random.Random(seed)
    users = {FIRST_SSRC + number: FIRST_USER + number for number in range(people)}
    sessions = dave_group([*listeners, *users.values()]) if dave else {}
    server = MODES[mode](bytes(KEY))
    opus = _opus(round(duration_s / FRAME_S))
    datagrams: list[tuple[float, bytes]] = []
    dropped = 0
    for number, payload in enumerate(opus):
        for index, (ssrc, user_id) in enumerate(users.items()):
            body = sessions[user_id].encrypt_opus(payload) if dave else payload
            packet = RtpPacket(OPUS_PAYLOAD_TYPE, False, number & 0xFFFF, number * FRAME_SAMPLES, ssrc, body)
            padding = 8 if dave and rng.random() < 0.05 else 0  # discord-ext-voice-recv does not strip it
            datagram = server.seal(*header_and_body(packet, extension=EXTENSION, padding=padding))
            # The last frames always arrive, so that "never delivered" can be told from "lost on the way".
            if rng.random() < loss and number < len(opus) - 3:
                dropped += 1
            else:
                datagrams.append((number * FRAME_S + index * FRAME_S / people, datagram))
    return Crowd(users, [sessions[user_id] for user_id in listeners if dave], datagrams, dropped)


def _opus(frames: int) -> list[bytes]:
    """A voice-like sound, encoded."""
    at = np.arange(frames * FRAME_SAMPLES) / 48_000
    buzz = sum(np.sin(2 * np.pi * 130 * n * at) / n for n in range(1, 20))
    sound = (0.1 * (0.5 + 0.5 * np.sin(2 * np.pi * 3 * at)) * buzz).astype(np.float32)
    stereo, encoder = np.repeat(sound[:, None], 2, axis=1), Encoder(bitrate_bps=64_000)
    return [encoder.encode_float(stereo[n * FRAME_SAMPLES : (n + 1) * FRAME_SAMPLES]) for n in range(frames)]
