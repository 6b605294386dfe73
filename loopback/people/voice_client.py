"""A person's voice: discord.py's own `VoiceClient` with ears, a mouth and a camera."""

from __future__ import annotations

import asyncio
import io
import logging
import secrets
import select
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import davey
import discord
from discord.errors import ConnectionClosed
from discord.voice_state import ConnectionFlowState, SocketReader, VoiceConnectionState

from loopback.people.audio_file import read_audio
from loopback.people.ears import FRAME_SAMPLES, RATE_HZ, Ears, HeardFrame
from loopback.people.espeak import synthesise
from loopback.voice import rtp
from loopback.voice.opcodes import Op
from loopback.voice.opus_library import load_opus
from loopback.voice.transport import MODES

if TYPE_CHECKING:
    import numpy as np
    from discord.gateway import DiscordVoiceWebSocket

__all__ = ["Ears", "HeardFrame", "Mouth", "PersonVoiceClient"]

_log = logging.getLogger(__name__)

_FRAME_BYTES = FRAME_SAMPLES * 4
_VIDEO_RATE_HZ = 90_000
_VIDEO_FRAME_BYTES = 700
_LOOK_UP_S = 0.1
_NO_SOCKET_S = 0.005
_ABNORMAL_CLOSURE = 1006  # RFC 6455, 7.1.5


class PersonVoiceClient(discord.VoiceClient):
    """Joins as discord.py does: `await channel.connect(cls=PersonVoiceClient)`. Nothing of the protocol is replaced."""

    def __init__(self, client: discord.Client, channel: discord.abc.Connectable) -> None:
        load_opus()
        self.video_ssrc = 0
        super().__init__(client, channel)
        self.ears = Ears(self._connection, self.loop)
        self.mouth = Mouth(self)
        self._camera: asyncio.Task[None] | None = None

    def create_connection_state(self) -> VoiceConnectionState:
        """See `discord.VoiceClient`; adds the hook that reads ops 2, 5 and 12."""
        return _Connection(self, hook=self._overhear)

    async def connect(
        self, *, reconnect: bool, timeout: float, self_deaf: bool = False, self_mute: bool = False
    ) -> None:
        """See `discord.VoiceClient`; the ears open once the handshake is through."""
        await super().connect(reconnect=reconnect, timeout=timeout, self_deaf=self_deaf, self_mute=self_mute)
        # Not earlier: discord.py's reader would spin on a socket that does not exist yet.
        self._connection.add_socket_listener(self.ears.receive)

    async def camera(self, *, on: bool) -> None:
        """Announces a camera (op 12) and sends encrypted video packets until it is switched off."""
        if self._camera is not None:
            self._camera.cancel()
            await asyncio.gather(self._camera, return_exceptions=True)
            self._camera = None
        ssrc = self.video_ssrc if on else 0
        stream = {"type": "video", "rid": "100", "ssrc": ssrc, "rtx_ssrc": ssrc and ssrc + 1, "active": on}
        stream |= {"quality": 100, "max_framerate": 30, "max_bitrate": 2_500_000}
        content = {"audio_ssrc": self.ssrc, "video_ssrc": ssrc, "rtx_ssrc": ssrc and ssrc + 1, "streams": [stream]}
        await self.ws.send_as_json({"op": int(Op.VIDEO), "d": content})
        if on:
            self._camera = self.loop.create_task(self._film(), name="camera")

    def cleanup(self) -> None:
        """See `discord.VoiceClient`; the camera goes off and the ears close."""
        self.ears.close()
        if self._camera is not None:
            self._camera.cancel()
            self._camera = None
        super().cleanup()

    async def _overhear(self, _ws: object, message: dict[str, Any]) -> None:
        op, data = message["op"], message["d"]
        if op == Op.READY:
            self.video_ssrc = next((stream["ssrc"] for stream in data.get("streams", [])), 0)
        elif op == Op.SPEAKING and "user_id" in data:
            self.ears.know(int(data["ssrc"]), int(data["user_id"]))
        elif op == Op.VIDEO and "user_id" in data:
            for ssrc in (data.get("audio_ssrc"), data.get("video_ssrc")):
                if ssrc:
                    self.ears.know(int(ssrc), int(data["user_id"]))

    async def _film(self) -> None:
        transport = MODES[self.mode](bytes(self.secret_key))
        # discord.py counts its own nonces up from 0 under the same key: the camera keeps out of their way.
        transport.skip(0x80000000)
        sequence = timestamp = 0
        while True:
            picture = b"\x10\x02\x00\x9d\x01\x2a" + secrets.token_bytes(_VIDEO_FRAME_BYTES)
            session = self._connection.dave_session
            if session is not None and self._connection.can_encrypt:
                picture = session.encrypt(davey.MediaType.video, davey.Codec.vp8, picture)
            packet = rtp.RtpPacket(rtp.VIDEO_PAYLOAD_TYPE, True, sequence, timestamp, self.video_ssrc, picture)
            self._connection.send_packet(transport.seal(*rtp.header_and_body(packet)))
            sequence = sequence + 1 & 0xFFFF
            timestamp = timestamp + _VIDEO_RATE_HZ // 30 & 0xFFFFFFFF
            await asyncio.sleep(1 / 30)


class _Connection(VoiceConnectionState):
    """Mends faults of discord.py 2.7 that would cost a person the call.

    Its socket reader can sleep through a reconnect, see `_Reader`. It misses a change of state that comes in the moment
    in which it begins to wait for one. It gives up for good when its socket is replaced in the middle of a handshake, or
    when the server hangs up, as for a move, while it answers that the group changed. And it cannot resume after close
    code 4015: it waits for a session description, which op 9 does not bring.
    """

    async def _connect_websocket(self, resume: bool) -> DiscordVoiceWebSocket:
        ws = await super()._connect_websocket(resume)
        theirs = ws.poll_event

        async def poll_event() -> None:
            try:
                await theirs()
            except aiohttp.ClientConnectionResetError as error:
                _log.debug("the voice server hung up before it was answered: %s", error)  # the next look tells why

        ws.poll_event = poll_event
        return ws

    async def _wait_for_state(
        self, state: ConnectionFlowState, *other_states: ConnectionFlowState, timeout: float | None = None
    ) -> None:
        async with asyncio.timeout(timeout):
            while self.state not in (state, *other_states):
                await self._state_event.wait()

    async def _connect(self, reconnect: bool, timeout: float, self_deaf: bool, self_mute: bool, resume: bool) -> None:
        if resume:
            await self.disconnect(cleanup=False)
        await super()._connect(reconnect, timeout, self_deaf, self_mute, resume=False)

    async def _handshake_websocket(self) -> None:
        try:
            await super()._handshake_websocket()
        except OSError as error:
            raise ConnectionClosed(self.ws.ws, shard_id=None, code=_ABNORMAL_CLOSURE) from error  # and is tried again

    def _create_socket(self) -> None:
        old = self.socket
        super()._create_socket()
        if old:
            old.close()  # after a move discord.py leaves it open

    @property
    def _socket_reader(self) -> SocketReader:
        return self._reader

    @_socket_reader.setter
    def _socket_reader(self, theirs: SocketReader) -> None:
        del theirs  # discord.py sets it once, and starts what it reads back
        self._reader = _Reader(self)


class _Reader(SocketReader):
    """Looks up often enough to notice that the socket is another one.

    discord.py's own sleeps up to 30 s in `select` on a socket that was closed meanwhile, and the new connection times
    out. Waking it by a shutdown of the old socket is not enough: when the new one has taken the old one's file number
    before the thread runs, the kernel goes on sleeping, and no longer listens to either.
    """

    def _do_run(self) -> None:
        while not self._end.is_set():
            if not self._running.wait(_LOOK_UP_S):
                continue
            current = self.state.socket
            try:
                readable, _, _ = select.select([current], [], [], _LOOK_UP_S)
                if not readable:
                    continue
                data = current.recv(2048)
            except (ValueError, TypeError, OSError) as error:
                _log.debug("the voice socket is closed, or not there yet: %s", error)
                self._end.wait(_NO_SOCKET_S)
                continue
            for callback in tuple(self._callbacks):
                try:
                    callback(data)
                except Exception:  # noqa: BLE001 - a thread has nobody above it; one listener's fault is not the others'
                    _log.exception("%r failed on a datagram", callback)


class Mouth:
    """Speaks through discord.py's own player, 20 ms at a time."""

    def __init__(self, voice: PersonVoiceClient) -> None:
        self._voice = voice

    async def play(self, sound: bytes | np.ndarray | Path) -> None:
        """Plays s16le stereo PCM at 48 kHz (bytes or an int16 array of shape (n, 2)) or a sound file, to its end.

        The last frame is filled up with silence.

        Raises:
            discord.ClientException: not connected, or already speaking.
        """
        pcm = await asyncio.to_thread(read_audio, sound, RATE_HZ) if isinstance(sound, Path) else _samples(sound)
        pcm += bytes(-len(pcm) % _FRAME_BYTES)
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def after(error: Exception | None) -> None:
            loop.call_soon_threadsafe(_finish, ended, error)

        self._voice.play(discord.PCMAudio(io.BytesIO(pcm)), after=after)
        try:
            await ended
        finally:
            if not ended.done() or ended.cancelled():
                self._voice.stop()

    async def say(self, text: str, *, voice: str = "en") -> None:
        """Speaks a text, synthesised in a child process. Raises `loopback.people.espeak.SpeechError`."""
        await self.play(await synthesise(text, voice=voice))


def _samples(sound: bytes | np.ndarray) -> bytes:
    return sound if isinstance(sound, bytes) else sound.astype("<i2", copy=False).tobytes()


def _finish(ended: asyncio.Future[None], error: Exception | None) -> None:
    if ended.done():
        return
    if error is None:
        ended.set_result(None)
    else:
        ended.set_exception(error)
