"""Opens what hangs on `runtime.persona`, one function a part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.bot.character_openers import open_characters, open_profile, open_watch
from core.bot.persona_room import Persona

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import discord

    from core.bot.openers import Ground
    from core.bot.rooms import Rooms
    from core.bot.webhooks import Webhooks

    Listen = Callable[[str, Callable[..., Awaitable[None]]], object]


async def open_persona(rooms: Rooms, ground: Ground, bot: discord.Client, listen: Listen) -> Persona:
    """Every part of the persona, in this order; `rooms` has everything but the persona by then."""
    persona = Persona()
    await open_characters(persona, rooms, ground)
    open_watch(persona, rooms, ground, bot, listen)
    await open_profile(persona, rooms, ground, bot, listen)
    _open_arguments(persona, rooms, ground)
    persona.also_told.append(lambda guild_id: rooms.people.lines(guild_id))
    return persona


async def open_webhooks(rooms: Rooms, ground: Ground, bot: discord.Client, listen: Listen) -> Webhooks:
    """The webhooks that other characters speak through; what comes through them is handed to nobody as a message."""
    from core.bot.webhooks import Webhooks
    from core.store.webhooks import WebhookRepository

    webhooks = Webhooks(bot, WebhookRepository(rooms.store), ground.clock)
    await webhooks.open()
    ground.closing.close_later("webhooks", webhooks.close)
    for name, listener in webhooks.listeners().items():
        listen(name, listener)
    rooms.messages.is_own = webhooks.is_own
    return webhooks


def _open_arguments(persona: Persona, rooms: Rooms, ground: Ground) -> None:
    """The second self, and its arguments with the bot."""
    from core.bot.persona_arguments import PersonaArguments, remembering, side
    from core.bot.persona_second_self import SecondSelf
    from core.llm.messages import ChatMessage
    from core.persona.arguments import Arguments, Side

    section, conversation = ground.config.persona.arguments, rooms.conversation
    second = SecondSelf(section, persona.shelf, persona.cast, persona.pictures, rooms.webhooks, ground.clock)
    ground.closing.close_later("second self", second.close)
    arguments = Arguments(
        section,
        occasions=rooms.occasions,
        clock=ground.clock,
        message=ChatMessage,
        ended=remembering(conversation.memory),
    )

    async def first(guild_id: int) -> Side:
        """Who the bot itself is on a server."""
        sheet = persona.cast.active(guild_id)
        if sheet is not None:
            character = persona.cast.character(sheet, guild_id)
            return side(character)
        kept = await rooms.settings.guild(guild_id)
        return Side(conversation.character, kept.persona or ground.config.prompt.persona)

    persona.arguments = PersonaArguments(
        section,
        arguments=arguments,
        second=second,
        webhooks=rooms.webhooks,
        first=first,
        consent=rooms.privacy.consent,
    )
    persona.also_told.append(persona.arguments.lines)
    ground.closing.close_later("arguments", persona.arguments.end)
    rooms.privacy.register("arguments", persona.arguments)
    rooms.privacy.respect("observed", persona.arguments.decided)
