"""Somebody speaks from their first voiced packet until a while after their last."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from core.audio.frames import OPUS_SILENCE, OpusFrame
from core.events import Event, SpeakingStarted, SpeakingStopped
from core.hub import Hub
from core.voice.receive.speaking import SpeakingDetector

ANNA, BEN, GUILD, CHANNEL = 2, 3, 10, 20


def frame(user_id: int, at_s: float, payload: bytes = b"\x78voice") -> OpusFrame:
    return OpusFrame(user_id, user_id, 0, 0, at_s, payload)


@pytest.fixture
async def hub() -> Hub:
    hub = Hub()
    hub.bind(asyncio.get_running_loop())
    return hub


@pytest.fixture
def seen(hub: Hub) -> list[Event]:
    events: list[Event] = []
    hub.subscribe(Event, events.append, owner="test")
    return events


async def test_speech_begins_with_the_first_voiced_packet_and_ends_after_silence(hub: Hub, seen: list[Event]) -> None:
    detector = SpeakingDetector(hub, GUILD, lambda: CHANNEL, silence_s=0.3)
    detector.heard(frame(ANNA, 1.0, OPUS_SILENCE))
    assert detector.speaking_users() == set()
    detector.heard(frame(ANNA, 1.1))
    detector.heard(frame(ANNA, 1.12))
    detector.heard(frame(BEN, 1.3))
    assert detector.speaking_users() == {ANNA, BEN}
    detector.expire(1.41)
    assert detector.speaking_users() == {ANNA, BEN}
    detector.expire(1.43)
    await hub.settle()
    started, stopped = seen[:2], seen[2:]
    assert started == [SpeakingStarted(GUILD, CHANNEL, ANNA, 1.1), SpeakingStarted(GUILD, CHANNEL, BEN, 1.3)]
    assert stopped == [SpeakingStopped(GUILD, CHANNEL, ANNA, 1.12, pytest.approx(0.02))]


async def test_silence_does_not_keep_a_speech_alive(hub: Hub, seen: list[Event]) -> None:
    detector = SpeakingDetector(hub, GUILD, lambda: CHANNEL, silence_s=0.3)
    detector.heard(frame(ANNA, 1.0))
    for number in range(30):
        detector.heard(frame(ANNA, 1.0 + number * 0.02, OPUS_SILENCE))
    detector.expire(1.31)
    assert detector.speaking_users() == set()


async def test_the_timer_ends_a_speech_that_began_on_another_thread(hub: Hub, seen: list[Event]) -> None:
    detector = SpeakingDetector(hub, GUILD, lambda: CHANNEL, silence_s=0.06)
    detector.start()
    thread = threading.Thread(target=lambda: detector.heard(frame(ANNA, time.monotonic())))
    thread.start()
    thread.join()
    async with asyncio.timeout(5):
        while len(seen) < 2:  # noqa: ASYNC110 - the detector's timer is what is tested
            await asyncio.sleep(0.01)
    assert [type(event) for event in seen] == [SpeakingStarted, SpeakingStopped]
    assert detector._timer is None  # nobody speaks: nothing ticks
    await detector.close()


async def test_closing_ends_what_is_being_said(hub: Hub, seen: list[Event]) -> None:
    detector = SpeakingDetector(hub, GUILD, lambda: CHANNEL)
    detector.start()
    detector.heard(frame(ANNA, time.monotonic()))
    await detector.close()
    await hub.settle()
    assert [type(event) for event in seen] == [SpeakingStarted, SpeakingStopped]
