"""What `/persona use`, `mood` and `remove` do: choose the character of a server or of direct messages, and how it feels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.bot.persona_words import feeling
from core.errors import PersonaError
from core.names import shown, shown_text
from core.persona import imports, prompts

if TYPE_CHECKING:
    from core.bot.persona_room import Persona
    from core.persona.sheet import Sheet

NOBODY, CONFIGURED = "none", "default"  # words that stand for the bot itself, and for what the settings say

NOW = "I am **{name}** {where} now."
MYSELF = "I am myself {where} again."
AS_CONFIGURED = "I am as I am configured {where} again: {name}."
HERE, DIRECTLY = "on this server", "in direct messages"
NO_CHARACTER = "I am myself here, without a character: choose one with `/persona use`."
NO_MOODS = "{name} has no moods."
FEELS = "{name} feels {mood}."
FEELS_NOW = "{name} feels {mood} now; that fades by itself."
NATURAL = "{name} feels as by nature again: {mood}."
REMOVED = "**{name}** is removed from this server."
NOT_IMPORTED = "Only what this server imported can be removed; **{name}** is there for every server."


async def use(persona: Persona, guild_id: int | None, name: str, person: str) -> str:
    """Have the bot be a character; gives what to tell everybody there, with its greeting.

    Raises:
        PersonaError: There is no such character.
        StoreError: It could not be written; nothing has changed.
    """
    where = HERE if guild_id is not None else DIRECTLY
    if name.casefold() == CONFIGURED:
        await persona.cast.forget(guild_id)
        active = persona.cast.active(guild_id)
        told = AS_CONFIGURED.format(where=where, name=shown(active.name) if active else "myself")
        return _with_picture(persona, guild_id, told)
    if name.casefold() == NOBODY:
        await persona.cast.choose(guild_id, None)
        return _with_picture(persona, guild_id, MYSELF.format(where=where))
    await persona.shelf.look(guild_id)
    sheet = persona.shelf.named(name, guild_id)
    await persona.cast.choose(guild_id, sheet)
    greeting = prompts.filled(sheet.table.greeting, sheet.name, person)
    lines = [NOW.format(name=shown(sheet.name), where=where), shown_text(greeting, 1200) if greeting else ""]
    lines += [shown(trouble, 300) for trouble in persona.cast.troubles(sheet)]
    return _with_picture(persona, guild_id, "\n".join(line for line in lines if line))


def _with_picture(persona: Persona, guild_id: int | None, told: str) -> str:
    """What was told, and what the picture waits for, if it has to."""
    waits = persona.pictures.foretold(guild_id) if guild_id is not None else ""
    return f"{told}\n-# {waits[:1].upper()}{waits[1:]}." if waits else told


def mood(persona: Persona, guild_id: int | None, name: str | None, *, by_nature: bool = False) -> str:
    """Show how the character of a server feels, or put it into a mood.

    Raises:
        PersonaError: It has no such mood, or none at all.
    """
    sheet = active(persona, guild_id)
    if not sheet.table.moods:
        raise PersonaError(NO_MOODS.format(name=shown(sheet.name)))
    if name is None and not by_nature:
        return FEELS.format(name=shown(sheet.name), mood=feeling(persona.moods.now(guild_id, sheet)))
    found = persona.moods.choose(guild_id, sheet, name)
    persona.watch.look(guild_id)
    return (FEELS_NOW if name is not None else NATURAL).format(name=shown(sheet.name), mood=feeling(found))


async def remove(persona: Persona, guild_id: int, name: str) -> str:
    """Remove a character that a server imported, with its picture and moods.

    Raises:
        PersonaError: There is none, or it is no import of this server.
        StoreError: Something could not be written.
    """
    await persona.shelf.look(guild_id)
    sheet = persona.shelf.named(name, guild_id)
    if sheet.guild_id != guild_id:
        raise PersonaError(NOT_IMPORTED.format(name=shown(sheet.name)))
    chosen = persona.cast.active(guild_id) == sheet
    if chosen:
        await persona.cast.choose(guild_id, None)
    await imports.remove(persona.shelf.imported(guild_id), sheet.id)
    await persona.shelf.look(guild_id)
    await persona.moods.forget(guild_id, sheet.id)
    told = REMOVED.format(name=shown(sheet.name))
    return f"{told} {MYSELF.format(where=HERE)}" if chosen else told


def active(persona: Persona, guild_id: int | None) -> Sheet:
    """The character of a server.

    Raises:
        PersonaError: The bot is itself there.
    """
    sheet = persona.cast.active(guild_id)
    if sheet is None:
        raise PersonaError(NO_CHARACTER)
    return sheet
