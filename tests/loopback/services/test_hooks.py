from __future__ import annotations

import asyncio

import aiohttp
import pytest

from loopback.services.hooks import Hooks


async def test_every_call_is_kept_with_its_body_and_time() -> None:
    async with Hooks() as hooks, aiohttp.ClientSession() as session:
        async with session.post(f"{hooks.url}/unload?model=big", json={"keep": 0}) as response:
            assert await response.json() == {"ok": True}
        await (await session.get(f"{hooks.url}/free")).read()
        assert hooks.calls == ["POST /unload", "GET /free"]
        assert hooks.requests[0].json == {"keep": 0}
        assert hooks.requests[0].query == {"model": "big"}
        assert hooks.requests[0].at_s <= hooks.requests[1].at_s


async def test_one_hook_can_fail_while_another_works() -> None:
    async with Hooks() as hooks, aiohttp.ClientSession() as session:
        hooks.always(on="/bad", status=500)
        assert (await session.post(f"{hooks.url}/bad")).status == 500
        assert (await session.post(f"{hooks.url}/good")).status == 200


async def test_a_hook_can_hang() -> None:
    async with Hooks() as hooks, aiohttp.ClientSession() as session:
        hooks.script(silent=True)
        with pytest.raises(asyncio.TimeoutError):
            await session.post(hooks.url, timeout=aiohttp.ClientTimeout(total=0.1))
        await hooks.wait_for(lambda recorded: recorded.disconnected)
