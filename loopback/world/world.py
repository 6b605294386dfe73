"""The whole state of a Discord: users, guilds, channels and what happens in them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from loopback.world.board import Board
from loopback.world.events import Audience, Events, Listener
from loopback.world.guilds import Channel, ChannelKind, Guild, Member, Overwrite, Role
from loopback.world.ids import Snowflakes
from loopback.world.messages import Webhook
from loopback.world.permissions import EVERYONE, NONE, Permission
from loopback.world.users import Application, User
from loopback.world.voice import Voice

if TYPE_CHECKING:
    from collections.abc import Iterable


class World:
    """Users, guilds and channels, with methods that change them and publish the change.

    Attributes:
        messages: Posting, editing, deleting, reacting.
        voice: Joining, moving and leaving voice channels.
    """

    def __init__(self) -> None:
        self.ids = Snowflakes()
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.webhooks: dict[int, Webhook] = {}
        self._tokens: dict[str, User] = {}
        self._events = Events()
        self.messages = Board(self._events, self.ids, self.users)
        self.voice = Voice(self._events)

    def on_event(self, listener: Listener) -> None:
        """Call `listener(name, data, audience)` for everything that happens, in order."""
        self._events.listen(listener)

    def user_of(self, token: str) -> User | None:
        """The user a token belongs to."""
        return self._tokens.get(token)

    def add_user(
        self, name: str, *, bot: bool = False, global_name: str | None = None, privileged: Iterable[str] | None = None
    ) -> User:
        """A new user with a token and an application; `privileged` as in `Application`."""
        user = User(self.ids.next(), name, secrets.token_urlsafe(48), bot=bot, global_name=global_name)
        user.application = Application(user.id, user, user)
        if privileged is not None:
            user.application.privileged = frozenset(privileged)
        self.users[user.id] = user
        self._tokens[user.token] = user
        return user

    def edit_user(self, user: User, *, name: str | None = None, avatar: tuple[str | None, bytes] | None = None) -> None:
        """Rename a user or give it a new avatar (hash and picture), and tell those who know it."""
        if name is not None:
            user.name = name
        if avatar is not None:
            user.avatar, user.avatar_bytes = avatar
        self._events.publish("USER_UPDATE", user.to_own_json(), Audience(user_ids=frozenset({user.id})))
        for guild in self.guilds.values():
            if user.id in guild.members:
                self._member_changed(guild, guild.members[user.id])

    def set_presence(self, user: User, status: str, activities: list[dict[str, Any]]) -> None:
        """Show the user as "online", "idle", "dnd", "invisible" or "offline", doing these things."""
        user.status, user.activities = status, activities
        for guild in self.guilds.values():
            if user.id in guild.members:
                others = frozenset(guild.members) - {user.id}
                self._events.publish("PRESENCE_UPDATE", user.presence_json(guild.id), Audience(guild.id, None, others))

    def add_guild(self, name: str, owner: User | None = None) -> Guild:
        """A new guild with its `@everyone` role; without an owner given, one is made."""
        owner = owner or self.add_user("owner")
        guild_id = self.ids.next()
        guild = Guild(guild_id, name, owner.id)
        guild.roles[guild_id] = Role(guild_id, "@everyone", EVERYONE)
        self.guilds[guild_id] = guild
        self.add_member(guild, owner)
        return guild

    def set_available(self, guild: Guild, *, available: bool) -> None:
        """Let the guild have an outage (its members see it vanish), or end it."""
        guild.available = available
        audience = Audience(guild_id=guild.id)
        if available:
            self._events.publish("GUILD_CREATE", guild.to_gateway_json(), audience)
        else:
            self._events.publish("GUILD_DELETE", {"id": str(guild.id), "unavailable": True}, audience)

    def add_role(
        self,
        guild: Guild,
        name: str,
        permissions: Permission = NONE,
        *,
        mentionable: bool = False,
        position: int | None = None,
    ) -> Role:
        """A new role, above all others unless a position is given."""
        above = len(guild.roles) if position is None else position
        role = Role(self.ids.next(), name, permissions, above, mentionable=mentionable)
        guild.roles[role.id] = role
        self._role_event("GUILD_ROLE_CREATE", guild, role)
        return role

    def edit_role(self, guild: Guild, role: Role, **changes: Any) -> None:
        """Set attributes of a role: `name`, `permissions`, `position`, `color`, `hoist`, `mentionable`."""
        for name, value in changes.items():
            setattr(role, name, value)
        self._role_event("GUILD_ROLE_UPDATE", guild, role)

    def delete_role(self, guild: Guild, role: Role) -> None:
        """Take a role away from the guild and from every member."""
        for member in guild.members.values():
            if role.id in member.role_ids:
                member.role_ids.remove(role.id)
        del guild.roles[role.id]
        data = {"guild_id": str(guild.id), "role_id": str(role.id)}
        self._events.publish("GUILD_ROLE_DELETE", data, Audience(guild_id=guild.id))

    def add_member(self, guild: Guild, user: User, roles: Iterable[Role] = (), *, nick: str | None = None) -> Member:
        """Let a user into the guild: it receives the guild, the others its arrival."""
        member = Member(user, nick, [role.id for role in roles])
        others = frozenset(guild.members)
        guild.members[user.id] = member
        data = member.to_json() | {"guild_id": str(guild.id)}
        self._events.publish("GUILD_MEMBER_ADD", data, Audience(user_ids=others))
        arrival = guild.to_gateway_json()
        del arrival["unavailable"]  # its absence tells a new guild from one that is back from an outage
        self._events.publish("GUILD_CREATE", arrival, Audience(user_ids=frozenset({user.id})))
        return member

    def remove_member(self, guild: Guild, user: User) -> None:
        """Take a user out of the guild, and out of its voice channels first."""
        self.voice.leave(guild, user.id)
        del guild.members[user.id]
        data = {"guild_id": str(guild.id), "user": user.to_json()}
        self._events.publish("GUILD_MEMBER_REMOVE", data, Audience(guild_id=guild.id))
        self._events.publish("GUILD_DELETE", {"id": str(guild.id)}, Audience(user_ids=frozenset({user.id})))

    def edit_member(self, guild: Guild, member: Member, **changes: Any) -> None:
        """Set attributes of a member: such as `nick`, `role_ids`, `muted`, `timed_out_until`, `avatar` or `bio`."""
        for name, value in changes.items():
            setattr(member, name, value)
        self._member_changed(guild, member)
        if changes.keys() & {"muted", "deafened", "role_ids"}:
            self.voice.refresh(guild, member.user.id)

    def add_text_channel(self, guild: Guild, name: str, **attributes: Any) -> Channel:
        """A new text channel; `attributes` are those of `Channel`, such as `topic` or `parent`."""
        return self.add_channel(guild, ChannelKind.TEXT, name, **attributes)

    def add_voice_channel(self, guild: Guild, name: str, *, user_limit: int = 0, **attributes: Any) -> Channel:
        """A new voice channel; a `user_limit` of 0 is no limit."""
        return self.add_channel(guild, ChannelKind.VOICE, name, user_limit=user_limit, **attributes)

    def add_channel(self, guild: Guild, kind: ChannelKind, name: str, **attributes: Any) -> Channel:
        """A new channel of any kind in a guild."""
        attributes.setdefault("position", len(guild.channels))
        return self.put_channel(Channel(self.ids.next(), kind, name, guild, **attributes))

    def put_channel(self, channel: Channel) -> Channel:
        """Put a channel or thread that was made elsewhere into its guild."""
        if channel.guild is not None:
            channel.guild.channels[channel.id] = channel
        self.channels[channel.id] = channel
        self._channel_event("CREATE", channel)
        return channel

    def edit_channel(self, channel: Channel, **changes: Any) -> None:
        """Set attributes of a channel and publish it."""
        for name, value in changes.items():
            setattr(channel, name, value)
        self._channel_event("UPDATE", channel)

    def set_voice_status(self, channel: Channel, status: str | None) -> None:
        """Set the line of text under a voice channel's name."""
        channel.status = status
        data = {"id": str(channel.id), "guild_id": str(channel.guild_id), "status": status}
        self._events.publish("VOICE_CHANNEL_STATUS_UPDATE", data, Audience(channel.guild_id, channel.id))

    def delete_channel(self, channel: Channel) -> None:
        """Delete a guild's channel with its threads; whoever talked in it is thrown out of voice."""
        guild = channel.guild
        if guild is None:
            return
        for thread in [one for one in guild.channels.values() if one.is_thread and one.parent is channel]:
            self.delete_channel(thread)
        for state in guild.in_voice(channel):
            self.voice.leave(guild, state.member.user.id)
        for webhook in [one for one in self.webhooks.values() if one.channel is channel]:
            del self.webhooks[webhook.id]
        del guild.channels[channel.id], self.channels[channel.id]
        self._channel_event("DELETE", channel)

    def set_overwrite(
        self, channel: Channel, target: Role | Member | User, *, allow: Permission = NONE, deny: Permission = NONE
    ) -> None:
        """Say what a role or member may do differently in a channel."""
        is_member = not isinstance(target, Role)
        target_id = target.user.id if isinstance(target, Member) else target.id
        channel.overwrites[target_id] = Overwrite(target_id, is_member, allow, deny)
        self._channel_event("UPDATE", channel)

    def remove_overwrite(self, channel: Channel, target_id: int) -> None:
        """Forget what a role or member may do differently; no effect if nothing was said."""
        if channel.overwrites.pop(target_id, None) is not None:
            self._channel_event("UPDATE", channel)

    def direct_channel(self, one: User, other: User) -> Channel:
        """The direct message channel of two users, made at first use."""
        both = frozenset({one.id, other.id})
        for channel in self.channels.values():
            if channel.kind is ChannelKind.DIRECT and channel.recipient_ids == both:
                return channel
        channel = Channel(self.ids.next(), ChannelKind.DIRECT, recipients=(one, other))
        self.channels[channel.id] = channel
        for user in (one, other):
            self._events.publish("CHANNEL_CREATE", channel.to_json(user), Audience(user_ids=frozenset({user.id})))
        return channel

    def add_webhook(
        self, channel: Channel, creator: User, name: str, avatar: tuple[str | None, bytes] = (None, b"")
    ) -> Webhook:
        """A new webhook of a channel; `avatar` is hash and picture."""
        webhook = Webhook(self.ids.next(), secrets.token_urlsafe(48), name, channel, creator, *avatar)
        self.webhooks[webhook.id] = webhook
        self._webhooks_changed(channel)
        return webhook

    def edit_webhook(self, webhook: Webhook, **changes: Any) -> None:
        """Set attributes of a webhook: `name`, `channel`, `avatar` and `avatar_bytes`."""
        left = webhook.channel
        for name, value in changes.items():
            setattr(webhook, name, value)
        if left is not webhook.channel:
            self._webhooks_changed(left)
        self._webhooks_changed(webhook.channel)

    def delete_webhook(self, webhook: Webhook) -> None:
        """Take a webhook away; its messages stay."""
        del self.webhooks[webhook.id]
        self._webhooks_changed(webhook.channel)

    def publish(self, name: str, data: dict[str, Any], audience: Audience) -> None:
        """Publish an event that changes nothing here, such as a presence."""
        self._events.publish(name, data, audience)

    def _channel_event(self, change: str, channel: Channel) -> None:
        kind = "THREAD" if channel.is_thread else "CHANNEL"
        self._events.publish(f"{kind}_{change}", channel.to_json(), Audience(guild_id=channel.guild_id))

    def _role_event(self, name: str, guild: Guild, role: Role) -> None:
        data = {"guild_id": str(guild.id), "role": role.to_json()}
        self._events.publish(name, data, Audience(guild_id=guild.id))

    def _member_changed(self, guild: Guild, member: Member) -> None:
        data = member.to_json() | {"guild_id": str(guild.id)}
        self._events.publish("GUILD_MEMBER_UPDATE", data, Audience(guild_id=guild.id))

    def _webhooks_changed(self, channel: Channel) -> None:
        data = {"guild_id": str(channel.guild_id), "channel_id": str(channel.id)}
        self._events.publish("WEBHOOKS_UPDATE", data, Audience(guild_id=channel.guild_id))
