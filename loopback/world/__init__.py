"""The state of a Discord on localhost, without any network."""

from loopback.world.guilds import Channel, ChannelKind, Guild, Member, Overwrite, Role, VoiceState
from loopback.world.messages import Attachment, Draft, Emoji, Message, Upload
from loopback.world.permissions import Permission
from loopback.world.rights import in_channel, in_guild
from loopback.world.users import Application, User
from loopback.world.world import World

__all__ = [
    "Application",
    "Attachment",
    "Channel",
    "ChannelKind",
    "Draft",
    "Emoji",
    "Guild",
    "Member",
    "Message",
    "Overwrite",
    "Permission",
    "Role",
    "Upload",
    "User",
    "VoiceState",
    "World",
    "in_channel",
    "in_guild",
]
