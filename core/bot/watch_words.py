"""What `/watch` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from core.discord_limits import MESSAGE_LIMIT
from core.names import code, plain, shown

if TYPE_CHECKING:
    from core.persona.watching.news import Sighting
    from core.store.watches import Watch, WatchSource

TITLE, URL = 80, 120

NONE = "This server watches nothing. `/watch add` begins."
FEED = "**#{id}** I watch the feed {title} for {channel}: what comes after what it holds now ({count}) is posted there{words}."
PAGE = "**#{id}** I watch the page {title} for {channel}. Now it says: {now}. When that changes, I post it there."
ABOUT = ", if it is about {words}"
LINE = "**#{id}** {mark} {title} in {channel}\n-# {url}{details}"
MORE = "…and {count} more; `/watch remove` suggests them all."
MARKS = {"active": "▶️", "paused": "⏸️", "off": "⏹️"}
REMOVED = "**#{id}** is removed: {title}."
PAUSED = "**#{id}** is paused. `/watch pause` once more lets it go on."
RESUMED = "**#{id}** goes on."


def added(watch: Watch, seen: Sighting) -> str:
    """What is watched from now on."""
    title, channel = name(watch), f"<#{watch.channel_id}>"
    if seen.kind == "feed":
        words = ABOUT.format(words=_words(watch)) if watch.words else ""
        return FEED.format(id=watch.id, title=title, channel=channel, count=len(seen.items), words=words)
    return PAGE.format(id=watch.id, title=title, channel=channel, now=shown(watch.known_shown, 200))


def listed(watches: list[tuple[Watch, WatchSource | None]]) -> str:
    """All of a server, as many as a message holds."""
    if not watches:
        return NONE
    lines = [_line(watch, source) for watch, source in watches]
    text, count = "", 0
    for line in lines:
        if len(text) + len(line) > MESSAGE_LIMIT - 100:
            return f"{text}\n{MORE.format(count=len(lines) - count)}"
        text, count = f"{text}\n{line}".strip(), count + 1
    return text


def name(watch: Watch) -> str:
    """What a watch is called."""
    return shown(watch.title, TITLE) if watch.title else code(watch.url, TITLE)


def choice(watch: Watch) -> str:
    """One suggestion."""
    return plain(f"#{watch.id} {watch.title or watch.url}", 100)


def _line(watch: Watch, source: WatchSource | None) -> str:
    details = [f"element {code(watch.selector, 60)}"] if watch.selector else []
    if watch.words:
        details.append(f"words: {_words(watch)}")
    if watch.state == "off":
        details.append(shown(watch.reason, 200))
    elif source is not None and source.fails:
        next_at = discord.utils.format_dt(source.next_at, "R")
        details.append(f"failed {source.fails} times, I look again {next_at}: {shown(source.detail, 200)}")
    elif watch.changed_at is not None:
        details.append(f"last news {discord.utils.format_dt(watch.changed_at, 'R')}")
    return LINE.format(
        id=watch.id,
        mark=MARKS[watch.state],
        title=name(watch),
        channel=f"<#{watch.channel_id}>",
        url=code(watch.url, URL),
        details="".join(f" · {each}" for each in details),
    )


def _words(watch: Watch) -> str:
    return ", ".join(code(word, 40) for word in watch.words)
