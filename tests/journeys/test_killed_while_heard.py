"""The bot's process is killed while what is said is written down: what was written is there, and found after the next start."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from core.hearing.transcripts.document import read_transcript
from launch.story import stage
from loopback.people.espeak import synthesise
from loopback.services.transcription_http import TranscriptionHttp
from loopback.world.permissions import Permission

if TYPE_CHECKING:
    from pathlib import Path

WORDS = "The meeting is on Friday at ten."


async def test_a_live_transcript_survives_a_kill_and_is_found_afterwards(tmp_path: Path) -> None:
    async with TranscriptionHttp() as server:
        server.always(text=WORDS)
        settings = {
            "hearing": {"engine": "openai", "answer": "never"},
            "hearing.openai": {"base_url": server.base_url},
            "hearing.transcripts": {"live": "always", "auto": False},
        }
        async with stage(tmp_path, settings, cogs="voice,recorder,transcripts") as scene:
            place = scene.standard
            hosts = scene.discord.world.add_role(place.guild, "hosts", Permission.ADMINISTRATOR)
            async with await scene.discord.person("Ada", place.guild, roles=[hosts]) as ada:
                await ada.join(place.voice)
                await (await ada.slash(place.text, "voice record")).answered(30)
                await ada.until_encrypted()
                sound = await synthesise(WORDS, voice="en-us")
                folder = tmp_path / "recordings"
                async with asyncio.timeout(40):
                    while not (parts := await asyncio.to_thread(lambda: list(folder.glob("*/*/*/.*_transcript.part")))):
                        await ada.play(sound)
                        await asyncio.sleep(1.5)
                await scene.kill_bot()
                document = await asyncio.to_thread(read_transcript, parts[0])
                assert document.state == "live" and document.segments[0].text == WORDS
                await scene.start_bot()
                async with asyncio.timeout(40):
                    while True:
                        asked = await ada.slash(place.text, "recordings search", words="friday")
                        if "Friday" in (told := (await asked.answered(20)).content):
                            break
                        await asyncio.sleep(1)
                assert "Ada" in told
