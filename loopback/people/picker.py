"""What a person can pick: users, roles, channels and files, with the `resolved` data an application gets of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loopback.interactions.command_form import ATTACHMENT, CHANNEL, MENTIONABLE, ROLE, USER
from loopback.interactions.payload import partial_channel, partial_member
from loopback.people.refused import Refused
from loopback.world.guilds import Channel, Role
from loopback.world.messages import Draft, Upload
from loopback.world.permissions import Permission
from loopback.world.rights import in_channel
from loopback.world.users import User

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loopback.world.board import Board

Resolved = dict[str, dict[str, Any]]


def as_upload(value: object) -> Upload:
    """A file given as Upload, or as `(name, data)` or `(name, data, content_type)`."""
    if isinstance(value, Upload):
        return value
    if isinstance(value, tuple) and len(value) in (2, 3) and isinstance(value[1], bytes):
        return Upload(*value)
    raise Refused(f"a file is given as (name, data, content_type), not {value!r}")


class Picker:
    """Resolves what one person picks in one channel.

    Args:
        board: Stores files.
        user: The person.
        channel: Where it happens.
    """

    def __init__(self, board: Board, user: User, channel: Channel) -> None:
        self._board = board
        self._user = user
        self._channel = channel

    def resolve(self, option: Mapping[str, Any], value: object) -> tuple[str, Resolved]:
        """Return the id and `resolved` entries of a thing; raises Refused if the option does not take it."""
        kind = option["type"]
        value = getattr(value, "user", value)  # members and persons stand for their users
        if isinstance(value, User) and kind in (USER, MENTIONABLE):
            return str(value.id), self.user(value)
        if isinstance(value, Role) and kind in (ROLE, MENTIONABLE):
            return str(value.id), self._role(value)
        if isinstance(value, Channel) and kind == CHANNEL:
            return str(value.id), self._picked_channel(option, value)
        if kind == ATTACHMENT:
            return self._file(as_upload(value))
        raise Refused(f"the client offers nothing like {value!r} here (option type {kind})")

    def user(self, user: User) -> Resolved:
        """A user, and the member if it is one of this guild."""
        resolved: Resolved = {"users": {str(user.id): user.to_json()}}
        guild = self._channel.guild
        if guild is not None and user.id in guild.members:
            resolved["members"] = {str(user.id): partial_member(guild.members[user.id], self._channel)}
        return resolved

    def _role(self, role: Role) -> Resolved:
        guild = self._channel.guild
        if guild is None or guild.roles.get(role.id) is not role:
            raise Refused(f"the role {role.name!r} is not of this guild")
        return {"roles": {str(role.id): role.to_json()}}

    def _picked_channel(self, option: Mapping[str, Any], channel: Channel) -> Resolved:
        if channel.guild is not self._channel.guild or not in_channel(channel, self._user) & Permission.VIEW_CHANNEL:
            raise Refused(f"the client does not show the channel {channel.name!r} here")
        types = option.get("channel_types")
        if types and int(channel.kind) not in types:
            raise Refused(f"the channel {channel.name!r} is of type {int(channel.kind)}, only {types} are offered")
        return {"channels": {str(channel.id): partial_channel(channel, self._user, viewer=self._user)}}

    def _file(self, upload: Upload) -> tuple[str, Resolved]:
        unposted = self._board.compose(self._channel, self._user, Draft(uploads=(upload,)))
        attachment = unposted.attachments[0]
        return str(attachment.id), {"attachments": {str(attachment.id): attachment.to_json() | {"ephemeral": True}}}
