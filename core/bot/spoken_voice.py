"""What the voice cog does when it is told to aloud: leave, stop, skip, louder, quieter, who is here, what did I miss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.bot.music_rights import require_ruler, rules
from core.bot.voice_rights import require_say
from core.names import sayable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import discord

    from core.bot.runtime import Runtime
    from core.bot.spoken_commands import SpokenCommand
    from core.config.hearing import CommandName
    from core.voice.session import VoiceSession

    Carry = Callable[[SpokenCommand], Awaitable[str]]

STEP, LOUDEST = 0.2, 2.0
GOODBYE, STOPPED, SKIPPED = "Goodbye.", "Stopped.", "Skipped."
NOTHING = "I was not saying or playing anything."
VOLUME = "Volume {volume:.0f} percent."
NO_LOUDER, NO_QUIETER = "I cannot be louder.", "I cannot be quieter."
ALONE = "Nobody but you, {name}."
HERE = "{names} are here."
NAMED = 12  # people who are named


class SpokenVoice:
    """Carries out what is said to the bot, by the same rights as what is typed.

    Args:
        runtime: The runtime.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def commands(self) -> dict[CommandName, Carry]:
        """Each command, and who carries it out."""
        return {
            "leave": self._leave,
            "stop": self._stop,
            "skip": self._skip,
            "louder": self._louder,
            "quieter": self._quieter,
            "who": self._who,
            "missed": self._missed,
        }

    async def _leave(self, asked: SpokenCommand) -> str:
        require_say(asked.session, asked.member.id, asked.permissions)
        self._runtime.stop(asked.session.guild.id)
        await asked.say(GOODBYE)
        await self._runtime.voice.leave(asked.session.guild.id)
        return ""

    async def _stop(self, asked: SpokenCommand) -> str:
        require_say(asked.session, asked.member.id, asked.permissions)
        count = stop(self._runtime, asked.session, asked.member, asked.permissions)
        return STOPPED if count else NOTHING

    async def _skip(self, asked: SpokenCommand) -> str:
        require_say(asked.session, asked.member.id, asked.permissions)
        skipped = skip(self._runtime, asked.session, asked.member, asked.permissions)
        return SKIPPED if skipped else NOTHING

    async def _louder(self, asked: SpokenCommand) -> str:
        return await self._turn(asked, STEP, NO_LOUDER)

    async def _quieter(self, asked: SpokenCommand) -> str:
        return await self._turn(asked, -STEP, NO_QUIETER)

    async def _turn(self, asked: SpokenCommand, by: float, at_end: str) -> str:
        require_say(asked.session, asked.member.id, asked.permissions)
        session = asked.session
        now = session.player.volume
        wanted = min(LOUDEST, max(STEP, round(now + by, 2)))  # who says “quieter” wants to hear it still
        if abs(wanted - now) < STEP / 2:
            return at_end
        await self._runtime.voice.set_volume(session, wanted)
        return VOLUME.format(volume=wanted * 100)

    async def _who(self, asked: SpokenCommand) -> str:
        people = [member for member in asked.session.channel.members if not member.bot]
        names = [sayable(member.display_name) for member in people[:NAMED]]
        if len(people) > NAMED:
            names.append(f"{len(people) - NAMED} more")
        if len(names) <= 1:
            return ALONE.format(name=sayable(asked.member.display_name))
        return HERE.format(names=f"{', '.join(names[:-1])} and {names[-1]}")

    async def _missed(self, asked: SpokenCommand) -> str:
        return await self._runtime.missed.told(asked.session, asked.member)


def skip(runtime: Runtime, session: VoiceSession, user: discord.abc.User, permissions: discord.Permissions) -> bool:
    """Cut what is being said, or else what is being played; gives whether there was anything."""
    if runtime.conversation.stop(session, everything=False):
        return True
    track = session.media.now
    if track is None:
        return False
    require_ruler(session, user, permissions, runtime.music.section.dj_role, track)
    return session.media.skip() is not None


def stop(runtime: Runtime, session: VoiceSession, user: discord.abc.User, permissions: discord.Permissions) -> int:
    """Stop speaking, and playing too for who rules over the queue; gives how much that was."""
    if rules(session, user, permissions, runtime.music.section.dj_role):
        return runtime.stop(session.guild.id)
    return runtime.conversation.stop(session)
