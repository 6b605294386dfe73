"""Members of MLS groups for tests: davey's through the package, Discord's own libdave, and a network without sockets."""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import dave

from loopback.voice.dave import DeliveryService
from loopback.voice.faults import VoiceFaults
from loopback.voice.member import DaveMember, Reply
from loopback.voice.opcodes import Op

if TYPE_CHECKING:
    from collections.abc import Callable

CHANNEL = 1_424_242_424_242_424_242
SSRC = 77


class Member(Protocol):
    user_id: int

    @property
    def ready(self) -> bool: ...
    @property
    def failures(self) -> int: ...
    def on_json(self, op: int, data: dict[str, Any]) -> list[Reply]: ...
    def on_binary(self, op: int, data: bytes) -> list[Reply]: ...
    def encrypt(self, frame: bytes) -> bytes: ...
    def decrypt(self, user_id: int, frame: bytes) -> bytes: ...


class LibdaveMember:
    """Discord's own implementation, driven as its sample manager does."""

    def __init__(self, user_id: int, everybody: set[int]) -> None:
        self.user_id = user_id
        self.failures = 0
        self._everybody = {str(other) for other in everybody}
        self._session = dave.Session()
        self._encryptor = dave.Encryptor()
        self._encryptor.assign_ssrc_to_codec(SSRC, dave.Codec.opus)
        self._decryptors: dict[int, dave.Decryptor] = {}
        self._version = 0
        self._pending: dict[int, int] = {}
        self._roster: set[int] = set()

    @property
    def ready(self) -> bool:
        return self._version > 0 and self._session.has_established_group()

    def on_json(self, op: int, data: dict[str, Any]) -> list[Reply]:
        if op == Op.SESSION_DESCRIPTION and data["dave_protocol_version"]:
            return self._begin(data["dave_protocol_version"])
        if op == Op.PREPARE_EPOCH and data["epoch"] == 1:
            return self._begin(data["protocol_version"])
        if op == Op.PREPARE_TRANSITION and data["transition_id"]:
            self._pending[data["transition_id"]] = data["protocol_version"]
            return [(Op.TRANSITION_READY, {"transition_id": data["transition_id"]})]
        if op == Op.EXECUTE_TRANSITION:
            self._version = self._pending.pop(data["transition_id"], self._version)
            self._encryptor.set_passthrough_mode(self._version == 0)
            self._encryptor.set_key_ratchet(self._session.get_key_ratchet(str(self.user_id)))
        return []

    def on_binary(self, op: int, data: bytes) -> list[Reply]:
        if op == Op.EXTERNAL_SENDER:
            self._session.set_external_sender(data)
        elif op == Op.PROPOSALS:
            made = self._session.process_proposals(data, self._everybody)
            return [(Op.COMMIT_WELCOME, made)] if made else []
        elif op == Op.ANNOUNCE_COMMIT:
            return self._follow(data, self._session.process_commit(data[2:]), welcomed=False)
        elif op == Op.WELCOME:
            return self._follow(data, self._session.process_welcome(data[2:], self._everybody), welcomed=True)
        return []

    def encrypt(self, frame: bytes) -> bytes:
        return self._encryptor.encrypt(dave.MediaType.audio, SSRC, frame) or b""

    def decrypt(self, user_id: int, frame: bytes) -> bytes:
        opened = self._decryptors[user_id].decrypt(dave.MediaType.audio, frame)
        if opened is None:
            raise ValueError("libdave could not decrypt")
        return opened

    def _begin(self, version: int) -> list[Reply]:
        self._version = version
        self._session.init(version, CHANNEL, str(self.user_id), None)
        return [(Op.KEY_PACKAGE, self._session.get_marshalled_key_package() or b"")]

    def _follow(self, data: bytes, roster: object, *, welcomed: bool) -> list[Reply]:
        transition_id = int.from_bytes(data[:2], "big")
        if not isinstance(roster, dict):
            self.failures += 1
            return [(Op.INVALID_COMMIT_WELCOME, {"transition_id": transition_id}), *self._begin(1)]
        if welcomed:
            self._roster = set()
        # A roster names what changed: members with their keys, those who left with an empty one.
        self._roster |= {user for user, key in roster.items() if key}
        self._roster -= {user for user, key in roster.items() if not key}
        for user in self._roster:
            ratchet = self._session.get_key_ratchet(str(user))
            if user != self.user_id and ratchet is not None:
                self._decryptors.setdefault(user, dave.Decryptor()).transition_to_key_ratchet(ratchet)
        self._pending[transition_id] = 1
        return [(Op.TRANSITION_READY, {"transition_id": transition_id})]


class VirtualTime:
    """`loop.call_later` with a clock that only moves when told."""

    def __init__(self) -> None:
        self.now = 0.0
        self._timers: list[tuple[float, int, _Timer]] = []
        self._order = 0

    def call_later(self, delay: float, callback: Callable[..., object], /, *args: object) -> _Timer:
        self._order += 1
        timer = _Timer(callback, args)
        heapq.heappush(self._timers, (self.now + delay, self._order, timer))
        return timer

    def advance(self, seconds: float) -> None:
        until = self.now + seconds
        while self._timers and self._timers[0][0] <= until:
            self.now, _, timer = heapq.heappop(self._timers)
            timer.ring()
        self.now = until


class _Timer:
    def __init__(self, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        self._callback, self._args = callback, args
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True

    def ring(self) -> None:
        if not self._cancelled:
            self._callback(*self._args)


class Group:
    """A delivery service and its members; `settle` carries messages until nobody has anything left to say."""

    def __init__(self, version: int = 1) -> None:
        self.time = VirtualTime()
        self.faults = VoiceFaults()
        self.service = DeliveryService(
            CHANNEL, self, self.time.call_later, self.faults, lambda: None, protocol_version=version
        )
        self.members: dict[int, Member] = {}
        self.mute: set[int] = set()
        """Members whose answers are lost."""
        self.lost: list[tuple[int, Op, dict[str, Any] | bytes]] = []
        """The answers that were lost."""
        self.log: list[tuple[int, Op]] = []
        self._queue: deque[tuple[int, Op, dict[str, Any] | bytes]] = deque()

    def send_json(self, user_id: int, op: Op, data: dict[str, object]) -> None:
        self._queue.append((user_id, op, data))

    def send_binary(self, user_id: int, op: Op, payload: bytes) -> None:
        self._queue.append((user_id, op, payload))

    def join(self, member: Member) -> None:
        self.members[member.user_id] = member
        self.send_json(member.user_id, Op.SESSION_DESCRIPTION, {"dave_protocol_version": self.service.protocol_version})
        self.service.join(member.user_id)

    def leave(self, user_id: int) -> None:
        del self.members[user_id]
        self.service.leave(user_id)

    def settle(self, seconds: float = 0.2) -> None:
        steps = round(seconds / 0.01)
        for _ in range(steps):
            self._carry()
            self.time.advance(0.01)
        self._carry()

    def _carry(self) -> None:
        while self._queue:
            user_id, op, content = self._queue.popleft()
            self.log.append((user_id, op))
            member = self.members.get(user_id)
            if member is None:
                continue
            replies = member.on_binary(op, content) if isinstance(content, bytes) else member.on_json(op, content)
            if user_id in self.mute:
                self.lost.extend((user_id, op, content) for op, content in replies)
            else:
                self._answer(user_id, replies)

    def _answer(self, user_id: int, replies: list[Reply]) -> None:
        for op, content in replies:
            if op == Op.KEY_PACKAGE:
                self.service.key_package(user_id, bytes(content))
            elif op == Op.COMMIT_WELCOME:
                self.service.commit(user_id, bytes(content))
            elif isinstance(content, dict) and op == Op.TRANSITION_READY:
                self.service.ready(user_id, content["transition_id"])
            elif isinstance(content, dict):
                self.service.invalid(user_id, content["transition_id"])

    def everybody_hears_everybody(self) -> bool:
        for speaker in self.members.values():
            spoken = b"\x78 a frame of " + str(speaker.user_id).encode()
            frame = speaker.encrypt(spoken)
            if frame == spoken:
                return False
            for listener in self.members.values():
                if listener is not speaker and listener.decrypt(speaker.user_id, frame) != spoken:
                    return False
        return True


def davey_members(*user_ids: int) -> list[Member]:
    return [DaveMember(user_id, CHANNEL) for user_id in user_ids]
