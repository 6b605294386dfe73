"""The promise: whatever file somebody sends, it costs a bounded time and memory, in a process of its own, and nobody waits."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from PIL import Image

from core.audio import decode as decoding
from core.audio.decode import decode, vet
from core.config.studio import StudioSection
from core.config.workers import StrangersLane, WorkersSection
from core.errors import AudioError, StudioError, WorkersBusy
from core.hub import Hub
from core.machine.lane import Owner
from core.machine.workers import Workers
from core.studio import pictures as looking
from core.studio.gif_frames import count_frames
from core.studio.limits import Budget, Limits
from core.studio.pictures import look_at
from core.studio.studio import LOOKING_FOR_YOU, NOT_LOOKED_AT, TOO_MUCH_WORK, Studio
from tests.attacks import bombs
from tests.core.machine import jobs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

MIB = 2**20
BO, ANA = Owner(1, 11), Owner(1, 12)


class Meter(Budget):
    """Counts what is unpacked."""

    spent_px = 0

    def spend(self, width: int, height: int) -> bool:
        Meter.spent_px += width * height
        return super().spend(width, height)


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], float]]:
    """Megapixels that were unpacked so far."""
    from core.studio import video

    Meter.spent_px = 0
    monkeypatch.setattr(looking, "Budget", Meter)
    monkeypatch.setattr(video, "Budget", Meter)
    yield lambda: Meter.spent_px / 1e6


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    workers = Workers(WorkersSection(processes=1, strangers=StrangersLane(deadline_s=30)))
    yield workers
    await workers.close()


def studio(workers: Workers, **section: Any) -> Studio:
    hub = Hub()
    hub.bind(asyncio.get_running_loop())
    return Studio(StudioSection(**section), None, hub, workers.strangers)


# Pictures -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [bombs.gif, lambda: bombs.png(7000, 7000, 400), lambda: bombs.webp(7000, 7000)])
def test_of_a_large_animation_only_the_first_frames_are_unpacked(make: Any, unpacked: Callable[[], float]) -> None:
    seen = look_at(make(), Limits(max_total_megapixels=150))
    assert len(seen) == 3
    assert unpacked() <= 150


def test_an_animation_of_a_million_frames_is_not_even_counted(unpacked: Callable[[], float]) -> None:
    assert len(look_at(bombs.gif(10, 10, 1_000_000), Limits())) == 4
    assert unpacked() <= 0.1
    assert count_frames(bombs.gif(10, 10, 500), 1000) == 500


@pytest.mark.parametrize(
    "data",
    [
        bombs.gif(60_000, 60_000, 1),
        bombs.png(50_000, 50_000),
        bombs.webp(16_383, 16_383, 2),
        bombs.avif(50_000, 30_000),
        b"BM" + bytes(8) + b"\x36\0\0\0\x28\0\0\0" + b"\xff\xff\0\0\xff\xff\0\0" + b"\1\0\x18\0" + bytes(24),
    ],
    ids=["gif", "png", "webp", "avif", "bmp"],
)
def test_a_picture_too_large_is_refused_by_its_header(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Image, "load", None)  # nothing is unpacked
    with pytest.raises(StudioError, match=r"megapixels|damaged"):
        look_at(data, Limits())
    assert len(data) < 400_000


def test_a_frame_that_outgrows_its_canvas_is_not_unpacked() -> None:
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(StudioError, match="3600 megapixels"):
        look_at(bombs.growing_gif(), Limits())
    assert before == Image.MAX_IMAGE_PIXELS


async def test_nine_kilobytes_of_gif_cost_seconds_and_less_than_their_memory(workers: Workers) -> None:
    data = bombs.gif()
    assert len(data) < 10_000
    pid = await workers.strangers.run(os.getpid)
    peak = asyncio.ensure_future(_peak(pid))
    assert len(await studio(workers).look([data], BO)) == 4
    peak.cancel()
    assert await peak < 900 * MIB
    assert await workers.strangers.run(os.getpid) == pid, "it needed no killing"


async def _peak(pid: int) -> int:
    process, most = psutil.Process(pid), 0
    try:
        while True:
            most = max(most, process.memory_info().rss)
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        return most


# Videos ---------------------------------------------------------------------------------------------------------------


def test_a_video_whose_frames_all_hang_together_is_not_unpacked_to_its_end(unpacked: Callable[[], float]) -> None:
    seen = look_at(bombs.video(1280, 720, 600), Limits(max_total_megapixels=50))
    assert seen
    assert unpacked() <= 4 * 50 + 4


@pytest.mark.parametrize("make", [lambda: bombs.video(3000, 3000, 2, "mpeg4"), bombs.lying_video])
def test_a_video_of_huge_frames_is_refused(make: Any, unpacked: Callable[[], float]) -> None:
    with pytest.raises(StudioError, match=r"megapixels|damaged"):
        look_at(make(), Limits(max_megapixels=5))
    assert unpacked() == 0


# Sound ----------------------------------------------------------------------------------------------------------------


async def test_hours_of_silence_are_refused_by_their_length() -> None:
    data = bombs.silence(3)
    assert len(data) < 1_000_000
    for play in (lambda: vet(data, 10**8, 3600.0), lambda: _play(data, 3600.0)):
        with pytest.raises(AudioError, match="too long"):
            await asyncio.to_thread(play)


def _play(data: bytes, max_s: float) -> None:
    async def run() -> None:
        async for _ in decode(data, max_s=max_s):
            pass

    asyncio.run(run())


@pytest.mark.parametrize("data", [bombs.wav(384_000, 255, 2000), bombs.wav(1, 1, 2000), bombs.wav(4_000_000, 2, 2000)])
def test_sound_of_a_strange_kind_is_refused_before_it_is_decoded(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_samples", None)
    with pytest.raises(AudioError, match="kind that cannot be played"):
        vet(data)


def test_a_cover_is_never_looked_into() -> None:
    assert vet(bombs.flac_with_cover(20_000)) == pytest.approx(0.96, abs=0.01)


async def test_a_file_that_makes_the_decoder_hang_does_not_hang_what_plays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BLOCK_S", 0.1)
    monkeypatch.setattr(decoding, "_samples", lambda *_: (jobs.sleep(1.0) for _ in range(1)))
    with pytest.raises(AudioError, match="too long to decode"):
        async for _ in decode(bombs.wav(48_000, 2, 48_000)):
            pass


# Whatever it is -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fate", "told"),
    [(jobs.hang, TOO_MUCH_WORK), (jobs.swell, TOO_MUCH_WORK), (jobs.crash, NOT_LOOKED_AT)],
    ids=["hangs", "swells", "crashes"],
)
async def test_a_file_that_hangs_swells_or_crashes_what_opens_it_is_told_and_nobody_notices(
    monkeypatch: pytest.MonkeyPatch, fate: Any, told: str
) -> None:
    workers = Workers(WorkersSection(processes=1, strangers=StrangersLane(deadline_s=3, memory_mb=256)))
    try:
        room = studio(workers)
        with monkeypatch.context() as patched:
            patched.setattr("core.studio.studio.look_at", fate)
            with pytest.raises(StudioError) as caught:
                await room.look([b"x"], BO)
        assert caught.value.sentence == told
        assert len(await room.look([bombs.png(100, 100)], ANA)) == 1
    finally:
        await workers.close()


async def test_recordings_do_not_wait_behind_what_strangers_sent(workers: Workers, tmp_path: Path) -> None:
    looks = [
        asyncio.ensure_future(
            workers.strangers.run(jobs.note, str(tmp_path / "looks"), "x", 20.0, owner=Owner(1, user))
        )
        for user in range(1, 7)
    ]
    await asyncio.to_thread(_wait_for, tmp_path / "looks")
    assert await workers.render.run(jobs.sleep, 0.0, "rendered") == "rendered"
    assert not any(look.done() for look in looks)
    for look in looks:
        look.cancel()
    await asyncio.wait(looks)
    assert workers.strangers.running == workers.strangers.waiting == 0, "who left waits for nothing"


def _wait_for(file: Path) -> None:
    while not file.exists():
        jobs.sleep(0.02)


async def test_one_person_has_one_look_at_a_time_and_all_together_a_few(workers: Workers) -> None:
    room = studio(workers, max_looks=2)
    with room.looking(BO):
        with pytest.raises(StudioError, match="you sent before"), room.looking(BO):
            pass
        with room.looking(ANA), pytest.raises(StudioError, match="2 other"), room.looking(Owner(2, 13)):
            pass
    with room.looking(BO), pytest.raises(StudioError) as caught, room.looking(BO):
        pass
    assert caught.value.sentence == LOOKING_FOR_YOU


async def test_who_sends_file_after_file_is_told_to_wait_and_others_are_not(workers: Workers) -> None:
    mine = [asyncio.ensure_future(workers.strangers.run(jobs.sleep, 0.5, owner=BO)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(WorkersBusy, match="what you sent before"):
        await workers.strangers.run(jobs.sleep, 0.0, owner=BO)
    assert await workers.strangers.run(jobs.sleep, 0.0, "seen", owner=ANA) == "seen"
    await asyncio.gather(*mine)
