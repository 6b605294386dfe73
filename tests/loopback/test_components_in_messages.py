"""Plain messages may not carry components that Discord refuses."""

from __future__ import annotations

import discord
import pytest

from loopback.people.clients import client_options, running
from loopback.server import Loopback


async def test_six_rows_of_buttons_are_refused_and_five_are_not():
    async with Loopback(voice=False) as loopback:
        loopback.redirect()
        standard = loopback.standard()
        async with running(discord.Client(**client_options(loopback)), standard.bot.token) as client:
            channel = client.get_partial_messageable(standard.text.id)
            button = {"type": 2, "style": 1, "label": "Go"}

            def rows(count: int) -> list[dict]:
                return [{"type": 1, "components": [{**button, "custom_id": f"go-{number}"}]} for number in range(count)]

            route = discord.http.Route("POST", "/channels/{channel_id}/messages", channel_id=channel.id)
            with pytest.raises(discord.HTTPException, match="50035"):
                await client.http.request(route, json={"content": "hello", "components": rows(6)})
            sent = await client.http.request(route, json={"content": "hello", "components": rows(5)})
            assert len(sent["components"]) == 5
