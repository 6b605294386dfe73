"""A voice channel while somebody is in it: its sessions, what they are told about each other, its DAVE group."""

from __future__ import annotations

import asyncio
import json
import struct
from collections import deque
from typing import TYPE_CHECKING

from loopback.voice.dave import DeliveryService
from loopback.voice.endpoint import Endpoint, RelayGroup
from loopback.voice.opcodes import Op
from loopback.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.voice.faults import VoiceFaults
    from loopback.voice.group_state import DaveCounters
    from loopback.voice.outbox import Admission, Outbox


_REPLAY_MESSAGES = 512
"""Kept for a client that comes back."""


class VoiceSession:
    """One user's stay in a room. It outlives a websocket, so that a client can resume.

    Numbers, keeps and sends the client's messages, and knows its media endpoint.
    """

    def __init__(self, admission: Admission, room: Room, endpoint: Endpoint, dave_version: int) -> None:
        self.admission = admission
        self.room = room
        self.endpoint = endpoint
        self.dave_version = dave_version
        """The newest DAVE version the client speaks; 0: none."""
        self.mode: str | None = None
        self.secret_key = b""
        self.speaking: int | None = None
        """Flags of its last op 5."""
        self.camera: dict[str, object] | None = None
        """Its last op 12, while the camera is on."""
        self.joined = False
        """Whether the session description went out: others know of it."""
        self.over = False
        self.seq_ack = -1
        self.outbox: Outbox | None = None
        self.expiry: asyncio.TimerHandle | None = None
        self._seq = -1
        self._sent: deque[tuple[int, str | bytes]] = deque(maxlen=_REPLAY_MESSAGES)

    @property
    def user_id(self) -> int:
        """Whose stay this is."""
        return self.admission.user_id

    def send_json(self, op: Op, data: object) -> None:
        """Queues a numbered JSON message; kept for a resume."""
        seq = self._next()
        self._put(seq, json.dumps({"op": int(op), "d": data, "seq": seq}, separators=(",", ":")))

    def send_binary(self, op: Op, payload: bytes) -> None:
        """Queues a numbered binary message (`u16 sequence | u8 op | payload`); kept for a resume."""
        seq = self._next()
        self._put(seq, struct.pack(">HB", seq, op) + payload)

    def missed_since(self, seq_ack: int) -> list[str | bytes] | None:
        """What a client that saw everything up to `seq_ack` has not seen; None if that is no longer known."""
        if seq_ack == self._seq:
            return []
        numbers = [seq for seq, _ in self._sent]
        if seq_ack in numbers:
            start = len(numbers) - numbers[::-1].index(seq_ack)
        elif seq_ack == -1 and numbers[:1] == [0]:
            start = 0
        else:
            return None
        return [message for _, message in list(self._sent)[start:]]

    def hang_up(self, code: int) -> None:
        """Closes the websocket, if there is one, after what is queued."""
        if self.outbox is not None:
            self.outbox.close(code)

    def _next(self) -> int:
        self._seq = self._seq + 1 & 0xFFFF
        return self._seq

    def _put(self, seq: int, message: str | bytes) -> None:
        self._sent.append((seq, message))
        if self.outbox is not None:
            self.outbox.put(message)


class Room:
    """Sessions by user id. Also the wire of its delivery service."""

    def __init__(self, guild_id: int, channel_id: int, faults: VoiceFaults) -> None:
        self.guild_id = guild_id
        self.channel_id = channel_id
        self.channel = RelayGroup()
        self.sessions: dict[int, VoiceSession] = {}
        self._faults = faults
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._dave_wanted = faults.dave
        self._dave = DeliveryService(
            channel_id, self, self._loop.call_later, faults, self._wake, protocol_version=1 if faults.dave else 0
        )

    @property
    def members(self) -> list[int]:
        """User ids of everybody connected, in order of arrival."""
        return list(self.sessions)

    @property
    def group_members(self) -> set[int]:
        """User ids in the MLS group."""
        return self._dave.group

    @property
    def epoch(self) -> int:
        """The MLS epoch; 0 while there is no group (fewer than two people, or DAVE is off)."""
        return self._dave.epoch

    @property
    def protocol_version(self) -> int:
        """The DAVE protocol version: 0 is plain transport encryption."""
        return self._dave.protocol_version

    @property
    def dave_counters(self) -> DaveCounters:
        """What the delivery service has seen."""
        return self._dave.counters

    @property
    def settled(self) -> bool:
        """Whether everybody shares the current epoch and no transition is under way."""
        return self._dave.settled

    @property
    def listeners_only(self) -> frozenset[int] | None:
        """The only user ids audio is relayed to; None: everybody."""
        return self.channel.listeners_only

    @listeners_only.setter
    def listeners_only(self, user_ids: set[int] | frozenset[int] | None) -> None:
        self.channel.listeners_only = None if user_ids is None else frozenset(user_ids)

    def set_protocol_version(self, version: int) -> None:
        """Turns DAVE off (0) or on (1) while people talk."""
        self._dave_wanted = version > 0
        self._choose_version()

    async def wait_until(self, condition: Callable[[Room], bool], timeout: float = PATIENCE_S) -> None:
        """Returns once `condition(room)` holds; looks after every change. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

    async def wait_settled(self, members: int | None = None, timeout: float = PATIENCE_S) -> None:
        """Returns once `settled` (and, if given, that many people are here). Raises `TimeoutError`."""
        await self.wait_until(lambda room: room.settled and members in (None, len(room.sessions)), timeout)

    # the sessions' side

    def enter(self, session: VoiceSession) -> None:
        """A session got its key: introduces it to the others and the others to it."""
        others = [other for other in self.sessions.values() if other.user_id != session.user_id]
        if others:
            session.send_json(Op.CLIENTS_CONNECT, {"user_ids": [str(other.user_id) for other in others]})
        self.sessions[session.user_id] = session
        self._choose_version(apply_to_nobody=not others)
        session.joined = True
        self.describe(session)
        for other in others:
            other.send_json(Op.CLIENTS_CONNECT, {"user_ids": [str(session.user_id)]})
            self._exchange_details(session, other)
        self._dave.join(session.user_id)

    def describe(self, session: VoiceSession) -> None:
        """Sends op 4."""
        session.send_json(
            Op.SESSION_DESCRIPTION,
            {
                "mode": session.mode,
                "secret_key": list(session.secret_key),
                "audio_codec": "opus",
                "video_codec": "VP8",
                "media_session_id": f"{session.endpoint.ssrc:032x}",
                "dave_protocol_version": self.protocol_version,
            },
        )

    def leave(self, session: VoiceSession) -> None:
        """A session is over: the others hear of it (op 13), its leaf is removed."""
        if self.sessions.get(session.user_id) is not session:
            return
        del self.sessions[session.user_id]
        for other in self.sessions.values():
            other.send_json(Op.CLIENT_DISCONNECT, {"user_id": str(session.user_id)})
        self._dave.leave(session.user_id)
        self._choose_version()
        self._wake()

    def speak(self, session: VoiceSession, flags: int) -> None:
        """Op 5: tells the others which SSRC is whose, and whether it speaks."""
        session.speaking = flags
        if self._faults.speaking_delay_s > 0:
            self._loop.call_later(self._faults.speaking_delay_s, self._tell_speaking, session)
        else:
            self._tell_speaking(session)

    def show(self, session: VoiceSession, streams: dict[str, object]) -> None:
        """Op 12: a camera goes on or off."""
        session.camera = streams if streams.get("video_ssrc") else None
        for other in self.sessions.values():
            if other is not session:
                other.send_json(Op.VIDEO, {"user_id": str(session.user_id), **streams})

    def dave_json(self, session: VoiceSession, op: int, transition_id: int) -> None:
        """Ops 23 and 31."""
        if op == Op.TRANSITION_READY:
            self._dave.ready(session.user_id, transition_id)
        elif op == Op.INVALID_COMMIT_WELCOME:
            self._dave.invalid(session.user_id, transition_id)

    def dave_binary(self, session: VoiceSession, op: int, payload: bytes) -> None:
        """Ops 26 and 28."""
        if op == Op.KEY_PACKAGE:
            self._dave.key_package(session.user_id, payload)
        elif op == Op.COMMIT_WELCOME:
            self._dave.commit(session.user_id, payload)

    def close(self) -> None:
        """Stops the group's timers."""
        self._dave.close()

    # the delivery service's wire

    def send_json(self, user_id: int, op: Op, data: dict[str, object]) -> None:
        """See `Wire`."""
        self.sessions[user_id].send_json(op, data)

    def send_binary(self, user_id: int, op: Op, payload: bytes) -> None:
        """See `Wire`."""
        self.sessions[user_id].send_binary(op, payload)

    def _choose_version(self, *, apply_to_nobody: bool = False) -> None:
        able = min((session.dave_version for session in self.sessions.values()), default=1)
        version = min(able, 1) if self._dave_wanted else 0
        if apply_to_nobody:
            self._dave.protocol_version = version
        elif self.sessions:
            self._dave.set_protocol_version(version)

    def _tell_speaking(self, session: VoiceSession) -> None:
        for other in self.sessions.values():
            if other is not session and not session.over:
                other.send_json(Op.SPEAKING, self._speaking(session))

    def _speaking(self, session: VoiceSession) -> dict[str, object]:
        return {"user_id": str(session.user_id), "ssrc": session.endpoint.ssrc, "speaking": session.speaking}

    def _exchange_details(self, newcomer: VoiceSession, other: VoiceSession) -> None:
        for about, to in ((newcomer, other), (other, newcomer)):
            to.send_json(Op.CLIENT_FLAGS, {"user_id": str(about.user_id), "flags": 3})
            to.send_json(Op.CLIENT_PLATFORM, {"user_id": str(about.user_id), "platform": 0})
        if other.speaking:
            newcomer.send_json(Op.SPEAKING, self._speaking(other))
        if other.camera is not None:
            newcomer.send_json(Op.VIDEO, {"user_id": str(other.user_id), **other.camera})

    def _wake(self) -> None:
        self._changed.set()
