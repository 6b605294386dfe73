"""Opens what hangs on `runtime.persona`, one function a part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.bot.persona_room import Persona

if TYPE_CHECKING:
    from core.bot.openers import Ground
    from core.bot.rooms import Rooms


async def open_persona(rooms: Rooms, ground: Ground) -> Persona:
    """Every part of the persona, in this order; `rooms` has everything but the persona by then."""
    persona = Persona()
    await _open_characters(persona, rooms, ground)
    return persona


async def _open_characters(persona: Persona, rooms: Rooms, ground: Ground) -> None:
    """The characters there are."""
    from core.persona.shelf import Shelf

    del rooms
    section = ground.config.persona
    persona.shelf = Shelf(ground.config.path(section.characters))
    await persona.shelf.look()
