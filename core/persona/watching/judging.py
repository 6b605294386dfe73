"""What a look means for a watch: news, nothing new, or not sure yet. Pure functions of what was known and what is seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.names import plain
from core.store.watches import WatchPost

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from core.persona.watching.news import FeedItem, PagePart, Sighting
    from core.store.watches import Watch

KNOWN_FEED = "feed"
MORE = "and {count} more that are older"
WAS = "{now} (before: {before})"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The watch as it is now, the entries that it knows from now on, and what is to be posted, oldest first.

    Where nothing is found, the watch remembers since when.
    """

    watch: Watch
    seen: tuple[str, ...] = ()
    posts: tuple[WatchPost, ...] = ()


def judge_feed(watch: Watch, seen: Sighting, known: Collection[str], now: datetime, *, most: int) -> Judgement:
    """Of a feed: entries that are new. The first look posts nothing, and an empty feed tells nothing."""
    named = replace(watch, kind="feed", title=seen.title or watch.title)
    if not seen.items:
        return Judgement(named)
    fresh = [item for item in seen.items if item.key not in known]
    keys = tuple(item.key for item in fresh)
    if watch.known != KNOWN_FEED:
        return Judgement(replace(named, known=KNOWN_FEED), keys)
    news = [item for item in fresh if _about(item, watch.words)]
    if not news:
        return Judgement(named, keys)
    posts = [WatchPost(watch.id, item.title, item.url or watch.url, item.text, item.picture) for item in news[:most]]
    if len(news) > most:
        posts[-1] = replace(posts[-1], text=_line(posts[-1].text, MORE.format(count=len(news) - most)))
    return Judgement(replace(named, changed_at=now), keys, tuple(reversed(posts)))


def judge_page(watch: Watch, seen: Sighting, part: PagePart, now: datetime) -> Judgement:
    """Of a page: a change that two looks agree on. A blank part changes nothing, and the first look posts nothing."""
    named = replace(watch, kind="page", title=seen.title or watch.title)
    if not part.state:
        return Judgement(replace(named, pending="", missing_since=watch.missing_since or now))
    named = replace(named, missing_since=None)
    if not watch.known:
        return Judgement(replace(named, known=part.state, known_shown=part.shown, pending=""))
    if part.state == watch.known:
        return Judgement(replace(named, pending=""))
    if part.state != watch.pending:
        return Judgement(replace(named, pending=part.state))
    changed = replace(named, known=part.state, known_shown=part.shown, pending="", changed_at=now)
    text = WAS.format(now=part.shown, before=watch.known_shown) if watch.known_shown else part.shown
    return Judgement(changed, posts=(WatchPost(watch.id, named.title, watch.url, plain(text, 1000), seen.picture),))


def _about(item: FeedItem, words: tuple[str, ...]) -> bool:
    text = f"{item.title} {item.text}".casefold()
    return not words or any(word.casefold() in text for word in words)


def _line(text: str, more: str) -> str:
    return f"{text} ({more})" if text else f"({more})"
