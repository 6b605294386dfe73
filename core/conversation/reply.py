"""Carries one turn from its text to its sound: every stage pulls from the one before, none waits for it to finish."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from core.errors import ModelError, ParleyError, SpeechError
from core.speech.heard import HeardText

if TYPE_CHECKING:
    from core.character import Mood
    from core.clock import Clock
    from core.conversation.turn import Outcome, Turn
    from core.speech.engine import Voice
    from core.speech.speakable import Names
    from core.speech.speaker import Speaker
    from core.voice.playback.player import Player
    from core.voice.playback.stream import StreamEnd

_log = logging.getLogger(__name__)

SHOWN_SHARE = (
    512  # of a reply longer than so many characters, a word is shown with those that come next: each time copies all
)
QUEUED_S = 10.0  # sound that may wait in the player before the engine is asked for more


class TextFork:
    """Splits a stream of text in two: the written reply takes all of it as it comes, the voice at its own pace."""

    def __init__(self, turn: Turn, clock: Clock) -> None:
        self._turn = turn
        self._clock = clock
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self._next = 0  # characters of the reply from which on it is shown again

    async def pump(self, source: AsyncIterator[str]) -> None:
        """Drain the source into the written reply and the voice's queue."""
        turn = self._turn
        try:
            async for piece in source:
                now = self._clock.monotonic()
                if turn.timings.first_token_s is None:
                    turn.timings.first_token_s = now
                turn.timings.last_token_s = now
                turn.timings.tokens += 1
                grown, turn.reply_text = turn.reply_text, ""  # what nobody else holds grows where it is, without a copy
                grown += piece
                turn.reply_text = grown
                self._pieces.put_nowait(piece)
                if len(grown) >= self._next:
                    self._next = len(grown) + len(grown) // SHOWN_SHARE
                    await turn.sink.update(grown)
                del grown
        except ModelError as error:
            if error.spoken:
                turn.note = error.spoken
                self._pieces.put_nowait(f"\n\n{error.spoken}")
            raise
        finally:
            self._pieces.put_nowait(None)

    async def pieces(self) -> AsyncGenerator[str]:
        """Yields the voice's share."""
        while (piece := await self._pieces.get()) is not None:
            yield piece


async def speak(
    turn: Turn,
    text: AsyncIterator[str],
    *,
    speaker: Speaker,
    player: Player,
    voice: Voice,
    names: Names | None = None,
    mood: Mood | None = None,
) -> StreamEnd:
    """Turn text into sound and sound into frames, until all of it was heard or the line was cut.

    Raises:
        SpeechError: The engine failed; what was said before stands.
    """
    line = player.line(turn.id, said_for=turn.prompt.authors)
    turn.speaks_on(line)
    heard = turn.heard = HeardText()
    try:
        async with aclosing(
            speaker.speak(text, voice, queued_s=lambda: line.queued_s, names=names, mood=mood)
        ) as chunks:
            async for chunk in chunks:
                line.write(chunk.samples)
                heard.wrote(chunk)
                await line.below(QUEUED_S)
    finally:
        line.end()
    end = await line.finished()
    turn.underruns = end.underruns
    turn.timings.first_audio_s = line.first_frame_at_s
    return end


async def run(
    turn: Turn,
    source: AsyncIterator[str],
    clock: Clock,
    *,
    speaker: Speaker | None = None,
    player: Player | None = None,
    voice: Voice | None = None,
    names: Names | None = None,
    mood: Mood | None = None,
) -> SpeechError | None:
    """Carry a turn to its end; returns the speech error if the voice failed and the text went on.

    Raises:
        ParleyError: The model failed; what came before stands.
    """
    fork = TextFork(turn, clock)
    speaking: asyncio.Task[StreamEnd] | None = None
    if speaker is not None and player is not None and voice is not None:
        speaking = asyncio.create_task(
            speak(turn, fork.pieces(), speaker=speaker, player=player, voice=voice, names=names, mood=mood),
            name=f"speak {turn.id}",
        )
    failed: SpeechError | None = None
    outcome: Outcome = "text"
    try:
        problem = await _pump(fork, source)
        await turn.sink.finish(told(turn, problem.sentence) if problem else turn.reply_text)
        if speaking is not None:
            try:
                outcome = "spoken" if (await speaking).outcome == "played" else "stopped"
            except SpeechError as error:
                failed = error
                _log.warning("turn %s: voice failed: %s", turn.id, error.sentence, exc_info=error.__cause__)
        if problem is not None:
            raise problem
    finally:
        if speaking is not None and not speaking.done():
            speaking.cancel()
            await asyncio.wait([speaking])
    turn.outcome = outcome
    return failed


def told(turn: Turn, sentence: str) -> str:
    """The written reply, with a sentence about it below."""
    return "\n\n".join(part for part in (turn.reply_text.strip(), sentence) if part)


async def _pump(fork: TextFork, source: AsyncIterator[str]) -> ParleyError | None:
    """Drain the model; its failure is kept until what it did say has been said."""
    try:
        await fork.pump(source)
    except ParleyError as error:
        return error
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()
    return None
