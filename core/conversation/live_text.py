"""A written reply that grows in place: one edit a second at most, a new message every 2,000 characters."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from core.conversation.pages import split
from core.discord_limits import MESSAGE_LIMIT
from core.tasks import Tasks

if TYPE_CHECKING:
    from core.clock import Clock

__all__ = ["MESSAGE_LIMIT", "LiveText", "Posted", "Poster", "split"]

_log = logging.getLogger(__name__)

EDIT_INTERVAL_S = 1.0
FIRST_S = 0.3  # a reply begins with a few words, not with one letter
AGAIN_S = (0.5, 2.0)  # pauses before the final text is tried again: discord.py repeats itself after some errors only


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
        self._final = False
        self._tasks = Tasks("live text")

    @property
    def message_ids(self) -> tuple[int, ...]:
        """The messages that show it, in order, as far as the poster tells."""
        ids = (getattr(each, "id", None) for each in self._posted)
        return tuple(each for each in ids if each is not None)

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
        self._final = True
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
        pages = split(self._text, growing=not self._final) if self._text.strip() else []
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
