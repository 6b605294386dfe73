"""Webhooks as Discord has them: who may manage them, where they post, how fast, and what their messages look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import discord
import pytest

from loopback.people.clients import client_options, running
from loopback.rest import profile_pictures
from loopback.rest.limits import Pace
from loopback.services.png import png
from loopback.world import Permission
from loopback.world.guilds import ChannelKind

if TYPE_CHECKING:
    from loopback.people.clients import Listening
    from loopback.server import Loopback, Standard
    from loopback.world import User


async def test_a_webhook_posts_under_a_name_and_picture_a_message(
    bot: Listening, quiet: Loopback, usual: Standard
) -> None:
    picture = png(8, 8)
    webhook = await bot.get_channel(usual.text.id).create_webhook(name="contrary", avatar=picture)
    assert await webhook.avatar.read() == picture
    assert (await bot.heard("webhooks_update")).id == usual.text.id
    sent = await webhook.send("I disagree.", username="Nemesis", avatar_url="http://127.0.0.1/a.png", wait=True)
    assert (sent.author.display_name, sent.author.bot) == ("Nemesis", True)
    assert sent.author.avatar != webhook.avatar
    heard = await bot.heard("message")
    assert (heard.webhook_id, heard.author.id) == (webhook.id, webhook.id)
    assert await webhook.send("Quietly.") is None
    with pytest.raises(discord.HTTPException) as refusal:
        await webhook.send("x", avatar_url="file:///etc/passwd")
    assert refusal.value.code == 50035
    for name in ("Clyde", "my discord", "x" * 81):
        with pytest.raises(discord.HTTPException) as refusal:
            await webhook.send("x", username=name)
        assert refusal.value.code == 50035


async def test_a_webhook_is_renamed_pictured_and_moved(
    bot: Listening, usual: Standard, quiet: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = quiet.world.add_text_channel(usual.guild, "other")
    webhook = await bot.get_channel(usual.text.id).create_webhook(name="contrary")
    edited = await webhook.edit(name="milder", avatar=png(8, 8, 2))
    assert (edited.name, edited.avatar is None) == ("milder", False)
    fetched = await bot.fetch_webhook(webhook.id)
    await fetched.edit(channel=bot.get_channel(other.id), prefer_auth=True)
    assert quiet.world.webhooks[webhook.id].channel is other
    monkeypatch.setattr(profile_pictures, "PICTURE_LIMIT_BYTES", 100)
    with pytest.raises(discord.HTTPException) as refusal:
        await webhook.edit(avatar=png(64, 64))
    assert refusal.value.code == 50035
    quiet.world.delete_channel(other)
    with pytest.raises(discord.NotFound) as gone:
        await bot.fetch_webhook(webhook.id)
    assert gone.value.code == 10015


async def test_a_channel_has_fifteen_and_only_managers_see_them(
    bot: Listening, quiet: Loopback, usual: Standard, friend: User
) -> None:
    channel = bot.get_channel(usual.text.id)
    for number in range(15):
        quiet.world.add_webhook(usual.text, friend, f"w{number}")
    with pytest.raises(discord.HTTPException) as refusal:
        await channel.create_webhook(name="one more")
    assert (refusal.value.status, refusal.value.code) == (400, 30007)
    async with running(discord.Client(**client_options(quiet)), friend.token) as client:
        with pytest.raises(discord.Forbidden) as forbidden:
            await client.get_channel(usual.text.id).webhooks()
        assert forbidden.value.code == 50013


async def test_a_bots_webhook_tells_its_token_to_that_bot_only(
    bot: Listening, quiet: Loopback, usual: Standard
) -> None:
    role = quiet.world.add_role(usual.guild, "manager", Permission.MANAGE_WEBHOOKS)
    other = quiet.world.add_user("other", bot=True)
    quiet.world.add_member(usual.guild, other, [role])
    quiet.world.add_webhook(usual.text, usual.bot, "ours")
    assert [one.token is None for one in await bot.get_channel(usual.text.id).webhooks()] == [False]
    async with running(discord.Client(**client_options(quiet)), other.token) as client:
        assert [one.token for one in await client.get_channel(usual.text.id).webhooks()] == [None]


async def test_in_threads_and_forums_the_parents_webhook_posts(
    bot: Listening, quiet: Loopback, usual: Standard
) -> None:
    channel = bot.get_channel(usual.text.id)
    webhook = await channel.create_webhook(name="contrary")
    thread = await (await channel.send("start")).create_thread(name="aside")
    sent = await webhook.send("in the thread", thread=thread, wait=True)
    assert [one.id for one in quiet.world.channels[thread.id].messages.values()] == [sent.id]
    forum = quiet.world.add_channel(usual.guild, ChannelKind.FORUM, "questions")
    of_forum = await (await bot.fetch_channel(forum.id)).create_webhook(name="contrary")
    with pytest.raises(discord.HTTPException) as refusal:
        await of_forum.send("nowhere")
    assert refusal.value.code == 220001
    with pytest.raises(discord.NotFound):
        await of_forum.send("elsewhere", thread=thread)


async def _post(rest: str, webhook: Any) -> tuple[int, dict[str, str]]:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{rest}/webhooks/{webhook.id}/{webhook.token}", json={"content": "hello"}) as response,
    ):
        return response.status, dict(response.headers)


async def test_a_webhook_posts_five_times_in_two_seconds_and_a_channels_together_thirty_a_minute(
    quiet: Loopback, usual: Standard
) -> None:
    webhook = quiet.world.add_webhook(usual.text, usual.bot, "fast")
    answers = [await _post(quiet.rest, webhook) for _ in range(6)]
    assert [status for status, _ in answers] == [204] * 5 + [429]
    assert answers[0][1]["X-RateLimit-Limit"] == "5"
    assert answers[4][1]["X-RateLimit-Remaining"] == "0"
    assert float(answers[5][1]["X-RateLimit-Reset-After"]) <= 2
    quiet.limits.webhook_channel = Pace(7, 60.0)
    quiet.limits.take_shared("webhooks of a channel", "another", quiet.limits.webhook_channel)
    others = [quiet.world.add_webhook(usual.text, usual.bot, f"other {number}") for number in range(26)]
    statuses = [(await _post(quiet.rest, other))[0] for other in others]
    assert statuses == [204] * 25 + [429], "the minute began with thirty"
    last = await _post(quiet.rest, others[-1])
    assert (last[0], last[1]["X-RateLimit-Scope"]) == (429, "shared")
    assert float(last[1]["X-RateLimit-Reset-After"]) > 2


async def test_discord_py_waits_a_webhooks_limit_out(bot: Listening, quiet: Loopback, usual: Standard) -> None:
    for template in quiet.limits.narrower:
        quiet.limits.narrower[template] = Pace(2, 0.2)
    webhook = await bot.get_channel(usual.text.id).create_webhook(name="fast")
    for number in range(5):
        await webhook.send(str(number))
    assert [message.content for message in usual.text.messages.values()] == list("01234")


async def test_a_webhook_pings_everyone_unless_it_is_told_not_to(
    bot: Listening, quiet: Loopback, usual: Standard, friend: User
) -> None:
    webhook = await bot.get_channel(usual.text.id).create_webhook(name="loud")
    loud = await webhook.send(f"@everyone {friend.mention}", wait=True, allowed_mentions=discord.AllowedMentions.all())
    assert usual.text.messages[loud.id].pings.everyone
    mild = await webhook.send(f"@everyone {friend.mention}", wait=True, allowed_mentions=discord.AllowedMentions.none())
    assert not usual.text.messages[mild.id].pings
