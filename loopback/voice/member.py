"""The client's half of DAVE: answers the opcodes 4 and 21 to 30 with davey, without I/O."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import davey

from loopback.voice.opcodes import Op
from loopback.voice.rtp import SILENCE

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

_PASSTHROUGH_S = 120
MARKER = b"\xfa\xfa"
"""Ends every frame that DAVE protects."""

Reply = tuple[Op, dict[str, Any] | bytes]


class DaveMember:
    """One member of a group. Every handler returns the messages to send back, in order."""

    def __init__(self, user_id: int, channel_id: int) -> None:
        self.user_id = user_id
        self.channel_id = channel_id
        self.session: davey.DaveSession | None = None
        self.protocol_version = 0
        self.failures = 0
        """Commits and Welcomes that could not be followed."""
        self._pending: dict[int, int] = {}
        self._sender: bytes | None = None

    @property
    def ready(self) -> bool:
        """Whether frames are encrypted end to end now."""
        return self.protocol_version > 0 and self.session is not None and self.session.ready

    @property
    def epoch(self) -> int:
        """The MLS epoch; 0 without a group."""
        return (self.session.epoch or 0) if self.session is not None else 0

    def encrypt(self, frame: bytes) -> bytes:
        """An Opus frame as it goes into the transport."""
        return self.session.encrypt_opus(frame) if self.ready and self.session is not None else frame

    def decrypt(self, user_id: int, frame: bytes) -> bytes:
        """The Opus frame inside. Raises `ValueError` when it cannot be had."""
        if frame == SILENCE or not frame.endswith(MARKER):
            return frame
        if self.session is None:
            raise ValueError("there is no session to decrypt with")
        return self.session.decrypt(user_id, davey.MediaType.audio, frame)

    def begin(self, version: int) -> list[Reply]:
        """Op 4, or op 24 with epoch 1: (re)starts alone, with a fresh key package."""
        self.protocol_version = version
        if not version:
            return []
        if self.session is None:
            self.session = davey.DaveSession(version, self.user_id, self.channel_id)
            if self._sender is not None:
                self.session.set_external_sender(self._sender)
        else:
            self.session.reinit(version, self.user_id, self.channel_id)
        return [(Op.KEY_PACKAGE, self.session.get_serialized_key_package())]

    def on_json(self, op: int, data: dict[str, Any]) -> list[Reply]:
        """Ops 4, 21, 22 and 24; others are not its business."""
        match op:
            case Op.SESSION_DESCRIPTION:
                return self.begin(data["dave_protocol_version"])
            case Op.PREPARE_EPOCH if data["epoch"] == 1:
                return self.begin(data["protocol_version"])
            case Op.PREPARE_TRANSITION:
                return self._prepare(data["transition_id"], data["protocol_version"])
            case Op.EXECUTE_TRANSITION:
                self._execute(data["transition_id"])
                return []
            case _:
                return []

    def on_binary(self, op: int, data: bytes) -> list[Reply]:
        """Ops 25, 27, 29 and 30."""
        if op == Op.EXTERNAL_SENDER:
            self._sender = data
        if self.session is None:
            return []
        match op:
            case Op.EXTERNAL_SENDER:
                self.session.set_external_sender(data)
                return []
            case Op.PROPOSALS:
                kind = davey.ProposalsOperationType.revoke if data[0] else davey.ProposalsOperationType.append
                made = self.session.process_proposals(kind, data[1:])
                return [] if made is None else [(Op.COMMIT_WELCOME, made.commit + (made.welcome or b""))]
            case Op.ANNOUNCE_COMMIT:
                return self._follow(self.session.process_commit, data)
            case Op.WELCOME:
                return self._follow(self.session.process_welcome, data)
            case _:
                return []

    def _prepare(self, transition_id: int, version: int) -> list[Reply]:
        self._pending[transition_id] = version
        if transition_id == 0:
            self._execute(0)
            return []
        if version == 0 and self.session is not None:
            self.session.set_passthrough_mode(True, _PASSTHROUGH_S)
        return [(Op.TRANSITION_READY, {"transition_id": transition_id})]

    def _execute(self, transition_id: int) -> None:
        self.protocol_version = self._pending.pop(transition_id, self.protocol_version)

    def _follow(self, process: Callable[[bytes], None], data: bytes) -> list[Reply]:
        transition_id = int.from_bytes(data[:2], "big")
        answer = {"transition_id": transition_id}
        try:
            process(data[2:])
        except ValueError as error:
            _log.info("user %d cannot follow transition %d: %s", self.user_id, transition_id, error)
            self.failures += 1
            return [(Op.INVALID_COMMIT_WELCOME, answer), *self.begin(self.protocol_version)]
        self._pending[transition_id] = self.protocol_version
        return [(Op.TRANSITION_READY, answer)]
