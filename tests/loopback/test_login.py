"""An unmodified discord.py client logs in, and is refused where Discord refuses."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import discord
import pytest
from discord.ext import commands

from loopback.people.clients import Listening, client_options, running
from loopback.server import Loopback
from loopback.world import Member

if TYPE_CHECKING:
    from loopback.server import Standard
    from loopback.world import User


async def test_a_client_logs_in_and_sees_its_guild(bot: Listening, usual: Standard) -> None:
    guild = bot.guilds[0]
    assert bot.user.id == bot.application_id == usual.bot.id
    assert [channel.name for channel in guild.channels] == ["general", "Lounge"]
    assert guild.me.guild_permissions.administrator
    assert {member.name for member in guild.members} == {"owner", "parley"}


async def test_a_commands_bot_answers_a_text_command(quiet: Loopback, usual: Standard) -> None:
    bot = commands.Bot("!", **client_options(quiet))

    @bot.command()
    async def hello(ctx: commands.Context) -> None:
        await ctx.send(f"hello {ctx.author.display_name}")

    friend = quiet.world.add_user("friend", global_name="Friend")
    quiet.world.add_member(usual.guild, friend)
    async with running(bot, usual.bot.token):
        waiting = asyncio.create_task(bot.wait_for("message", check=lambda message: message.author == bot.user))
        await asyncio.sleep(0)
        quiet.world.messages.create(usual.text, friend, "!hello")
        answer = await asyncio.wait_for(waiting, 30)
    assert answer.content == "hello Friend"


async def test_a_wrong_token_is_refused_before_the_gateway(quiet: Loopback) -> None:
    with pytest.raises(discord.LoginFailure):
        async with running(discord.Client(**client_options(quiet)), "no-such-token"):
            pass


async def test_an_intent_the_portal_does_not_grant_closes_the_gateway(quiet: Loopback, usual: Standard) -> None:
    usual.bot.application.privileged = frozenset({"members"})
    with pytest.raises(discord.PrivilegedIntentsRequired):
        async with running(discord.Client(**client_options(quiet)), usual.bot.token):
            pass


async def test_without_the_member_intents_only_oneself_is_known(quiet: Loopback, usual: Standard, friend: User) -> None:
    options = client_options(quiet, discord.Intents.default())
    async with running(Listening(**options), usual.bot.token) as client:
        guild = client.get_guild(usual.guild.id)
        assert [member.id for member in guild.members] == [usual.bot.id]
        assert guild.member_count == 3
        quiet.world.add_member(usual.guild, quiet.world.add_user("late"))
        quiet.world.edit_member(usual.guild, usual.guild.members[usual.bot.id], nick="Bot")
        await client.heard("member_update", lambda before, after: after.nick == "Bot")
        assert not client.all_heard("member_join")


async def test_the_gateway_refuses_a_wrong_token_and_a_stranger_to_the_protocol(quiet: Loopback) -> None:
    async with quiet.connector() as connector, aiohttp.ClientSession(connector=connector) as session:
        for frame, code in (
            ({"op": 2, "d": {"token": "wrong", "intents": 0, "properties": {}}}, 4004),
            ({"op": 4, "d": {}}, 4003),
            ({"op": 2, "d": {}}, 4002),
            ({"nonsense": 1}, 4002),
        ):
            async with session.ws_connect(quiet.gateway) as socket:
                assert (await socket.receive_json())["op"] == 10
                await socket.send_json(frame)
                await socket.receive()
                assert socket.close_code == code


async def test_guilds_joined_later_and_outages_are_seen(bot: Listening, quiet: Loopback, usual: Standard) -> None:
    second = quiet.world.add_guild("Second")
    quiet.world.add_member(second, usual.bot)
    assert (await bot.heard("guild_join")).name == "Second"
    quiet.world.set_available(second, available=False)
    assert (await bot.heard("guild_unavailable")).id == second.id
    quiet.world.set_available(second, available=True)
    assert (await bot.heard("guild_available", lambda guild: guild.id == second.id)).name == "Second"
    quiet.world.remove_member(second, usual.bot)
    assert (await bot.heard("guild_remove")).id == second.id


async def test_the_bot_can_change_its_avatar_and_name(bot: Listening, quiet: Loopback, usual: Standard) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + b"\0" * 32
    edited = await bot.user.edit(username="renamed", avatar=picture)
    assert usual.bot.name == "renamed"
    assert usual.bot.avatar_bytes == picture
    assert await edited.avatar.read() == picture
    with pytest.raises(discord.HTTPException) as refusal:
        await bot.user.edit(username="x")
    assert refusal.value.code == 50035


async def test_a_presence_is_seen_by_others(bot: Listening, quiet: Loopback, usual: Standard) -> None:
    friend = quiet.world.add_user("friend")
    quiet.world.add_member(usual.guild, friend)
    async with running(Listening(**client_options(quiet)), friend.token) as other:
        await bot.change_presence(status=discord.Status.idle, activity=discord.CustomActivity("In voice chat"))
        await other.heard("presence_update", lambda before, after: after.activity is not None)
        seen = other.get_guild(usual.guild.id).get_member(usual.bot.id)
        assert seen.status is discord.Status.idle
        assert seen.activity.name == "In voice chat"
    assert usual.bot.status == "idle"


async def test_members_are_sent_on_request(quiet: Loopback, usual: Standard) -> None:
    names = [f"member{number}" for number in range(1500)]
    for name in names:  # not by add_member, which tells each newcomer about all the others
        user = quiet.world.add_user(name)
        usual.guild.members[user.id] = Member(user)
    async with running(Listening(chunk_guilds_at_startup=False, **client_options(quiet)), usual.bot.token) as client:
        guild = client.get_guild(usual.guild.id)
        assert len(await guild.query_members("member1", limit=100)) == 100
        chunked = await guild.chunk()
        assert {member.name for member in chunked} >= set(names)


async def test_two_loopbacks_in_turn_leave_discord_py_as_it_was() -> None:
    before = discord.http.Route.BASE
    async with Loopback(voice=False) as loopback:
        loopback.redirect()
        assert loopback.rest == discord.http.Route.BASE
    assert before == discord.http.Route.BASE
