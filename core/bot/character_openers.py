"""Opens the characters of the persona: who they are, how they feel, and what is shown of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import discord

    from core.bot.openers import Ground
    from core.bot.persona_room import Persona
    from core.bot.rooms import Rooms

    Listen = Callable[[str, Callable[..., Awaitable[None]]], object]


async def open_characters(persona: Persona, rooms: Rooms, ground: Ground) -> None:
    """The characters there are, how they feel, and whom each server chose."""
    from core.bot.persona_cards import CardDesk
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
    persona.desk = CardDesk(section, persona.shelf, rooms.workers.strangers, ground.clock)
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


def open_watch(persona: Persona, rooms: Rooms, ground: Ground, bot: discord.Client, listen: Listen) -> None:
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
    for name, listener in persona.watch.listeners().items():
        listen(name, listener)
    if rooms.presence_line is not None and ground.config.persona.moods.show_status:
        rooms.presence_line.mood = persona.watch.line


async def open_profile(persona: Persona, rooms: Rooms, ground: Ground, bot: discord.Client, listen: Listen) -> None:
    """What each server's profile of the bot shows: pictures, and a mood behind the name."""
    from core.bot.persona_nickname import MoodInName
    from core.bot.persona_pictures import ProfilePictures
    from core.bot.persona_shown import ShownBook
    from core.store.persona import PersonaRepository

    section = ground.config.persona
    book = ShownBook(PersonaRepository(rooms.store))
    await book.open()
    persona.pictures = ProfilePictures(
        section.avatars,
        bot,
        cast=persona.cast,
        watch=persona.watch,
        book=book,
        lockdown=rooms.lockdown,
        in_session=lambda: bool(rooms.voice.sessions),
        lane=rooms.workers.strangers,
        hub=ground.hub,
        clock=ground.clock,
    )
    persona.nickname = MoodInName(
        section.moods,
        bot,
        watch=persona.watch,
        book=book,
        voice=rooms.voice,
        hub=ground.hub,
        clock=ground.clock,
    )
    for name, part in (("profile pictures", persona.pictures), ("mood in the name", persona.nickname)):
        ground.closing.close_later(name, part.close)
        part.begin()
        for event, listener in part.listeners().items():
            listen(event, listener)
