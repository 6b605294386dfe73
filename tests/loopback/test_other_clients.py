"""Other Python libraries judge the loopback: unmodified py-cord, disnake and nextcord, each in a process of its own.

They share package names with discord.py and with each other, so each lies in a folder of its own below `.clients`, or where
PARLEY_CLIENTS says; the developer guide tells how. What is not installed is skipped.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loopback.server import Loopback
from loopback.voice.load import encode, tone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from loopback.server import Standard

LIBRARIES = {"py-cord": "discord", "disnake": "disnake", "nextcord": "nextcord"}
CHECKOUT = Path(__file__).parents[2]
CLIENT = Path(__file__).parent / "others" / "client.py"
CLIENTS = Path(os.environ.get("PARLEY_CLIENTS") or CHECKOUT / ".clients")
DAVE_REQUIRED = 4017
STEP_S = 60


class Bot:
    """A library's bot in its process; `step` waits for what it tells."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._told: list[dict[str, Any]] = []

    async def step(self, name: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(STEP_S):
            while line := await self._process.stdout.readline():
                told = json.loads(line)
                self._told.append(told)
                if told["step"] == name:
                    return told
        pytest.fail(f"it ended before it was {name}; it told {self._told}")


@asynccontextmanager
async def running(library: str, loopback: Loopback, place: Standard) -> AsyncIterator[Bot]:
    if not (CLIENTS / library / LIBRARIES[library]).is_dir():
        pytest.skip(f"{library} is not installed in {CLIENTS / library}: see the developer guide")
    environ = os.environ | {
        "PYTHONPATH": str(CLIENTS / library),
        "PYTHONWARNINGS": "ignore",
        "SSL_CERT_FILE": str(loopback.certificates.ca_file),
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CLIENT), library, stdin=pipe, stdout=pipe, env=environ
    )
    where = {
        "rest": loopback.rest,
        "gateway": loopback.gateway,
        "token": place.bot.token,
        "guild_id": str(place.guild.id),
        "voice_channel_id": str(place.voice.id),
        "frames": [frame.hex() for frame in encode(tone(440, 2.0))],
    }
    assert process.stdin is not None
    process.stdin.write(json.dumps(where).encode() + b"\n")
    try:
        yield Bot(process)
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("library", LIBRARIES)
async def test_another_library_logs_in_answers_a_command_and_speaks(library: str) -> None:
    async with Loopback() as loopback:
        loopback.redirect()
        place = loopback.standard()
        async with running(library, loopback, place) as bot, await loopback.person("Ada", place.guild) as ada:
            version = (await bot.step("library"))["version"]
            await ada.join(place.voice)
            ready = await bot.step("ready")
            assert (ready["user"], ready["guilds"]) == (str(place.bot.id), [str(place.guild.id)])
            voice = await bot.step("voice")
            asked = await ada.slash(place.text, "ping", word="hello")
            assert (await asked.answered(30)).content == "pong hello"
            assert place.bot.id in place.guild.voice_states
            if library == "nextcord" and version.startswith("2."):  # without DAVE: refused as by Discord
                assert str(DAVE_REQUIRED) in voice["error"]
            else:
                assert voice["connected"]
                assert (await bot.step("spoken"))["connected"]
                heard = ada.ears.heard(place.bot.id)
                assert len([frame for frame in heard if frame.voiced]) > 50
                assert ada.ears.dave_frames > 50
        assert loopback.unknown_routes == []
