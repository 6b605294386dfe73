"""What is watched: each server's pages and feeds, the addresses behind them, what was seen, and posts that wait."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Integer, delete, func, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from core.store.base import Base

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from core.store.store import Store

WatchState = Literal["active", "paused", "off"]
_CHUNK = 400  # values in one statement


class WatchRow(Base):
    """One page or feed that one server watches."""

    __tablename__ = "watch"

    id: Mapped[int] = mapped_column(Integer(), primary_key=True)
    guild_id: Mapped[int] = mapped_column(index=True)
    channel_id: Mapped[int]
    added_by: Mapped[int | None] = mapped_column(index=True)
    added_at: Mapped[datetime]
    url: Mapped[str]
    selector: Mapped[str]
    words: Mapped[str]  # JSON
    kind: Mapped[str]
    title: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str]
    known: Mapped[str]
    known_shown: Mapped[str]
    pending: Mapped[str]
    missing_since: Mapped[datetime | None]
    changed_at: Mapped[datetime | None]


class WatchSourceRow(Base):
    """One address, however many servers watch it."""

    __tablename__ = "watch_source"

    url: Mapped[str] = mapped_column(primary_key=True)
    asked_url: Mapped[str]
    etag: Mapped[str]
    last_modified: Mapped[str]
    next_at: Mapped[datetime]
    fails: Mapped[int]
    failing_since: Mapped[datetime | None]
    last_ok_at: Mapped[datetime | None]
    detail: Mapped[str]


class WatchSeenRow(Base):
    """An entry of a feed that a watch knows."""

    __tablename__ = "watch_seen"

    watch_id: Mapped[int] = mapped_column(Integer(), primary_key=True, autoincrement=False)
    item: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class WatchPostRow(Base):
    """News that are to be posted."""

    __tablename__ = "watch_post"

    id: Mapped[int] = mapped_column(Integer(), primary_key=True)
    watch_id: Mapped[int] = mapped_column(index=True)
    made_at: Mapped[datetime]
    content: Mapped[str]  # JSON


@dataclass(frozen=True, slots=True)
class Watch:
    """One page or feed that one server watches.

    Attributes:
        id: Its number; 0 until it is stored.
        guild_id: The server.
        channel_id: Where news are posted.
        added_by: Who added it; None if that person is forgotten.
        added_at: When.
        url: The address as it was given.
        selector: CSS selector of the part of a page; empty: all of it.
        words: Words that it is about; none: everything.
        kind: `feed`, `page`, or empty before the first look.
        title: What the page or feed calls itself; plain text of strangers.
        state: Whether it goes on; `off` is by ourselves.
        reason: Why it is off, as a sentence.
        known: How the page looked when that was last sure; of a feed, whether its entries are known.
        known_shown: The same for people; plain text of strangers.
        pending: How it looked at the last look, if that is not sure yet.
        missing_since: Since when nothing is found where it looks.
        changed_at: When the last news came.
    """

    id: int
    guild_id: int
    channel_id: int
    added_by: int | None
    added_at: datetime
    url: str
    selector: str = ""
    words: tuple[str, ...] = ()
    kind: str = ""
    title: str = ""
    state: WatchState = "active"
    reason: str = ""
    known: str = ""
    known_shown: str = ""
    pending: str = ""
    missing_since: datetime | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WatchSource:
    """One address: when it is looked at next, what its server said of the version it sent, and how often it failed."""

    url: str
    next_at: datetime
    asked_url: str = ""
    etag: str = ""
    last_modified: str = ""
    fails: int = 0
    failing_since: datetime | None = None
    last_ok_at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class WatchPost:
    """News of one watch. Texts are plain, of strangers; addresses are of web servers."""

    watch_id: int
    title: str
    url: str
    text: str = ""
    picture: str = ""
    id: int = 0
    tries: int = 0


@dataclass(frozen=True, slots=True)
class WatchLook:
    """What one look changes, written at once: then no entry is posted twice, or forgotten, whenever the process ends."""

    source: WatchSource
    watches: Sequence[Watch] = ()
    seen: Mapping[int, Sequence[str]] | None = None
    posts: Sequence[WatchPost] = ()


class WatchesRepository:
    """Reads and writes watches. Each method is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self) -> tuple[list[Watch], list[WatchSource], list[WatchPost]]:
        """Everything but which entries were seen."""
        async with self._store.transaction() as session:
            watches = [_watch(row) for row in await session.scalars(select(WatchRow).order_by(WatchRow.id))]
            sources = [_source(row) for row in await session.scalars(select(WatchSourceRow))]
            posts = [_post(row) for row in await session.scalars(select(WatchPostRow).order_by(WatchPostRow.id))]
        return watches, sources, posts

    async def seen(self, watch_id: int) -> set[str]:
        """The entries that a watch knows."""
        async with self._store.transaction() as session:
            return set(await session.scalars(select(WatchSeenRow.item).where(WatchSeenRow.watch_id == watch_id)))

    async def add(self, watch: Watch) -> int:
        """Store a new one; gives its number."""
        async with self._store.transaction() as session:
            row = WatchRow(**_values(watch))
            session.add(row)
            await session.flush()
            return row.id

    async def save(self, watches: Iterable[Watch]) -> None:
        """Write some as they are."""
        async with self._store.transaction() as session:
            for watch in watches:
                await session.merge(WatchRow(id=watch.id, **_values(watch)))

    async def settle(self, look: WatchLook, now: datetime, keep: int) -> list[WatchPost]:
        """Write what a look changed; gives its posts with their numbers. Each watch keeps `keep` entries it knows."""
        async with self._store.transaction() as session:
            await session.merge(WatchSourceRow(**_source_values(look.source)))
            for watch in look.watches:
                await session.merge(WatchRow(id=watch.id, **_values(watch)))
            for watch_id, items in (look.seen or {}).items():
                rows = [{"watch_id": watch_id, "item": item, "at": now} for item in items]
                if rows:
                    await session.execute(insert(WatchSeenRow), rows)
                    await self._forget(session, watch_id, keep)
            made: list[WatchPost] = []
            for post in look.posts:
                row = WatchPostRow(watch_id=post.watch_id, made_at=now, content=_content(post))
                session.add(row)
                await session.flush()
                made.append(_post(row))
            return made

    async def _forget(self, session: Any, watch_id: int, keep: int) -> None:
        mine = WatchSeenRow.watch_id == watch_id
        count = await session.scalar(select(func.count()).select_from(WatchSeenRow).where(mine))
        if count > keep:
            old = select(WatchSeenRow.item).where(mine).order_by(WatchSeenRow.at).limit(count - keep)
            await session.execute(
                delete(WatchSeenRow)
                .where(mine, WatchSeenRow.item.in_(old))
                .execution_options(synchronize_session=False)
            )

    async def take(self, post_id: int) -> bool:
        """Take a post out, before it is posted; false if somebody else did."""
        async with self._store.transaction() as session:
            found: Any = await session.execute(delete(WatchPostRow).where(WatchPostRow.id == post_id))
            return bool(found.rowcount)

    async def put_back(self, post: WatchPost, now: datetime) -> WatchPost:
        """Keep a post that could not be posted."""
        async with self._store.transaction() as session:
            row = WatchPostRow(watch_id=post.watch_id, made_at=now, content=_content(post))
            session.add(row)
            await session.flush()
            return _post(row)

    async def remove(self, ids: Sequence[int]) -> None:
        """Take some away, with what they know and what waits; and addresses that nobody watches any more."""
        async with self._store.transaction() as session:
            for start in range(0, len(ids), _CHUNK):
                part = ids[start : start + _CHUNK]
                await session.execute(delete(WatchSeenRow).where(WatchSeenRow.watch_id.in_(part)))
                await session.execute(delete(WatchPostRow).where(WatchPostRow.watch_id.in_(part)))
                await session.execute(delete(WatchRow).where(WatchRow.id.in_(part)))
            await session.execute(delete(WatchSourceRow).where(WatchSourceRow.url.not_in(select(WatchRow.url))))


def _values(watch: Watch) -> dict[str, Any]:
    values = {name: getattr(watch, name) for name in Watch.__dataclass_fields__ if name != "id"}
    return values | {"words": json.dumps(list(watch.words))}


def _watch(row: WatchRow) -> Watch:
    values: dict[str, Any] = {name: getattr(row, name) for name in Watch.__dataclass_fields__}
    values["words"] = tuple(json.loads(row.words))
    return Watch(**values)


def _source_values(source: WatchSource) -> dict[str, Any]:
    return {name: getattr(source, name) for name in WatchSource.__dataclass_fields__}


def _source(row: WatchSourceRow) -> WatchSource:
    return WatchSource(**{name: getattr(row, name) for name in WatchSource.__dataclass_fields__})


def _content(post: WatchPost) -> str:
    return json.dumps([post.title, post.url, post.text, post.picture, post.tries])


def _post(row: WatchPostRow) -> WatchPost:
    title, url, text, picture, tries = json.loads(row.content)
    return WatchPost(row.watch_id, title, url, text, picture, row.id, tries)
