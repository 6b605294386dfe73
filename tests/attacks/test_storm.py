"""The promise: exports, deletions of people and of recordings may all happen at once; each does what it says, and nothing is left."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from core.audio.encode import Quality
from core.errors import RecordingError
from tests.attacks.brought_in import bring_in, unzipped
from tests.attacks.house import Archives

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE = (11, 12, 13, 14)


@pytest.mark.parametrize("seed", [1, 2])
async def test_exports_and_deletions_of_any_order_hand_out_nobody_who_is_deleted(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    async with Archives(tmp_path) as archives:
        ids = ["aaaa", "bbbb", "cccc", "dddd"]
        for number, recording_id in enumerate(ids, 1):
            tones = {person: 300.0 + 100 * person for person in PEOPLE}
            bring_in(archives.root, recording_id, guild_id=number, tones_hz=tones, duration_s=0.2)
        service = await archives.open()
        gone_people: set[int] = set()
        gone_recordings: set[str] = set()
        handed = 0

        async def export() -> None:
            nonlocal handed
            recording_id, person = dice.choice(ids), dice.choice([None, *PEOPLE])
            quality = dice.choice([None, Quality("mp3", 48_000, 1, 64), Quality("flac", 48_000, 2, 64)])
            await asyncio.sleep(dice.random() * 0.5)
            try:
                async with service.archive.export(recording_id, quality=quality, user_id=person) as made:
                    await asyncio.sleep(dice.random() * 0.05)
                    async with service.archive.locks.sending(made.ticket):
                        names = set(unzipped(await asyncio.to_thread(made.path.read_bytes)))
                        assert recording_id not in gone_recordings
                        assert not any(name.startswith(f"{each}_") for each in gone_people for name in names)
                        handed += 1
            except RecordingError as error:
                assert error.sentence

        async def own() -> None:
            person = dice.choice(PEOPLE)
            await asyncio.sleep(dice.random() * 0.5)
            try:
                async with service.exported_person(person) as made, service.archive.locks.sending(made.ticket):
                    data = await asyncio.to_thread(made.path.read_bytes)
                    if person in gone_people:
                        assert not any(name.endswith((".ogg", ".wav")) for name in unzipped(data))
            except RecordingError as error:
                assert error.sentence

        async def delete_person(person: int) -> None:
            await asyncio.sleep(dice.random() * 0.6)
            outcome = await service.privacy.delete_person(person, {f"person{person}"})
            assert not outcome.failed
            gone_people.add(person)

        async def delete_recording(recording_id: str) -> None:
            await asyncio.sleep(dice.random() * 0.6)
            while service.archive.find(recording_id) is not None:
                try:
                    await service.archive.delete(recording_id)
                except RecordingError as error:
                    assert "still being worked on" in error.sentence
                    await asyncio.sleep(0.05)
            gone_recordings.add(recording_id)

        work = [export() for _ in range(20)] + [own() for _ in range(6)]
        work += [delete_person(person) for person in PEOPLE[:2]] + [delete_person(PEOPLE[0])]
        work += [delete_recording(ids[0])]
        dice.shuffle(work)
        await asyncio.gather(*work)
        assert handed
        assert archives.left_over() == set()
        left = {path.name for path in archives.root.rglob("*") if path.is_file()}
        assert not any(name.startswith(f"{person}_") for person in gone_people for name in left)
        names = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())  # noqa: ASYNC240 - all is over
        assert b"person11" not in names
        assert b"person13" in names
        assert service.archive.find("aaaa") is None
        assert not list(archives.root.glob("1/*/*"))
        assert not service.archive.locks._locks
