"""Who decides what is heard in a voice channel: one rule for what is typed and for what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import VoiceError

if TYPE_CHECKING:
    import discord

    from core.voice.session import VoiceSession

NOT_LISTENING = "Join {channel} first: only who listens decides what is heard there."


def require_say(session: VoiceSession, user_id: int, permissions: discord.Permissions) -> None:
    """Refuse who is neither in the channel nor moderates it; an empty one belongs to everybody.

    Args:
        session: The session.
        user_id: Who asks.
        permissions: Theirs, where they ask.

    Raises:
        VoiceError: They may not.
    """
    inside = user_id in session.channel.voice_states
    people = [member for member in session.channel.members if not member.bot]
    if people and not inside and not permissions.move_members:
        raise VoiceError(NOT_LISTENING.format(channel=session.channel.mention))
