"""Ears: who is heard, what is held back, where frames are laid, what is counted."""

from __future__ import annotations

import asyncio
import wave
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from loopback.people.ears import Ears
from loopback.voice import rtp
from loopback.voice.load import encode, tone
from loopback.voice.opus_library import find_libopus, load_opus
from loopback.voice.transport import MODES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import davey

KEY, MODE, ADA, SSRC = bytes(32), "aead_xchacha20_poly1305_rtpsize", 7, 500


@dataclass
class Connection:
    """The attributes of discord.py's connection that ears read."""

    mode: str = MODE
    secret_key: bytes = KEY
    dave_session: davey.DaveSession | None = None


class Wire:
    """Sends Opus frames to a pair of ears, as the relay would."""

    def __init__(self, ears: Ears) -> None:
        self.ears = ears
        self._transport = MODES[MODE](KEY)

    def send(self, frame: bytes, sequence: int, timestamp: int, *, ssrc: int = SSRC) -> None:
        packet = rtp.RtpPacket(rtp.OPUS_PAYLOAD_TYPE, False, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, frame)
        self.ears.receive(self._transport.seal(*rtp.header_and_body(packet, padding=9)))

    async def finish(self) -> None:
        """Returns once everything sent was listened to."""
        self.ears.close()
        await asyncio.to_thread(self.ears._thread.join, 5)


@pytest.fixture
async def wire() -> Iterator[Wire]:
    load_opus()
    wire = Wire(Ears(Connection(), asyncio.get_running_loop()))
    yield wire
    await wire.finish()


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    return encode(tone(440, 0.4))


async def test_frames_before_their_speaker_is_known_are_held_and_heard_later(wire: Wire, frames: list[bytes]) -> None:
    for i in range(5):
        wire.send(frames[i], i, i * 960)
    wire.ears.know(SSRC, ADA)
    wire.send(frames[5], 5, 5 * 960)
    await wire.finish()
    assert [frame.sequence for frame in wire.ears.heard(ADA)] == [0, 1, 2, 3, 4, 5]


async def test_losses_duplicates_and_wraps_are_counted_rightly(wire: Wire, frames: list[bytes]) -> None:
    wire.ears.know(SSRC, ADA)
    for i in (65_533, 65_534, 65_536, 65_538, 65_537, 65_537):
        wire.send(frames[0], i, i * 960)
    await wire.finish()
    assert wire.ears.lost(ADA) == 1
    assert wire.ears.duplicates == 1


async def test_garbage_and_other_keys_are_counted_and_dropped(wire: Wire, frames: list[bytes]) -> None:
    wire.ears.know(SSRC, ADA)
    other = MODES[MODE](b"\1" * 32)
    packet = rtp.RtpPacket(rtp.OPUS_PAYLOAD_TYPE, False, 0, 0, SSRC, frames[0])
    wire.ears.receive(other.seal(*rtp.header_and_body(packet)))
    wire.ears.receive(b"\x80" + bytes(40))
    wire.ears.receive(b"")
    wire.send(frames[0], 1, 960)
    await wire.finish()
    assert wire.ears.malformed == 2
    assert len(wire.ears.heard(ADA)) == 1


async def test_a_track_keeps_the_gaps_of_the_rtp_clock(wire: Wire, frames: list[bytes]) -> None:
    wire.ears.know(SSRC, ADA)
    for i in (0, 1, 2, 5, 6):
        wire.send(frames[i], i, 0xFFFFFFFF - 960 + i * 960)
    await wire.finish()
    track = wire.ears.pcm(ADA)
    assert track.shape == (7 * 960, 2)
    assert not track[3 * 960 : 5 * 960].any()
    assert track[5 * 960 :].any()


async def test_voice_and_silence_are_told_apart(wire: Wire, frames: list[bytes]) -> None:
    quiet = encode(np.zeros((960, 2), np.int16))
    wire.ears.know(SSRC, ADA)
    waiting = asyncio.create_task(wire.ears.wait_for_voice(ADA))
    await asyncio.sleep(0)
    wire.send(rtp.SILENCE, 0, 0)
    wire.send(quiet[0], 1, 960)
    for i in range(3):
        wire.send(frames[i], 2 + i, 1920 + i * 960)
    first = await waiting
    await wire.finish()
    assert first.sequence >= 2
    assert [frame.silence for frame in wire.ears.heard(ADA)] == [True, False, False, False, False]
    assert (wire.ears.silence_frames, wire.ears.plain_frames) == (1, 4)


async def test_nobody_speaking_is_a_timeout(wire: Wire) -> None:
    with pytest.raises(TimeoutError):
        await wire.ears.wait_for_voice(ADA, 0.05)


async def test_two_people_are_mixed_on_one_clock(wire: Wire, frames: list[bytes], tmp_path: Path) -> None:
    wire.ears.know(SSRC, ADA)
    wire.ears.know(SSRC + 3, ADA + 1)
    for i in range(10):
        wire.send(frames[i], i, i * 960)
        wire.send(frames[i], i, i * 960, ssrc=SSRC + 3)
    await wire.finish()
    alone, both = wire.ears.mix([ADA]), wire.ears.mix()
    assert np.abs(both.astype(int)).max() > np.abs(alone.astype(int)).max()
    await asyncio.to_thread(wire.ears.write_wav, tmp_path / "both.wav")
    with wave.open(str(tmp_path / "both.wav")) as made:
        assert (made.getframerate(), made.getnchannels(), made.getnframes()) == (48_000, 2, len(both))


def test_libopus_comes_from_the_wheel_of_pyav() -> None:
    found = find_libopus()
    assert found is not None
    assert "opus" in found.name
