"""A voice connection that is away: from when that is an interruption, and what is due while it lasts."""

from __future__ import annotations

from enum import Enum

PATIENCE_S = 10.0  # discord.py reconnects by itself; after this long we do it instead
FIRST_TRY_S = 0.5  # when discord.py has stopped trying, we try after this long, then after twice as long, and so on
TELL_S = 3.0  # an absence shorter than this is not announced while it lasts
GIVE_UP_S = 90.0


class AbsenceStep(Enum):
    """What is due."""

    TELL = "tell"
    TRY = "try"
    GIVE_UP = "give up"


class Absence:
    """One session's absences, one after the other. It is told what changes, and says what time makes of it."""

    def __init__(self) -> None:
        self._doubted_until_s: float | None = None  # down, but that may be nothing
        self._since_s: float | None = None
        self._tried_at_s = 0.0
        self._pause_s = FIRST_TRY_S
        self._told = False

    def down(self, now_s: float, grace_s: float) -> None:
        """The connection is down, which is an interruption once `grace_s` are over; the newest word counts."""
        if self._since_s is None:
            self._doubted_until_s = now_s + grace_s

    def up(self, now_s: float) -> float | None:
        """The connection is up again: the length of the interruption in seconds, None if it was none."""
        since_s, self._since_s, self._doubted_until_s = self._since_s, None, None
        return None if since_s is None else now_s - since_s

    def begins(self, now_s: float) -> bool:
        """Whether an interruption begins now; said once."""
        if self._doubted_until_s is None or now_s < self._doubted_until_s:
            return False
        self._doubted_until_s = None
        self._since_s = self._tried_at_s = now_s
        self._pause_s, self._told = FIRST_TRY_S, False
        return True

    def due(self, now_s: float, *, idle: bool) -> list[AbsenceStep]:
        """What is to be done now.

        Args:
            now_s: The time, in seconds.
            idle: Whether discord.py has stopped trying.
        """
        if self._since_s is None:
            return []
        if now_s - self._since_s > GIVE_UP_S:
            return [AbsenceStep.GIVE_UP]
        steps: list[AbsenceStep] = []
        if now_s - self._since_s > TELL_S and not self._told:
            self._told = True
            steps.append(AbsenceStep.TELL)
        if now_s - self._tried_at_s > (self._pause_s if idle else PATIENCE_S):
            steps.append(AbsenceStep.TRY)
        return steps

    def tried(self, now_s: float) -> None:
        """We have tried to come back; the next time is after twice as long."""
        self._tried_at_s = now_s
        self._pause_s = min(2 * self._pause_s, PATIENCE_S)
