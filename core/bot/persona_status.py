"""What `/persona status` tells: who the bot is here, how it feels, what else is at work, what it costs, what gives way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.bot.people_words import observed_channels
from core.bot.persona_words import feeling
from core.names import code, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.bot.rooms import Rooms

MYSELF = "I am myself here, without a character."
AM = "I am **{name}** here ({id})."
FEELS = "I feel {mood}; after that {others}."
FEELS_ONLY = "I feel {mood}."
PICTURE = "Of my picture: {told}."
GIVES_WAY = "Gives way just now: {names}."
NOTHING_GIVES_WAY = "Nothing of it gives way just now."

MOST_CHANNELS = 20  # named
FEATURES = ("avatar", "persona_argument", "autonomous", "schedule", "notifier", "profiles", "fifth_message", "mood")


def told(rooms: Rooms, guild_id: int, observed: Sequence[int]) -> str:
    """The persona of one server, as lines; `observed` are the channels that are read along, of those that whoever asks may see."""
    persona = rooms.persona
    sheet = persona.cast.active(guild_id or None)
    lines = [AM.format(name=shown(sheet.name), id=code(sheet.id, 40)) if sheet is not None else MYSELF]
    if sheet is not None:
        lines += [shown(trouble, 300) for trouble in persona.cast.troubles(sheet)]
    lines += _mood(rooms, guild_id)
    if picture := persona.pictures.told(guild_id):
        lines.append(PICTURE.format(told=shown(picture, 300)))
    lines += [sentence] if (sentence := persona.nickname.told(guild_id)) else []
    lines.append(observed_channels(observed[:MOST_CHANNELS]))
    for others in persona.also_told:
        lines += others(guild_id)
    lines += rooms.occasions.lines(guild_id or None)
    locked = [
        shown(feature.title)
        for feature in rooms.lockdown.features
        if feature.name in FEATURES and rooms.lockdown.locked(feature.name, guild_id=guild_id)
    ]
    lines.append(GIVES_WAY.format(names=", ".join(locked)) if locked else NOTHING_GIVES_WAY)
    return "\n".join(lines)


def _mood(rooms: Rooms, guild_id: int) -> list[str]:
    persona = rooms.persona
    sheet, mood = persona.cast.active(guild_id or None), persona.watch.mood(guild_id or None)
    if sheet is None or mood is None:
        return []
    levels = persona.moods.levels(guild_id or None, sheet)
    others = [each for each in sorted(levels, key=lambda name: -levels[name]) if each != mood.name]
    if not others:
        return [FEELS_ONLY.format(mood=feeling(mood))]
    return [FEELS.format(mood=feeling(mood), others=", ".join(shown(name) for name in others[:5]))]
