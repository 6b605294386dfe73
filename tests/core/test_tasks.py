"""Background tasks have an owner who ends them, and their failures are logged."""

from __future__ import annotations

import asyncio

from core.tasks import Tasks


async def forever() -> None:
    await asyncio.Event().wait()


async def test_cancelling_all_leaves_nothing_running() -> None:
    tasks = Tasks("room")
    started = [tasks.start(forever()) for _ in range(5)]
    assert len(tasks) == 5
    await tasks.cancel_all()
    assert len(tasks) == 0
    assert all(task.cancelled() for task in started)


async def test_a_name_that_runs_is_not_started_twice_unless_replaced() -> None:
    tasks = Tasks("room")
    first = tasks.start(forever(), "poll")
    assert tasks.start(forever(), "poll") is first
    second = tasks.start(forever(), "poll", replace=True)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert first.cancelled()
    assert tasks.running("poll")
    assert not second.done()
    await tasks.cancel_all()


async def test_a_failure_is_logged_with_owner_and_name(caplog) -> None:
    tasks = Tasks("room")

    async def fail() -> None:
        raise RuntimeError("the cause")

    await asyncio.wait([tasks.start(fail(), "poll")])
    await asyncio.sleep(0)
    assert "room: poll failed" in caplog.text
    assert "the cause" in caplog.text


async def test_a_task_may_cancel_all_from_within() -> None:
    tasks = Tasks("room")
    other = tasks.start(forever())
    ended = tasks.start(tasks.cancel_all())
    await asyncio.wait([other, ended])
    assert other.cancelled()
    assert not ended.cancelled()


async def test_after_can_be_called_off() -> None:
    tasks = Tasks("room")
    done: list[int] = []

    async def act() -> None:
        done.append(1)

    tasks.after(0.005, act, "later")
    tasks.cancel("later")
    await asyncio.sleep(0.02)
    assert done == []
    tasks.after(0.001, act, "later")
    await asyncio.sleep(0.02)
    assert done == [1]


async def test_a_task_that_swallows_its_cancellation_is_told_again(monkeypatch):
    monkeypatch.setattr("core.tasks.AGAIN_S", 0.01)
    tasks = Tasks("room")
    swallowed: list[int] = []

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if swallowed:
                    raise
                swallowed.append(1)

    task = tasks.start(stubborn())
    await asyncio.sleep(0)
    await tasks.cancel_all()
    assert task.cancelled()
    assert swallowed == [1]
