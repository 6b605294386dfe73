"""REST as a whole: rate limits, faults, unknown routes, tokens."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import aiohttp
import discord
import pytest

from loopback.rest.limits import RateLimits

if TYPE_CHECKING:
    from loopback.people.clients import Listening
    from loopback.server import Loopback, Standard


async def test_every_answer_carries_rate_limit_headers_and_a_bare_json_type(quiet: Loopback, usual: Standard) -> None:
    headers = {"Authorization": f"Bot {usual.bot.token}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        for path, status in (("/users/@me", 200), ("/channels/1", 404), ("/gateway/bot", 200)):
            async with http.get(quiet.rest + path) as response:
                assert response.status == status
                assert response.headers["Content-Type"] == "application/json"
                assert int(response.headers["X-RateLimit-Remaining"]) < int(response.headers["X-RateLimit-Limit"])
                assert 0 < float(response.headers["X-RateLimit-Reset-After"]) <= 1
                assert response.headers["X-RateLimit-Bucket"]


async def test_an_unknown_route_answers_404_and_is_remembered(
    quiet: Loopback, usual: Standard, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Authorization": f"Bot {usual.bot.token}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        async with http.get(quiet.rest + "/no/such/route") as response:
            assert response.status == 404
            assert await response.json() == {"message": "404: Not Found", "code": 0}
        async with http.put(quiet.rest + "/users/@me") as response:
            assert response.status == 404
    assert quiet.unknown_routes == ["GET /no/such/route", "PUT /users/@me"]
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 2


async def test_the_default_sounds_of_the_soundboard_are_told(quiet: Loopback, usual: Standard) -> None:
    headers = {"Authorization": f"Bot {usual.bot.token}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        async with http.get(quiet.rest + "/soundboard-default-sounds") as response:
            assert (response.status, await response.json()) == (200, [])
        async with http.get(f"{quiet.rest}/guilds/{usual.guild.id}/soundboard-sounds") as response:
            assert (response.status, await response.json()) == (200, {"items": []})
    assert quiet.unknown_routes == []


async def test_a_form_without_files_may_be_url_encoded(quiet: Loopback, usual: Standard) -> None:
    headers = {"Authorization": f"Bot {usual.bot.token}"}
    url = f"{quiet.rest}/channels/{usual.text.id}/messages"
    async with aiohttp.ClientSession(headers=headers) as http:
        for form in ({"payload_json": '{"content": "Grüße & mehr"}'}, {"content": "Grüße & mehr"}):
            async with http.post(url, data=form) as response:
                assert response.request_info.headers["Content-Type"] == "application/x-www-form-urlencoded"
                assert (response.status, (await response.json())["content"]) == (200, "Grüße & mehr")
        async with http.post(url, data={"payload_json": "{"}) as response:
            assert (response.status, (await response.json())["code"]) == (400, 50109)


async def test_without_a_token_nothing_is_told(quiet: Loopback) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.get(quiet.rest + "/users/@me") as response:
            assert response.status == 401
            assert (await response.json())["message"] == "401: Unauthorized"
        async with http.get(quiet.rest + "/gateway") as response:
            assert await response.json() == {"url": quiet.gateway}


async def test_broken_json_and_a_name_that_is_no_id_are_refused(quiet: Loopback, usual: Standard) -> None:
    headers = {"Authorization": f"Bot {usual.bot.token}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as http:
        async with http.post(f"{quiet.rest}/channels/{usual.text.id}/messages", data="{") as response:
            assert (response.status, (await response.json())["code"]) == (400, 50109)
        async with http.get(quiet.rest + "/channels/general") as response:
            assert (response.status, (await response.json())["code"]) == (400, 50035)


async def test_a_429_is_waited_out_by_discord_py(bot: Listening, quiet: Loopback, usual: Standard) -> None:
    quiet.faults.limit("POST /channels/*/messages", retry_after_s=0.1)
    await bot.get_channel(usual.text.id).send("after the wait")
    quiet.faults.limit("POST /channels/*", retry_after_s=0.1, is_global=True, times=2)
    await bot.get_channel(usual.text.id).send("after the global wait")
    assert [message.content for message in usual.text.messages.values()] == ["after the wait", "after the global wait"]


async def test_an_exhausted_bucket_answers_429(bot: Listening, quiet: Loopback, usual: Standard) -> None:
    quiet.limits.limit, quiet.limits.period_s = 2, 0.3
    headers = {"Authorization": f"Bot {usual.bot.token}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        statuses = []
        for _ in range(3):
            async with http.get(f"{quiet.rest}/users/{usual.bot.id}") as response:
                statuses.append(response.status)
                body = await response.json()
        assert statuses == [200, 200, 429]
        assert body["message"] == "You are being rate limited."
        assert not body["global"]
        assert response.headers["Via"]
    for number in range(5):
        await bot.get_channel(usual.text.id).send(str(number))
    assert len(usual.text.messages) == 5


def test_each_channel_has_a_bucket_of_its_own_and_periods_end() -> None:
    now = 0.0
    limits = RateLimits(limit=1, period_s=1.0, clock=lambda: now)
    first = limits.take("POST", "/channels/{channel_id}/messages", {"channel_id": "1"})
    other = limits.take("POST", "/channels/{channel_id}/messages", {"channel_id": "2"})
    assert first.bucket == other.bucket
    assert not first.exceeded
    assert not other.exceeded
    assert limits.take("POST", "/channels/{channel_id}/messages", {"channel_id": "1"}).exceeded
    now = 1.5
    assert not limits.take("POST", "/channels/{channel_id}/messages", {"channel_id": "1"}).exceeded


async def test_server_errors_are_retried_and_end(bot: Listening, quiet: Loopback, usual: Standard) -> None:
    quiet.faults.fail("POST /channels/*/messages", status=502)
    await bot.get_channel(usual.text.id).send("second try")
    assert len(usual.text.messages) == 1
    rule = quiet.faults.fail("POST /channels/*/messages", status=503, times=None)
    with pytest.raises(discord.DiscordServerError):
        await bot.get_channel(usual.text.id).send("never")
    quiet.faults.remove(rule)
    await bot.get_channel(usual.text.id).send("again")
    assert [message.content for message in usual.text.messages.values()] == ["second try", "again"]


async def test_a_slow_route_is_late_and_others_are_not(bot: Listening, quiet: Loopback, usual: Standard) -> None:
    quiet.faults.slow("POST /channels/*/messages", 0.3)
    started = time.monotonic()
    await bot.fetch_user(usual.bot.id)
    quick = time.monotonic() - started
    await bot.get_channel(usual.text.id).send("late")
    assert time.monotonic() - started - quick >= 0.3
    quiet.faults.clear()
    assert quiet.faults.due("POST", "/channels/1/messages").delay_s == 0
