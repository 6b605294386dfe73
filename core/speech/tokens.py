"""Speaks token by token: text goes to the engine as it comes, sound comes back when the engine has it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import SpeechError
from core.speech.clauses import SPARE_S, SPARE_S_A_CHARACTER
from core.speech.engine import SpeechChunk, SpeechEngine, Voice, failure

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from core.speech.clause_feed import Script

_log = logging.getLogger(__name__)

LOOK_S = 0.25
ENOUGH_CHARS = 100  # an engine that has this much unspoken text, or the end of it, has no reason to be silent


class TokenStream:
    """One turn through an engine that takes text as it comes."""

    def __init__(self, engine: SpeechEngine, voice: Voice, script: Script, *, timeout_s: float, retries: int) -> None:
        self._engine = engine
        self._voice = voice
        self._script = script
        self._timeout_s = timeout_s
        self._retries = retries
        self._said = 0  # characters of the script whose sound was given on
        self._cut_off = ""  # the end of a word in which the sound broke off
        self._given_s = 0.0
        self._due: float | None = None  # when the next sound has to be there, as the loop counts

    async def sound(self) -> AsyncGenerator[SpeechChunk, None]:
        """The sound of the whole script.

        Raises:
            SpeechError: The engine failed, also when asked again for what was not said yet.
        """
        failures = 0
        while True:
            try:
                async with aclosing(self._attempt(self._unsaid())) as chunks:
                    async for chunk in chunks:
                        self._said += len(chunk.text)
                        cut_off, self._cut_off = self._cut_off, ""
                        yield replace(chunk, text=cut_off + chunk.text) if cut_off else chunk
                return
            except SpeechError as error:
                failures += 1
                if failures > self._retries:
                    raise
                _log.warning("%s Trying again.", error.sentence, exc_info=error.__cause__)

    def _unsaid(self) -> int:
        """Where to go on after a failure: at the start of a word. A word that broke off is not said twice."""
        start, text = self._said, self._script.text
        while 0 < start < len(text) and not text[start - 1].isspace():
            start += 1
        self._cut_off += text[self._said : start]
        self._said = start
        return start

    async def _attempt(self, start: int) -> AsyncGenerator[SpeechChunk, None]:
        heard = False
        self._due = None
        async with aclosing(self._engine.stream(self._script.deltas(start), self._voice)) as chunks:
            while (chunk := await self._next(chunks)) is not None:
                if len(chunk.samples):
                    heard, self._due = True, None
                self._given_s += chunk.duration_s
                if self._given_s > SPARE_S + SPARE_S_A_CHARACTER * len(self._script.text):
                    raise failure(self._engine, "does not come to an end")
                yield chunk
        if not heard and any(character.isalnum() for character in self._script.text[start:]):
            raise failure(self._engine, "gave no sound for a text")

    async def _next(self, chunks: AsyncIterator[SpeechChunk]) -> SpeechChunk | None:
        """The next chunk; None at the end. Silence is a failure once the engine has text enough to speak.

        Chunks that bring no sound do not count as any.
        """
        loop = asyncio.get_running_loop()
        coming = asyncio.ensure_future(_next_or_end(chunks))
        try:
            while True:
                enough = self._script.finished or len(self._script.text) - self._said >= ENOUGH_CHARS
                if self._due is None and enough:
                    self._due = loop.time() + self._timeout_s
                late = self._due is not None and loop.time() >= self._due
                if coming.done() and ((chunk := coming.result()) is None or len(chunk.samples) or not late):
                    return chunk
                if late:
                    raise failure(self._engine, f"gave no sound within {self._timeout_s:g} s")
                await asyncio.wait({coming}, timeout=LOOK_S)
        finally:
            if not coming.done():
                coming.cancel()
                await asyncio.wait({coming})


async def _next_or_end(chunks: AsyncIterator[SpeechChunk]) -> SpeechChunk | None:
    return await anext(chunks, None)
