"""How much sound must be there before it begins: little for fast engines, more for those that stutter."""

from __future__ import annotations

from core.audio.frames import FRAME_SAMPLES, RATE_HZ

SMALLEST_S = 0.04
FIRST_STEP_S = 0.1
LARGEST_S = 0.5
PATIENCE_S = 0.1


class Preroll:
    """One bus's memory of how its engine delivers. Only the player's thread changes it.

    It starts with two frames, which an engine faster than real time fills at once. Each underrun doubles it up to half a
    second; each line that played through halves it again.
    """

    def __init__(self) -> None:
        self._target_s = SMALLEST_S
        self._count()

    @property
    def target_s(self) -> float:
        """Seconds to gather before sound begins, or goes on after an underrun."""
        return self._target_s

    def ran_dry(self) -> None:
        """Note an underrun."""
        self._target_s = min(LARGEST_S, max(FIRST_STEP_S, self._target_s * 2))
        self._count()

    def went_well(self) -> None:
        """Note a line without underrun."""
        self._target_s = max(SMALLEST_S, self._target_s / 2)
        self._count()

    def _count(self) -> None:
        self.target_samples = max(FRAME_SAMPLES, round(self._target_s * RATE_HZ))
        # Whoever wrote a little and then nothing for this long is heard all the same.
        self.patience_s = max(PATIENCE_S, self._target_s)
