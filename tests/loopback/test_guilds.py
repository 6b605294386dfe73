"""Members, roles, channels, overwrites and permission errors through discord.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
import pytest

from loopback.people.clients import Listening, client_options, running, until
from loopback.world import Permission, in_channel

if TYPE_CHECKING:
    from loopback.server import Loopback, Standard
    from loopback.world import User


async def test_nicknames_and_roles_change(bot: Listening, quiet: Loopback, usual: Standard, friend: User) -> None:
    guild = bot.get_guild(usual.guild.id)
    quiet.world.edit_role(usual.guild, list(usual.guild.roles.values())[1], position=9)
    role = await guild.create_role(name="crew", permissions=discord.Permissions(speak=True))
    member = await guild.fetch_member(friend.id)
    await member.edit(nick="Buddy")
    await member.add_roles(role)
    kept = usual.guild.members[friend.id]
    assert (kept.display_name, kept.role_ids) == ("Buddy", [role.id])
    await bot.heard("member_update", lambda before, after: after.nick == "Buddy")
    await member.edit(roles=[])
    assert kept.role_ids == []
    await guild.me.edit(nick="Voice of Parley")
    assert usual.guild.members[usual.bot.id].nick == "Voice of Parley"
    await role.edit(name="hands", mentionable=True)
    assert usual.guild.roles[role.id].mentionable
    await role.delete()
    assert role.id not in usual.guild.roles
    with pytest.raises(discord.HTTPException) as refusal:
        await member.edit(nick="x" * 33)
    assert refusal.value.code == 50035


async def test_channels_are_made_changed_and_deleted(bot: Listening, usual: Standard) -> None:
    guild = bot.get_guild(usual.guild.id)
    category = await guild.create_category("Talk")
    hidden = {guild.default_role: discord.PermissionOverwrite(view_channel=False)}
    text = await guild.create_text_channel("prompts", category=category, topic="ask", overwrites=hidden)
    voice = await guild.create_voice_channel("Stage", user_limit=3)
    assert usual.guild.channels[text.id].parent.id == category.id
    assert usual.guild.channels[text.id].overwrites[usual.guild.id].deny == Permission.VIEW_CHANNEL
    await text.edit(topic="ask me", slowmode_delay=5)
    assert (usual.guild.channels[text.id].topic, usual.guild.channels[text.id].slowmode_s) == ("ask me", 5)
    await bot.heard("guild_channel_update", lambda before, after: getattr(after, "topic", "") == "ask me")
    assert usual.guild.channels[voice.id].user_limit == 3
    await voice.edit(status="reading aloud")
    assert usual.guild.channels[voice.id].status == "reading aloud"
    await text.delete()
    assert text.id not in usual.guild.channels
    with pytest.raises(discord.NotFound) as refusal:
        await bot.fetch_channel(text.id)
    assert refusal.value.code == 10003


async def test_overwrites_lock_a_channel_and_open_it_again(
    bot: Listening, quiet: Loopback, usual: Standard, friend: User
) -> None:
    channel = bot.get_channel(usual.text.id)
    everyone = channel.guild.default_role
    await channel.set_permissions(everyone, send_messages=False)
    assert not in_channel(usual.text, friend) & Permission.SEND_MESSAGES
    await bot.heard("guild_channel_update")
    assert bot.get_channel(usual.text.id).overwrites_for(everyone).send_messages is False
    async with running(Listening(**client_options(quiet)), friend.token) as client:
        with pytest.raises(discord.Forbidden) as refusal:
            await client.get_channel(usual.text.id).send("may I?")
        assert refusal.value.code == 50013
        await channel.set_permissions(everyone, overwrite=None)
        await client.get_channel(usual.text.id).send("I may.")
    assert not usual.text.overwrites


async def test_an_ordinary_member_is_refused_what_it_may_not(quiet: Loopback, usual: Standard, friend: User) -> None:
    message = quiet.world.messages.create(usual.text, usual.bot, "hands off")
    async with running(Listening(**client_options(quiet)), friend.token) as client:
        guild = client.get_guild(usual.guild.id)
        channel = client.get_channel(usual.text.id)
        foreign = await channel.fetch_message(message.id)
        for attempt in (
            foreign.delete(),
            foreign.pin(),
            channel.delete(),
            channel.edit(topic="mine"),
            channel.create_webhook(name="mine"),
            guild.create_role(name="mine"),
            guild.me.edit(mute=True),
            guild.get_member(usual.bot.id).edit(nick="silly"),
            guild.kick(guild.get_member(usual.bot.id)),
        ):
            with pytest.raises(discord.Forbidden) as refusal:
                await attempt
            assert refusal.value.code == 50013
        await guild.me.edit(nick="my own name")
    assert usual.guild.members[friend.id].nick == "my own name"


async def test_unknown_things_have_discords_codes(bot: Listening, usual: Standard) -> None:
    guild = bot.get_guild(usual.guild.id)
    missing = 123456789012345678
    with pytest.raises(discord.NotFound) as refusal:
        await bot.fetch_user(missing)
    assert refusal.value.code == 10013
    with pytest.raises(discord.NotFound) as refusal:
        await bot.fetch_guild(missing)
    assert refusal.value.code == 10004
    with pytest.raises(discord.NotFound) as refusal:
        await guild.fetch_member(missing)
    assert refusal.value.code == 10013
    with pytest.raises(discord.NotFound) as refusal:
        await bot.get_channel(usual.text.id).fetch_message(missing)
    assert refusal.value.code == 10008


async def test_guilds_members_and_roles_can_be_fetched(bot: Listening, usual: Standard, friend: User) -> None:
    guild = await bot.fetch_guild(usual.guild.id)
    assert [one.id async for one in bot.fetch_guilds()] == [guild.id]
    assert {channel.name for channel in await guild.fetch_channels()} == {"general", "Lounge"}
    assert {role.name for role in await guild.fetch_roles()} == {"@everyone", "bot"}
    assert friend.id in {member.id async for member in guild.fetch_members(limit=None)}


async def test_a_kicked_member_is_gone(bot: Listening, quiet: Loopback, usual: Standard, friend: User) -> None:
    guild = bot.get_guild(usual.guild.id)
    await until(lambda: guild.get_member(friend.id))
    await guild.kick(guild.get_member(friend.id), reason="test")
    assert (await bot.heard("member_remove")).id == friend.id
    assert friend.id not in usual.guild.members


async def test_a_role_above_the_bots_own_is_out_of_reach(quiet: Loopback, usual: Standard, friend: User) -> None:
    helper = quiet.world.add_user("helper", bot=True)
    low = quiet.world.add_role(usual.guild, "low", Permission.MANAGE_ROLES | Permission.MANAGE_NICKNAMES, position=1)
    high = quiet.world.add_role(usual.guild, "high", position=5)
    quiet.world.add_member(usual.guild, helper, [low])
    quiet.world.edit_member(usual.guild, usual.guild.members[friend.id], role_ids=[high.id])
    async with running(Listening(**client_options(quiet)), helper.token) as client:
        member = client.get_guild(usual.guild.id).get_member(friend.id)
        for attempt in (member.add_roles(discord.Object(high.id)), member.edit(nick="low")):
            with pytest.raises(discord.Forbidden) as refusal:
                await attempt
            assert refusal.value.code == 50013
