"""Watches pages and feeds: looks at what is due, one look an address for all servers, and has posted what is new."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from core.errors import ParleyError, StoreError, WatchError
from core.persona.watching.judging import judge_feed, judge_page
from core.persona.watching.outbox import Outbox
from core.persona.watching.pacing import after_failure, after_success, host_of, is_final, is_hopeless, is_our_own
from core.store.watches import Watch, WatchesRepository, WatchLook, WatchPost, WatchSource
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from core.clock import Clock
    from core.config.watch import WatchSection
    from core.persona.watching.judging import Judgement
    from core.persona.watching.looking import Looker
    from core.persona.watching.news import Sighting
    from core.persona.watching.outbox import Poster
    from core.store.store import Store

_log = logging.getLogger(__name__)

LOOK_S = 60.0  # the longest sleep: a clock that jumps is noticed within
LONGEST = timedelta(days=9)  # until the next look; what is further away was written by a clock that was wrong
KEEP = 6000  # entries that a watch knows; a feed has fewer

FULL = "This server watches {count} pages and feeds already, which is the most. `/watch remove` makes room."
TWICE = "This server watches that already, in {channel}."
NOT_FOUND = "There is no watch of that number here. `/watch list` shows them."
NOTHING_THERE = "I find nothing there: no element matches {selector}."
NO_WORDS = "None of these words stands there now; of several, one has to, or I could not tell when that changes."
LAYOUT = "what I looked for is not on the page any more; its layout may have changed"
OFF = "I do not look at this any more: {why} `/watch add` begins anew."
DEAD_SINCE = "for {days:g} days it has failed. {why}"


class Watching:
    """What servers watch. Lives on the runtime; looks as long as somebody posts."""

    def __init__(self, section: WatchSection, store: Store, looker: Looker, clock: Clock) -> None:
        """Nothing is read before `open`."""
        self._section = section
        self._repository = WatchesRepository(store)
        self._looker = looker
        self._clock = clock
        self._watches: dict[int, Watch] = {}
        self._sources: dict[str, WatchSource] = {}
        self.outbox = Outbox(self._repository, clock, self._watches.get, self._end)
        self._tasks = Tasks("watching")
        self._nudged = asyncio.Event()
        self._locks: dict[str, asyncio.Lock] = {}
        self._host_free_s: dict[str, float] = {}
        self._running: set[str] = set()
        self._paused = False
        self._begun = False

    async def open(self) -> None:
        """Read what is watched.

        Raises:
            StoreError: It cannot be read.
        """
        watches, sources, posts = await self._repository.all()
        self._watches.update({watch.id: watch for watch in watches})
        self._sources.update({source.url: source for source in sources})
        self.outbox.fill(posts)

    async def close(self) -> None:
        """Stop looking and posting; what is due stays due."""
        self.halt()
        await self._tasks.cancel_all()
        await self.outbox.close()

    def begin(self, post: Poster) -> None:
        """Look from now on, and post by this."""
        self.outbox.post = post
        self._begun = True
        self._go()

    def halt(self) -> None:
        """Look no more; for a cog that goes."""
        self._begun = False
        self._stop()

    def pause(self) -> None:
        """Look no more for now; what is under way is broken off, and stays due."""
        self._paused = True
        self._stop()

    def resume(self) -> None:
        """Go on, and make up what was due."""
        self._paused = False
        self._go()

    def _go(self) -> None:
        if self._begun and not self._paused:
            self._tasks.start(self._watch(), "watch", replace=True)  # one that is being ended may still be there
            self.outbox.start()

    def _stop(self) -> None:
        self._tasks.cancel("watch")
        for url in self._running:
            self._tasks.cancel(f"look {url}")
        self.outbox.stop()

    # What people do -------------------------------------------------------------------------------------------------------

    def of(self, guild_id: int | None) -> list[Watch]:
        """The watches of a server, oldest first."""
        return [watch for watch in self._watches.values() if watch.guild_id == guild_id]

    def all(self) -> list[Watch]:
        """Every watch."""
        return list(self._watches.values())

    def source(self, url: str) -> WatchSource | None:
        """How an address is doing."""
        return self._sources.get(url)

    def require(self, guild_id: int | None, watch_id: int) -> Watch:
        """One watch of a server.

        Raises:
            WatchError: There is none of that number.
        """
        watch = self._watches.get(watch_id)
        if watch is None or watch.guild_id != guild_id:
            raise WatchError(NOT_FOUND)
        return watch

    def require_room(self, guild_id: int) -> None:
        """Refuse one more when there are enough.

        Raises:
            WatchError: The server has as many as it may.
        """
        if len(self.of(guild_id)) >= self._section.max_watches:
            raise WatchError(FULL.format(count=self._section.max_watches))

    async def add(self, watch: Watch) -> tuple[Watch, Sighting]:
        """Look at an address for the first time, and watch it from now on; nothing is posted of that look.

        Raises:
            WatchError: There is no room, nothing to watch, or it is watched already.
            FetchError: It cannot be fetched.
            StoreError: It cannot be stored.
        """
        self.require_room(watch.guild_id)
        for each in self.of(watch.guild_id):
            if (each.url, each.selector, each.words) == (watch.url, watch.selector, watch.words):
                raise WatchError(TWICE.format(channel=f"<#{each.channel_id}>"))
        async with self._lock(watch.url):
            look = await self._looker.look(watch.url, [watch], None)
            seen, now = look.require(), self._clock.now()
            if seen.kind == "page" and not seen.parts[0].state:
                raise WatchError(NO_WORDS if watch.words else NOTHING_THERE.format(selector=f"`{watch.selector}`"))
            self.require_room(watch.guild_id)
            watch = replace(watch, id=await self._repository.add(watch))
            verdict = _judge(watch, seen, 0, frozenset(), now, self._section.max_posts)
            # Others of the address have not seen this version: what its server said of it is not theirs yet.
            source = self._sources.get(watch.url) or after_success(
                replace(WatchSource(watch.url, now), **look.validators), self._section, now, unsure=False, delay_s=0.0
            )
            await self._settle(WatchLook(source, [verdict.watch], {watch.id: verdict.seen}), {})
        self.nudge()
        return self._watches[watch.id], seen

    async def remove(self, watches: Sequence[Watch]) -> None:
        """Watch some no more.

        Raises:
            StoreError: That cannot be stored.
        """
        await self._repository.remove([watch.id for watch in watches])
        for watch in watches:
            self._watches.pop(watch.id, None)
            self.outbox.drop(watch.id)
        urls = {watch.url for watch in self._watches.values()}
        for url in set(self._sources) - urls:
            self._sources.pop(url)

    async def change(self, watch: Watch) -> None:
        """Write what people changed of one; one that goes on is looked at when its address is due.

        Raises:
            StoreError: That cannot be stored.
        """
        await self._repository.save([watch])
        self._watches[watch.id] = watch
        source = self._sources.get(watch.url)
        if watch.state == "active" and source is not None and source.fails:
            fresh = replace(source, fails=0, failing_since=None, next_at=self._clock.now())
            await self._settle(WatchLook(fresh), {})
        self.nudge()

    def nudge(self) -> None:
        """Look at once what is due."""
        self._nudged.set()

    @property
    def busy(self) -> bool:
        """Whether something is being looked at or posted, or could be at once."""
        looking = self._tasks.running("watch") and bool(self._due())
        return bool(self._running) or looking or self.outbox.busy

    # Looking --------------------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            self._nudged.clear()
            for url in self._due():
                self._running.add(url)
                self._host_free_s[host_of(url)] = float("inf")
                looking = self._tasks.start(self._look(url), f"look {url}")
                looking.add_done_callback(lambda _, url=url: self._looked(url))  # also of one that never began
            await self._sleep()

    def _waiting(self) -> list[WatchSource]:
        """Addresses that somebody watches and that are not being looked at."""
        active = {watch.url for watch in self._watches.values() if watch.state == "active"}
        return [each for each in self._sources.values() if each.url in active and each.url not in self._running]

    def _due(self) -> list[str]:
        """Addresses to look at now: one a host at a time."""
        now, mono = self._clock.now(), self._clock.monotonic()
        hosts: set[str] = set()
        chosen: list[str] = []
        for each in sorted(self._waiting(), key=lambda each: each.next_at):
            host = host_of(each.url)
            if now < each.next_at < now + LONGEST or host in hosts or self._host_free_s.get(host, 0.0) > mono:
                continue
            if len(self._running) + len(chosen) >= self._section.at_once:
                break
            hosts.add(host)
            chosen.append(each.url)
        return chosen

    async def _sleep(self) -> None:
        """Until the next is due and its host free; what is being looked at nudges when it is over."""
        now, mono = self._clock.now(), self._clock.monotonic()
        full = len(self._running) >= self._section.at_once
        waits = [
            max((each.next_at - now).total_seconds(), self._host_free_s.get(host_of(each.url), 0.0) - mono, 0.05)
            for each in self._waiting()
            if not full
        ]
        wait_s = min([LOOK_S, *waits])
        sleeping = self._tasks.start(self._clock.sleep(wait_s), "sleep", replace=True)
        nudged = self._tasks.start(self._nudged.wait(), "nudge", replace=True)
        try:
            await asyncio.wait((sleeping, nudged), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            nudged.cancel()

    async def _look(self, url: str) -> None:
        try:
            async with self._lock(url):
                await self._look_at(url)
        except StoreError:
            _log.exception("what was seen at an address cannot be stored; it is looked at again")

    def _looked(self, url: str) -> None:
        self._running.discard(url)
        self._host_free_s[host_of(url)] = self._clock.monotonic() + self._section.host_gap_s
        if not any(watch.url == url for watch in self._watches.values()):
            self._locks.pop(url, None)
        self.nudge()

    async def _look_at(self, url: str) -> None:
        source = self._sources.get(url)
        watches = [watch for watch in self._watches.values() if watch.url == url and watch.state == "active"]
        if source is None or not watches:
            return
        try:
            look = await self._looker.look(url, watches, source)
        except ParleyError as error:
            await self._failed(source, watches, error)
            return
        if look.seen is None:  # nothing changed since the last look
            await self._unchanged(source, watches, look.delay_s)
            return
        now = self._clock.now()
        verdicts: list[Judgement] = []
        for number, watch in enumerate(watches):
            known = await self._repository.seen(watch.id) if look.seen.kind == "feed" else frozenset[str]()
            verdicts.append(_judge(watch, look.seen, number, known, now, self._section.max_posts))
        unsure = any(verdict.watch.pending for verdict in verdicts)
        source = after_success(
            replace(source, **look.validators), self._section, now, unsure=unsure, delay_s=look.delay_s
        )
        if all(verdict.watch.missing_since for verdict in verdicts):
            source = replace(
                after_failure(self._sources[url], self._section, now, WatchError(LAYOUT)), etag="", last_modified=""
            )
        posts = [post for verdict in verdicts for post in verdict.posts]
        seen = {verdict.watch.id: verdict.seen for verdict in verdicts if verdict.seen}
        await self._settle(
            WatchLook(source, [verdict.watch for verdict in verdicts], seen, posts),
            {watch.id: watch for watch in watches},
        )
        await self._give_up_missing(now, url)

    async def _unchanged(self, source: WatchSource, watches: Sequence[Watch], delay_s: float) -> None:
        """The same version as at the last look: what was not sure is sure now. That takes a look at it once more."""
        now = self._clock.now()
        if any(watch.pending for watch in watches):
            source = replace(source, etag="", last_modified="", next_at=now)
            await self._settle(WatchLook(source), {})
            return
        await self._settle(WatchLook(after_success(source, self._section, now, unsure=False, delay_s=delay_s)), {})

    # Failing --------------------------------------------------------------------------------------------------------------

    async def _failed(self, source: WatchSource, watches: Sequence[Watch], error: ParleyError) -> None:
        now = self._clock.now()
        source = after_failure(source, self._section, now, error)
        _log.info("%s: %s", host_of(source.url), error.sentence, exc_info=error.__cause__)
        await self._settle(WatchLook(source), {})
        if is_final(error):
            await self._give_up(watches, error.sentence)
        elif is_hopeless(source, self._section, now) and not is_our_own(source, self._sources.values(), error):
            await self._give_up(watches, DEAD_SINCE.format(days=self._section.give_up_days, why=error.sentence))

    async def _give_up_missing(self, now: datetime, url: str) -> None:
        limit = now - timedelta(days=self._section.give_up_days)
        gone = [
            watch
            for watch in self._watches.values()
            if watch.url == url and watch.state == "active" and watch.missing_since and watch.missing_since <= limit
        ]
        if gone:
            await self._give_up(gone, f"{LAYOUT}.")

    async def _give_up(self, watches: Iterable[Watch], why: str) -> None:
        """Switch some off, and say so once where their news go."""
        for watch in watches:
            current = self._watches.get(watch.id)
            source = self._sources.get(watch.url)
            if current is None or current.state != "active" or source is None:
                continue
            off = replace(current, state="off", reason=why, pending="")
            post = WatchPost(watch.id, current.title, watch.url, OFF.format(why=why))
            await self._settle(WatchLook(source, [off], None, [post]), {watch.id: current})

    async def _end(self, watch: Watch, why: str) -> None:
        """News of a watch can be posted nowhere: switch it off without a word."""
        current = self._watches.get(watch.id)
        if current is not None:
            self._watches[watch.id] = replace(current, state="off", reason=why)
            await self._repository.save([self._watches[watch.id]])

    # ----------------------------------------------------------------------------------------------------------------------

    def _lock(self, url: str) -> asyncio.Lock:
        return self._locks.setdefault(url, asyncio.Lock())

    async def _settle(self, look: WatchLook, before: dict[int, Watch]) -> None:
        """Write a look. What people changed meanwhile, or removed, stays so."""
        kept = [
            watch for watch in look.watches if watch.id not in before or self._watches.get(watch.id) is before[watch.id]
        ]
        ids = {watch.id for watch in kept}
        written = WatchLook(
            look.source,
            kept,
            {id_: items for id_, items in (look.seen or {}).items() if id_ in ids},
            [post for post in look.posts if post.watch_id in ids],
        )
        posts = await self._repository.settle(written, self._clock.now(), KEEP)
        self._sources[look.source.url] = look.source
        self._watches.update({watch.id: watch for watch in kept})
        self.outbox.fill(posts)


def _judge(watch: Watch, seen: Sighting, number: int, known: Collection[str], now: datetime, most: int) -> Judgement:
    if seen.kind == "feed":
        return judge_feed(watch, seen, known, now, most=most)
    return judge_page(watch, seen, seen.parts[number], now)
