"""One look at an address: may robots, has it changed, and what is there, read in a process that may be ended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from core.errors import WatchError, WorkerDied, WorkerOverdue, WorkerOverMemory
from core.fetch import Validators
from core.persona.watching.news import Wanted
from core.persona.watching.reading import TYPES, read
from core.persona.watching.robots import Robots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.clock import Clock
    from core.config.watch import WatchSection
    from core.fetch import Fetcher
    from core.machine.lane import Lane
    from core.persona.watching.news import Sighting
    from core.store.watches import Watch, WatchSource

READ_S = 15.0
ACCEPT = "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/html;q=0.9, */*;q=0.5"
TOO_MUCH = "What is there takes too much time or memory to read."


@dataclass(frozen=True, slots=True)
class Glance:
    """What a look gave; `seen` is None if nothing changed. `validators` go into the address's row."""

    seen: Sighting | None
    validators: dict[str, str] = field(default_factory=dict[str, str])
    delay_s: float = 0.0

    def require(self) -> Sighting:
        """What was seen, where an answer was not conditional."""
        if self.seen is None:
            raise WatchError(TOO_MUCH)
        return self.seen


class Looker:
    """Looks at addresses."""

    def __init__(self, section: WatchSection, fetcher: Fetcher, strangers: Lane, clock: Clock) -> None:
        """Name the parts.

        Args:
            section: `[watch]`.
            fetcher: The way out.
            strangers: Where answers are read.
            clock: For how long rules of robots are believed.
        """
        self._fetcher = fetcher
        self._strangers = strangers
        self._robots = Robots(fetcher, clock) if section.robots else None
        self._limits = replace(fetcher.page_limits, types=(*TYPES,))

    async def look(self, url: str, watches: Sequence[Watch], source: WatchSource | None) -> Glance:
        """Look, for all these watches at once; without a source, whether or not it changed.

        Raises:
            FetchError: It cannot be fetched.
            WatchError: Robots may not, or it cannot be read.
            WorkersBusy: Too much else is being read.
        """
        delay_s = 0.0 if self._robots is None else await self._robots.delay_s(url)
        known = None if source is None else Validators(source.asked_url, source.etag, source.last_modified)
        fetched = await self._fetcher.get(url, self._limits, headers={"Accept": ACCEPT}, validators=known)
        if fetched.not_modified:
            return Glance(None, delay_s=delay_s)
        head = fetched.head
        wanted = tuple(Wanted(watch.selector, watch.words) for watch in watches)
        try:
            seen = await self._strangers.run(
                read, fetched.body, head.content_type, head.charset, head.url, wanted, deadline_s=READ_S
            )
        except (WorkerOverdue, WorkerOverMemory, WorkerDied) as error:
            raise WatchError(TOO_MUCH) from error
        found = head.validators
        return Glance(seen, {"asked_url": found.url, "etag": found.etag, "last_modified": found.last_modified}, delay_s)
