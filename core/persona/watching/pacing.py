"""When an address is looked at next: never too often, less and less when it fails, and not all at the same moment."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import yarl

from core.persona.watching.robots import ForbiddenByRobots

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.config.watch import WatchSection
    from core.errors import ParleyError
    from core.store.watches import WatchSource

JITTER = 0.1
SLOWEST_S = 86400.0
LEAST_FAILS = 3  # before something is given up: a bot that was away for days has not tried for days


def after_success(
    source: WatchSource, section: WatchSection, now: datetime, *, unsure: bool, delay_s: float
) -> WatchSource:
    """The address after a look. `unsure` looks again soon; `delay_s` is what the site asks for between two looks."""
    wait_s = max(section.confirm_s if unsure else section.interval_s, delay_s)
    return replace(source, next_at=_later(now, wait_s), fails=0, failing_since=None, last_ok_at=now, detail="")


def after_failure(source: WatchSource, section: WatchSection, now: datetime, error: ParleyError) -> WatchSource:
    """The address after a look that failed."""
    fails = source.fails + 1
    wait_s = min(section.interval_s * 2 ** min(fails, 16), max(SLOWEST_S, section.interval_s))
    asked_s: float | None = getattr(error, "retry_after_s", None)
    return replace(
        source,
        next_at=_later(now, max(wait_s, asked_s or 0.0)),
        fails=fails,
        failing_since=source.failing_since or now,
        detail=error.sentence,
    )


def is_hopeless(source: WatchSource, section: WatchSection, now: datetime) -> bool:
    """Whether it has failed for so long, and often enough, that nobody waits for it any more."""
    since = source.failing_since
    return since is not None and source.fails >= LEAST_FAILS and now - since >= timedelta(days=section.give_up_days)


def is_final(error: ParleyError) -> bool:
    """Whether trying again would be of no use: gone for good, forbidden, or an address that is not opened."""
    if isinstance(error, ForbiddenByRobots):
        return True
    kind: str = getattr(error, "kind", "")
    return kind in ("refused", "address") or (kind == "status" and getattr(error, "status", 0) == 410)


def is_our_own(source: WatchSource, sources: Iterable[WatchSource], error: ParleyError) -> bool:
    """Whether it is rather our network that is down: of several hosts none was reached since this one failed."""
    others = [each for each in sources if host_of(each.url) != host_of(source.url)]
    since = source.failing_since
    return (
        getattr(error, "kind", "") == "dead"
        and bool(others)
        and since is not None
        and not any(each.last_ok_at is not None and each.last_ok_at >= since for each in others)
    )


def host_of(url: str) -> str:
    """The host of an address."""
    return yarl.URL(url).raw_host or ""


def _later(now: datetime, wait_s: float) -> datetime:
    return now + timedelta(seconds=wait_s * (1 + random.uniform(0, JITTER)))  # noqa: S311 - no secret
