"""What the persona does by itself takes part: it gives way to sessions, hears what is said, and ends with its cog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.bot.persona_pictures import AVATAR
from core.events import FeatureLocked, TurnEnded
from core.lockdown import Feature, LockPolicy, SilencePolicy
from core.persona.arguments import FEATURE as ARGUMENT

if TYPE_CHECKING:
    from core.bot.cog import ParleyCog

PICTURES = "My picture on each server"
LOCKED_PICTURE = "My picture stays as it is while I am in a voice channel; it changes afterwards."
ARGUMENTS = "Arguing with my second self"


def arguments(cog: ParleyCog) -> None:
    """Let arguments start, be heated by what is said, give way to sessions, and end with the cog."""
    room = cog.runtime.persona.arguments
    cog.close_on_unload(room.end)
    cog.give_way(Feature(ARGUMENT, ARGUMENTS, SilencePolicy()))
    cog.subscribe(FeatureLocked, room.locked)
    cog.subscribe(TurnEnded, room.turn_ended)
    cog.until_unload(cog.runtime.conversation.advise_with(room))
    cog.until_unload(cog.runtime.intake.speak_to(room.second.called))
    for name in ("on_guild_channel_delete", "on_thread_delete"):
        cog.until_unload(cog.runtime.listen(name, room.channel_gone))
    cog.until_unload(cog.runtime.listen("on_guild_remove", room.server_left))


def avatar(cog: ParleyCog) -> None:
    """Let pictures stay as they are during sessions."""
    cog.give_way(Feature(AVATAR, PICTURES, LockPolicy(LOCKED_PICTURE)))
