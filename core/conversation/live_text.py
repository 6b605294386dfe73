"""A written reply that grows in place: one edit a second at most, a new message every 2,000 characters."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from core.tasks import Tasks

if TYPE_CHECKING:
    from core.clock import Clock

_log = logging.getLogger(__name__)

MESSAGE_LIMIT = 2000  # characters of one Discord message
EDIT_INTERVAL_S = 1.0
FIRST_S = 0.3  # a reply begins with a few words, not with one letter
AGAIN_S = (0.5, 2.0)  # pauses before the final text is tried again: discord.py repeats itself after some errors only
FENCE = "```"


class Posted(Protocol):
    """A message that was sent and can be changed."""

    async def edit(self, text: str) -> None:
        """Replace the text."""
        ...


class Poster(Protocol):
    """Sends messages, without pings."""

    async def post(self, text: str) -> Posted:
        """Send a message."""
        ...


class LiveText:
    """Shows a growing text. Failures of Discord are logged; they do not end the turn."""

    def __init__(self, poster: Poster, clock: Clock, *, interval_s: float = EDIT_INTERVAL_S) -> None:
        self._poster = poster
        self._clock = clock
        self._interval_s = interval_s
        self._posted: list[Posted] = []
        self._shown: list[str] = []
        self._text = ""
        self._last_s = 0.0
        self._begun = False
        self._tasks = Tasks("live text")

    async def update(self, text: str) -> None:
        """Show this text soon; returns at once."""
        self._text = text
        if text.strip() and not self._begun:
            self._begun = True
            self._last_s = self._clock.monotonic() + FIRST_S - self._interval_s
        if text.strip() and not self._tasks.running("show"):
            self._tasks.start(self._show_later(), "show")

    async def finish(self, text: str) -> None:
        """Show the final text now; if Discord refuses, again a little later."""
        await self._tasks.cancel_all()
        self._text = text
        for pause_s in AGAIN_S:
            if await self._show():
                return
            await self._clock.sleep(pause_s)
        await self._show()

    async def _show_later(self) -> None:
        while True:
            wait_s = self._last_s + self._interval_s - self._clock.monotonic()
            if wait_s > 0:
                await self._clock.sleep(wait_s)
            shown = self._text
            await self._show()
            if shown == self._text:
                return

    async def _show(self) -> bool:
        pages = split(self._text) if self._text.strip() else []
        self._last_s = self._clock.monotonic()
        for index, page in enumerate(pages):
            try:
                if index >= len(self._posted):
                    self._posted.append(await self._poster.post(page))
                    self._shown.append(page)
                elif page != self._shown[index]:
                    await self._posted[index].edit(page)
                    self._shown[index] = page
            except Exception as error:  # noqa: BLE001 - the poster is foreign; a reply that cannot be shown is still said
                _log.warning("a written reply could not be shown: %s", error, exc_info=error)
                return False
        return True


def split(text: str, limit: int = MESSAGE_LIMIT) -> list[str]:
    """Cut a text into messages at line ends or spaces; a code block that is cut is closed and opened again."""
    pages: list[str] = []
    rest = text.strip()
    while len(rest) > limit:
        room = limit - len(FENCE) - 1
        cut = max(rest.rfind("\n", room // 2, room), -1)
        if cut < 0:
            cut = rest.rfind(" ", room // 2, room)
        if cut < 0:
            cut = room
        page, rest = rest[:cut].rstrip(), rest[cut:].lstrip("\n ")
        if page.count(FENCE) % 2:
            opening = page[page.rfind(FENCE) :].split("\n", 1)[0]
            page += f"\n{FENCE}"
            rest = f"{opening if len(opening) < 20 else FENCE}\n{rest}"
        pages.append(page)
    if rest:
        pages.append(rest)
    return pages
