"""Joining, moving and leaving voice channels: the main gateway's part, with a real voice server behind it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import discord
import pytest

from loopback.people.clients import Listening, client_options, running, until
from loopback.server import Loopback
from loopback.voice.load import SyntheticSpeaker
from loopback.world import Permission

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from loopback.server import Standard
    from loopback.world import User


@pytest.fixture
async def quiet() -> AsyncIterator[Loopback]:
    """The fixture of the neighbouring tests, with a voice server."""
    async with Loopback() as loopback:
        loopback.redirect()
        yield loopback


@pytest.fixture
async def caller(quiet: Loopback, friend: User) -> AsyncIterator[Listening]:
    """A client of an ordinary member."""
    async with running(Listening(**client_options(quiet)), friend.token) as client:
        yield client


async def test_a_client_connects_and_everybody_sees_it(
    bot: Listening, caller: Listening, quiet: Loopback, usual: Standard
) -> None:
    voice = await bot.get_channel(usual.voice.id).connect(timeout=30, reconnect=False)
    assert voice.is_connected()
    assert quiet.voice.room(usual.voice.id) is not None
    await caller.heard("voice_state_update", lambda member, before, after: after.channel is not None)
    assert [member.id for member in caller.get_channel(usual.voice.id).members] == [usual.bot.id]
    await voice.disconnect()
    await caller.heard("voice_state_update", lambda member, before, after: after.channel is None)
    assert not usual.guild.voice_states


async def test_a_full_channel_gives_no_answer_except_to_who_may_move_members(
    bot: Listening, caller: Listening, quiet: Loopback, usual: Standard
) -> None:
    small = quiet.world.add_voice_channel(usual.guild, "small", user_limit=1)
    await until(lambda: bot.get_channel(small.id) and caller.get_channel(small.id))
    voice = await bot.get_channel(small.id).connect(timeout=30, reconnect=False)
    with pytest.raises(asyncio.TimeoutError):
        await caller.get_channel(small.id).connect(timeout=0.3, reconnect=False)
    await voice.disconnect()
    voice = await caller.get_channel(small.id).connect(timeout=30, reconnect=False)
    await (await bot.get_channel(small.id).connect(timeout=30, reconnect=False)).disconnect()
    await voice.disconnect()


async def test_a_channel_without_the_connect_permission_gives_no_answer(
    caller: Listening, quiet: Loopback, usual: Standard
) -> None:
    quiet.world.set_overwrite(usual.voice, usual.guild.everyone, deny=Permission.CONNECT)
    with pytest.raises(asyncio.TimeoutError):
        await caller.get_channel(usual.voice.id).connect(timeout=0.3, reconnect=False)
    assert not usual.guild.voice_states


async def test_a_kick_from_voice_ends_the_connection(
    bot: Listening, caller: Listening, quiet: Loopback, usual: Standard
) -> None:
    await bot.get_channel(usual.voice.id).connect(timeout=30, reconnect=True)
    quiet.world.voice.leave(usual.guild, usual.bot.id)
    await bot.heard("voice_state_update", lambda member, before, after: after.channel is None)
    await until(lambda: not bot.voice_clients)


async def test_a_moved_client_follows_to_the_new_room(
    bot: Listening, caller: Listening, quiet: Loopback, usual: Standard
) -> None:
    other = quiet.world.add_voice_channel(usual.guild, "other")
    voice = await caller.get_channel(usual.voice.id).connect(timeout=30, reconnect=True)
    member = bot.get_guild(usual.guild.id).get_member(caller.user.id)
    await member.move_to(bot.get_channel(other.id))
    await until(lambda: quiet.voice.room(other.id) is not None and voice.is_connected())
    assert voice.channel.id == other.id
    await voice.disconnect()


async def test_moving_oneself_and_muting(bot: Listening, quiet: Loopback, usual: Standard) -> None:
    other = quiet.world.add_voice_channel(usual.guild, "other")
    voice = await bot.get_channel(usual.voice.id).connect(timeout=30, reconnect=True)
    guild = bot.get_guild(usual.guild.id)
    await guild.change_voice_state(channel=discord.Object(other.id))
    await until(lambda: quiet.voice.room(other.id) is not None and voice.is_connected())
    assert usual.guild.voice_states[usual.bot.id].channel is other
    await guild.change_voice_state(channel=bot.get_channel(other.id), self_mute=True, self_deaf=True)
    await bot.heard("voice_state_update", lambda member, before, after: after.self_mute and after.self_deaf)
    assert voice.is_connected()
    await guild.me.edit(mute=True)
    await bot.heard("voice_state_update", lambda member, before, after: after.mute)
    assert usual.guild.members[usual.bot.id].muted
    await voice.disconnect()


async def test_a_deleted_channel_throws_everybody_out(
    bot: Listening, caller: Listening, quiet: Loopback, usual: Standard
) -> None:
    await caller.get_channel(usual.voice.id).connect(timeout=30, reconnect=True)
    await bot.get_channel(usual.voice.id).delete()
    assert (await caller.heard("guild_channel_delete")).id == usual.voice.id
    assert not usual.guild.voice_states
    await until(lambda: not caller.voice_clients)


async def test_who_logs_out_leaves_voice(bot: Listening, quiet: Loopback, usual: Standard, friend: User) -> None:
    async with running(Listening(**client_options(quiet)), friend.token) as client:
        await client.get_channel(usual.voice.id).connect(timeout=30, reconnect=True)
        assert friend.id in usual.guild.voice_states
    await bot.heard("voice_state_update", lambda member, before, after: before.channel and not after.channel)
    assert not usual.guild.voice_states


async def test_the_voice_server_admits_exactly_who_is_in_a_channel(
    quiet: Loopback, usual: Standard, friend: User
) -> None:
    place = {"guild_id": str(usual.guild.id), "channel_id": str(usual.voice.id)}
    async with aiohttp.ClientSession() as http, http.ws_connect(quiet.gateway) as socket:
        await socket.send_json({"op": 2, "d": {"token": friend.token, "intents": 0, "properties": {}}})
        for end in (lambda: quiet.world.voice.leave(usual.guild, friend.id), socket.close):
            await socket.send_json({"op": 4, "d": place})
            await until(lambda: quiet.voice.admission(usual.guild.id, friend.id))
            ended = end()
            if ended is not None:
                await ended
            await until(lambda: quiet.voice.admission(usual.guild.id, friend.id) is None)
            assert not usual.guild.voice_states


async def test_who_asks_again_for_the_same_channel_is_told_the_place_and_stays(
    quiet: Loopback, usual: Standard, friend: User
) -> None:
    speaker = SyntheticSpeaker(quiet.gateway, quiet.certificates.client_context(), friend.token)
    await speaker.enter(usual.guild.id, usual.voice.id)
    session = quiet.voice.session(guild_id=usual.guild.id, user_id=friend.id)
    again = await speaker._gateway.enter(usual.guild.id, usual.voice.id)
    assert again.token == quiet.voice.admission(usual.guild.id, friend.id).token
    assert quiet.voice.session(guild_id=usual.guild.id, user_id=friend.id) is session
    await quiet.voice.drop(guild_id=usual.guild.id, user_id=friend.id)
    await speaker.voice.wait_closed()
    await speaker.voice.resume()
    assert quiet.voice.session(guild_id=usual.guild.id, user_id=friend.id) is session
    await speaker.leave()


async def test_without_the_speak_permission_one_is_suppressed(
    caller: Listening, quiet: Loopback, usual: Standard
) -> None:
    quiet.world.set_overwrite(usual.voice, usual.guild.everyone, deny=Permission.SPEAK)
    voice = await caller.get_channel(usual.voice.id).connect(timeout=30, reconnect=False)
    await caller.heard("voice_state_update", lambda member, before, after: after.suppress)
    await voice.disconnect()


async def test_members_in_voice_only_can_be_moved(bot: Listening, usual: Standard, friend: User) -> None:
    member = await bot.get_guild(usual.guild.id).fetch_member(friend.id)
    with pytest.raises(discord.HTTPException) as refusal:
        await member.move_to(bot.get_channel(usual.voice.id))
    assert refusal.value.code == 40032
