from __future__ import annotations

import asyncio

import pytest

from core.errors import RecordingError
from core.recording.locks import RecordingLocks


async def test_what_was_read_before_a_change_is_not_sent_after_it() -> None:
    locks = RecordingLocks()
    ticket, other = locks.ticket(["a", "b"]), locks.ticket(["c"])
    async with locks.changing("b"):
        pass
    with pytest.raises(RecordingError, match="changed or deleted"):
        async with locks.sending(ticket):
            pytest.fail("it was sent")
    async with locks.sending(other), locks.sending(locks.ticket(["a", "b"])):
        pass


async def test_a_change_waits_for_what_is_just_being_sent_and_nothing_begins_meanwhile() -> None:
    locks = RecordingLocks()
    order: list[str] = []
    begun = asyncio.Event()

    async def change() -> None:
        begun.set()
        async with locks.changing("a"):
            order.append("changed")

    async with locks.sending(locks.ticket(["a"])), locks.sending(locks.ticket(["a"])):
        changing = asyncio.create_task(change())
        await begun.wait()
        await asyncio.sleep(0)
        with pytest.raises(RecordingError, match="worked on"):
            locks.ticket(["a"])
        order.append("sent")
    await changing
    assert order == ["sent", "changed"]


async def test_a_change_that_is_given_up_leaves_no_lock_behind() -> None:
    locks = RecordingLocks()
    async with locks.sending(locks.ticket(["a"])):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), locks.changing("a"):
                pytest.fail("it did not wait")
    assert locks.ticket(["a"])
    assert not locks._locks


async def test_work_is_told_as_soon_as_it_is_in_vain() -> None:
    locks = RecordingLocks()
    told: list[str] = []
    async with locks.watched(locks.ticket(["a", "b"]), lambda: told.append("stop")):
        async with locks.changing("a"):
            assert told == ["stop"]
        async with locks.changing("c"):
            assert told == ["stop"]
    async with locks.changing("a"):
        assert told == ["stop"]
