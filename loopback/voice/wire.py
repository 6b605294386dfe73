"""The seams of the delivery service: how its messages reach members and how it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.voice.opcodes import Op


class Wire(Protocol):
    """How messages reach members. Both calls only queue."""

    def send_json(self, user_id: int, op: Op, data: dict[str, object]) -> None:
        """A JSON message."""
        ...

    def send_binary(self, user_id: int, op: Op, payload: bytes) -> None:
        """A binary message; the sequence number and opcode are put in front."""
        ...


class Timer(Protocol):
    """A started timer."""

    def cancel(self) -> None:
        """Stops it; harmless when it already rang."""
        ...


class Schedule(Protocol):
    """Starts timers, as `loop.call_later` does."""

    def __call__(self, delay: float, callback: Callable[..., object], /, *args: object) -> Timer:
        """Calls `callback(*args)` after `delay` seconds."""
        ...
