"""Whether a monitored channel is to be recorded by itself: enough people come, too few are left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from core.config.recording import RecordingSection

AutoDecision = Literal["start", "stop", "keep"]


class AutoRules:
    """Decides for the monitored channels. Asked whenever somebody comes or goes, and again when `wait_s` has passed.

    A recording that people ended by hand is not begun again before too few people were left in the channel once.
    """

    def __init__(self, section: RecordingSection) -> None:
        self.channels = frozenset(section.auto_channels)
        self._least = section.auto_min_members
        self.wait_s = section.auto_stop_s
        self._few_since: dict[int, float] = {}  # by channel: since when too few are there
        self._declined: set[int] = set()

    def decide(self, channel_id: int, people: int, recording: bool, now_s: float) -> AutoDecision:
        """What to do now.

        Args:
            channel_id: The channel.
            people: How many are in it; bots do not count.
            recording: Whether it is being recorded by `AutoRules`'s own decision.
            now_s: The clock.
        """
        if channel_id not in self.channels:
            return "keep"
        if people >= self._least:
            self._few_since.pop(channel_id, None)
            return "keep" if recording or channel_id in self._declined else "start"
        self._declined.discard(channel_id)
        since = self._few_since.setdefault(channel_id, now_s)
        if not recording:
            return "keep"
        return "stop" if now_s - since >= self.wait_s or people == 0 else "keep"

    def declined(self, channel_id: int, people: int) -> None:
        """Somebody ended it by hand, or it could not start, with so many people there."""
        if channel_id in self.channels and people >= self._least:
            self._declined.add(channel_id)
