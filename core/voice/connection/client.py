"""The voice connection to Discord: discord-ext-voice-recv's client with our own playback and receive path."""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import aiohttp
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from discord.enums import SpeakingState
from discord.ext.voice_recv import VoiceRecvClient  # pyright: ignore[reportMissingTypeStubs] - it has none

from core.audio.frames import FRAME_SAMPLES
from core.audio.opus import Encoder
from core.voice.connection.state import ParleyConnectionState
from core.voice.playback.player import Player
from core.voice.receive.transport import MODES

if TYPE_CHECKING:
    import discord
    from discord.voice_state import VoiceConnectionState

_log = logging.getLogger(__name__)

BITRATE_BPS = 96_000
EXPECTED_LOSS = 0.1

_RTP_HEADER = struct.Struct(">BBHII")


@dataclass(frozen=True, slots=True)
class DaveStatus:
    """End-to-end encryption at this moment. `protocol_version` 0: the call is not encrypted end to end."""

    protocol_version: int
    ready: bool
    epoch: int | None
    privacy_code: str | None
    transport: str | None


class NotSealed(ValueError):
    """The channel is encrypted end to end, but its keys are not agreed on (yet): nothing may be sent."""


class ParleyVoiceClient(VoiceRecvClient):
    """Speaks through `player`, hears through `receiver`. Both stay the same objects through moves and reconnects.

    In a channel that is encrypted end to end nothing leaves before the keys are agreed on: sound waits. Only while nobody
    else is there (`accompanied` is false) it passes, unsent.

    Use it as `await channel.connect(cls=ParleyVoiceClient)`. The reader, buffer and router of discord-ext-voice-recv
    (`listen`) are not used; its gateway hook keeps the maps from SSRC to user.
    """

    supported_modes = cast("tuple[str, ...]", MODES)  # pyright: ignore[reportAssignmentType] - newer than discord.py's list

    def __init__(self, client: discord.Client, channel: discord.abc.Connectable) -> None:
        super().__init__(client, channel)
        self._gcm_key: object = None
        self._gcm: AESGCM | None = None
        self._room: tuple[int, str | None] | None = None
        self._speaking: asyncio.Task[None] | None = None
        self._over = False
        self.accompanied = True
        self.unsent_frames = 0  # passed while nobody was there to hear them
        self.player = Player(self, _encoder, name=f"voice-{self.guild.id}")
        self.receiver = self.connection.receiver

    @property
    def connection(self) -> ParleyConnectionState:
        """The state of the connection."""
        return cast("ParleyConnectionState", self._connection)

    @property
    def dave(self) -> DaveStatus:
        """How the call is encrypted end to end."""
        state = self.connection
        session = state.dave_session
        ready = session is not None and session.ready and state.dave_protocol_version > 0
        return DaveStatus(
            protocol_version=state.dave_protocol_version,
            ready=ready,
            epoch=session.epoch if session is not None and ready else None,
            privacy_code=session.voice_privacy_code if session is not None and ready else None,
            transport=state.mode or None,
        )

    def create_connection_state(self) -> VoiceConnectionState:
        """Called by discord.py's constructor."""
        return ParleyConnectionState(self)

    async def disconnect(self, *, force: bool = False) -> None:
        """Leave. A second call returns at once, where discord.py would wait for an answer that never comes."""
        if not self._over:
            await super().disconnect(force=force)

    def cleanup(self) -> None:
        """Called by discord.py when the connection is over for good."""
        self._over = True
        self.player.close()
        self.connection.reader.stop()
        super().cleanup()

    # The player's wire ------------------------------------------------------------------------------------------------

    def connected(self) -> bool:
        """See `playback.wire.Wire`."""
        state = self.connection
        return state.is_connected() and (state.sealed or not self.accompanied)

    def send_frame(self, opus: bytes) -> bool:
        """See `playback.wire.Wire`."""
        before = self.sequence
        self.sequence = (before + 1) & 0xFFFF
        try:
            if not self.accompanied and not self.connection.sealed:
                return self._pass_unsent(before)
            self._connection.send_packet(self._get_voice_packet(opus))
        except (OSError, ValueError) as error:
            # The socket is full or gone, or the DAVE group began anew on the other thread: the same frame goes again.
            self.sequence = before
            _log.debug("a frame was not sent: %s", error)
            return False
        self.timestamp = (self.timestamp + FRAME_SAMPLES) & 0xFFFFFFFF
        return True

    def _pass_unsent(self, sequence: int) -> bool:
        """Nobody is here to agree on keys with, nor to hear: time passes as if the frame had gone out."""
        self.sequence = sequence
        self.timestamp = (self.timestamp + FRAME_SAMPLES) & 0xFFFFFFFF
        self.unsent_frames += 1
        return True

    def _get_voice_packet(self, data: bytes) -> bytes:
        """RTP, DAVE and transport encryption. discord.py's own sends plain Opus while there are no keys.

        Raises:
            NotSealed: There are none.
            ValueError: The group began anew at this moment.
        """
        state = self.connection
        if state.dave_protocol_version:  # looked at once: the event loop may change it at any time
            session = state.dave_session
            if session is None or not session.ready:
                raise NotSealed("the channel's end-to-end keys are not agreed on")
            data = session.encrypt_opus(data)
        header = _RTP_HEADER.pack(0x80, 0x78, self.sequence, self.timestamp, self.ssrc)
        return getattr(self, f"_encrypt_{self.mode}")(header, data)

    def announce(self, speaking: bool) -> None:
        """See `playback.wire.Wire`. Op 5 goes out on the event loop."""
        try:
            self.loop.call_soon_threadsafe(self._announce, speaking)
        except RuntimeError:  # the loop has closed: the process is on its way out
            _log.debug("the loop is closed; speaking=%s was not announced", speaking)

    def _announce(self, speaking: bool) -> None:
        if self._over:  # the player's last word, said after the connection went: there is nobody to tell
            return
        self._speaking = self.loop.create_task(self._say_speaking(speaking, self._speaking), name="voice: speaking")

    async def _say_speaking(self, speaking: bool, earlier: asyncio.Task[None] | None) -> None:
        if earlier is not None and not earlier.done():
            await asyncio.wait([earlier])
        if not self.connected():
            return
        try:
            await self.ws.speak(SpeakingState.voice if speaking else SpeakingState.none)
        except (ConnectionError, aiohttp.ClientError) as error:
            _log.debug("speaking=%s was not announced: %s", speaking, error)

    def _encrypt_aead_aes256_gcm_rtpsize(self, header: bytes | bytearray, data: bytes) -> bytes:
        key = self.secret_key
        gcm = self._gcm
        if gcm is None or key is not self._gcm_key:
            gcm = self._gcm = AESGCM(bytes(key))
            self._gcm_key = key
        nonce = struct.pack(">I", self._incr_nonce)
        self._incr_nonce = (self._incr_nonce + 1) & 0xFFFFFFFF
        head = bytes(header)
        return head + gcm.encrypt(nonce + bytes(8), data, head) + nonce

    # What the voice gateway says --------------------------------------------------------------------------------------

    def new_voice_session(self) -> None:
        """Op 2: in another channel or on another server the SSRCs of before mean nothing."""
        room = (self.channel.id, self.endpoint)
        if self._room is not None and room != self._room:
            self._ssrc_to_id.clear()
            self._id_to_ssrc.clear()
            self.receiver.reset()
        self._room = room

    def _add_ssrc(self, user_id: int, ssrc: int) -> None:
        if not ssrc:  # a camera is announced with audio SSRC 0 by those who have never spoken
            return
        self._ssrc_to_id[ssrc] = user_id
        self._id_to_ssrc[user_id] = ssrc
        if user_id == self.guild.me.id:  # nobody else speaks for the bot, whatever comes under its name
            return
        self.receiver.announce(ssrc, user_id)
        self.connection.reader.wake()

    def _remove_ssrc(self, *, user_id: int) -> None:
        ssrc = self._id_to_ssrc.pop(user_id, None)
        if ssrc is not None and self._ssrc_to_id.get(ssrc) == user_id:
            del self._ssrc_to_id[ssrc]
        self.receiver.leave(user_id, time.monotonic())


def _encoder() -> Encoder:
    return Encoder(bitrate_bps=BITRATE_BPS, expected_loss=EXPECTED_LOSS)
