"""What the player needs: a voice connection, an encoder, a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Wire(Protocol):
    """Where frames go. All methods are called from the player's thread and must not block."""

    def connected(self) -> bool:
        """Whether a frame can be sent now."""
        ...

    def send_frame(self, opus: bytes) -> bool:
        """Send 20 ms of Opus; false when it did not go out, and the same frame is tried again."""
        ...

    def announce(self, speaking: bool) -> None:
        """Tell the others that a talk-spurt begins or has ended."""
        ...


class FrameEncoder(Protocol):
    """Opus for one stream."""

    def encode_float(self, samples: NDArray[np.float32]) -> bytes:
        """20 ms of Opus from `(960, 2)` float32 samples in -1..1."""
        ...


class ThreadClock(Protocol):
    """Time as threads see it; the module `time` is one."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def sleep(self, duration_s: float, /) -> None:
        """Block this thread."""
        ...
