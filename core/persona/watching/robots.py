"""Asks a site's robots.txt whether a page may be looked at, and how often; remembered for a day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.robotparser import RobotFileParser

import yarl

from core.errors import FetchError, WatchError

if TYPE_CHECKING:
    from core.clock import Clock
    from core.fetch import Fetcher

AGENT = "Parley"
MAX_BYTES = 500_000
MAX_LINES = 5000
FRESH_S = 86400.0
MAX_SITES = 1000
MAX_DELAY_S = 86400.0

FORBIDDEN = "{host} asks robots not to look at that page (robots.txt)."


@dataclass(frozen=True, slots=True)
class _Rules:
    parser: RobotFileParser | None  # None: everything is allowed
    until_s: float


class ForbiddenByRobots(WatchError):
    """The site does not want robots there."""


class Robots:
    """What sites want of robots."""

    def __init__(self, fetcher: Fetcher, clock: Clock) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._known: dict[str, _Rules] = {}

    async def delay_s(self, url: str) -> float:
        """How long to leave between two looks, in seconds; 0 if the site does not say.

        Raises:
            ForbiddenByRobots: It does not want any.
            FetchError: It cannot be asked.
        """
        place = yarl.URL(url)
        parser = (await self._rules(place.origin())).parser
        if parser is None:
            return 0.0
        if not parser.can_fetch(AGENT, url):
            raise ForbiddenByRobots(FORBIDDEN.format(host=place.raw_host))
        return min(float(parser.crawl_delay(AGENT) or 0), MAX_DELAY_S)

    async def _rules(self, origin: yarl.URL) -> _Rules:
        name, now_s = str(origin), self._clock.monotonic()
        known = self._known.get(name)
        if known is not None and known.until_s > now_s:
            return known
        if len(self._known) >= MAX_SITES:
            self._known.pop(next(iter(self._known)))
        rules = self._known[name] = _Rules(await self._ask(origin), now_s + FRESH_S)
        return rules

    async def _ask(self, origin: yarl.URL) -> RobotFileParser | None:
        limits = replace(self._fetcher.page_limits, size_bytes=MAX_BYTES)
        try:
            fetched = await self._fetcher.get(str(origin.with_path("/robots.txt")), limits)
        except FetchError as error:
            if error.kind == "large" or (error.kind == "status" and 400 <= error.status < 500 and error.status != 429):
                return None  # there are no rules
            raise
        if "html" in fetched.head.content_type:
            return None
        parser = RobotFileParser()
        parser.parse(fetched.body.decode("utf-8", "replace").splitlines()[:MAX_LINES])
        return parser
