"""What `/persona` says of characters, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discord import app_commands

from core.discord_limits import CHOICES
from core.names import code, plain, shown, shown_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.bot.persona_room import Persona
    from core.persona.sheet import MoodTable, Sheet

NONE = "There are no characters yet. Drop a file into the folder of `[persona] characters`, or import a card: `/persona import`."
NATURAL = "natural"  # the word for a mood that nobody pushes
LINES = 25  # characters listed; an answer has room for no more


def listed(sheets: Sequence[Sheet], active: Sheet | None, faults: Sequence[str] = ()) -> str:
    """The characters of a server, the active one marked, with what is wrong with files for those who may see that."""
    if not sheets and not faults:
        return NONE
    lines = [
        f"{'▶️' if sheet == active else '▫️'} **{shown(sheet.name)}** ({code(sheet.id, 40)})" for sheet in sheets[:LINES]
    ]
    if len(sheets) > LINES:
        lines.append(f"and {len(sheets) - LINES} more")
    lines += [f"⚠️ {shown_text(fault, 300)}" for fault in faults[:5]]
    return "\n".join(lines)


def card(sheet: Sheet) -> str:
    """What a character is like, in short."""
    table = sheet.table
    parts = [f"**{shown(sheet.name)}** ({code(sheet.id, 40)})", shown_text(table.description.strip(), 600)]
    if table.greeting.strip():
        parts.append(f"Greets: {shown_text(table.greeting.strip(), 300)}")
    if table.moods:
        parts.append("Moods: " + ", ".join(f"{shown(mood.emoji)} {shown(mood.name)}".strip() for mood in table.moods))
    if sheet.called:
        parts.append("Comes when called: " + ", ".join(shown(word) for word in sheet.called))
    return "\n".join(part for part in parts if part)


def choices(sheets: Sequence[Sheet], partial: str) -> list[app_commands.Choice[str]]:
    """Characters whose name or id has `partial` in it, as choices of a command."""
    wanted = partial.casefold()
    found = [sheet for sheet in sheets if wanted in sheet.name.casefold() or wanted in sheet.id.casefold()]
    named = [(plain(f"{sheet.name} ({sheet.id})"), sheet.id) for sheet in found if len(sheet.id) <= 100]
    return [app_commands.Choice(name=name, value=id_) for name, id_ in named[:CHOICES] if name]


def mood_choices(sheet: Sheet | None, partial: str) -> list[app_commands.Choice[str]]:
    """Moods of a character whose name has `partial` in it, as choices of a command."""
    names = [*(mood.name for mood in sheet.table.moods), NATURAL] if sheet is not None else []
    found = [name for name in names if partial.casefold() in name.casefold()]
    return [app_commands.Choice(name=plain(name), value=name) for name in found[:CHOICES]]


def feeling(mood: MoodTable | None) -> str:
    """A mood in a message, with its emoji."""
    if mood is None:
        return "nothing"
    return f"{shown(mood.name)} {plain(mood.emoji, 16)}".strip() if _is_emoji(mood.emoji) else shown(mood.name)


def _is_emoji(text: str) -> bool:
    """Whether a text is signs alone, none of which Discord reads as markup."""
    return bool(text) and all(ord(character) > 0x7F and not character.isalnum() for character in text)


def feels(persona: Persona, guild_id: int | None) -> str:
    """How the character of a server feels, as a status shows it; empty if there is none, or it has no moods."""
    sheet, mood = persona.cast.active(guild_id), persona.watch.mood(guild_id)
    return f"{shown(sheet.name)}: {feeling(mood)}" if sheet is not None and mood is not None else ""
