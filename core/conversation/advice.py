"""What others add to a turn before the model is asked: who answers, what it is told of the person, how freely it speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from core.character import Character
    from core.conversation.text_sink import TextSink

SILENT = "[silent]"
MAY_STAY_SILENT = f"You need not answer. If there is nothing to say, reply with exactly {SILENT} and nothing else."


@dataclass(frozen=True, slots=True)
class Advice:
    """What one adviser says of a turn; what it leaves empty is as it would be without it.

    Args:
        character: Who answers, unless the turn was given a character of its own.
        notes: Told to the model below its standing instruction.
        temperature: How freely it speaks, 0 to 2, as the model's server takes it.
        may_stay_silent: Whether the model may choose not to answer; nothing is shown or said then.
        route: Which model route answers, where the character has none of its own.
        sink: Where the reply is written instead.
    """

    character: Character | None = None
    notes: str = ""
    temperature: float | None = None
    may_stay_silent: bool = False
    route: str | None = None
    sink: TextSink | None = None

    def joined(self, later: Advice) -> Advice:
        """This advice with another's behind it: the later one decides, notes of both are told."""
        return Advice(
            later.character or self.character,
            "\n".join(notes for notes in (self.notes, later.notes) if notes),
            self.temperature if later.temperature is None else later.temperature,
            self.may_stay_silent or later.may_stay_silent,
            later.route or self.route,
            later.sink or self.sink,
        )

    @property
    def told(self) -> str:
        """What the model is told of it."""
        return "\n".join(part for part in (self.notes, MAY_STAY_SILENT if self.may_stay_silent else "") if part)


async def unless_silent(source: AsyncGenerator[str]) -> AsyncGenerator[str] | None:
    """The same answer, or None if it is only the word for silence; waits until that is known.

    Raises:
        ModelError: The model failed before anything could be known.
    """
    held = ""
    async for piece in source:
        held += piece
        begun = held.strip().casefold()
        if len(begun) > len(SILENT) or not SILENT.startswith(begun):
            return _behind(held, source)
    return None if held.strip().casefold() in ("", SILENT) else _behind(held, source)


async def _behind(held: str, source: AsyncGenerator[str]) -> AsyncGenerator[str]:
    try:
        yield held
        async for piece in source:
            yield piece
    finally:
        await source.aclose()
