"""The protocol of a speech engine: text goes in, samples come out, and errors name the engine and its address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from core.character import Voice
from core.errors import SpeechError
from core.redaction import address

__all__ = ["SpeechChunk", "SpeechEngine", "Voice", "failure", "shown_address"]

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """A piece of sound.

    `samples` has shape (n,), mono, float32 in -1..1. `text` is the text whose sound begins with this chunk; empty
    continues the text before. The texts of a turn, joined, are what was said; a chunk of no samples only brings text.
    """

    samples: NDArray[np.float32]
    rate_hz: int
    text: str = ""

    @property
    def duration_s(self) -> float:
        """How long it sounds."""
        return len(self.samples) / self.rate_hz


class SpeechEngine(Protocol):
    """One way to make speech. Checked before a session, opened once in it and kept open."""

    name: str  # for messages to people
    address: str  # where it is, without secrets; for messages to people
    takes_tokens: bool  # True: wants text as it comes; False: wants whole clauses. Known after `open`.

    async def check(self) -> None:
        """See that speech is to be had, without the memory that it takes: nothing has given way yet.

        Raises:
            SpeechError: It is not; the message names engine, address and cause.
        """
        ...

    async def open(self) -> None:
        """Get ready to speak: connect, load a model; an engine that was not checked is checked now.

        Raises:
            SpeechError: It is not; the message names engine, address and cause.
        """
        ...

    async def close(self) -> None:
        """Let go of everything; safe to call twice or without `open`."""
        ...

    async def voices(self) -> Sequence[str]:
        """Names that `Voice.name` may have; empty if the engine cannot tell.

        Raises:
            SpeechError: The engine was asked and did not answer.
        """
        ...

    def native(self, voice: Voice) -> Voice:
        """The part of rate and pitch that the engine does itself; the speaker does the rest."""
        ...

    def stream(self, text: AsyncIterator[str], voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """The text as sound, while it comes; closing the generator stops the engine, at any await.

        Raises:
            SpeechError: The engine refused, broke or answered nonsense.
        """
        ...


def failure(engine: SpeechEngine, cause: str) -> SpeechError:
    """An error as people read it: which engine, where, and what happened."""
    return SpeechError(f"The speech engine {engine.name} ({engine.address}) {cause}.")


def shown_address(url: str) -> str:
    """A URL without user, password and query, which may be secret."""
    return address(url)
