"""Gateway connections that break: what a client misses, and what it does not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import aiohttp
import discord

from loopback.people.clients import Listening, client_options, running, until

if TYPE_CHECKING:
    from loopback.server import Loopback, Standard
    from loopback.world import User


async def test_a_dropped_connection_resumes_and_misses_nothing(
    bot: Listening, quiet: Loopback, usual: Standard, friend: User
) -> None:
    write = quiet.world.messages.create
    write(usual.text, friend, "0")
    await quiet.faults.drop_gateway(usual.bot)
    for number in range(1, 20):
        write(usual.text, friend, str(number))
    await bot.heard("resumed")
    write(usual.text, friend, "20")
    await bot.heard("message", lambda message: message.content == "20")
    assert [message.content for message in bot.all_heard("message")] == [str(number) for number in range(21)]
    assert [name for name, _ in bot.events].count("ready") == 1


async def test_a_forgotten_session_starts_anew(bot: Listening, quiet: Loopback, usual: Standard) -> None:
    await quiet.faults.drop_gateway(usual.bot, resumable=False)
    await until(lambda: [name for name, _ in bot.events].count("ready") == 2)
    assert "resumed" not in [name for name, _ in bot.events]
    assert bot.get_channel(usual.text.id) is not None


async def test_op_7_lets_the_client_resume(bot: Listening, quiet: Loopback, usual: Standard) -> None:
    quiet.faults.ask_to_reconnect(usual.bot)
    await bot.heard("resumed")
    await (bot.get_channel(usual.text.id)).send("still here")


async def test_op_9_says_whether_the_session_lives(quiet: Loopback, usual: Standard) -> None:
    async with aiohttp.ClientSession() as http, http.ws_connect(quiet.gateway) as socket:
        await socket.receive_json()
        await socket.send_json({"op": 2, "d": {"token": usual.bot.token, "intents": 0, "properties": {}}})
        assert (await socket.receive_json())["t"] == "READY"
        quiet.faults.invalidate_session(usual.bot, resumable=True)
        assert await socket.receive_json() == {"op": 9, "d": True, "s": None, "t": None}
        assert quiet.sessions.sessions_of(usual.bot)
        quiet.faults.invalidate_session(usual.bot)
        assert await socket.receive_json() == {"op": 9, "d": False, "s": None, "t": None}
        assert not quiet.sessions.sessions_of(usual.bot)


async def test_a_session_nobody_comes_back_to_expires(quiet: Loopback, usual: Standard) -> None:
    quiet.sessions.resume_window_s = 0.05
    async with aiohttp.ClientSession() as http, http.ws_connect(quiet.gateway) as socket:
        await socket.send_json({"op": 2, "d": {"token": usual.bot.token, "intents": 0, "properties": {}}})
        await until(lambda: quiet.sessions.sessions_of(usual.bot))
        await quiet.faults.drop_gateway(usual.bot)
        assert quiet.sessions.sessions_of(usual.bot)
        await until(lambda: not quiet.sessions.sessions_of(usual.bot))


async def test_a_sequence_from_the_future_cannot_be_resumed(quiet: Loopback, usual: Standard) -> None:
    identify = {"token": usual.bot.token, "intents": 1, "properties": {}}
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(quiet.gateway) as socket:
            await socket.receive_json()
            await socket.send_json({"op": 2, "d": identify})
            session_id = (await socket.receive_json())["d"]["session_id"]
            await socket.close(code=4000)
        for sequence, answer in ((999, 9), (1, 0)):
            async with http.ws_connect(quiet.gateway) as socket:
                await socket.receive_json()
                resume = {"token": usual.bot.token, "session_id": session_id, "seq": sequence}
                await socket.send_json({"op": 6, "d": resume})
                assert (await socket.receive_json())["op"] == answer
                await socket.close(code=4000)


async def test_a_heartbeat_is_answered_as_late_as_by_discord(quiet: Loopback, usual: Standard) -> None:
    """discord.py notes on another thread when it sent a heartbeat; an answer before that seems to be 41 s late."""
    async with aiohttp.ClientSession() as http, http.ws_connect(quiet.gateway) as socket:
        await socket.receive_json()
        sent_s = time.monotonic()
        await socket.send_json({"op": 1, "d": None})
        assert (await socket.receive_json())["op"] == 11
        assert time.monotonic() - sent_s > 0.08


async def test_discord_py_measures_the_heartbeat_it_sent_and_not_the_one_before(
    quiet: Loopback, usual: Standard
) -> None:
    quiet.sessions.heartbeat_interval_ms = 1000
    async with running(Listening(**client_options(quiet)), usual.bot.token) as bot:
        await until(lambda: bot.latency < 60)  # infinite before the first answer
        assert 0.08 < bot.latency < 1


async def test_heartbeats_can_be_left_unanswered(quiet: Loopback, usual: Standard) -> None:
    quiet.sessions.heartbeat_interval_ms = 200
    quiet.faults.ignore_heartbeats()
    async with aiohttp.ClientSession() as http, http.ws_connect(quiet.gateway) as socket:
        assert (await socket.receive_json())["d"]["heartbeat_interval"] == 200
        await socket.send_json({"op": 1, "d": None})
        resume = {"token": usual.bot.token, "session_id": "none", "seq": 0}
        await socket.send_json({"op": 6, "d": resume})
        assert (await socket.receive_json())["op"] == 9
        quiet.faults.clear()
        await socket.send_json({"op": 1, "d": None})
        assert (await socket.receive_json())["op"] == 11


async def test_two_clients_of_one_bot_both_hear(bot: Listening, quiet: Loopback, usual: Standard, friend: User) -> None:
    assert isinstance(bot.user, discord.ClientUser)
    async with aiohttp.ClientSession() as http, http.ws_connect(quiet.gateway) as socket:
        await socket.receive_json()
        await socket.send_json({"op": 2, "d": {"token": usual.bot.token, "intents": 1 << 9, "properties": {}}})
        assert (await socket.receive_json())["t"] == "READY"
        quiet.world.messages.create(usual.text, friend, "both")
        await bot.heard("message")
        assert (await socket.receive_json())["t"] == "MESSAGE_CREATE"
        assert quiet.sessions.dispatch_to_application(usual.bot.id, "INTERACTION_CREATE", {"id": "1"})
        assert (await socket.receive_json())["t"] == "INTERACTION_CREATE"
    assert not quiet.sessions.dispatch_to_application(friend.id, "INTERACTION_CREATE", {})
