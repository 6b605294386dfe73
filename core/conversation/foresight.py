"""Asks the model ahead of a turn that may be over: the answer is there sooner, or is thrown away if the person goes on.

Nothing of it is shown, said or remembered before the turn begins, and it is used only if the model would be asked exactly
the same then.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.errors import ParleyError
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from core.llm.messages import ModelRequest

    Ask = Callable[[], Awaitable[tuple[ModelRequest, AsyncGenerator[str]]]]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Guess:
    """One answer on its way; None ends it."""

    request: ModelRequest | None = None
    pieces: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue[str | None]())
    failed: bool = False
    task: asyncio.Task[None] | None = None


class Foresight:
    """One answer ahead for each key, at most."""

    def __init__(self) -> None:
        self._guesses: dict[int, _Guess] = {}
        self._tasks = Tasks("foresight")

    def begin(self, key: int, ask: Ask) -> None:
        """Ask ahead; an earlier guess is thrown away.

        Args:
            key: Of the queue that the turn would stand in.
            ask: Gives what exactly is asked, and the answer as it comes.
        """
        self.drop(key)
        guess = self._guesses[key] = _Guess()
        guess.task = self._tasks.start(self._run(guess, ask), f"guess {key}")

    def drop(self, key: int) -> None:
        """Throw a guess away; the model's server is told."""
        guess = self._guesses.pop(key, None)
        if guess is not None and guess.task is not None:
            guess.task.cancel()

    def take(self, key: int, request: ModelRequest) -> AsyncGenerator[str] | None:
        """The answer that was asked for ahead, if it is the answer to `request`; any other is thrown away."""
        guess = self._guesses.get(key)
        if guess is None or guess.failed or guess.request != request:
            self.drop(key)
            return None
        del self._guesses[key]
        _log.debug("an answer that was asked for ahead is used")
        return self._answer(guess)

    async def close(self) -> None:
        """Throw everything away."""
        for key in list(self._guesses):
            self.drop(key)
        await self._tasks.cancel_all()

    async def _run(self, guess: _Guess, ask: Ask) -> None:
        try:
            guess.request, source = await ask()
            async with aclosing(source) as pieces:
                async for piece in pieces:
                    guess.pieces.put_nowait(piece)
        except ParleyError as error:  # the turn asks anew, and tells
            guess.failed = guess.pieces.empty()
            _log.info("an answer could not be asked for ahead: %s", error.sentence, exc_info=error.__cause__)
        finally:
            guess.pieces.put_nowait(None)

    async def _answer(self, guess: _Guess) -> AsyncGenerator[str]:
        try:
            while (piece := await guess.pieces.get()) is not None:
                yield piece
        finally:
            if guess.task is not None:
                guess.task.cancel()
