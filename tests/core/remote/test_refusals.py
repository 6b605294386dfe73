"""Refusals in the words of people: the same for every kind of server, but for what only one of them means."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession, web

from core.remote.refusals import broken, refusal, what_was_said


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "refused the key (HTTP 401)"),
        (402, "wants to be paid first (HTTP 402)"),
        (404, "does not know this address or model (HTTP 404)"),
        (418, "refused the request (HTTP 418)"),
        (500, "failed (HTTP 500)"),
        (503, "failed (HTTP 503)"),
    ],
)
def test_a_status_in_words(status, words):
    assert refusal(status) == words


def test_a_kind_of_server_may_mean_something_of_its_own():
    assert refusal(413, {413: "found the text too long"}) == "found the text too long (HTTP 413)"
    assert refusal(401, {413: "found the text too long"}) == "refused the key (HTTP 401)"


async def test_what_was_said_is_kept_for_the_log_up_to_a_length(unused_tcp_port):
    async def refuse(_request):
        return web.Response(status=400, body=b"no " * 1000 + b"\xff")

    app = web.Application()
    app.router.add_get("/", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{unused_tcp_port}/") as response:
            said = str(await what_was_said(response))
    finally:
        await runner.cleanup()
    assert said == ("no " * 1000)[:500]


async def test_nobody_there_and_nobody_in_time_are_told_apart(unused_tcp_port):
    async with ClientSession() as session:
        with pytest.raises(OSError) as caught:
            await session.get(f"http://127.0.0.1:{unused_tcp_port}/")
    assert broken(caught.value) == "cannot be reached; is it running?"
    assert broken(TimeoutError()) == "did not answer in time"
    assert broken(ConnectionResetError()) == "broke the connection"
