"""What the trainer adds to a turn: the server's standing instruction, and the model that it had trained and chose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.conversation.advice import Advice

if TYPE_CHECKING:
    from core.conversation.turn import Turn
    from core.training.instructions import Instructions
    from core.training.tuned import TunedRoutes


class TrainedAdvice:
    """An adviser, asked as each answer begins."""

    def __init__(self, instructions: Instructions, routes: TunedRoutes) -> None:
        self._instructions = instructions
        self._routes = routes

    async def advise(self, turn: Turn) -> Advice | None:
        """The instruction, and the route, of the server where the turn is."""
        guild_id = turn.prompt.guild_id
        instruction, route = self._instructions.of(guild_id), self._routes.chosen(guild_id)
        return Advice(notes=instruction, route=route) if instruction or route else None
