"""`runtime.persona`: who the bot is on each server; what the parts of the persona hang on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.bot.persona_arguments import PersonaArguments
    from core.bot.persona_cards import CardDesk
    from core.bot.persona_cast import Cast
    from core.bot.persona_nickname import MoodInName
    from core.bot.persona_pictures import ProfilePictures
    from core.bot.persona_watch import MoodWatch
    from core.persona.mood_keeper import MoodKeeper
    from core.persona.shelf import Shelf


class Persona:
    """The parts of the persona, one attribute each; `core/bot/persona_openers.py` sets them."""

    shelf: Shelf
    desk: CardDesk
    arguments: PersonaArguments
    moods: MoodKeeper
    cast: Cast
    watch: MoodWatch
    pictures: ProfilePictures
    nickname: MoodInName

    def __init__(self) -> None:
        self.also_told: list[Callable[[int], Sequence[str]]] = []
        """What else `/persona status` tells of a server, in lines; each part of the persona adds its own."""
