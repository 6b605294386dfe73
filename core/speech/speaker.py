"""Speaks for one session: owns an engine, makes text speakable, cuts it, asks for sound ahead of time, tries again."""

from __future__ import annotations

import asyncio
import importlib
import logging
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from core.clock import SystemClock
from core.speech.chunking import Chunker
from core.speech.clause_feed import ClauseFeed, Script
from core.speech.clauses import Clauses
from core.speech.engine import Voice, failure
from core.speech.shaping import Shaper
from core.speech.speakable import Speakable
from core.speech.tokens import TokenStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

    from core.character import Mood
    from core.clock import Clock
    from core.config.speech import SpeechSection
    from core.speech.engine import SpeechChunk, SpeechEngine
    from core.speech.speakable import Names

_log = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 10.0


def _nothing_queued() -> float:
    return 0.0


class Speaker:
    """One engine, open from the start of a session to its end.

    Args:
        engine: What makes the sound.
        section: `[speech]`.
        clock: Time.
    """

    def __init__(self, engine: SpeechEngine, section: SpeechSection, clock: Clock | None = None) -> None:
        self.engine = engine
        self._section = section
        self._clock = clock or SystemClock()

    @property
    def voice(self) -> Voice:
        """The configured voice; give `speak` a changed copy for somebody's own."""
        return Voice("", self._section.rate, self._section.pitch)

    async def check(self) -> None:
        """See that the engine is to be had, before anything gives way for it.

        Raises:
            SpeechError: It is not; the message names engine, address and cause.
        """
        async with self._in_time():
            await self.engine.check()

    async def open(self) -> None:
        """Open the engine; one that was not checked is checked now.

        Raises:
            SpeechError: It is not to be had; the message names engine, address and cause.
        """
        async with self._in_time():
            await self.engine.open()
            await asyncio.to_thread(importlib.import_module, "av")  # slow; the first sound must not wait for it
        _log.info("speech engine %s (%s) is ready", self.engine.name, self.engine.address)

    async def close(self) -> None:
        """Close the engine."""
        await self.engine.close()

    async def voices(self) -> Sequence[str]:
        """Names of the engine's voices; empty if it cannot tell.

        Raises:
            SpeechError: It was asked and did not answer.
        """
        return await self.engine.voices()

    async def speak(
        self,
        text: AsyncIterator[str],
        voice: Voice | None = None,
        *,
        queued_s: Callable[[], float] = _nothing_queued,
        mood: Mood | None = None,
        names: Names | None = None,
    ) -> AsyncGenerator[SpeechChunk, None]:
        """The text as sound, while it is still being written.

        Closing the generator (`contextlib.aclosing`) or cancelling the task that reads it stops the engine and the
        reading of `text` at once.

        Args:
            text: Pieces of text as they come, split anywhere.
            voice: Who speaks; the configured voice by default.
            queued_s: How much sound waits to be played; text is held back while it is plenty.
            mood: Changes pitch and speed.
            names: Looks up mentions.

        Yields:
            48 kHz mono; the texts of all chunks, joined, are what is said.

        Raises:
            SpeechError: The engine failed, also when tried again; what was given until then is good.
            Exception: Whatever `text` raised, after all text before it has been given as sound.
        """
        wanted = voice or self.voice
        if mood is not None:
            wanted = mood.colour(wanted)
        own = self.engine.native(wanted)
        shaper = Shaper(pitch=wanted.pitch - own.pitch, rate=wanted.rate / own.rate)
        script = Script(text, Speakable(names), self._clock)
        script.start()
        try:
            if await script.sayable():
                async with aclosing(self._sound(script, own, queued_s)) as sound:
                    async for chunk in sound:
                        if (shaped := shaper.shape(chunk)) is not None:
                            yield shaped
                if (rest := shaper.flush()) is not None:
                    yield rest
            if script.error is not None:
                raise script.error
        finally:
            await script.close()

    async def say(self, text: str, voice: Voice | None = None) -> AsyncGenerator[SpeechChunk, None]:
        """A text that is there as a whole, as sound; see `speak`."""

        async def once() -> AsyncIterator[str]:
            yield text

        async with aclosing(self.speak(once(), voice)) as sound:
            async for chunk in sound:
                yield chunk

    @asynccontextmanager
    async def _in_time(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                yield
        except TimeoutError as error:
            raise failure(self.engine, f"did not answer within {OPEN_TIMEOUT_S:.0f} s") from error

    def _sound(self, script: Script, voice: Voice, queued_s: Callable[[], float]) -> AsyncGenerator[SpeechChunk, None]:
        """The engine's own sound for the script, by tokens or by clauses."""
        section = self._section
        if self.engine.takes_tokens:
            stream = TokenStream(
                self.engine, voice, script, timeout_s=section.first_audio_timeout_s, retries=section.retries
            )
            return stream.sound()
        chunker = Chunker(
            first_chars=section.first_clause_chars, first_words=section.first_clause_words, longest=section.chunk_chars
        )
        feed = ClauseFeed(script, chunker, queued_s=queued_s, enough_s=section.queued_audio_s, clock=self._clock)
        clauses = Clauses(
            self.engine, voice, timeout_s=section.first_audio_timeout_s, retries=section.retries, clock=self._clock
        )
        return clauses.sound(feed)
