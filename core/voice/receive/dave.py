"""End-to-end decryption of received frames, and when to ask for a new start of the group.

DAVE protocol whitepaper (daveprotocol.com), "Media frames": an encrypted frame ends with an 8-byte truncated tag, the
nonce as ULEB128, the unencrypted ranges (none for Opus), the size of all that, and the marker `FA FA`.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Protocol

import davey

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

MARKER = b"\xfa\xfa"
SMALLEST_TRAILER, LARGEST_TRAILER = 12, 16  # tag 8, nonce 1 to 5, size 1, marker 2

PLAIN_GRACE_S = 10.0  # who has not begun to encrypt may send plain frames this long after a transition
FAILURES = 36  # a run of failures that no transition explains; discord.js uses the same
RUN_S = 0.7  # how long such a run lasts at least: 36 frames of one person
NOT_READY_S = 5.0  # how long a group may take to form
COOL_DOWN_S, LONGEST_COOL_DOWN_S = 10.0, 300.0

_AUDIO = davey.MediaType.audio


class DaveLink(Protocol):
    """Where the live session is: discord.py's connection state and what we add to it."""

    dave_session: davey.DaveSession | None
    dave_protocol_version: int
    transition_at_s: float  # time.monotonic of the last executed transition


class Undecryptable(Exception):
    """A frame that must not reach an Opus decoder; the argument is its cause."""


def is_encrypted(payload: bytes) -> bool:
    """Whether a payload ends as DAVE frames do. About one plain Opus frame in ten million does so by chance."""
    size = len(payload)
    if payload[-2:] != MARKER or size <= SMALLEST_TRAILER:
        return False
    trailer = payload[-3]
    if not SMALLEST_TRAILER <= trailer <= LARGEST_TRAILER or trailer >= size:
        return False
    # The nonce's last byte ends it, the one before (if it has two) does not.
    return payload[-4] < 0x80 and (trailer == SMALLEST_TRAILER or payload[-5] >= 0x80)


class FrameDecryptor:
    """Takes the end-to-end encryption off audio frames, each once, on arrival."""

    def __init__(self, link: DaveLink, recover: Callable[[], None]) -> None:
        self.recoveries = 0
        self._link = link
        self._recover = recover
        self._encrypting: set[int] = set()  # who has sent encrypted frames in this group
        self._plain_since_s: dict[
            int, float
        ] = {}  # who has sent plain frames while there is no group, and from when on
        self._failures = 0
        self._failing_since_s = 0.0
        self._recovered_at_s = float("-inf")
        self._cool_down_s = COOL_DOWN_S

    def open(self, user_id: int, payload: bytes, at_s: float) -> tuple[bytes, bool]:
        """The Opus of a frame that arrived at `at_s`, and whether it came without end-to-end encryption.

        Raises:
            Undecryptable: With the cause.
        """
        # `davey` tells plain from encrypted by the same marker, but in passthrough mode, which discord.py switches on
        # and which never expires, it lets everything pass that has none. So the marker is looked at here, first.
        if not is_encrypted(payload):
            self._require_plain_allowed(user_id, at_s)
            return payload, True
        try:
            opus = self.decrypt(user_id, payload)
        except Undecryptable:
            self._failed(at_s)
            raise
        self._failures = 0
        self._cool_down_s = COOL_DOWN_S
        self._encrypting.add(user_id)
        return opus, False

    def regroup(self) -> None:
        """The group begins anew or ends."""
        self._encrypting = set()
        self._plain_since_s = {}

    def decrypt(self, user_id: int, payload: bytes) -> bytes:
        """The Opus of an encrypted frame, once: a second attempt at a frame that was opened is refused.

        Raises:
            Undecryptable: With the cause. It does not count towards a new start.
        """
        session = self._link.dave_session
        if session is None:
            raise Undecryptable("no_session")
        try:
            opus = session.decrypt(user_id, _AUDIO, payload)
        except (ValueError, OverflowError, RuntimeError) as error:  # davey's own; an id out of range; a session in use
            raise Undecryptable(_cause(str(error))) from None
        if opus == payload:
            raise Undecryptable("passed_through")
        return opus

    def owner_of(self, payload: bytes) -> tuple[int, bytes] | None:
        """Who of the group encrypted a frame, and its Opus; None if nobody's key fits."""
        session = self._link.dave_session
        if session is None:
            return None
        for member in session.get_user_ids():
            with contextlib.suppress(Undecryptable):
                return int(member), self.decrypt(int(member), payload)
        return None

    def _require_plain_allowed(self, user_id: int, at_s: float) -> None:
        """Plain frames are right without DAVE, for a moment before there is a group, and in it from who begins to encrypt.

        Nothing proves whose a plain frame is: the server, or whoever sits on the way, may have made it. So in a group it
        must be a member's, and one who has sent encrypted frames does not fall back. Who keeps a group from being formed, or
        stays outside, is heard no longer than a group takes to form; then only encryption or its end makes them heard again.
        """
        link = self._link
        session = link.dave_session
        if link.dave_protocol_version == 0:
            return
        if session is None or not session.ready:
            if at_s - self._plain_since_s.setdefault(user_id, at_s) >= PLAIN_GRACE_S:
                raise Undecryptable("unencrypted")
            return
        if str(user_id) not in session.get_user_ids():
            raise Undecryptable("outside_group")
        if user_id in self._encrypting or at_s - link.transition_at_s >= PLAIN_GRACE_S:
            raise Undecryptable("unencrypted")

    def _failed(self, at_s: float) -> None:
        """Count a failure; after a run of them that no transition explains, ask for a new start."""
        session = self._link.dave_session
        if not self._failures:
            self._failing_since_s = at_s
        self._failures += 1
        run_s = at_s - max(self._failing_since_s, self._link.transition_at_s)
        if (
            self._failures >= FAILURES
            and session is not None
            and run_s >= (RUN_S if session.ready else NOT_READY_S)
            and at_s - self._recovered_at_s >= self._cool_down_s
            and self._link.dave_protocol_version > 0
        ):
            _log.warning("%d frames in a row could not be decrypted; asking for a new start", self._failures)
            self._failures = 0
            self._recovered_at_s = at_s
            self._cool_down_s = min(self._cool_down_s * 2, LONGEST_COOL_DOWN_S)
            self.recoveries += 1
            self._recover()


def _cause(message: str) -> str:
    for name, cause in (
        ("NoDecryptorForUser", "no_decryptor"),
        ("NoValidCryptorFound", "no_key"),
        ("UnencryptedWhenPassthroughDisabled", "unencrypted"),
    ):
        if name in message:
            return cause
    return "other"
