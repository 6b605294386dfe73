"""An unmodified discord.py client logs in."""

from __future__ import annotations

import asyncio

import discord

from loopback.server import Loopback


async def test_a_client_logs_in_and_sees_its_guild() -> None:
    async with Loopback(voice=False) as loopback:
        loopback.redirect()
        standard = loopback.standard()
        client = discord.Client(intents=discord.Intents.all(), connector=loopback.connector(), guild_ready_timeout=0.05)
        ready = asyncio.Event()

        @client.event
        async def on_ready() -> None:
            ready.set()

        async with client:
            task = asyncio.create_task(client.start(standard.bot.token))
            await asyncio.wait_for(ready.wait(), 5)
            guild = client.guilds[0]
            assert client.user.id == standard.bot.id
            assert [channel.name for channel in guild.channels] == ["general", "Lounge"]
            assert guild.me.guild_permissions.administrator
        await task
        assert loopback.unknown_routes == []
