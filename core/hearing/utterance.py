"""What one person said without a long pause, as sound: what listening hands to the recognisers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

RATE_HZ = 16_000


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """A person's utterance, or what there is of one that still goes on.

    Its person is bound when speech begins. `samples` has shape (n,), mono, float32 in -1..1 at 16 kHz, and begins a little
    before the speech, so that no first syllable is lost.
    """

    id: str
    guild_id: int
    channel_id: int
    user_id: int
    started_s: float  # time.monotonic of the first sample
    started_at: datetime  # the same moment, in UTC
    samples: NDArray[np.float32]
    speech_s: float  # of it voiced
    final: bool  # False: a look at an utterance that is still open
    piece: int = 0  # a long monologue comes in several
    goes_on: bool = False  # another piece follows
    spoken_until_s: float = 0.0  # time.monotonic of the last voiced sound

    @property
    def duration_s(self) -> float:
        """How long its sound is."""
        return len(self.samples) / RATE_HZ

    @property
    def key(self) -> str:
        """Names this piece: the id, and its number."""
        return f"{self.id}.{self.piece}"

    @property
    def ended_s(self) -> float:
        """time.monotonic of its end."""
        return self.started_s + self.duration_s
