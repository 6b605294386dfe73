"""Opens what listens and answers what is said, one function a part."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.bot.missed import MissedTalk
    from core.bot.openers import Ground
    from core.bot.rooms import Rooms
    from core.bot.spoken_commands import SpokenCommands


def open_spoken_commands(rooms: Rooms, ground: Ground) -> SpokenCommands:
    """Commands that are said; cogs carry them out."""
    from core.bot.spoken_commands import SpokenCommands

    spoken = SpokenCommands(ground.config.hearing.commands, rooms.conversation)
    ground.closing.close_later("spoken commands", spoken.close)
    return spoken


def open_missed(rooms: Rooms, ground: Ground) -> MissedTalk:
    """Who was away, and what they missed."""
    from core.bot.missed import MissedParts, MissedTalk

    parts = MissedParts(
        rooms.history,
        rooms.recordings,
        rooms.live_transcripts,
        ground.config.recording,
        rooms.models,
        ground.hub,
        ground.clock,
    )
    missed = MissedTalk(parts)
    ground.closing.close_later("who was away", missed.close)
    return missed
