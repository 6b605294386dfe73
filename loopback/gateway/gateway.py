"""The main gateway v10: sessions, who receives which event, and connections that come and go."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING, Any

from loopback.gateway.connection import Connection
from loopback.gateway.intents import Intent, tailored, wants
from loopback.gateway.session import FrameSink, Session
from loopback.world.permissions import Permission
from loopback.world.rights import in_channel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp import web

    from loopback.world.events import Audience
    from loopback.world.users import User
    from loopback.world.world import World

_log = logging.getLogger(__name__)


HEARTBEAT_ANSWER_S = 0.1  # the round trip that clients usually measure to Discord


class Gateway:
    """Hands the world's events to every session that may hear them.

    Attributes:
        url: Where it listens; set once the server does.
        heartbeat_interval_ms: What hello tells clients.
        answers_heartbeats: Off, clients take their connections for dead.
        heartbeat_answer_s: How long an answer is under way, as to Discord and back. discord.py's keep-alive thread notes
            when it sent a heartbeat after the event loop sent it: an answer that is there before counts against the
            heartbeat before, and is told as a connection that is 41 s behind.
        resume_window_s: How long a session lives without a connection.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.url = ""
        self.heartbeat_interval_ms = 41_250
        self.answers_heartbeats = True
        self.heartbeat_answer_s = HEARTBEAT_ANSWER_S
        self.resume_window_s = 60.0
        self._sessions: dict[str, Session] = {}
        self._connections: set[Connection] = set()
        world.on_event(self._hear)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client's connection until it ends."""
        connection = Connection(self, request)
        self._connections.add(connection)
        try:
            return await connection.run()
        finally:
            self._connections.discard(connection)

    async def close(self) -> None:
        """End every connection and session."""
        for session in list(self._sessions.values()):
            self._cancel_expiry(session)
        self._sessions.clear()
        await asyncio.gather(*(connection.close(1001) for connection in list(self._connections)))

    def sessions_of(self, user: User) -> list[Session]:
        """The user's sessions, oldest first, connected or not."""
        return [session for session in self._sessions.values() if session.user is user]

    def dispatch_to_application(self, application_id: int, name: str, payload: dict[str, Any]) -> bool:
        """Send an event to an application's newest session, whatever its intents; False if it has none."""
        return self._dispatch_to(reversed(self._sessions.values()), application_id, name, payload)

    def dispatch_to_session(self, session_id: str, name: str, payload: dict[str, Any]) -> bool:
        """Send an event to one session; False if it is gone."""
        session = self._sessions.get(session_id)
        if session is not None:
            session.dispatch(name, payload)
        return session is not None

    def open_session(self, user: User, intents: int) -> Session:
        """A new session, listed but not yet told anything."""
        session = Session(secrets.token_hex(16), user, intents)
        self._sessions[session.id] = session
        return session

    def find_session(self, session_id: str) -> Session | None:
        """The session of that id, if it still lives."""
        return self._sessions.get(session_id)

    def end_session(self, session: Session) -> None:
        """Forget a session; its member leaves voice, as Discord lets it."""
        if self._sessions.pop(session.id, None) is None:
            return
        self._cancel_expiry(session)
        for guild in list(self.world.guilds.values()):
            state = guild.voice_states.get(session.user.id)
            if state is not None and state.session_id == session.id:
                self.world.voice.leave(guild, session.user.id)
        if not self.sessions_of(session.user):
            self.world.set_presence(session.user, "offline", [])

    def detach(self, session: Session) -> None:
        """Keep a session whose connection broke, for a while."""
        session.wire = None
        loop = asyncio.get_running_loop()
        session.expiry = loop.call_later(self.resume_window_s, self.end_session, session)

    def attach(self, session: Session, sink: FrameSink) -> None:
        """Let a session speak through a connection from now on."""
        self._cancel_expiry(session)
        session.wire = sink

    async def drop(self, user: User, *, resumable: bool) -> None:
        """Cut the user's connections without a close frame; not resumable ends the sessions too."""
        for connection in self._connections_of(user):
            connection.abort()
            await connection.ended.wait()
        if not resumable:
            for session in self.sessions_of(user):
                self.end_session(session)

    def ask_to_reconnect(self, user: User) -> None:
        """Send op 7."""
        for connection in self._connections_of(user):
            connection.send_op(7, None)

    def invalidate(self, user: User, *, resumable: bool) -> None:
        """Send op 9; unless resumable the sessions end."""
        for connection in self._connections_of(user):
            connection.send_op(9, resumable)
        if not resumable:
            for session in self.sessions_of(user):
                self.end_session(session)

    def send_guilds(self, session: Session) -> None:
        """Send a new session its guilds, one GUILD_CREATE each."""
        for guild in self.world.guilds.values():
            if session.user.id in guild.members and guild.available and session.intents & Intent.GUILDS:
                data = tailored(session.intents, "GUILD_CREATE", guild.to_gateway_json(), session.user)
                session.dispatch("GUILD_CREATE", data)

    def _connections_of(self, user: User) -> list[Connection]:
        return [one for one in self._connections if one.session is not None and one.session.user is user]

    @staticmethod
    def _dispatch_to(sessions: Iterator[Session], user_id: int, name: str, payload: dict[str, Any]) -> bool:
        session = next((one for one in sessions if one.user.id == user_id), None)
        if session is not None:
            session.dispatch(name, payload)
        return session is not None

    @staticmethod
    def _cancel_expiry(session: Session) -> None:
        if session.expiry is not None:
            session.expiry.cancel()
            session.expiry = None

    def _hear(self, name: str, data: dict[str, Any], audience: Audience) -> None:
        for session in list(self._sessions.values()):
            user = session.user
            if self._may_hear(user, name, audience) and wants(session.intents, name, data, user):
                session.dispatch(name, tailored(session.intents, name, data, user))

    def _may_hear(self, user: User, name: str, audience: Audience) -> bool:
        if audience.user_ids is not None and user.id not in audience.user_ids:
            return False
        if audience.guild_id is not None:
            guild = self.world.guilds[audience.guild_id]
            if user.id not in guild.members or not (guild.available or name == "GUILD_DELETE"):
                return False
        channel = None if audience.channel_id is None else self.world.channels.get(audience.channel_id)
        return channel is None or bool(in_channel(channel, user) & Permission.VIEW_CHANNEL)
