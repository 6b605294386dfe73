"""Rate limits: a bucket for each route and major parameter, some shared or narrower, with Discord's headers."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MAJOR = ("channel_id", "guild_id", "webhook_id")
_EXECUTING = "POST /api/v10/webhooks/{webhook_id}/{token}"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often something may happen: `limit` times in `period_s`."""

    limit: int
    period_s: float


@dataclass(slots=True)
class Window:
    """One bucket's running period."""

    bucket: str
    limit: int
    remaining: int
    resets_at_s: float
    reset_after_s: float
    exceeded: bool = False

    def headers(self) -> dict[str, str]:
        """Discord's rate limit headers."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": f"{self.resets_at_s:.3f}",
            "X-RateLimit-Reset-After": f"{self.reset_after_s:.3f}",
            "X-RateLimit-Bucket": self.bucket,
        }


class RateLimits:
    """Counts requests. The limits are generous: `limit` requests in `period_s` for each route and major parameter.

    Attributes:
        narrower: Routes that have a pace of their own, as `METHOD /path`: a webhook posts 5 messages in 2 s.
        webhook_channel: How many messages all webhooks of one channel may post together.
        avatar: How often an account, or its member of one guild, may change its picture.
    """

    def __init__(self, limit: int = 50, period_s: float = 1.0, clock: Callable[[], float] = time.time) -> None:
        self.limit = limit
        self.period_s = period_s
        self.narrower = {_EXECUTING: Pace(5, 2.0)}
        self.webhook_channel = Pace(30, 60.0)
        self.avatar = Pace(2, 600.0)
        self._clock = clock
        self._windows: dict[tuple[str, str], Window] = {}

    def take(self, method: str, template: str, parameters: Mapping[str, str]) -> Window:
        """Count one request of a route and return its bucket's state."""
        bucket = hashlib.blake2s(f"{method} {template}".encode(), digest_size=16).hexdigest()
        major = next((parameters[name] for name in _MAJOR if name in parameters), "")
        return self._count(bucket, major, self.narrower.get(f"{method} {template}", Pace(self.limit, self.period_s)))

    def take_shared(self, subject: str, key: object, pace: Pace) -> Window:
        """Count one of what several routes do together, such as the messages of a channel's webhooks."""
        return self._count(hashlib.blake2s(subject.encode(), digest_size=16).hexdigest(), str(key), pace)

    def _count(self, bucket: str, major: str, pace: Pace) -> Window:
        now = self._clock()
        window = self._windows.get((bucket, major))
        if window is None or window.resets_at_s <= now:
            window = Window(bucket, pace.limit, pace.limit, now + pace.period_s, pace.period_s)
            self._windows[bucket, major] = window
        window.exceeded = window.remaining == 0
        window.remaining = max(0, window.remaining - 1)
        window.reset_after_s = window.resets_at_s - now
        return window
