"""Many speakers for little money: real clients of the voice gateway, UDP and DAVE, dozens of them in one process.

`python -m loopback.voice.load --gateway URL --ca FILE --guild ID --channel ID --seconds S` reads bot tokens from standard input,
one a line, lets each user speak at 50 packets a second and prints two JSON lines: once everybody is there and encrypted,
and at the end with what each of them sent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from loopback.voice.client import VoiceClient
from loopback.voice.light_gateway import LightGateway
from loopback.voice.opcodes import Op
from loopback.voice.opus_library import load_opus
from loopback.voice.rtp import SILENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FRAME_S = 0.02
_SAMPLES = 960
_LINGER_S = 0.5
"""Whoever leaves at once takes the last packets, still on their way, out of the call."""
_SLOTS = 5
"""Speakers share one pacer but not one instant: a fifth of them every 4 ms."""


def encode(pcm: np.ndarray) -> list[bytes]:
    """Opus frames of 20 ms from int16 stereo at 48 kHz, shape (n, 2); a part of a frame at the end is left out."""
    from discord import opus

    load_opus()
    encoder = opus.Encoder()
    whole = len(pcm) // _SAMPLES
    return [encoder.encode(pcm[i * _SAMPLES : (i + 1) * _SAMPLES].tobytes(), _SAMPLES) for i in range(whole)]


def tone(pitch_hz: float, seconds: float = 1.0) -> np.ndarray:
    """A sine at about -12 dBFS, int16 stereo at 48 kHz."""
    wave = np.sin(np.arange(int(48_000 * seconds)) * 2 * np.pi * pitch_hz / 48_000) * 8000
    return wave.astype(np.int16).reshape(-1, 1).repeat(2, axis=1)


class SyntheticSpeaker:
    """One user with a token: `enter`, then `say` frame by frame (or through a `Choir`), then `leave`."""

    def __init__(self, gateway: str, tls: ssl.SSLContext, token: str, *, mode: str = "aead_aes256_gcm_rtpsize") -> None:
        self._gateway = LightGateway(gateway, token)
        self._tls = tls
        self._mode = mode
        self._guild_id = 0
        self._voice: VoiceClient | None = None
        self.sent = 0
        self.plain = 0
        """Frames sent without end-to-end encryption."""

    @property
    def user_id(self) -> int:
        """Known after `enter`."""
        return self._gateway.user_id

    @property
    def voice(self) -> VoiceClient:
        """The client underneath. Raises `ConnectionError` before `enter`."""
        if self._voice is None:
            raise ConnectionError("not in a voice channel")
        return self._voice

    async def enter(self, guild_id: int, channel_id: int) -> None:
        """Logs in, joins the channel and announces its SSRC. Raises `ConnectionError`, `TimeoutError`."""
        self._guild_id = guild_id
        await self._gateway.connect()
        invitation = await self._gateway.enter(guild_id, channel_id)
        self._voice = VoiceClient(invitation, self._tls, mode=self._mode, remember=False)
        await self._voice.connect(timeout=60.0)
        await self._voice.speak()

    async def wait_encrypted(self, timeout: float = 60.0) -> None:
        """Returns once frames are encrypted end to end. Raises `TimeoutError`, `ConnectionError`."""
        async with asyncio.timeout(timeout):
            while not self.voice.dave.ready:
                await self.voice.wait_for(Op.EXECUTE_TRANSITION, timeout)
                await asyncio.sleep(FRAME_S)

    def say(self, frame: bytes) -> None:
        """Sends 20 ms of Opus."""
        voice = self.voice
        self.sent += 1
        self.plain += not voice.dave.ready
        voice.send_opus(frame)

    async def leave(self) -> None:
        """Leaves the channel and logs out."""
        if self._voice is not None:
            await self._voice.close()
            await self._gateway.leave(self._guild_id)
        await self._gateway.close()


class Choir:
    """Speakers that talk at the same time, paced by one task."""

    def __init__(self, speakers: Sequence[SyntheticSpeaker]) -> None:
        self.speakers = list(speakers)

    async def enter(self, guild_id: int, channel_id: int) -> None:
        """Everybody joins; returns once all are encrypted end to end."""
        await asyncio.gather(*(speaker.enter(guild_id, channel_id) for speaker in self.speakers))
        await asyncio.gather(*(speaker.wait_encrypted() for speaker in self.speakers))

    async def sing(self, seconds: float, voices: Sequence[Sequence[bytes]], *, speed: float = 1.0) -> None:
        """Everybody sends Opus frames (`voices[i]`, repeated) for that long, then five frames of silence.

        `speed` above 1 sends faster than real time. Late frames are sent at once: none is skipped.
        """
        songs: list[Iterator[bytes]] = [cycle(voices[i % len(voices)]) for i in range(len(self.speakers))]
        ticks = round(seconds / FRAME_S)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for tick in range(ticks + 5):
            for slot in range(_SLOTS):
                due = begin + (tick + slot / _SLOTS) * FRAME_S / speed
                if (wait_s := due - loop.time()) > 0:
                    await asyncio.sleep(wait_s)
                for number in range(slot, len(self.speakers), _SLOTS):
                    self.speakers[number].say(next(songs[number]) if tick < ticks else SILENCE)

    async def leave(self) -> None:
        """Everybody leaves."""
        await asyncio.gather(*(speaker.leave() for speaker in self.speakers))


async def run(options: argparse.Namespace, tokens: Sequence[str]) -> None:
    """The command line's work."""
    tls = ssl.create_default_context(cafile=options.ca)
    choir = Choir([SyntheticSpeaker(options.gateway, tls, token, mode=options.mode) for token in tokens])
    voices = [encode(tone(200.0 + 40.0 * i)) for i in range(len(choir.speakers))]
    try:
        await choir.enter(options.guild, options.channel)
        print(json.dumps({"entered": len(choir.speakers)}), flush=True)
        await choir.sing(options.seconds, voices, speed=options.speed)
        await asyncio.sleep(_LINGER_S)
    finally:
        await choir.leave()
    sent = {str(speaker.user_id): speaker.sent for speaker in choir.speakers}
    print(json.dumps({"sent": sent, "plain": sum(speaker.plain for speaker in choir.speakers)}), flush=True)


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(prog="python -m loopback.voice.load", description="Lets many users speak at once.")
    parser.add_argument("--gateway", required=True, help="ws://127.0.0.1:PORT")
    parser.add_argument("--ca", required=True, help="file of the private certificate authority")
    parser.add_argument("--guild", type=int, required=True)
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--speed", type=float, default=1.0, help="times real time")
    parser.add_argument("--mode", default="aead_aes256_gcm_rtpsize")
    asyncio.run(run(parser.parse_args(), sys.stdin.read().split()))


if __name__ == "__main__":
    main()
