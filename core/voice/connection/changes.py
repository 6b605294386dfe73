"""What a voice connection tells whoever looks after it: the one way to learn that something about it is different."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CameUp:
    """Sound can be sent."""


@dataclass(frozen=True, slots=True)
class WentDown:
    """Sound can no longer be sent; no interruption if it can again, or if the bot turns out to be removed, that soon."""

    grace_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EncryptionTurned:
    """The channel went over to another version of DAVE; 0 is none."""

    before: int
    version: int


@dataclass(frozen=True, slots=True)
class ConnectionOver:
    """The bot was taken out of the channel, or this client can no longer be used. Nothing follows."""


ConnectionChange = CameUp | WentDown | EncryptionTurned | ConnectionOver


def unwatched(_change: ConnectionChange) -> None:
    """Nobody wants to know, yet or any more."""
