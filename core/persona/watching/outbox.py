"""News on their way into channels: each is taken out before it is posted, so that nothing is posted twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import StoreError, WatchError
from core.store.watches import Watch, WatchPost
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.clock import Clock
    from core.store.watches import WatchesRepository

_log = logging.getLogger(__name__)

TRIES = 5
AGAIN_S = 60.0

Poster = Callable[[Watch, WatchPost], Awaitable[None]]
"""Posts it, or raises `NowhereToPost`, or `NotPosted` to be tried again."""


class NowhereToPost(WatchError):
    """Its channel is gone, or closed to the bot for good."""


class NotPosted(WatchError):
    """It cannot be posted just now. One that `waits` is not tried, and kept for however long that takes."""

    def __init__(self, sentence: str, *, waits: bool = False) -> None:
        super().__init__(sentence)
        self.waits = waits


class Outbox:
    """What is to be posted."""

    def __init__(
        self,
        repository: WatchesRepository,
        clock: Clock,
        find: Callable[[int], Watch | None],
        end: Callable[[Watch, str], Awaitable[None]],
    ) -> None:
        """Post nothing before `start`.

        Args:
            repository: Where posts are kept.
            clock: For when to try again.
            find: A watch by its number.
            end: Told of one whose news can be posted nowhere.
        """
        self.post: Poster | None = None
        self._repository = repository
        self._clock = clock
        self._find = find
        self._end = end
        self._line: dict[int, WatchPost] = {}
        self._not_before_s: dict[int, float] = {}
        self._filled = asyncio.Event()
        self._tasks = Tasks("watching's outbox")

    def fill(self, posts: Iterable[WatchPost]) -> None:
        """Post these too."""
        for post in posts:
            self._line[post.id] = post
        self._filled.set()

    def drop(self, watch_id: int) -> None:
        """Post no more of a watch."""
        for post in [each for each in self._line.values() if each.watch_id == watch_id]:
            self._line.pop(post.id, None)

    @property
    def busy(self) -> bool:
        """Whether something could be posted now and is not yet."""
        return self._tasks.running("deliver") and bool(self._ready())

    def start(self) -> None:
        """Post from now on; also what could not be posted before."""
        self.retry()
        self._tasks.start(self._deliver(), "deliver", replace=True)

    def retry(self) -> None:
        """Try at once what could not be posted before."""
        self._not_before_s.clear()
        self._filled.set()

    def stop(self) -> None:
        """Post no more for now; the post that is being sent is."""
        self._tasks.cancel("deliver")

    async def close(self) -> None:
        """Stop, once what is being sent is sent."""
        await self._tasks.cancel_all()

    def _ready(self) -> list[WatchPost]:
        now_s = self._clock.monotonic()
        return [post for post in self._line.values() if self._not_before_s.get(post.id, 0.0) <= now_s]

    async def _deliver(self) -> None:
        while True:
            self._filled.clear()
            for post in self._ready():
                await asyncio.shield(self._tasks.start(self._one(post), f"post {post.id}"))
            await self._wait()

    async def _wait(self) -> None:
        """Until something new comes, or what could not be posted may be tried again."""
        if not self._line:
            await self._filled.wait()
            return
        soonest_s = min(self._not_before_s.get(id_, 0.0) for id_ in self._line) - self._clock.monotonic()
        waiting = self._tasks.start(self._clock.sleep(max(soonest_s, 0.05)), "wait", replace=True)
        filled = self._tasks.start(self._filled.wait(), "filled", replace=True)
        try:
            await asyncio.wait((waiting, filled), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            filled.cancel()

    async def _one(self, post: WatchPost) -> None:
        watch = self._find(post.watch_id)
        try:
            mine = await self._repository.take(post.id)
        except StoreError:
            _log.exception("news cannot be taken out of the store; they wait")
            self._not_before_s[post.id] = self._clock.monotonic() + AGAIN_S
            return
        self._line.pop(post.id, None)
        self._not_before_s.pop(post.id, None)
        if not mine or watch is None or self.post is None:
            return
        try:
            await self.post(watch, post)
        except NowhereToPost as error:
            await self._end(watch, error.sentence)
        except NotPosted as error:
            await self._keep(post, error)
        except Exception:  # noqa: BLE001 - one post must not hold up the others; the log has the cause
            _log.exception("news of watch %d could not be posted", watch.id)

    async def _keep(self, post: WatchPost, error: NotPosted) -> None:
        tries = post.tries + (not error.waits)
        if tries >= TRIES:
            _log.warning("news of watch %d are given up: %s", post.watch_id, error.sentence, exc_info=error.__cause__)
            return
        again = await self._repository.put_back(replace(post, tries=tries), self._clock.now())
        self._line[again.id] = again
        self._not_before_s[again.id] = self._clock.monotonic() + AGAIN_S * 2 ** max(0, tries - 1)
