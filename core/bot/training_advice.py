"""What the trainer adds to a turn: the server's standing instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.conversation.advice import Advice

if TYPE_CHECKING:
    from core.conversation.turn import Turn
    from core.training.instructions import Instructions


class TrainedAdvice:
    """An adviser, asked as each answer begins."""

    def __init__(self, instructions: Instructions) -> None:
        self._instructions = instructions

    async def advise(self, turn: Turn) -> Advice | None:
        """The instruction of the server where the turn is."""
        instruction = self._instructions.of(turn.prompt.guild_id)
        return Advice(notes=instruction) if instruction else None
