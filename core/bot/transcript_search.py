"""Searching what was said: what somebody typed, kept while they turn pages, and the pages as Discord shows them."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import discord

from core.bot.interactions import BUTTONS
from core.bot.recording_messages import clock
from core.errors import HearingError
from core.names import shown, shown_text
from core.store.search_text import excerpt, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.clock import Clock
    from core.store.recordings import RecordingRecord
    from core.store.search_text import Term
    from core.store.transcripts import Spoken, TranscriptsRepository

PAGE = 8
MOST_SEARCHES = 200
EXCERPT = 150
NO_WORDS = 'There is no word in that. Letters and digits of any script can be found; `begin*` finds beginnings, `"two words"` a phrase.'
NOTHING = "Nobody said that on a recording that you may see."
OVER = "That search is too long ago. Please search again."
NO_TIME = "“{given}” is no time that I know: a day as 2026-11-25, `today`, `yesterday`, or how long ago, as `3 days` or `2 weeks`."
FOUND = "**{count} found**, newest first{pages}"
PAGES = " · page {page} of {pages}"
SINCE = ("today", "yesterday", "7 days", "2 weeks", "1 month", "1 year")
_AGO = re.compile(r"(\d{1,4})\s*(h|d|w|m|y|hours?|days?|weeks?|months?|years?)(\s+ago)?", re.IGNORECASE)
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "m": 30 * 24, "y": 365 * 24}


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for, and who that is."""

    asker: int
    guild_id: int
    terms: tuple[Term, ...]
    user_id: int | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class FoundPage:
    """Some of what was found."""

    hits: Sequence[Spoken]
    count: int
    number: int  # from 0

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(0, (self.count - 1) // PAGE)


class Searches:
    """Searches under way: buttons that turn pages know them by a key, through reloads."""

    def __init__(self, repository: TranscriptsRepository, clock: Clock) -> None:
        self._repository = repository
        self._clock = clock
        self._known: dict[str, Search] = {}

    def begin(
        self, asker: int, guild_id: int, words: str, user_id: int | None, since: str | None
    ) -> tuple[str, Search]:
        """Take a search; gives its key as well.

        Raises:
            HearingError: There is no word in it, or no such time.
        """
        terms = parse(words)
        if not terms:
            raise HearingError(NO_WORDS)
        search = Search(asker, guild_id, terms, user_id, parse_since(since, self._clock.now()) if since else None)
        key = secrets.token_hex(8)
        self._known[key] = search
        while len(self._known) > MOST_SEARCHES:
            del self._known[next(iter(self._known))]
        return key, search

    def find(self, key: str, asker: int) -> Search:
        """A search of somebody.

        Raises:
            HearingError: It is forgotten, or another's.
        """
        search = self._known.get(key)
        if search is None or search.asker != asker:
            raise HearingError(OVER)
        return search

    async def page(self, search: Search, records: Sequence[RecordingRecord], number: int) -> FoundPage:
        """One page of what is found on recordings that the asker may see now.

        Raises:
            StoreError: The database cannot be read.
        """
        ids = [record.id for record in records]
        hits, count = await self._repository.search(
            search.terms,
            recording_ids=ids,
            user_id=search.user_id,
            since=search.since,
            limit=PAGE,
            offset=max(0, number) * PAGE,
        )
        return FoundPage(hits, count, max(0, number))


def parse_since(given: str, now: datetime) -> datetime:
    """The time that somebody means.

    Raises:
        HearingError: It is none.
    """
    text = given.strip().casefold()
    here = now.astimezone()
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    if text in ("today", "yesterday"):
        return (midnight - timedelta(days=text == "yesterday")).astimezone(UTC)
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            return now - timedelta(hours=int(ago[1]) * _HOURS[ago[2][0]])
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=here.tzinfo)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise HearingError(NO_TIME.format(given=shown(given, 40))) from error


def page_text(search: Search, page: FoundPage) -> str:
    """A page as Discord's markdown; nothing that somebody said is markup."""
    if not page.hits:
        return NOTHING
    pages = PAGES.format(page=page.number + 1, pages=page.last + 1) if page.last else ""
    lines = [FOUND.format(count=page.count, pages=pages)]
    for hit in page.hits:
        said = shown_text(excerpt(hit.text, search.terms, EXCERPT), 2 * EXCERPT).replace("\n", " ")
        when = f"<t:{int(hit.said_at.timestamp())}:f>"
        place = f"<#{hit.channel_id}> at {clock(hit.start_s)} · `{hit.recording_id}`"
        line = f"{when} **{shown(hit.speaker, 40)}**: {said}\n-# {place}"
        if sum(map(len, lines)) + len(lines) + len(line) > 1900:
            break
        lines.append(line)
    return "\n".join(lines)


def page_view(owner: str, key: str, page: FoundPage) -> discord.ui.View:
    """Buttons to the pages before and behind; the runtime listens to them by their ids."""
    view = discord.ui.View(timeout=None)
    for label, number, off in (
        ("◀", page.number - 1, not page.number),
        ("▶", page.number + 1, page.number >= page.last),
    ):
        custom_id = f"{BUTTONS}{owner}:page-{key}-{number}"
        view.add_item(discord.ui.Button(label=label, custom_id=custom_id, disabled=off))
    view.stop()
    return view
