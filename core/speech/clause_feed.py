"""Hands on text that is still being written, in pieces, when it is time for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from core.speech.chunking import Chunker, Cut, unfinished
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from core.clock import Clock
    from core.speech.speakable import Speakable

LOW_S = 1.0  # with less sound than this queued, a clause is better than waiting for its sentence
FLUSH_S = 0.35  # after this long without new text, what is there is spoken
HOLD_S = 0.5  # what may be half a number waits so long for its other half
SLICE = 4000  # characters that are made speakable without giving way
LOOK_S = 0.05  # how often the queue is looked at while it is full


class Script:
    """The text of one turn as it comes, made speakable, for as many readers and as often as needed.

    Text that is speakable already needs no `speakable`. With a `clock`, readers get no half numbers while more may come.
    `close` stops reading the source. A failure of the source shows as `error` once all text before it is there.
    """

    def __init__(
        self, source: AsyncIterator[str], speakable: Speakable | None = None, clock: Clock | None = None
    ) -> None:
        self.text = ""
        self.received = 0  # characters that came, also those that are held back until what they are is clear
        self.finished = False
        self.error: BaseException | None = None
        self._source = source
        self._speakable = speakable
        self._clock = clock
        self._waiting: list[asyncio.Future[None]] = []
        self._tasks = Tasks("speech script")

    def start(self) -> None:
        """Begin to read."""
        self._tasks.start(self._read(), "read")

    async def close(self) -> None:
        """Stop reading."""
        await self._tasks.cancel_all()

    def changed(self) -> asyncio.Future[None]:
        """Done when there is more text than now, or the end; each caller has a future of its own."""
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(news)
        return news

    async def sayable(self) -> bool:
        """Wait for the first letter or digit; False if the text ends without one."""
        looked = 0
        while not any(character.isalnum() for character in self.text[looked:]):
            if self.finished:
                return False
            looked = len(self.text)
            await self.changed()
        return True

    async def deltas(self, start: int = 0) -> AsyncIterator[str]:
        """The text from `start` on, as it comes."""
        while True:
            if len(self.text) > start:
                end = len(self.text) if self.finished or self._clock is None else unfinished(self.text, start)
                if end == start:
                    if not await self._waited(self._clock):
                        continue
                    self.hurry()
                    end = len(self.text)
                piece, start = self.text[start:end], end
                yield piece
            elif self.finished:
                return
            elif not self.holding:
                await self.changed()
            elif await self._waited(self._clock) and self.hurry():
                piece, start = self.text[start:], len(self.text)
                yield piece

    @property
    def holding(self) -> bool:
        """Whether something is held back that may be half of a number."""
        return self._speakable is not None and not self.finished and self._speakable.holding

    def hurry(self) -> bool:
        """Add what is held back because it may be half of a number; whether there was anything."""
        text = self._speakable.hurry() if self._speakable is not None and not self.finished else ""
        if text:
            self._add(text)
        return bool(text)

    async def _waited(self, clock: Clock | None) -> bool:
        """Wait for more text, but not long; whether the time passed without any."""
        news = self.changed()
        if clock is None:
            return True
        alarm = asyncio.ensure_future(clock.sleep(HOLD_S))
        try:
            await asyncio.wait({news, alarm}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
        return not news.done()

    async def _read(self) -> None:
        try:
            async for delta in self._source:
                for start in range(0, len(delta), SLICE):
                    piece = delta[start : start + SLICE]
                    self.received += len(piece)
                    self._add(piece if self._speakable is None else self._speakable.push(piece))
                    if len(delta) > SLICE:
                        await asyncio.sleep(0)  # a text that comes as a whole is as long as it likes
        except Exception as error:  # noqa: BLE001 - whatever the source raises is raised where the turn is spoken
            self.error = error
        if self._speakable is not None:
            self._add(self._speakable.finish())
        self.finished = True
        self._tell()

    def _add(self, text: str) -> None:
        grown, self.text = (
            self.text,
            "",
        )  # a text that nobody else holds grows where it is; else each word copies it all
        grown += text
        self.text = grown
        self._tell()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for news in waiting:
            if not news.done():
                news.set_result(None)


class ClauseFeed:
    """Pieces of a script: the first clause at once, then sentences while the queue has room.

    Args:
        script: Where the text comes from.
        chunker: Where it may be cut.
        queued_s: How much sound waits to be played.
        enough_s: No more text is given on while this much is queued.
        clock: Time.
    """

    def __init__(
        self, script: Script, chunker: Chunker, *, queued_s: Callable[[], float], enough_s: float, clock: Clock
    ) -> None:
        self._script = script
        self._chunker = chunker
        self._queued_s = queued_s
        self._enough_s = enough_s
        self._clock = clock
        self._read = 0
        self._received = 0
        self._heard_at = clock.monotonic()
        self._begun = False

    async def next(self) -> str | None:
        """The next piece, when it is time for it; None at the end. Pieces without a letter or digit are passed over."""
        while True:
            self._pull()
            queued_s = self._queued_s()
            if self._begun and queued_s > self._enough_s:
                await self._clock.sleep(LOOK_S)
                continue
            cut = self._cut(queued_s)
            if cut >= Cut.REST and self._script.hurry():
                continue
            piece = self._chunker.take(cut)
            if piece is None and self._chunker.done:
                return None
            if piece is None:
                await self._wait(queued_s)
            elif any(character.isalnum() for character in piece):
                self._begun = True
                return piece

    def _pull(self) -> None:
        """Hand new text to the chunker."""
        fresh = self._script.text[self._read :]
        if fresh:
            self._read += len(fresh)
            self._chunker.push(fresh)
        if self._script.received > self._received:
            self._received = self._script.received
            self._heard_at = self._clock.monotonic()
        if self._script.finished:
            self._chunker.finish()

    def _cut(self, queued_s: float) -> Cut:
        if queued_s >= LOW_S:
            return Cut.SENTENCE
        idle_s = self._clock.monotonic() - self._heard_at
        return Cut.REST if idle_s >= HOLD_S else Cut.WORD if idle_s >= FLUSH_S else Cut.CLAUSE

    async def _wait(self, queued_s: float) -> None:
        """Until there is new text, the silence is long enough to speak what is there, or the queue may have run low."""
        news = self._script.changed()
        if not self._chunker.waiting and not self._script.holding:
            await news
            return
        idle_s = self._clock.monotonic() - self._heard_at
        pause_s = LOOK_S if queued_s >= LOW_S else (FLUSH_S if idle_s < FLUSH_S else HOLD_S) - idle_s
        if pause_s <= 0:  # everything that can be spoken was
            await news
            return
        alarm = asyncio.ensure_future(self._clock.sleep(pause_s))
        try:
            await asyncio.wait({news, alarm}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
