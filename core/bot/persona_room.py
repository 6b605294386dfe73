"""`runtime.persona`: who the bot is on each server; what the parts of the persona hang on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.bot.persona_arguments import PersonaArguments
    from core.bot.persona_cast import Cast
    from core.bot.persona_watch import MoodWatch
    from core.persona.mood_keeper import MoodKeeper
    from core.persona.shelf import Shelf


class Persona:
    """The parts of the persona, one attribute each; `core/bot/persona_openers.py` sets them."""

    shelf: Shelf
    arguments: PersonaArguments
    moods: MoodKeeper
    cast: Cast
    watch: MoodWatch
