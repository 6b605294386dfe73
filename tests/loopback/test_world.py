"""The world by itself: permissions, mentions, ids, who hears what."""

from __future__ import annotations

from typing import Any

import pytest

from loopback.world import Draft, Emoji, Guild, Permission, User, World, in_channel, in_guild
from loopback.world.events import Audience


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def guild(world: World) -> Guild:
    return world.add_guild("here")


@pytest.fixture
def member(world: World, guild: Guild) -> User:
    user = world.add_user("member")
    world.add_member(guild, user)
    return user


def test_ids_grow_even_within_one_millisecond(world: World) -> None:
    ids = [world.ids.next() for _ in range(1000)]
    assert ids == sorted(set(ids))


def test_the_owner_may_do_everything_and_a_stranger_nothing(world: World, guild: Guild) -> None:
    channel = world.add_text_channel(guild, "general")
    owner = world.users[guild.owner_id]
    world.set_overwrite(channel, guild.everyone, deny=Permission.VIEW_CHANNEL)
    assert in_channel(channel, owner) & Permission.MANAGE_CHANNELS
    assert not in_channel(channel, world.add_user("stranger"))


def test_overwrites_apply_from_everyone_over_roles_to_the_member(world: World, guild: Guild, member: User) -> None:
    channel = world.add_text_channel(guild, "general")
    one, two = world.add_role(guild, "one"), world.add_role(guild, "two")
    world.edit_member(guild, guild.members[member.id], role_ids=[one.id, two.id])
    send = Permission.SEND_MESSAGES
    world.set_overwrite(channel, guild.everyone, deny=send)
    assert not in_channel(channel, member) & send
    world.set_overwrite(channel, one, allow=send)
    world.set_overwrite(channel, two, deny=send)
    assert in_channel(channel, member) & send
    world.set_overwrite(channel, member, deny=send)
    assert not in_channel(channel, member) & send
    assert in_guild(guild, member) & send


def test_without_view_nothing_is_left(world: World, guild: Guild, member: User) -> None:
    channel = world.add_voice_channel(guild, "Lounge")
    world.set_overwrite(channel, member, deny=Permission.VIEW_CHANNEL, allow=Permission.CONNECT)
    assert not in_channel(channel, member)


@pytest.mark.parametrize(
    ("allowed", "pinged"),
    [
        (None, True),
        ({"parse": ["users"]}, True),
        ({"parse": []}, False),
        ({"users": []}, False),
        ({"parse": ["roles", "everyone"]}, False),
    ],
)
def test_mentions_follow_the_allowed_ones(
    world: World, guild: Guild, member: User, allowed: dict[str, Any] | None, pinged: bool
) -> None:
    channel = world.add_text_channel(guild, "general")
    draft = Draft(f"hello <@{member.id}> <@!{member.id}>", allowed_mentions=allowed)
    message = world.messages.create(channel, world.users[guild.owner_id], draft)
    assert message.mentions.users == ([member] if pinged else [])


def test_text_displays_ping_like_content(world: World, guild: Guild, member: User) -> None:
    channel = world.add_text_channel(guild, "general")
    box = {"type": 17, "components": [{"type": 10, "content": f"<@{member.id}>"}]}
    draft = Draft(components=(box,), flags=1 << 15)
    assert world.messages.create(channel, world.users[guild.owner_id], draft).pings.users == [member]


def test_edits_ping_nobody(world: World, guild: Guild, member: User) -> None:
    channel = world.add_text_channel(guild, "general")
    message = world.messages.create(channel, world.users[guild.owner_id], "hello")
    world.messages.edit(message, {"content": f"hello <@{member.id}>"})
    assert message.mentions.users == [member]
    assert not message.pings


def test_a_composed_message_is_seen_by_nobody_until_it_is_posted(world: World, guild: Guild) -> None:
    heard: list[str] = []
    channel = world.add_text_channel(guild, "general")
    world.on_event(lambda name, data, audience: heard.append(name))
    message = world.messages.compose(channel, world.users[guild.owner_id], Draft("psst"))
    world.messages.edit(message, {"content": "still nothing"})
    assert heard == []
    assert not channel.messages
    world.messages.post(message)
    assert heard == ["MESSAGE_CREATE"]


def test_events_name_their_audience(world: World, guild: Guild, member: User) -> None:
    heard: list[tuple[str, Audience]] = []
    world.on_event(lambda name, data, audience: heard.append((name, audience)))
    channel = world.add_text_channel(guild, "general")
    world.messages.create(channel, member, "hello")
    world.direct_channel(member, world.users[guild.owner_id])
    assert heard[0] == ("CHANNEL_CREATE", Audience(guild_id=guild.id))
    assert heard[1] == ("MESSAGE_CREATE", Audience(guild_id=guild.id, channel_id=channel.id))
    assert heard[2] == ("CHANNEL_CREATE", Audience(user_ids=frozenset({member.id})))


@pytest.mark.parametrize(
    ("text", "emoji"),
    [
        ("👍", Emoji("👍")),
        ("wave:123", Emoji("wave", 123)),
        ("<:wave:123>", Emoji("wave", 123)),
        ("<a:w:1>", Emoji("w", 1)),
    ],
)
def test_emoji_are_read_as_clients_write_them(text: str, emoji: Emoji) -> None:
    assert Emoji.parse(text) == emoji


def test_a_full_channel_lets_only_movers_in(world: World, guild: Guild, member: User) -> None:
    channel = world.add_voice_channel(guild, "small", user_limit=1)
    owner = guild.members[guild.owner_id]
    other = world.add_member(guild, world.add_user("other"))
    assert world.voice.join(guild, guild.members[member.id], channel, "session")
    assert world.voice.join(guild, guild.members[member.id], channel, "session", mute=True)
    assert not world.voice.join(guild, other, channel, "session")
    assert world.voice.join(guild, owner, channel, "session")
    assert len(guild.in_voice(channel)) == 2
    world.voice.leave(guild, member.id)
    world.voice.leave(guild, member.id)
    assert len(guild.in_voice(channel)) == 1


def test_watchers_hear_of_places_not_of_flags(world: World, guild: Guild, member: User) -> None:
    places: list[tuple[str | None, str | None]] = []
    name = lambda state: state.channel.name if state and state.channel else None
    world.voice.watch(lambda before, after: places.append((name(before), name(after))))
    one, two = world.add_voice_channel(guild, "one"), world.add_voice_channel(guild, "two")
    there = guild.members[member.id]
    world.voice.join(guild, there, one, "session")
    world.voice.join(guild, there, one, "session", mute=True)
    world.edit_member(guild, there, muted=True)
    world.voice.move(guild, member.id, two)
    world.voice.join(guild, there, two, "another session")
    world.delete_channel(two)
    assert places == [(None, "one"), ("one", "two"), ("two", "two"), ("two", None)]
