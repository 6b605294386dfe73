"""The bot's process is killed while it records: after the next start everything but the last second is there."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.recording.metadata import Metadata
from launch.story import Stage, stage
from loopback.world.permissions import Permission
from tests.journeys.sounds import RATE_HZ, find, read_wav, voice

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from loopback.people.person import Person

LOST_S = 1.0  # what a kill may cost
RENDERED_S = 30.0
COGS = "voice,recorder"
SOUNDS = (voice(0, 6.0), voice(3, 6.0))


@dataclass(slots=True)
class Evening:
    """A recording in another process, of two people who never stop talking."""

    scene: Stage
    ada: Person
    ben: Person
    spoken_s: float = 0.0  # from the first word to the kill
    standstill_s: float = 0.0  # the longest time in which nothing came to disk, while people spoke

    @property
    def folder(self) -> Path:
        (found,) = (self.scene.folder / "recordings").glob("*/*/*/metadata.json")
        return found.parent

    def journal(self, person: Person) -> Path:
        (found,) = self.folder.glob(f"{person.user.id}_*.ogg")
        return found

    async def watch(self, duration_s: float) -> None:
        """See how steadily a journal grows."""
        journal, size = self.journal(self.ada), 0
        begun_s = grown_s = time.monotonic()
        while (now_s := time.monotonic()) - begun_s < duration_s:
            if journal.stat().st_size > size:
                size, grown_s = journal.stat().st_size, now_s
            self.standstill_s = max(self.standstill_s, now_s - grown_s)
            await asyncio.sleep(0.02)

    async def restarted(self) -> Metadata:
        """Start the bot again and wait until it has finished what it finds."""
        await self.scene.start_bot()
        async with asyncio.timeout(RENDERED_S):
            while (metadata := self._metadata()).state != "finished":  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.1)
        return metadata

    def _metadata(self) -> Metadata:
        return Metadata.model_validate_json((self.folder / "metadata.json").read_bytes())

    def sound_s(self, metadata: Metadata, person: Person) -> float:
        """Where the last sound of somebody's track ends, in seconds since the recording's start."""
        track = self.track(metadata, person)
        loud = np.nonzero(np.abs(track[:, 0].astype(int)) > 1000)[0]
        return float(loud[-1]) / RATE_HZ

    def track(self, metadata: Metadata, person: Person) -> np.ndarray:
        found = metadata.person(person.user.id)
        assert found is not None
        assert found.track is not None
        return read_wav(self.folder / found.track)


@asynccontextmanager
async def evening(folder: Path) -> AsyncGenerator[Evening]:
    """Two people speak for four seconds, then the bot is killed."""
    async with stage(folder, cogs=COGS) as scene:
        guild, text, room = scene.standard.guild, scene.standard.text, scene.standard.voice
        hosts = scene.discord.world.add_role(guild, "hosts", Permission.MANAGE_CHANNELS)
        ada = await scene.discord.person("Ada", guild, roles=[hosts])
        ben = await scene.discord.person("Ben", guild)
        await asyncio.gather(ada.join(room), ben.join(room))
        command = await ada.slash(text, "voice record")
        assert "Recording" in (await command.answered()).content
        await asyncio.gather(ada.until_encrypted(), ben.until_encrypted())
        talking = [asyncio.create_task(who.play(sound)) for who, sound in ((ada, SOUNDS[0]), (ben, SOUNDS[1]))]
        spoken_s = time.monotonic()
        killed = Evening(scene, ada, ben)
        await asyncio.sleep(0.8)
        await killed.watch(3.0)
        await scene.kill_bot()
        killed.spoken_s = time.monotonic() - spoken_s
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)
        yield killed


async def test_a_killed_process_costs_no_more_than_the_last_second(tmp_path: Path) -> None:
    async with evening(tmp_path) as killed:
        before = Metadata.model_validate_json((killed.folder / "metadata.json").read_bytes())
        assert before.state == "recording"
        metadata = await killed.restarted()
        assert metadata.interrupted
        assert killed.standstill_s < LOST_S  # whenever the kill had come
        assert metadata.id == before.id
        assert metadata.started_by.name == "Ada"
        begins = []
        for person, sound in ((killed.ada, SOUNDS[0]), (killed.ben, SOUNDS[1])):
            track = killed.track(metadata, person)
            part = sound[: RATE_HZ * 3 // 2]
            found = find(track, part, 2 * RATE_HZ, reach_s=2.0)
            assert found.likeness > 0.99
            assert abs(found.gain_db) < 0.5
            assert killed.sound_s(metadata, person) - found.at / RATE_HZ > killed.spoken_s - LOST_S
            begins.append(found.at)
        assert abs(begins[0] - begins[1]) < 0.05 * RATE_HZ  # both began at once
        assert (killed.folder / metadata.files.session).exists()
        assert (killed.folder / metadata.files.timeline).exists()
        told = await killed.ada.wait_for_message(
            killed.scene.standard.text, lambda message: "cut off" in message.content, 10
        )
        assert told.author.id == killed.scene.bot_id
        assert f"<@{killed.ada.user.id}>" in told.content


async def test_journals_that_are_cut_and_damaged_are_finished_around_the_damage(tmp_path: Path) -> None:
    async with evening(tmp_path) as killed:
        adas, bens = killed.journal(killed.ada), killed.journal(killed.ben)
        whole = adas.read_bytes()
        adas.write_bytes(whole[: len(whole) * 6 // 10])
        damaged = bytearray(bens.read_bytes())
        damaged[len(damaged) // 2 : len(damaged) // 2 + 300] = bytes(300)
        bens.write_bytes(damaged)
        metadata = await killed.restarted()
        assert killed.spoken_s * 0.3 < killed.sound_s(metadata, killed.ada) < killed.sound_s(metadata, killed.ben)
        assert sum(missing.bytes for missing in metadata.person(killed.ada.user.id).missing) > 0
        (missing,) = metadata.person(killed.ben.user.id).missing
        assert missing.bytes >= 300
        assert 0 < missing.duration_s < 0.3
        part = SOUNDS[1][: RATE_HZ // 2]
        assert find(killed.track(metadata, killed.ben), part, RATE_HZ, reach_s=2.0).likeness > 0.99
