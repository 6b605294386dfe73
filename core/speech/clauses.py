"""Speaks clause by clause: the next one is asked for while the one before is handed on, so that no gap opens."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from core.errors import SpeechError
from core.speech.engine import SpeechChunk, SpeechEngine, Voice, failure
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from core.clock import Clock
    from core.speech.clause_feed import ClauseFeed

_log = logging.getLogger(__name__)

AHEAD = 1  # clauses asked for beyond the one that is given on
RETRY_AFTER_S = 0.2
CHUNKS_KEPT = 64  # of one clause, before its server has to wait
SILENT_RUN = 3  # pieces without sound, one after the other, are no accident any more
SPARE_S, SPARE_S_A_CHARACTER = 30.0, 1.0  # more sound than this for a text is no speech of it


class NoSoundError(SpeechError):
    """The engine ended a piece of text in due form, without any sound: it may lack the letters or the language."""


@dataclass(frozen=True, slots=True)
class _End:
    """No more sound of this clause; `error` says why if it is not all there."""

    error: Exception | None = None


@dataclass(slots=True)
class _Clause:
    """A piece of text whose sound is on its way."""

    text: str
    chunks: asyncio.Queue[SpeechChunk | _End] = field(default_factory=lambda: asyncio.Queue(CHUNKS_KEPT))


class Clauses:
    """One turn's clauses through an engine that wants them whole."""

    def __init__(self, engine: SpeechEngine, voice: Voice, *, timeout_s: float, retries: int, clock: Clock) -> None:
        self._engine = engine
        self._voice = voice
        self._timeout_s = timeout_s
        self._retries = retries
        self._clock = clock
        self._free = asyncio.Semaphore(1 + AHEAD)
        self._order: asyncio.Queue[_Clause | None] = asyncio.Queue()
        self._tasks = Tasks("speech clauses")

    async def sound(self, feed: ClauseFeed) -> AsyncGenerator[SpeechChunk, None]:
        """The sound of all clauses, in order; a piece for which the engine has no sound is passed over.

        Raises:
            SpeechError: A clause failed, also when tried again; or there was no sound of any, or of several in a row.
        """
        self._tasks.start(self._ask(feed), "ask")
        heard, silent = False, list[NoSoundError]()
        try:
            while (clause := await self._order.get()) is not None:
                while not isinstance(item := await clause.chunks.get(), _End):
                    heard = True
                    silent.clear()
                    yield item
                if isinstance(item.error, NoSoundError):
                    silent.append(item.error)
                    _log.warning("%s It is passed over: %d characters.", item.error.sentence, len(clause.text))
                elif item.error is not None:
                    raise item.error
                if len(silent) >= SILENT_RUN:
                    break
                self._free.release()
            if silent and (len(silent) >= SILENT_RUN or not heard):
                raise silent[0]
        finally:
            await self._tasks.cancel_all()

    async def _ask(self, feed: ClauseFeed) -> None:
        while True:
            await self._free.acquire()
            text = await feed.next()
            if text is None:
                self._order.put_nowait(None)
                return
            clause = _Clause(text)
            self._order.put_nowait(clause)
            self._tasks.start(self._fetch(clause))

    async def _fetch(self, clause: _Clause) -> None:
        """Get one clause's sound; after a failure again, without what was already given on."""
        given = 0.0
        for attempt in range(self._retries + 1):
            try:
                async with aclosing(self._skipping(clause.text, given)) as chunks:
                    async for chunk in chunks:
                        given += chunk.duration_s
                        await clause.chunks.put(chunk)
            except SpeechError as error:
                if attempt == self._retries:
                    await clause.chunks.put(_End(error))
                    return
                _log.warning("%s Trying again.", error.sentence, exc_info=error.__cause__)
                await self._clock.sleep(RETRY_AFTER_S)
            except Exception as error:  # noqa: BLE001 - an engine's own fault is raised where the turn is spoken
                await clause.chunks.put(_End(error))
                return
            else:
                await clause.chunks.put(_End())
                return

    async def _skipping(self, text: str, given_s: float) -> AsyncGenerator[SpeechChunk, None]:
        """The clause's sound from `given_s` on."""
        position_s, first = 0.0, True
        async with aclosing(self._engine.stream(_once(text), self._voice)) as chunks:
            while True:
                try:
                    async with asyncio.timeout(self._timeout_s):
                        chunk = await _sounding(chunks)
                except TimeoutError as error:
                    raise failure(self._engine, f"gave no sound within {self._timeout_s:g} s") from error
                if chunk is None:
                    break
                start_s, position_s = position_s, position_s + chunk.duration_s
                if position_s > SPARE_S + SPARE_S_A_CHARACTER * len(text):
                    raise failure(self._engine, "does not come to an end")
                if start_s < given_s:
                    chunk = replace(chunk, samples=chunk.samples[round((given_s - start_s) * chunk.rate_hz) :])
                yield replace(chunk, text=text if first and not given_s else "")
                first = False
        if first and any(character.isalnum() for character in text):
            raise NoSoundError(failure(self._engine, "gave no sound for a piece of text").sentence)


async def _sounding(chunks: AsyncIterator[SpeechChunk]) -> SpeechChunk | None:
    """The next chunk that has samples; None at the end."""
    while (chunk := await anext(chunks, None)) is not None:
        if len(chunk.samples):
            return chunk
    return None


async def _once(text: str) -> AsyncIterator[str]:
    yield text
