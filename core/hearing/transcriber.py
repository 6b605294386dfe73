"""What a recogniser is: samples go in, text comes out, and errors name the engine and its address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from core.errors import HearingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.hearing.text import Transcription

Purpose = Literal["live", "captions", "recording"]  # in the order of their urgency


@dataclass(frozen=True, slots=True)
class Bias:
    """Names to listen for: of the people present, and the one the bot is called by."""

    names: tuple[str, ...] = ()
    wake: str = ""

    def __bool__(self) -> bool:
        return bool(self.names or self.wake)


NO_BIAS = Bias()


class Superseded(HearingError):
    """A newer look at the same utterance took the place of this one before it began."""


class Transcriber(Protocol):
    """One way to turn speech into text. Opened once and shared by all sessions."""

    name: str  # for messages to people
    address: str  # where it is, without secrets; for messages to people
    model: str  # the one for what is said live

    async def open(self) -> None:
        """Connect, or load the model, and check that text is to be had.

        Raises:
            HearingError: It is not; the message names engine, address, cause and what to do.
        """
        ...

    async def transcribe(
        self,
        samples: NDArray[np.float32],
        *,
        language: str | None = None,
        bias: Bias = NO_BIAS,
        words: bool = False,
        purpose: Purpose = "live",
        deadline_s: float | None = None,
        replaces: str = "",
    ) -> Transcription:
        """The text of some sound; cancelling it stops what can be stopped.

        Args:
            samples: Shape (n,), mono, float32 in -1..1 at 16 kHz.
            language: ISO 639-1 code; None takes the configured one, or finds it out.
            bias: Names to listen for.
            words: Whether times of words are wanted, where the engine tells them.
            purpose: What is more urgent goes first.
            deadline_s: How long it may take once it has begun; by default as configured.
            replaces: Name of the utterance of which this is a look: an older look that waits gives way with `Superseded`.

        Raises:
            HearingError: The engine refused, broke, took too long or answered nonsense.
        """
        ...

    async def close(self) -> None:
        """Let go of everything; safe to call twice or without `open`."""
        ...


def failure(engine: Transcriber, cause: str) -> HearingError:
    """An error as people read it: which engine, where, and what happened."""
    return HearingError(f"The recogniser {engine.name} ({engine.address}) {cause}.")
