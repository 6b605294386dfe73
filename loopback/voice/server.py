"""`VoiceServer`: what the main gateway hands people over to when they enter a voice channel."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

from aiohttp import web

from loopback.voice.endpoint import Endpoint
from loopback.voice.faults import VoiceFaults
from loopback.voice.gateway import VoiceGateway
from loopback.voice.opcodes import Close
from loopback.voice.outbox import Admission
from loopback.voice.room import Room, VoiceSession
from loopback.voice.udp import UdpRelay

if TYPE_CHECKING:
    from loopback.voice.certificates import Certificates

_log = logging.getLogger(__name__)

_SSRCS_PER_CLIENT = 3
"""Audio, video, retransmission."""


class VoiceServer:
    """One voice websocket port (TLS) and one UDP port for every voice channel."""

    def __init__(self, certificates: Certificates, *, host: str = "127.0.0.1") -> None:
        self._certificates = certificates
        self._host = host
        self._runner: web.AppRunner | None = None
        self._relay: UdpRelay | None = None
        self._admissions: dict[tuple[int, int], Admission] = {}
        self._sessions: dict[tuple[int, int], VoiceSession] = {}
        self._rooms: dict[int, Room] = {}
        self._connections: set[VoiceGateway] = set()
        self._muted: set[tuple[int, int]] = set()
        self._next_ssrc = secrets.randbelow(1 << 16) + 1000
        self.faults = VoiceFaults()
        self.endpoint = f"{host}:0"
        """Goes into VOICE_SERVER_UPDATE; the port is known after `start`."""

    @property
    def relay(self) -> UdpRelay:
        """The UDP side: counters, capture, raw datagrams. Raises `RuntimeError` before `start`."""
        if self._relay is None:
            raise RuntimeError("the voice server is not started")
        return self._relay

    @property
    def udp_address(self) -> tuple[str, int]:
        """Host and port of the UDP side."""
        return self.relay.host, self.relay.port

    async def start(self) -> None:
        """Opens both ports."""
        self._relay = UdpRelay(self._host, self.faults)
        self._relay.start()
        app = web.Application()
        app.router.add_get("/", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, 0, ssl_context=self._certificates.server_context())
        await site.start()
        self.endpoint = f"{self._host}:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Hangs up on everybody and frees both ports."""
        for session in list(self._sessions.values()):
            session.hang_up(1001)
        for session in list(self._sessions.values()):
            self._end(session)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._relay is not None:
            await asyncio.to_thread(self._relay.close)

    # the main gateway's side

    def admit(self, *, guild_id: int, channel_id: int, user_id: int, session_id: str) -> str:
        """Lets a user in; returns the token for VOICE_SERVER_UPDATE. A second call replaces the first."""
        token = secrets.token_hex(8)
        self._admissions[guild_id, user_id] = Admission(guild_id, channel_id, user_id, session_id, token)
        return token

    async def remove(self, *, guild_id: int, user_id: int, close_code: int | None = Close.DISCONNECTED) -> None:
        """Takes a user out: closes the websocket with `close_code` (None: leaves it) and tells the room.

        After a move (the user was already admitted to another channel) only the stay in the old channel ends.
        """
        key = guild_id, user_id
        session, admission = self._sessions.get(key), self._admissions.get(key)
        if session is None or admission is None or session.admission.channel_id == admission.channel_id:
            self._admissions.pop(key, None)
        if session is not None:
            self._end(session)
            if close_code is not None:
                session.hang_up(close_code)

    async def drop(self, *, guild_id: int, user_id: int) -> None:
        """Cuts a user's websocket without a close frame, as a dead network does. The user may resume."""
        session = self._sessions.get((guild_id, user_id))
        for connection in list(self._connections):
            if session is not None and connection.session is session:
                connection.abort()

    async def crash(self, channel_id: int, code: int = Close.SERVER_CRASHED) -> None:
        """Closes every websocket of a channel with a code. After 4006 or 4014 nobody's session is left to resume."""
        room = self._rooms.get(channel_id)
        sessions = list(room.sessions.values()) if room else []
        # First everybody: whoever is about to be hung up on must not be told of the others' leaving.
        for session in sessions:
            session.hang_up(code)
        if code in (Close.SESSION_INVALID, Close.DISCONNECTED):
            for session in sessions:
                self._admissions.pop((session.admission.guild_id, session.user_id), None)
                self._end(session)

    def set_muted(self, *, guild_id: int, user_id: int, muted: bool) -> None:
        """Server mute: the relay drops what the user says, now and in later sessions of theirs."""
        if muted:
            self._muted.add((guild_id, user_id))
        else:
            self._muted.discard((guild_id, user_id))
        session = self._sessions.get((guild_id, user_id))
        if session is not None:
            session.endpoint.muted = muted

    def room(self, channel_id: int) -> Room | None:
        """The channel's room while somebody is in it."""
        return self._rooms.get(channel_id)

    def session(self, *, guild_id: int, user_id: int) -> VoiceSession | None:
        """A user's current stay, for tests: its endpoint counts what was relayed and lost."""
        return self._sessions.get((guild_id, user_id))

    # the websockets' side

    def admission(self, guild_id: int, user_id: int) -> Admission | None:
        """Where a user may go."""
        return self._admissions.get((guild_id, user_id))

    def open_session(self, admission: Admission, dave_version: int) -> VoiceSession:
        """Begins a stay; an older one of the same user in the same guild ends."""
        key = admission.guild_id, admission.user_id
        if (old := self._sessions.get(key)) is not None:
            self._end(old)
            old.hang_up(Close.DISCONNECTED)
        room = self._rooms.get(admission.channel_id)
        if room is None:
            room = self._rooms[admission.channel_id] = Room(admission.guild_id, admission.channel_id, self.faults)
        endpoint = Endpoint(admission.user_id, self._next_ssrc, room.channel, muted=key in self._muted)
        self._next_ssrc += _SSRCS_PER_CLIENT
        self.relay.add(endpoint)
        session = self._sessions[key] = VoiceSession(admission, room, endpoint, dave_version)
        return session

    def find_session(self, guild_id: int, session_id: str, token: str) -> VoiceSession | None:
        """The stay a resume means: by session id, with the token it began with or a later one."""
        for (guild, user_id), session in self._sessions.items():
            if guild == guild_id and session.admission.session_id == session_id:
                current = self._admissions.get((guild, user_id))
                tokens = {session.admission.token} | ({current.token} if current else set())
                return session if token in tokens else None
        return None

    def websocket_lost(self, session: VoiceSession, *, resumable: bool) -> None:
        """A websocket ended: the stay ends too, at once or after the resume window."""
        if session.over:
            return
        if resumable and self.faults.resume_window_s > 0:
            loop = asyncio.get_running_loop()
            session.expiry = loop.call_later(self.faults.resume_window_s, self._end, session)
        else:
            self._end(session)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("v") not in ("4", "5", "6", "7", "8"):
            raise web.HTTPBadRequest(text="unknown voice gateway version")
        connection = VoiceGateway(self, request)
        self._connections.add(connection)
        try:
            return await connection.run()
        finally:
            self._connections.discard(connection)

    def _end(self, session: VoiceSession) -> None:
        if session.over:
            return
        session.over = True
        if session.expiry is not None:
            session.expiry.cancel()
        key = session.admission.guild_id, session.user_id
        if self._sessions.get(key) is session:
            del self._sessions[key]
        self.relay.discard(session.endpoint)
        room = session.room
        room.leave(session)
        if not room.channel.endpoints and self._rooms.get(room.channel_id) is room:
            room.close()
            del self._rooms[room.channel_id]
