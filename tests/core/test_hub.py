"""The hub carries events in order, survives its subscribers, and takes them from any thread."""

from __future__ import annotations

import asyncio
import logging

import pytest

from core.events import Event, FeatureLocked, FeatureReleased, PersonJoined, PersonLeft
from core.hub import Hub


@pytest.fixture
async def hub():
    hub = Hub()
    hub.bind(asyncio.get_running_loop())
    yield hub
    await hub.close()


def joined(number: int) -> PersonJoined:
    return PersonJoined(1, 2, number, "Ada")


async def test_each_subscriber_gets_its_events_in_the_order_of_publishing(hub) -> None:
    got: list[int] = []

    async def slowly(event: PersonJoined) -> None:
        await asyncio.sleep(0.001 if event.user_id % 2 else 0)
        got.append(event.user_id)

    hub.subscribe(PersonJoined, slowly, owner=got)
    for number in range(50):
        hub.publish(joined(number))
    await hub.settle()
    assert got == list(range(50))


async def test_a_failing_subscriber_is_logged_and_counted_and_hurts_nobody(hub, caplog) -> None:
    got: list[Event] = []

    def fail(event: PersonJoined) -> None:
        raise RuntimeError("mine alone")

    hub.subscribe(PersonJoined, fail, owner=1)
    hub.subscribe(PersonJoined, got.append, owner=2)
    hub.publish(joined(1))
    hub.publish(joined(2))
    await hub.settle()
    assert [event.user_id for event in got] == [1, 2]
    assert caplog.text.count("RuntimeError: mine alone") == 2
    assert next(counts for name, counts in hub.counts().items() if "fail" in name) == (0, 2, 0)


async def test_a_subscription_to_a_base_class_gets_everything_below_it(hub) -> None:
    everything: list[Event] = []
    hub.subscribe(Event, everything.append, owner=1)
    hub.publish(joined(1))
    hub.publish(FeatureLocked("images", "session", "voice"))
    await hub.settle()
    assert len(everything) == 2


async def test_a_full_queue_drops_its_oldest_events_only(hub, caplog) -> None:
    got: list[int] = []
    gate = asyncio.Event()

    async def blocked(event: PersonJoined) -> None:
        await gate.wait()
        got.append(event.user_id)

    hub.subscribe(PersonJoined, blocked, owner=1, limit=3)
    with caplog.at_level(logging.WARNING):
        hub.publish(joined(0))
        await asyncio.sleep(0)
        for number in range(1, 8):
            hub.publish(joined(number))
    gate.set()
    await hub.settle()
    assert got == [0, 5, 6, 7]
    assert "too slow" in caplog.text


async def test_a_dropped_owner_hears_nothing_more_not_even_what_waited(hub) -> None:
    got: list[Event] = []
    owner = object()
    hub.subscribe(PersonJoined, got.append, owner=owner)
    hub.publish(joined(1))
    hub.drop(owner)
    hub.publish(joined(2))
    await hub.settle()
    assert got == []


async def test_a_handle_ends_its_own_subscription_alone(hub) -> None:
    got: list[Event] = []
    owner = object()
    first = hub.subscribe(PersonJoined, got.append, owner=owner)
    hub.subscribe(PersonLeft, got.append, owner=owner)
    hub.publish(joined(1))
    first.end()
    first.end()
    hub.publish(joined(2))
    hub.publish(PersonLeft(1, 2, 3, "Ada"))
    await hub.settle()
    assert [type(event) for event in got] == [PersonLeft]


async def test_a_handler_may_drop_its_own_owner(hub) -> None:
    got: list[Event] = []

    def once(event: PersonLeft) -> None:
        got.append(event)
        hub.drop(got)

    hub.subscribe(PersonLeft, once, owner=got)
    hub.publish(PersonLeft(1, 2, 3, "Ada"))
    hub.publish(PersonLeft(1, 2, 4, "Bob"))
    await hub.settle()
    assert len(got) == 1


async def test_other_threads_may_publish(hub) -> None:
    got: list[int] = []
    hub.subscribe(PersonJoined, lambda event: got.append(event.user_id), owner=1)
    await asyncio.to_thread(lambda: [hub.publish(joined(number)) for number in range(100)])
    await hub.settle()
    assert got == list(range(100))


async def test_publishing_without_anybody_or_after_the_end_never_raises() -> None:
    hub = Hub()
    hub.publish(FeatureReleased("images", "session"))
    hub.bind(asyncio.get_running_loop())
    await hub.close()
    hub.publish(FeatureReleased("images", "session"))
    assert hub.counts() == {}
