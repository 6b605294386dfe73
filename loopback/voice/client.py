"""A light voice client: the real websocket, UDP and DAVE session, without a `discord.Client` around it.

For load tests (dozens of speakers in one process) and for tests that must do what a well-behaved client never does.
"""

from __future__ import annotations

import asyncio
import json
import logging
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
from davey import DAVE_PROTOCOL_VERSION

from loopback.voice import rtp
from loopback.voice.member import MARKER, DaveMember
from loopback.voice.opcodes import Op
from loopback.voice.transport import MODES, TransportError
from loopback.waiting import PATIENCE_S

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from loopback.voice.member import Reply
    from loopback.voice.transport import Transport

_log = logging.getLogger(__name__)

_SAMPLES = 960
_DISCOVERY = struct.Struct(">HHI64sH")


@dataclass(frozen=True, slots=True)
class Invitation:
    """What VOICE_STATE_UPDATE and VOICE_SERVER_UPDATE say together."""

    endpoint: str
    token: str
    session_id: str
    guild_id: int
    channel_id: int
    user_id: int


@dataclass(frozen=True, slots=True)
class ReceivedFrame:
    """One audio packet: who sent it, its RTP packet, and the Opus frame (None when DAVE could not open it)."""

    user_id: int | None
    packet: rtp.RtpPacket
    opus: bytes | None
    encrypted: bool


@dataclass(slots=True, eq=False)
class VoiceClient:
    """Joins with `connect`, speaks with `send_opus`, hears through `on_audio` (called on the event loop)."""

    invitation: Invitation
    tls: ssl.SSLContext
    mode: str = "aead_aes256_gcm_rtpsize"
    dave_version: int = DAVE_PROTOCOL_VERSION
    on_audio: Callable[[ReceivedFrame], None] | None = None
    unanswered: set[int] = field(default_factory=set)
    """Opcodes from the server this client pretends not to have seen."""
    remember: bool = True
    """False: `messages` keeps opcodes only, not what they carried."""
    heartbeats: bool = True
    """False: it never sends one."""
    dave: DaveMember = field(init=False)
    ssrc: int = 0
    close_code: int | None = None
    users: dict[int, int] = field(default_factory=dict)
    """User ids by SSRC, from ops 5 and 12."""
    present: set[int] = field(default_factory=set)
    """User ids from ops 11 and 13."""
    messages: list[tuple[int, Any]] = field(default_factory=list)
    """Every message of the server, as (op, data); binary ones as bytes."""
    seq_ack: int = -1
    sequence: int = 0
    timestamp: int = 0
    transport: Transport | None = None
    _http: aiohttp.ClientSession | None = None
    _websocket: aiohttp.ClientWebSocketResponse | None = None
    _udp: asyncio.DatagramTransport | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _opener: Transport | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _discovered: asyncio.Future[tuple[str, int]] | None = None

    def __post_init__(self) -> None:
        self.dave = DaveMember(self.invitation.user_id, self.invitation.channel_id)

    async def connect(self, timeout: float = PATIENCE_S) -> None:
        """Identifies and returns once the session description is here. Raises `ConnectionError`, `TimeoutError`."""
        place = self.invitation
        await self._open()
        identity = {"server_id": str(place.guild_id), "user_id": str(place.user_id), "session_id": place.session_id}
        identity |= {"token": place.token, "max_dave_protocol_version": self.dave_version}
        await self._send(Op.IDENTIFY, identity)
        await self.wait_for(Op.SESSION_DESCRIPTION, timeout)

    async def resume(self, timeout: float = PATIENCE_S) -> None:
        """Opens a new websocket for the same stay (op 7) and returns after op 9."""
        place = self.invitation
        await self._close_websocket()
        seen = len(self.messages)
        await self._open()
        identity = {"server_id": str(place.guild_id), "session_id": place.session_id, "token": place.token}
        await self._send(Op.RESUME, identity | {"seq_ack": self.seq_ack})
        await self.wait_for(Op.RESUMED, timeout, after=seen)

    async def close(self) -> None:
        """Says goodbye and frees everything."""
        await self._close_websocket()
        if self._udp is not None:
            self._udp.close()
            self._udp = None
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def vanish(self) -> None:
        """Cuts the websocket without a close frame and stops talking."""
        for task in self._tasks:
            task.cancel()
        if self._http is not None and self._http.connector is not None:
            # Closing the connector closes its connections as they are, without a close frame.
            await self._http.connector.close()
        self._websocket = None
        await self.close()

    async def wait_for(self, op: int, timeout: float = PATIENCE_S, *, after: int = 0) -> Any:
        """The data of the first message with this op at or behind position `after` of `messages`.

        Raises:
            ConnectionError: the websocket closed first.
            TimeoutError: it did not come.
        """
        async with asyncio.timeout(timeout):
            position = after
            while True:
                for kind, data in self.messages[position:]:
                    if kind == op:
                        return data
                position = len(self.messages)
                if self.close_code is not None:
                    raise ConnectionError(f"the voice server closed with {self.close_code}")
                self._news.clear()
                await self._news.wait()

    async def wait_closed(self, timeout: float = PATIENCE_S) -> int:
        """The close code, once the websocket is closed. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout):
            while self.close_code is None:
                self._news.clear()
                await self._news.wait()
        return self.close_code

    async def speak(self, flags: int = 1) -> None:
        """Sends op 5."""
        await self._send(Op.SPEAKING, {"speaking": flags, "delay": 0, "ssrc": self.ssrc})

    def send_opus(self, frame: bytes, *, padding: int = 0, extension: bytes = b"") -> bytes:
        """Sends 20 ms, end-to-end encrypted when the group is ready; returns the datagram."""
        payload = self.dave.encrypt(frame)
        packet = rtp.RtpPacket(rtp.OPUS_PAYLOAD_TYPE, False, self.sequence, self.timestamp, self.ssrc, payload)
        self.sequence = self.sequence + 1 & 0xFFFF
        self.timestamp = self.timestamp + _SAMPLES & 0xFFFFFFFF
        return self.send_packet(packet, padding=padding, extension=extension)

    def send_packet(self, packet: rtp.RtpPacket, *, padding: int = 0, extension: bytes = b"") -> bytes:
        """Sends any RTP packet under the transport key; returns the datagram."""
        if self.transport is None or self._udp is None:
            raise ConnectionError("not connected")
        datagram = self.transport.seal(*rtp.header_and_body(packet, extension=extension, padding=padding))
        self._udp.sendto(datagram)
        return datagram

    def send_datagram(self, datagram: bytes) -> None:
        """Sends raw bytes from the client's port."""
        if self._udp is None:
            raise ConnectionError("not connected")
        self._udp.sendto(datagram)

    # websocket

    async def _open(self) -> None:
        if self._http is None:
            self._http = aiohttp.ClientSession()
        url = f"wss://{self.invitation.endpoint}/?v=8"
        self.close_code = None
        self._websocket = await self._http.ws_connect(url, ssl=self.tls, max_msg_size=16 << 20)
        self._tasks = [asyncio.create_task(self._read(self._websocket), name="voice client reader")]

    async def _close_websocket(self) -> None:
        if self._websocket is not None:
            await self._websocket.close()
            self._websocket = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _send(self, op: Op, data: object) -> None:
        if self._websocket is not None:
            await self._websocket.send_str(json.dumps({"op": int(op), "d": data}))

    async def _send_binary(self, op: Op, payload: bytes) -> None:
        if self._websocket is not None:
            await self._websocket.send_bytes(bytes([op]) + payload)

    async def _read(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in websocket:
            if message.type is aiohttp.WSMsgType.TEXT:
                content = json.loads(message.data)
                self.seq_ack = content.get("seq", self.seq_ack)
                op, data = content["op"], content["d"]
                if op not in self.unanswered:
                    await self._on_json(op, data)
            else:
                self.seq_ack, op = struct.unpack_from(">HB", message.data)
                data = message.data[3:]
                if op not in self.unanswered:
                    await self._reply(self.dave.on_binary(op, data))
            self.messages.append((op, data if self.remember else None))
            self._news.set()
        self.close_code = websocket.close_code or 1006
        self._news.set()

    async def _beat(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            await self._send(Op.HEARTBEAT, {"t": 0, "seq_ack": self.seq_ack})

    async def _on_json(self, op: int, data: Any) -> None:
        match op:
            case Op.HELLO if self.heartbeats:
                self._tasks.append(asyncio.create_task(self._beat(data["heartbeat_interval"] / 1000)))
            case Op.READY:
                await self._select(data)
            case Op.SESSION_DESCRIPTION:
                key = bytes(data["secret_key"])
                self.transport, self._opener = MODES[data["mode"]](key), MODES[data["mode"]](key)
            case Op.SPEAKING | Op.VIDEO:
                for ssrc in (data.get("ssrc"), data.get("audio_ssrc"), data.get("video_ssrc")):
                    if ssrc:
                        self.users[ssrc] = int(data["user_id"])
            case Op.CLIENTS_CONNECT:
                self.present.update(int(user_id) for user_id in data["user_ids"])
            case Op.CLIENT_DISCONNECT:
                self.present.discard(int(data["user_id"]))
            case _:
                pass
        if isinstance(data, dict):
            await self._reply(self.dave.on_json(op, data))

    async def _select(self, data: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        self.ssrc = data["ssrc"]
        self._discovered = loop.create_future()
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: _Socket(self._on_datagram), remote_addr=(data["ip"], data["port"])
        )
        self._udp.sendto(_DISCOVERY.pack(1, 70, self.ssrc, b"", 0))
        address, port = await asyncio.wait_for(self._discovered, PATIENCE_S)
        choice = {"address": address, "port": port, "mode": self.mode}
        await self._send(Op.SELECT_PROTOCOL, {"protocol": "udp", "data": choice})

    async def _reply(self, replies: list[Reply]) -> None:
        for op, content in replies:
            if isinstance(content, bytes):
                await self._send_binary(op, content)
            else:
                await self._send(op, content)

    # UDP

    def _on_datagram(self, datagram: bytes) -> None:
        if self._discovered is not None and not self._discovered.done() and len(datagram) == _DISCOVERY.size:
            _, _, _, address, port = _DISCOVERY.unpack(datagram)
            self._discovered.set_result((address.rstrip(b"\0").decode(), port))
        elif self.on_audio is not None and self._opener is not None and not rtp.is_rtcp(datagram):
            try:
                packet = rtp.open_packet(datagram, self._opener)
            except (rtp.RtpError, TransportError) as error:
                _log.debug("dropped a datagram: %s", error)
                return
            if packet.payload_type == rtp.OPUS_PAYLOAD_TYPE:
                self.on_audio(self._hear(packet))

    def _hear(self, packet: rtp.RtpPacket) -> ReceivedFrame:
        user_id = self.users.get(packet.ssrc)
        encrypted = packet.payload.endswith(MARKER)
        if encrypted and user_id is None:
            return ReceivedFrame(None, packet, None, encrypted=True)
        try:
            return ReceivedFrame(user_id, packet, self.dave.decrypt(user_id or 0, packet.payload), encrypted)
        except ValueError as error:
            _log.debug("a frame of %s was not decrypted: %s", user_id, error)
            return ReceivedFrame(user_id, packet, None, encrypted=True)


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, receive: Callable[[bytes], None]) -> None:
        self._receive = receive

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        del addr
        self._receive(data)
