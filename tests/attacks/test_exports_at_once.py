"""The promise: an export holds what was asked for and nothing else, however many are made at once, and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from core.audio.encode import Quality, encode_file
from core.errors import RecordingError
from tests.attacks.brought_in import bring_in, heard_hz, unzipped
from tests.attacks.house import Archives

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from core.recording.service import Recordings

TONES = {"aaaa": {11: 400.0, 12: 500.0}, "bbbb": {11: 1000.0}, "cccc": {13: 1700.0, 14: 2300.0}}


@pytest.fixture
async def archives(tmp_path: Path) -> AsyncIterator[Archives]:
    async with Archives(tmp_path) as archives:
        for number, (recording_id, tones) in enumerate(TONES.items(), 1):
            bring_in(archives.root, recording_id, guild_id=number, tones_hz=tones, duration_s=0.5)
        yield archives


def is_right(recording_id: str, user_id: int | None, quality: Quality | None, data: bytes) -> None:
    ending = "wav" if quality is None else quality.format
    files = unzipped(data)
    people = {i: hz for i, hz in TONES[recording_id].items() if user_id in (None, i)}
    wanted = {f"{i}_person{i}.{ending}": {hz} for i, hz in people.items()}
    if user_id is None:
        wanted[f"session.{ending}"] = set(people.values())
    assert set(files) - {"metadata.json"} == set(wanted)
    for name, tones in wanted.items():
        assert min(abs(heard_hz(files[name]) - hz) for hz in tones) < 12, (recording_id, name)


async def test_twenty_exports_at_once_of_any_mix_are_each_right(archives: Archives) -> None:
    service = await archives.open()
    dice = random.Random(7)
    wishes: list[tuple[str, int | None, Quality | None]] = []
    for _ in range(20):
        recording_id = dice.choice(list(TONES))
        user_id = dice.choice([None, *TONES[recording_id]])
        quality = dice.choice(
            [None, *(Quality(f, 48_000, c, 96) for f in ("mp3", "ogg", "flac", "wav") for c in (1, 2))]
        )
        wishes.append((recording_id, user_id, quality))

    async def ask(recording_id: str, user_id: int | None, quality: Quality | None) -> None:
        making = service.archive.export(recording_id, quality=quality, user_id=user_id)
        async with making as export, service.archive.locks.sending(export.ticket):
            data = await asyncio.to_thread(export.path.read_bytes)
        is_right(recording_id, user_id, quality, data)
        assert not export.folder.exists()

    await asyncio.gather(*(ask(*wish) for wish in wishes))
    assert archives.left_over() == set()


async def test_a_double_click_takes_nothing_from_the_first(archives: Archives) -> None:
    service = await archives.open()
    quality = Quality("mp3", 48_000, 2, 96)
    async with service.archive.export("aaaa", quality=quality) as first:
        async with service.archive.export("aaaa", quality=quality) as second:
            assert first.path != second.path
        is_right("aaaa", None, quality, first.path.read_bytes())


async def test_two_exports_of_a_persons_own_data_do_not_meet(archives: Archives) -> None:
    service = await archives.open()
    one, other = await asyncio.gather(service.export_person(11), service.export_person(11))
    assert one[0] != other[0]
    assert one[1] == other[1] == 2
    assert set(unzipped(one[0].read_bytes())) == set(unzipped(other[0].read_bytes()))


async def test_an_export_that_fails_or_is_given_up_leaves_nothing(archives: Archives) -> None:
    service = await archives.open(stop_at=encode_file)
    with pytest.raises(RecordingError, match="not on that recording"):
        async with service.archive.export("bbbb", user_id=999):
            pytest.fail("it was made")
    asking = asyncio.create_task(service.archive.pack("aaaa", quality=Quality("mp3", 48_000, 2, 96)))
    await archives.reached(encode_file)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert archives.left_over() == set()


async def stopped_in_the_middle(archives: Archives, service: Recordings, change: Any) -> None:
    """Begin an export, change its recording while it is made, and see that nothing of it comes out."""
    asking = asyncio.create_task(service.archive.pack("aaaa", quality=Quality("mp3", 48_000, 2, 96)))
    await archives.reached(encode_file)
    changing = asyncio.create_task(change())
    await asyncio.sleep(0.05)
    archives.go_on()
    with pytest.raises(RecordingError, match="changed or deleted"):
        await asking
    await changing
    assert archives.left_over() == set()


async def test_a_person_deleted_during_an_export_is_not_handed_out(archives: Archives) -> None:
    service = await archives.open(stop_at=encode_file)
    await stopped_in_the_middle(archives, service, lambda: service.delete_person(11))
    async with service.archive.export("aaaa") as export:
        assert not any(name.startswith("11_") for name in unzipped(export.path.read_bytes()))


async def test_a_recording_deleted_during_an_export_is_not_handed_out(archives: Archives) -> None:
    service = await archives.open(stop_at=encode_file)
    await stopped_in_the_middle(archives, service, lambda: service.archive.delete("aaaa"))
    with pytest.raises(RecordingError, match="no such recording"):
        await service.archive.pack("aaaa")


async def test_what_was_packed_before_a_deletion_is_not_sent_after_it(archives: Archives) -> None:
    service = await archives.open()
    async with service.archive.export("aaaa") as export:
        await service.archive.delete("aaaa")
        with pytest.raises(RecordingError, match="changed or deleted"):
            async with service.archive.locks.sending(export.ticket):
                pytest.fail("it was sent")
    async with service.exported_person(11) as mine:
        await service.delete_person(11)
        with pytest.raises(RecordingError, match="changed or deleted"):
            async with service.archive.locks.sending(mine.ticket):
                pytest.fail("it was sent")


async def test_archives_that_wait_go_with_whom_they_hold(archives: Archives) -> None:
    service = await archives.open()
    whole, mine = await service.archive.pack("aaaa"), (await service.export_person(11))[0]
    untouched = await service.archive.pack("cccc")
    await service.delete_person(11)
    assert not whole.exists()
    assert not mine.exists()
    assert untouched.exists()
    await service.archive.delete("cccc")
    assert not untouched.exists()


def leave_scratch(archives: Archives) -> list[Path]:
    """What processes left that were killed while they packed, by this version and earlier ones."""
    exports = archives.root / "exports"
    dead = exports / "0123456789abcdef"
    dead.mkdir(parents=True, exist_ok=True)
    (dead / "about.json").write_text('{"recordings": ["cccc"], "people": []}')
    recording = next(path for path in archives.root.glob("*/*/*") if path.name.endswith("cccc"))
    left = [
        exports / ".packing_session.mp3",
        exports / ".cccc.zip.new",
        dead / ".session.mp3.new",
        dead / ".wanted",
        recording / ".metadata.json.new",
        recording / ".session.mp3.new",
    ]
    for path in left:
        path.write_bytes(b"somebody's voice")
    return [*left, dead]


async def test_scratch_of_a_killed_export_is_cleared_at_the_start(archives: Archives) -> None:
    left = leave_scratch(archives)
    await archives.open()
    assert [path.name for path in left if path.exists()] == []


async def test_scratch_of_a_killed_export_is_cleared_every_hour(archives: Archives) -> None:
    await archives.open()
    await archives.settle()
    left = leave_scratch(archives)
    for path in left:
        os.utime(path, (time.time() - 3600, time.time() - 3600))  # what is younger may be being written
    await archives.clock.advance(3601)
    await archives.until(lambda: not any(path.exists() for path in left))


async def test_every_deletion_clears_scratch_but_not_what_is_being_made(archives: Archives) -> None:
    service = await archives.open()
    async with service.archive.export("bbbb") as export:
        left = [path for path in leave_scratch(archives) if "exports" in path.parts]
        await service.archive.delete("aaaa")
        assert [path.name for path in left if path.exists()] == []
        assert export.path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="files cannot be told there to take no more")
async def test_a_full_disk_is_said_and_leaves_nothing(archives: Archives) -> None:
    service = await archives.open(full=True)
    for quality in (None, *(Quality(f, 48_000, 2, 96) for f in ("mp3", "ogg", "flac", "wav"))):
        with pytest.raises(RecordingError, match="too little room on my disk"):
            await service.archive.pack("aaaa", quality=quality)
        assert archives.left_over() == set()
