"""When the keys of a channel's end-to-end encryption do not come: what to do about it, and when."""

from __future__ import annotations

from enum import Enum

TELL_S = 2.0  # a shorter wait is told to nobody
RENEW_S = 4.0  # ask for a new start of our membership
RECONNECT_S = 12.0  # leave and come back; then after twice as long, and so on
LONGEST_PAUSE_S = 120.0
GIVE_UP_S = 45.0  # what waits to be said by then is said in writing alone


class KeyStep(Enum):
    """What is due."""

    TELL = "tell"
    RENEW = "renew"
    RECONNECT = "reconnect"
    GIVE_UP = "give up"
    RECOVERED = "recovered"  # after somebody was told


class KeyWatch:
    """Watches one session. `look` says what is due, each step once a wait, but reconnecting again and again."""

    def __init__(self) -> None:
        self.silent = False  # given up: whatever is to be said now is not even begun
        self._since_s: float | None = None
        self._taken: set[KeyStep] = set()
        self._reconnect_after_s = RECONNECT_S

    def look(self, now_s: float, *, missing: bool, speaking: bool) -> list[KeyStep]:
        """What is to be done now.

        Args:
            now_s: The time, in seconds.
            missing: Whether others are here, and there are no keys.
            speaking: Whether there is something to say.
        """
        if not missing:
            return self._over()
        if self._since_s is None:
            self._since_s = now_s
        waited_s = now_s - self._since_s
        due: list[KeyStep] = []
        if waited_s >= TELL_S and speaking:
            due.append(KeyStep.TELL)
        if waited_s >= RENEW_S:
            due.append(KeyStep.RENEW)
        if waited_s >= GIVE_UP_S:
            due.append(KeyStep.GIVE_UP)
            self.silent = True
        due = [step for step in due if step not in self._taken]
        self._taken.update(due)
        if waited_s >= self._reconnect_after_s:
            self._reconnect_after_s = waited_s + min(LONGEST_PAUSE_S, self._reconnect_after_s)
            due.append(KeyStep.RECONNECT)
        return due

    def _over(self) -> list[KeyStep]:
        told = self._taken & {KeyStep.TELL, KeyStep.GIVE_UP}
        self._since_s, self.silent, self._reconnect_after_s = None, False, RECONNECT_S
        self._taken.clear()
        return [KeyStep.RECOVERED] if told else []
