"""Who may do what with a session's music: listeners ask for tracks, DJs rule over the queue, the others vote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from core.errors import VoiceError
from core.names import shown

if TYPE_CHECKING:
    from core.music.track import Track
    from core.voice.session import VoiceSession

NOT_LISTENING = "Join {channel} first: only who listens decides what is heard there."
NOT_DJ = "Only a DJ (the role “{role}”), a moderator or whoever asked for it may do that here."
SERVER_ONLY = "This works in a server only."


def listeners(session: VoiceSession) -> set[int]:
    """Ids of the people in the channel who can hear."""
    deaf = {user_id for user_id, state in session.channel.voice_states.items() if state.deaf or state.self_deaf}
    people = {member.id for member in session.channel.members if not member.bot}
    return people - deaf or people


def require_listening(interaction: discord.Interaction, session: VoiceSession) -> None:
    """Only who is in the channel, or moderates it, decides what is heard there; an empty one belongs to everybody.

    Raises:
        VoiceError: It is somebody else.
    """
    inside = interaction.user.id in session.channel.voice_states
    people = [member for member in session.channel.members if not member.bot]
    if people and not inside and not interaction.permissions.move_members:
        raise VoiceError(NOT_LISTENING.format(channel=session.channel.mention))


def rules(
    session: VoiceSession,
    user: discord.abc.User,
    permissions: discord.Permissions,
    dj_role: str,
    track: Track | None = None,
) -> bool:
    """Whether somebody may do as they like with the queue, or with `track` at least."""
    if permissions.move_members or not dj_role:
        return True
    if track is not None and track.by == user.id:
        return True
    if isinstance(user, discord.Member) and any(_is(role, dj_role) for role in user.roles):
        return True
    return {member.id for member in session.channel.members if not member.bot} <= {user.id}


def require_ruler(
    session: VoiceSession,
    user: discord.abc.User,
    permissions: discord.Permissions,
    dj_role: str,
    track: Track | None = None,
) -> None:
    """Refuse who may not do as they like with the queue.

    Raises:
        VoiceError: Somebody else rules there.
    """
    if not rules(session, user, permissions, dj_role, track):
        role = session.guild.get_role(int(dj_role)) if dj_role.isdecimal() else None
        raise VoiceError(NOT_DJ.format(role=shown(dj_role if role is None else role.name)))


def require_rule(
    interaction: discord.Interaction, session: VoiceSession, dj_role: str, track: Track | None = None
) -> None:
    """Refuse who does not listen, or may not do as they like with the queue.

    Raises:
        VoiceError: Somebody else listens or rules there.
    """
    require_listening(interaction, session)
    require_ruler(session, interaction.user, interaction.permissions, dj_role, track)


def _is(role: discord.Role, dj_role: str) -> bool:
    return str(role.id) == dj_role or role.name.casefold() == dj_role.casefold()
