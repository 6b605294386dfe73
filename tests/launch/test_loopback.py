"""`launcher.py loopback`: one line of JSON, and any client can join."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

CLIENT = '''
"""A client that knows nothing but the JSON line: says hello, and hears whoever is in the voice channel."""
import asyncio, json, ssl, sys

import aiohttp, discord, yarl

there = json.loads(sys.argv[1])
discord.http.Route.BASE = there["rest"]
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(there["gateway"])


class Client(discord.Client):
    async def on_ready(self):
        await self.get_channel(int(there["text_channel_id"])).send("hello from outside")
        voice = await self.get_channel(int(there["voice_channel_id"])).connect(timeout=30)
        print(json.dumps({"name": self.user.name, "mode": voice.mode, "guilds": [str(g.id) for g in self.guilds]}))
        await voice.disconnect()
        await self.close()


async def main():
    trusted = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=there["ca"]))
    async with Client(intents=discord.Intents.all(), connector=trusted, guild_ready_timeout=0.1) as client:
        await client.start(sys.argv[2])


asyncio.run(main())
'''


async def announced(desk, *arguments: str) -> tuple[dict[str, object], object]:
    """What it prints, and the running launcher."""
    launched = await desk.start("loopback", *arguments)
    await launched.says("}\n")
    return json.loads(launched._text["out"]), launched


async def test_it_prints_one_line_with_everything_a_client_needs_and_ends_on_a_signal(desk):
    there, launched = await announced(desk)
    assert set(there) == {
        "rest", "gateway", "ca", "guild_id", "text_channel_id", "voice_channel_id", "bot_token", "spare_tokens",
    }  # fmt: skip
    assert str(there["rest"]).startswith("http://127.0.0.1:")
    assert str(there["gateway"]).startswith("ws://127.0.0.1:")
    assert await asyncio.to_thread(Path(str(there["ca"])).read_text)
    assert isinstance(there["spare_tokens"], list)
    assert len(there["spare_tokens"]) >= 2
    launched.process.terminate()
    ended = await launched.ended(5)
    assert ended.out.count("\n") == 1
    if sys.platform != "win32":
        assert ended.code == 0


async def test_clients_of_another_process_join_by_that_line_alone(desk):
    there, _ = await announced(desk, "--folder", str(desk.folder / "discord"))
    (desk.folder / "client.py").write_text(CLIENT, encoding="utf-8")

    async def join(token: str) -> dict[str, object]:
        client = await asyncio.create_subprocess_exec(
            sys.executable,
            "client.py",
            json.dumps(there),
            token,
            cwd=desk.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await client.communicate()
        assert client.returncode == 0, err.decode()
        return json.loads(out)

    assert isinstance(there["spare_tokens"], list)
    bot, guest = await asyncio.gather(join(str(there["bot_token"])), join(there["spare_tokens"][0]))
    assert (bot["name"], guest["name"]) == ("parley", "guest1")
    assert bot["guilds"] == [there["guild_id"]]
    assert str(there["ca"]).startswith(str(desk.folder / "discord"))


async def test_a_named_port_is_used_and_a_taken_one_is_told(desk):
    there, _ = await announced(desk)
    port = str(there["gateway"]).rsplit(":", 1)[1]
    ended = await desk.run("loopback", "--port", port)
    assert ended.code == 1
    assert "loopback cannot listen" in ended.err
    assert ended.out == ""
    impossible = await desk.run("loopback", "--port", "99999")
    assert impossible.code == 1
    assert impossible.err.strip() == "loopback cannot listen: bind(): port must be 0-65535."


async def test_its_voice_certificate_is_trusted_by_nobody_else(desk):
    there, _ = await announced(desk)

    def ask() -> None:
        request = f"{there['rest']}/gateway"
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - our own address
            assert json.load(response)["url"] == there["gateway"]

    await asyncio.to_thread(ask)
    usual = ssl.create_default_context()
    ours = ssl.create_default_context(cafile=str(there["ca"]))
    assert len(ours.get_ca_certs()) == 1
    assert ours.get_ca_certs()[0] not in usual.get_ca_certs()


async def test_an_unknown_route_is_answered_as_discord_does_and_logged(desk):
    there, launched = await announced(desk)
    headers = {"Authorization": f"Bot {there['bot_token']}"}
    request = urllib.request.Request(f"{there['rest']}/teapots", headers=headers)  # noqa: S310 - our own address

    def ask() -> dict[str, object]:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)  # noqa: S310 - our own address
        return json.load(caught.value)

    assert await asyncio.to_thread(ask) == {"message": "404: Not Found", "code": 0}
    await launched.says("/teapots")
