"""discord.py's voice connection, with what it lacks: our socket reader, a resume that resumes, faults that stay small."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import time
from typing import TYPE_CHECKING, Any, Protocol, cast

import aiohttp
from discord.errors import ConnectionClosed
from discord.ext.voice_recv import gateway as recv_gateway  # pyright: ignore[reportMissingTypeStubs] - it has none
from discord.gateway import DiscordVoiceWebSocket
from discord.voice_state import ConnectionFlowState, VoiceConnectionState

from core.voice.connection.changes import CameUp, ConnectionChange, EncryptionTurned, WentDown, unwatched
from core.voice.receive.receiver import Receiver
from core.voice.receive.sense import NONSENSE, require_sense
from core.voice.receive.socket_reader import VoiceSocketReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from discord import VoiceClient
    from discord.voice_state import SocketReader

_log = logging.getLogger(__name__)

RECEIVE_BUFFER_BYTES = 4 << 20  # the system may give less; a second of 25 people is 300 kB
RESUME_TIMEOUT_S = 5.0
ABNORMAL_CLOSURE = 1006  # RFC 6455, 7.1.5
DOUBT_S = 0.5  # a voice gateway that hangs up may do so because the bot was removed, which is told by then


class VoiceSessionOwner(Protocol):
    """Whose connection this is, as far as the voice gateway's news go."""

    def new_voice_session(self) -> None:
        """Op 2 came: SSRCs of before may mean nothing any more."""
        ...


class ParleyVoiceWebSocket(DiscordVoiceWebSocket):
    """The voice gateway. A malformed message costs itself, not the connection."""

    resumed = False
    lost = False

    async def poll_event(self) -> None:
        """Take one message. A connection that breaks while we answer it counts as closed, so that it is made anew."""
        state = cast("ParleyConnectionState", self._connection)
        try:
            await super().poll_event()
        except NONSENSE as error:
            if state.state is not ConnectionFlowState.connected:
                raise  # nothing stands yet that could go on: whoever connects gives up
            # discord.py would stop listening for good. If the message mattered, the keys will not come, and are asked for.
            state.refused_messages += 1
            _log.warning("voice gateway: a message made no sense: %r", error)
        except ConnectionClosed:
            self._lose(state)
            raise
        except (ConnectionError, aiohttp.ClientError) as error:
            self._lose(state)
            raise ConnectionClosed(self.ws, shard_id=None, code=self.ws.close_code or ABNORMAL_CLOSURE) from error

    def _lose(self, state: ParleyConnectionState) -> None:
        self.lost = True
        state.look_at_link()

    async def initial_connection(self, data: dict[str, Any]) -> None:
        """Op 2: choose the transport mode by our preference, not by the server's order."""
        preferred = self._connection.supported_modes
        modes = sorted(data["modes"], key=lambda mode: preferred.index(mode) if mode in preferred else len(preferred))
        await super().initial_connection({**data, "modes": modes})

    async def received_message(self, msg: dict[str, Any]) -> None:
        """One JSON message.

        Raises:
            ValueError: It makes no sense.
        """
        state = cast("ParleyConnectionState", self._connection)
        require_sense(msg, modes=state.supported_modes, newest_dave=state.max_dave_protocol_version)
        if msg["op"] == self.HELLO and self._keep_alive:
            return  # a second one would begin a second thread of heartbeats
        before = state.dave_protocol_version
        if msg["op"] == self.DAVE_PREPARE_TRANSITION and not msg["d"]["protocol_version"]:
            state.regroup()  # the others may go over to plain frames sooner than we
        try:
            await super().received_message(msg)
        except RuntimeError as error:  # davey's session is in use on the player's thread
            raise ValueError("the DAVE session could not be changed") from error
        if state.dave_protocol_version != before:
            state.changed(EncryptionTurned(before, state.dave_protocol_version))
        if msg["op"] == self.RESUMED:
            self.resumed = True

    async def received_binary_message(self, msg: bytes) -> None:
        """One binary message, ops 25 to 30."""
        state = cast("ParleyConnectionState", self._connection)
        if len(msg) >= 5 and msg[2] in (self.MLS_ANNOUNCE_COMMIT_TRANSITION, self.MLS_WELCOME):
            state.last_transition_id = int.from_bytes(msg[3:5], "big")
        try:
            await super().received_binary_message(msg)
        except (
            ValueError,
            IndexError,
            RuntimeError,
            struct.error,
        ) as error:  # discord.py catches davey's only around 29 and 30
            # Nothing to undo: a commit that builds on the refused message fails too, and that is recovered from.
            state.refused_messages += 1
            _log.warning("voice gateway: op %s was refused: %s", msg[2] if len(msg) > 2 else None, error)
            return
        state.reader.wake()  # there may be new keys: what came before its key is tried again


class ParleyConnectionState(VoiceConnectionState):
    """The connection: sockets, keys, DAVE session, reconnects. Live values are read from here for every packet.

    `changed` is called with every change, on the event loop.
    """

    def __init__(self, voice_client: VoiceClient) -> None:
        self.changed: Callable[[ConnectionChange], None] = unwatched
        self._told = (False, False)  # whether sound could be sent, and whether discord.py thought so
        self.transition_at_s = float("-inf")
        self.last_transition_id = 0
        self.refused_messages = 0
        self.receiver = Receiver(self, self._ask_for_recovery)
        self.reader = VoiceSocketReader(self, self.receiver)
        super().__init__(voice_client, hook=_hook)

    @property
    def _socket_reader(self) -> VoiceSocketReader:  # pyright: ignore[reportIncompatibleVariableOverride] - see the setter
        return self.reader

    @_socket_reader.setter
    def _socket_reader(self, _reader: SocketReader) -> None:
        """discord.py's constructor puts a reader of its own here and starts what it finds: ours."""

    @property
    def state(self) -> ConnectionFlowState:  # pyright: ignore[reportIncompatibleVariableOverride] - a property there too
        """Where in the handshake the connection is."""
        return self._state

    @state.setter
    def state(self, state: ConnectionFlowState) -> None:
        cast("property", VoiceConnectionState.state).fset(self, state)  # pyright: ignore[reportOptionalCall] - it has one
        self.look_at_link()

    def look_at_link(self) -> None:
        """Tell whether sound can be sent, if that is news."""
        link = (self.is_connected(), self.state is ConnectionFlowState.connected)
        if link != self._told:
            self._told = link
            self.changed(CameUp() if link[0] else WentDown(self._grace_s()))

    def _grace_s(self) -> float:
        return DOUBT_S if self.state is ConnectionFlowState.connected else 0.0

    def is_connected(self) -> bool:
        """Whether sound can be sent: discord.py believes so even while it waits for another voice server."""
        return super().is_connected() and not getattr(self.ws, "lost", False)

    @property
    def sealed(self) -> bool:
        """Whether what we send now is encrypted as the channel wants it: end to end, or if it has no DAVE, not."""
        return self.can_encrypt or not self.dave_protocol_version

    def _ask_for_recovery(self) -> None:
        asyncio.run_coroutine_threadsafe(self.recover(), self.voice_client.loop)

    async def recover(self) -> None:
        """Ask for a new start of our membership in the DAVE group (op 31, then a new key package)."""
        try:
            await self._recover_from_invalid_commit(self.last_transition_id)
        except (ConnectionError, aiohttp.ClientError, ValueError, AttributeError) as error:
            _log.warning("voice gateway: could not ask for a new start: %s", error)  # the connection is going anyway

    async def reinit_dave_session(self) -> None:
        """Begin a new group."""
        await super().reinit_dave_session()
        self.regroup()

    def regroup(self) -> None:
        """There is another group from now on, or none: plain frames may come for a while."""
        self.transition_at_s = time.monotonic()
        self.receiver.regroup()

    async def _execute_transition(self, transition_id: int) -> None:
        await super()._execute_transition(transition_id)
        self.transition_at_s = time.monotonic()

    async def _wait_for_state(
        self, state: ConnectionFlowState, *other_states: ConnectionFlowState, timeout: float | None = None
    ) -> None:
        """Wait for one of the states. discord.py's own way begins to listen one step later, and can miss the change."""
        async with asyncio.timeout(timeout):
            while self.state not in (state, *other_states):
                await self._state_event.wait()

    def _create_socket(self) -> None:
        super()._create_socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)

    async def _connect_websocket(self, resume: bool) -> ParleyVoiceWebSocket:
        seq_ack = self.ws.seq_ack if self.ws else -1
        try:
            ws = await ParleyVoiceWebSocket.from_connection_state(self, resume=resume, hook=self.hook, seq_ack=seq_ack)
        except (aiohttp.ClientError, OSError) as error:
            # discord.py tries again after a close, but gives up silently when the server cannot be reached at all.
            _log.info("the voice server cannot be reached: %s", error)
            raise ConnectionClosed(cast("Any", None), shard_id=None, code=ABNORMAL_CLOSURE) from error
        self.state = ConnectionFlowState.websocket_connected
        return ws

    async def _connect(self, reconnect: bool, timeout: float, self_deaf: bool, self_mute: bool, resume: bool) -> None:
        """Connect; a resume goes straight back to the voice server, where discord.py waits for news that never come."""
        if resume:
            if await self._resume():
                return
            await self.disconnect(cleanup=False)
        await super()._connect(reconnect, timeout, self_deaf, self_mute, False)

    async def _resume(self) -> bool:
        previous = self.ws
        try:
            async with asyncio.timeout(RESUME_TIMEOUT_S):
                ws = await self._connect_websocket(True)
                ws.secret_key = self.secret_key
                self.ws = ws
                while not ws.resumed:
                    await ws.poll_event()
        except (ConnectionClosed, TimeoutError, aiohttp.ClientError, OSError) as error:
            _log.info("the voice server does not resume: %s", error)
            return False
        finally:
            await previous.close()
        self.state = ConnectionFlowState.connected
        return True


async def _hook(ws: DiscordVoiceWebSocket, msg: dict[str, Any]) -> None:
    """voice_recv's own hook (ops 5, 11, 12, 13 become maps and events), fenced in."""
    client = cast("VoiceSessionOwner", ws._connection.voice_client)  # pyright: ignore[reportPrivateUsage] - as voice_recv does
    try:
        if msg["op"] == ws.READY:
            client.new_voice_session()
        await recv_gateway.hook(ws, msg)
    except Exception:  # noqa: BLE001 - a surprise in somebody's message must not end the polling of the voice gateway
        _log.exception("voice gateway: op %s was not understood", msg.get("op"))
