"""One voice websocket: identify or resume, select a protocol, then everything else, until it closes."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import WSMsgType, web

from loopback.voice.opcodes import Close, Op
from loopback.voice.outbox import Outbox
from loopback.voice.transport import KEY_SIZE, MODES

if TYPE_CHECKING:
    from loopback.voice.faults import VoiceFaults
    from loopback.voice.outbox import Admission
    from loopback.voice.room import VoiceSession
    from loopback.voice.udp import UdpRelay

_log = logging.getLogger(__name__)

_MISSED_HEARTBEATS = 2.5
"""Intervals of silence after which a client counts as gone."""
_CLEAN_CLOSES = {1000, 1001, 4014}
"""Codes by which a client says goodbye; after any other end it may resume."""


class _HangUp(Exception):
    def __init__(self, code: Close) -> None:
        super().__init__(code)
        self.code = code


class VoiceSessions(Protocol):
    """The server behind a websocket: it keeps the sessions."""

    faults: VoiceFaults

    @property
    def relay(self) -> UdpRelay:
        """The UDP side."""
        ...

    @property
    def udp_address(self) -> tuple[str, int]:
        """Host and port of the UDP side."""
        ...

    def admission(self, guild_id: int, user_id: int) -> Admission | None:
        """Where a user may go."""
        ...

    def open_session(self, admission: Admission, dave_version: int) -> VoiceSession:
        """Begin a stay."""
        ...

    def find_session(self, guild_id: int, session_id: str, token: str) -> VoiceSession | None:
        """The stay a resume means."""
        ...

    def websocket_lost(self, session: VoiceSession, *, resumable: bool) -> None:
        """A websocket ended: the stay ends too, at once or after a while."""
        ...


class VoiceGateway:
    """Talks to one client over one websocket."""

    def __init__(self, server: VoiceSessions, request: web.Request) -> None:
        self._server = server
        self._request = request
        self._faults = server.faults
        self._websocket = web.WebSocketResponse(max_msg_size=1 << 20)
        self._outbox = Outbox(self._websocket)
        self._session: VoiceSession | None = None
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def session(self) -> VoiceSession | None:
        """The stay this connection belongs to, once identified or resumed."""
        return self._session

    async def run(self) -> web.WebSocketResponse:
        """Serves the connection until it ends."""
        await self._websocket.prepare(self._request)
        writer = asyncio.create_task(self._outbox.drain(), name="voice outbox")
        self._expect_heartbeat()
        interval_ms = int(self._faults.heartbeat_interval_s * 1000)
        self._say(Op.HELLO, {"v": 8, "heartbeat_interval": interval_ms})
        try:
            await self._converse()
        except _HangUp as end:
            self._outbox.close(end.code)
        finally:
            # Reading ends as soon as this side begins to close: the close frame itself is still to be written.
            if self._outbox.close_code is None:
                writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            if self._deadline is not None:
                self._deadline.cancel()
            self._gone()
        return self._websocket

    def abort(self) -> None:
        """Cuts the TCP connection without a close frame, as a dead network does."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def _say(self, op: Op, data: object) -> None:
        """An unnumbered message."""
        self._outbox.put(json.dumps({"op": int(op), "d": data}))

    def _gone(self) -> None:
        session = self._session
        if session is None or session.outbox is not self._outbox:
            return
        session.outbox = None
        # A client answers a close frame with a code of its own: what counts is who closed first.
        code = self._outbox.close_code if self._outbox.close_code is not None else self._websocket.close_code
        clean = code in _CLEAN_CLOSES
        self._server.websocket_lost(session, resumable=not clean)

    def _expect_heartbeat(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        limit_s = self._faults.heartbeat_interval_s * _MISSED_HEARTBEATS
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(limit_s, self._outbox.close, Close.SESSION_TIMEOUT)

    async def _converse(self) -> None:
        async for message in self._websocket:
            if message.type is WSMsgType.BINARY:
                self._binary(message.data)
            elif message.type is WSMsgType.TEXT:
                try:
                    content = json.loads(message.data)
                    op, data = int(content["op"]), content.get("d")
                    self._text(op, data if isinstance(data, dict) else {"value": data})
                except (ValueError, TypeError, KeyError, AttributeError) as error:
                    _log.warning("a voice client sent what cannot be read: %r", error)
                    raise _HangUp(Close.DECODE_FAILED) from error
            else:
                return

    def _binary(self, message: bytes) -> None:
        session = self._authenticated()
        if not message:
            raise _HangUp(Close.DECODE_FAILED)
        if session.over:
            return
        if message[0] not in (Op.KEY_PACKAGE, Op.COMMIT_WELCOME):
            raise _HangUp(Close.UNKNOWN_OPCODE)
        session.room.dave_binary(session, message[0], message[1:])

    def _text(self, op: int, data: dict[str, Any]) -> None:
        match op:
            case Op.IDENTIFY:
                self._identify(data)
            case Op.RESUME:
                self._resume(data)
            case Op.HEARTBEAT:
                self._heartbeat(data)
            case _:
                session = self._authenticated()
                if not session.over:
                    self._in_session(session, op, data)

    def _in_session(self, session: VoiceSession, op: int, data: dict[str, Any]) -> None:
        match op:
            case Op.SELECT_PROTOCOL:
                self._select(session, data)
            case Op.SPEAKING:
                session.room.speak(session, int(data["speaking"]))
            case Op.VIDEO:
                session.room.show(session, data)
            case Op.TRANSITION_READY | Op.INVALID_COMMIT_WELCOME:
                session.room.dave_json(session, op, int(data["transition_id"]))
            case Op.VOICE_BACKEND_VERSION:
                self._say(Op.VOICE_BACKEND_VERSION, {"voice": "0.11.1", "rtc_worker": "0.4.11"})
            case Op.MEDIA_SINK_WANTS:
                _log.debug("op %d changes nothing here", op)
            case _:
                raise _HangUp(Close.UNKNOWN_OPCODE)

    def _authenticated(self) -> VoiceSession:
        if self._session is None:
            raise _HangUp(Close.NOT_AUTHENTICATED)
        return self._session

    def _identify(self, data: dict[str, Any]) -> None:
        if self._session is not None:
            raise _HangUp(Close.ALREADY_AUTHENTICATED)
        guild_id, user_id = int(data["server_id"]), int(data["user_id"])
        admission = self._server.admission(guild_id, user_id)
        if admission is None:
            raise _HangUp(Close.SESSION_INVALID)
        if not secrets.compare_digest(admission.token, str(data["token"])):
            raise _HangUp(Close.AUTHENTICATION_FAILED)
        if admission.session_id != data["session_id"]:
            raise _HangUp(Close.SESSION_INVALID)
        dave_version = int(data.get("max_dave_protocol_version") or 0)
        if dave_version == 0 and self._faults.dave and self._faults.dave_required:
            raise _HangUp(Close.DAVE_REQUIRED)
        session = self._server.open_session(admission, dave_version)
        session.outbox = self._outbox
        self._session = session
        ssrc = session.endpoint.ssrc
        stream = {"type": "video", "rid": "100", "quality": 100, "active": False}
        stream |= {"ssrc": session.endpoint.video_ssrc, "rtx_ssrc": session.endpoint.rtx_ssrc}
        host, port = self._server.udp_address
        modes = list(self._faults.modes)
        self._say(Op.READY, {"ssrc": ssrc, "ip": host, "port": port, "modes": modes, "streams": [stream]})

    def _select(self, session: VoiceSession, data: dict[str, Any]) -> None:
        if data["protocol"] != "udp":
            raise _HangUp(Close.UNKNOWN_PROTOCOL)
        choice = data["data"]
        mode = str(choice["mode"])
        if mode not in self._faults.modes or mode not in MODES:
            raise _HangUp(Close.UNKNOWN_MODE)
        session.mode = mode
        session.secret_key = secrets.token_bytes(KEY_SIZE)
        endpoint = session.endpoint
        if endpoint.address is None:
            self._server.relay.locate(endpoint, (str(choice["address"]), int(choice["port"])))
        endpoint.uplink = MODES[mode](session.secret_key)
        endpoint.downlink = MODES[mode](session.secret_key)
        if session.joined:
            session.room.describe(session)
        else:
            session.room.enter(session)

    def _resume(self, data: dict[str, Any]) -> None:
        if self._session is not None:
            raise _HangUp(Close.ALREADY_AUTHENTICATED)
        session = self._server.find_session(int(data["server_id"]), str(data["session_id"]), str(data["token"]))
        if session is None or not self._faults.allow_resume:
            raise _HangUp(Close.SESSION_INVALID)
        missed = session.missed_since(int(data.get("seq_ack", -1)))
        if missed is None:
            raise _HangUp(Close.SESSION_INVALID)
        session.hang_up(Close.SESSION_INVALID)
        if session.expiry is not None:
            session.expiry.cancel()
            session.expiry = None
        self._session = session
        self._say(Op.RESUMED, None)
        for message in missed:
            self._outbox.put(message)
        session.outbox = self._outbox
        if self._faults.session_description_after_resume:
            session.room.describe(session)

    def _heartbeat(self, data: dict[str, Any]) -> None:
        self._expect_heartbeat()
        if self._session is not None:
            self._session.seq_ack = int(data.get("seq_ack", self._session.seq_ack))
        answer = {"t": data.get("t", data.get("value"))}
        asyncio.get_running_loop().call_later(self._faults.heartbeat_answer_s, self._say, Op.HEARTBEAT_ACK, answer)
