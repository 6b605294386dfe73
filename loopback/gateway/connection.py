"""One client's connection to the main gateway: its opcodes, one after another."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import WSMsgType, web

from loopback.gateway.intents import KNOWN, disallowed

if TYPE_CHECKING:
    from loopback.gateway.session import FrameSink, Session
    from loopback.world.users import User
    from loopback.world.world import World

_log = logging.getLogger(__name__)

CHUNK_SIZE = 1000
_ENDS_SESSION = (1000, 1001)


class ConnectionRefused(Exception):
    """The client broke the protocol: the connection is closed with the code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Sessions(Protocol):
    """The gateway behind a connection: it keeps the sessions."""

    world: World
    url: str
    heartbeat_interval_ms: int
    answers_heartbeats: bool
    heartbeat_answer_s: float

    def open_session(self, user: User, intents: int) -> Session:
        """A new session."""
        ...

    def find_session(self, session_id: str) -> Session | None:
        """The session of that id, if it still lives."""
        ...

    def attach(self, session: Session, sink: FrameSink) -> None:
        """Let a session speak through a connection from now on."""
        ...

    def detach(self, session: Session) -> None:
        """Its connection was lost: the session lives on for a while."""
        ...

    def end_session(self, session: Session) -> None:
        """Forget a session."""
        ...

    def send_guilds(self, session: Session) -> None:
        """Tell a new session of its guilds."""
        ...


class Connection:
    """Reads a client's frames and answers them; frames to it are queued, so that nobody waits for a slow client.

    Close codes and payloads: developer documentation, "Gateway Events" and "Opcodes and Status Codes".
    """

    def __init__(self, gateway: Sessions, request: web.Request) -> None:
        self.session: Session | None = None
        self.ended = asyncio.Event()
        self._gateway = gateway
        self._world = gateway.world
        self._request = request
        self._socket = web.WebSocketResponse(max_msg_size=1 << 20, autoping=True)
        self._outbox: asyncio.Queue[str | None] = asyncio.Queue()

    async def run(self) -> web.WebSocketResponse:
        """Serve the client until it goes."""
        await self._socket.prepare(self._request)
        self.send_op(10, {"heartbeat_interval": self._gateway.heartbeat_interval_ms, "_trace": ["loopback"]})
        writer = asyncio.create_task(self._write(), name="gateway-writer")
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    self._take(message.data)
        except ConnectionRefused as refused:
            _log.info("gateway connection refused: %s %s", refused.code, refused.reason)
            self._outbox.put_nowait(None)
            await asyncio.wait({writer}, timeout=1.0)
            await self._socket.close(code=refused.code, message=refused.reason.encode())
        finally:
            writer.cancel()
            self._lost()
            self.ended.set()
        return self._socket

    def send(self, text: str) -> None:
        """Queue one frame."""
        self._outbox.put_nowait(text)

    def send_op(self, op: int, data: Any) -> None:
        """Queue a frame that is not an event."""
        self.send(json.dumps({"op": op, "d": data, "s": None, "t": None}))

    async def close(self, code: int) -> None:
        """Close with a code."""
        await self._socket.close(code=code)

    def abort(self) -> None:
        """Cut the connection as a broken network does."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionError):  # the reader notices the loss and ends the connection
            while (text := await self._outbox.get()) is not None:
                await self._socket.send_str(text)

    def _lost(self) -> None:
        session = self.session
        if session is None or session.wire is not self:
            return
        if self._socket.close_code in _ENDS_SESSION:
            self._gateway.end_session(session)
        else:
            self._gateway.detach(session)

    def _take(self, text: str) -> None:
        try:
            payload = json.loads(text)
            self._obey(payload["op"], payload.get("d"))
        except (ValueError, KeyError, TypeError) as error:
            _log.exception("gateway payload not understood: %.200s", text)
            raise ConnectionRefused(4002, "Error while decoding payload.") from error

    def _obey(self, op: int, data: Any) -> None:
        if op == 1:
            if self._gateway.answers_heartbeats:
                asyncio.get_running_loop().call_later(self._gateway.heartbeat_answer_s, self.send_op, 11, None)
        elif op == 2:
            self._identify(data)
        elif op == 6:
            self._resume(data)
        elif self.session is None:
            raise ConnectionRefused(4003, "Not authenticated.")
        elif op == 3:
            self._world.set_presence(self.session.user, data["status"], data.get("activities") or [])
        elif op == 4:
            self._change_voice_state(self.session, data)
        elif op == 8:
            self._send_members(self.session, data)
        elif op != 31:  # soundboard sounds: this Discord has none, and no answer is an answer
            raise ConnectionRefused(4001, "Unknown opcode.")

    def _authenticated(self, token: str) -> User:
        user = self._world.user_of(token.removeprefix("Bot "))
        if user is None:
            raise ConnectionRefused(4004, "Authentication failed.")
        return user

    def _identify(self, data: dict[str, Any]) -> None:
        if self.session is not None:
            raise ConnectionRefused(4005, "Already authenticated.")
        user = self._authenticated(data["token"])
        intents = data["intents"]
        if intents & ~KNOWN:
            raise ConnectionRefused(4013, "Invalid intent(s).")
        if disallowed(intents, user.application):
            raise ConnectionRefused(4014, "Disallowed intent(s).")
        self.session = session = self._gateway.open_session(user, intents)
        self._gateway.attach(session, self)
        session.dispatch("READY", self._ready(session, data.get("shard")))
        presence = data.get("presence")
        if presence:
            self._world.set_presence(user, presence["status"], presence.get("activities") or [])
        self._gateway.send_guilds(session)

    def _ready(self, session: Session, shard: list[int] | None) -> dict[str, Any]:
        user = session.user
        guilds = [guild for guild in self._world.guilds.values() if user.id in guild.members]
        application = {} if user.application is None else {"id": str(user.id), "flags": user.application.flags}
        ready = {
            "v": 10,
            "user": user.to_own_json(),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": self._gateway.url,
            "session_type": "normal",
            "private_channels": [],
            "application": application,
            "_trace": ["loopback"],
        }
        return ready if shard is None else ready | {"shard": shard}

    def _resume(self, data: dict[str, Any]) -> None:
        user = self._authenticated(data["token"])
        session = self._gateway.find_session(data["session_id"])
        if session is None or session.user is not user or not session.can_resume_from(data["seq"]):
            self.send_op(9, False)
            return
        self.session = session
        self._gateway.attach(session, self)
        session.replay(data["seq"])
        session.dispatch("RESUMED", {"_trace": ["loopback"]})

    def _change_voice_state(self, session: Session, data: dict[str, Any]) -> None:
        guild = self._world.guilds.get(int(data["guild_id"]))
        member = None if guild is None else guild.members.get(session.user.id)
        if guild is None or member is None:
            return
        if data["channel_id"] is None:
            self._world.voice.leave(guild, session.user.id)
            return
        channel = guild.channels.get(int(data["channel_id"]))
        if channel is None or not channel.is_voice:
            return
        mute, deaf = bool(data.get("self_mute")), bool(data.get("self_deaf"))
        if not self._world.voice.join(guild, member, channel, session.id, mute=mute, deaf=deaf):
            _log.info("%s may not join %s: no answer, as Discord gives none", session.user.name, channel.name)

    def _send_members(self, session: Session, data: dict[str, Any]) -> None:
        guild = self._world.guilds.get(int(data["guild_id"]))
        if guild is None or session.user.id not in guild.members:
            return
        wanted = data.get("user_ids")
        missing: list[str] = []
        if wanted is not None:
            asked = [str(one) for one in (wanted if isinstance(wanted, list) else [wanted])]
            found = [guild.members[int(one)] for one in asked if int(one) in guild.members]
            missing = [one for one in asked if int(one) not in guild.members]
        else:
            start = str(data.get("query") or "").casefold()
            found = [one for one in guild.members.values() if one.display_name.casefold().startswith(start)]
            found = found[: data.get("limit") or None]
        chunks = [found[start : start + CHUNK_SIZE] for start in range(0, len(found), CHUNK_SIZE)] or [[]]
        for index, chunk in enumerate(chunks):
            body: dict[str, Any] = {
                "guild_id": str(guild.id),
                "members": [member.to_json() for member in chunk],
                "chunk_index": index,
                "chunk_count": len(chunks),
                "not_found": missing,
            }
            if data.get("presences"):
                body["presences"] = [member.user.presence_json(guild.id) for member in chunk if member.user.is_online]
            if data.get("nonce") is not None:
                body["nonce"] = data["nonce"]
            session.dispatch("GUILD_MEMBERS_CHUNK", body)
