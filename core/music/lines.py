"""What music plays over: lines of the player's, which the floor above hands in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class MusicLine(Protocol):
    """A stretch of sound on its way to people's ears; what is written to it is played in order. From any one thread."""

    @property
    def heard_samples(self) -> int:
        """Samples a channel, at 48 kHz, that went out."""
        ...

    @property
    def written_samples(self) -> int:
        """Samples a channel that were written."""
        ...

    @property
    def queued_s(self) -> float:
        """Seconds written and not yet heard."""
        ...

    @property
    def begun(self) -> bool:
        """Whether the first of it went out."""
        ...

    @property
    def done(self) -> bool:
        """Whether it is over."""
        ...

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append float32 sound, shape (n, 2); returns at once."""
        ...

    def end(self) -> None:
        """Say that nothing more comes."""
        ...

    def stop(self) -> None:
        """Cut now, with a short fade."""
        ...

    def pause(self) -> None:
        """Hold, with a short fade."""
        ...

    def resume(self) -> None:
        """Go on at the very sample."""
        ...

    def amplify(self, gain: float, over_s: float = 0.0) -> None:
        """Make it this many times as loud as written, little by little."""
        ...

    async def finished(self) -> object:
        """Wait for its end."""
        ...


class Lines(Protocol):
    """What makes lines. Those of one bus follow each other without a gap, if the next is there in time."""

    def line(self, turn_id: str, *, bus: Literal["media", "effect"], said_for: int) -> MusicLine:
        """A new line behind the earlier ones of its bus; `said_for` is whose file it is.

        Raises:
            VoiceError: There is no connection any more.
        """
        ...

    def stop_all(self, bus: Literal["media", "effect"]) -> int:
        """Cut every line of a bus; gives how many there were."""
        ...
