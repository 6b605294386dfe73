"""Opens the characters of the persona: who they are, how they feel, and what is shown of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import discord

    from core.bot.openers import Ground
    from core.bot.persona_room import Persona
    from core.bot.rooms import Rooms


async def open_characters(persona: Persona, rooms: Rooms, ground: Ground) -> None:
    """The characters there are, how they feel, and whom each server chose."""
    from core.bot.persona_cast import Cast
    from core.machine.lane import Owner
    from core.persona.cards import ReadCard, read_card
    from core.persona.mood_keeper import MoodKeeper
    from core.persona.shelf import Shelf
    from core.store.persona import PersonaRepository

    section, config = ground.config.persona, ground.config

    async def read(data: bytes, file: str) -> ReadCard:
        return await rooms.workers.strangers.run(read_card, data, section.max_card_mb, file, owner=Owner())

    persona.shelf = Shelf(config.path(section.characters), config.path(section.imported), read, section.max_card_mb)
    await persona.shelf.open()
    repository = PersonaRepository(rooms.store)
    persona.moods = MoodKeeper(section.moods, repository, ground.clock)
    await persona.moods.open()
    ground.closing.close_later("moods", persona.moods.close)
    persona.cast = Cast(
        section,
        persona.shelf,
        repository,
        moods=persona.moods,
        hub=ground.hub,
        voices=rooms.voice_preferences,
        routes=config.model.routes,
    )
    await persona.cast.open()
    rooms.conversation.advise_with(persona.cast)
    rooms.intake.call_by(persona.cast.called)


def open_watch(persona: Persona, rooms: Rooms, ground: Ground, bot: discord.Client) -> None:
    """What sees moods change."""
    from core.bot.persona_watch import MoodWatch

    persona.watch = MoodWatch(
        persona.cast,
        persona.moods,
        conversation=rooms.conversation,
        consent=rooms.privacy.consent,
        hub=ground.hub,
        clock=ground.clock,
        servers=lambda: [guild.id for guild in bot.guilds],
    )
    ground.closing.close_later("mood watch", persona.watch.close)
    persona.watch.begin()
