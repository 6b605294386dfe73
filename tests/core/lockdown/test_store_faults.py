"""A store that fails, or is slow, at the wrong moment."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from core.errors import LockdownError, StoreError
from core.lockdown import BlockPolicy, Feature, PausePolicy, QueuePolicy
from core.store.lockdown import LedgerRepository, QueueRepository
from tests.core.lockdown.house import House, Written, until

if TYPE_CHECKING:
    from core.store.lockdown import QueuedMessage

PICTURES = Feature("pictures", "Pictures", BlockPolicy("no"))


async def fail(*_: Any, **__: Any) -> Any:
    raise StoreError("The database could not be read or written.")


async def test_a_ledger_that_cannot_be_written_refuses_the_session_and_nothing_is_done(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    lockdown = await house.open(route="voice")
    log: list[str] = []
    lockdown.register(Feature("job", "Job", PausePolicy(lambda: log.append("pause"), lambda: None)), owner="test")
    await lockdown.settled()
    monkeypatch.setattr(LedgerRepository, "take", fail)
    with pytest.raises(LockdownError, match="cannot start: The database"):
        await lockdown.engage("s1", guild_id=1, channel_id=2)
    assert log == []
    assert not lockdown.locked("job")
    assert house.routes.current == "default"


async def test_everything_is_undone_even_if_the_ledger_cannot_be_written(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    lockdown = await house.open(route="voice")
    log: list[str] = []
    lockdown.register(Feature("job", "Job", PausePolicy(lambda: None, lambda: log.append("resume"))), owner="test")
    await lockdown.engage("s1", guild_id=1, channel_id=2)
    with monkeypatch.context() as broken:
        for method in ("release", "strike", "failed"):
            broken.setattr(LedgerRepository, method, fail)
        await lockdown.release("s1")
    assert log == ["resume"]
    assert not lockdown.locked("job")
    assert house.routes.current == "default"
    await house.die(lockdown)
    again = await house.open()  # what the ledger still says is undone once more
    again.register(Feature("job", "Job", PausePolicy(lambda: None, lambda: log.append("again"))), owner="test")
    await again.settled()
    await until(lambda: not again.owed)
    assert log == ["resume", "again"]


async def test_a_feature_that_was_loaded_while_the_ledger_failed_is_free_after_the_session(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    lockdown = await house.open()
    await lockdown.engage("s1", guild_id=1, channel_id=2)
    with monkeypatch.context() as broken:
        broken.setattr(LedgerRepository, "take", fail)
        lockdown.register(PICTURES, owner="test")
        await lockdown.settled()
    assert lockdown.locked("pictures")
    await lockdown.release("s1")
    assert not lockdown.locked("pictures")


async def test_a_message_that_is_being_stored_while_the_session_ends_is_answered(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    lockdown = await house.open()
    answered: list[int] = []
    storing = asyncio.Event()
    go_on = asyncio.Event()
    push = QueueRepository.push

    async def slow(self: QueueRepository, *arguments: Any) -> Any:
        storing.set()
        await go_on.wait()
        return await push(self, *arguments)

    async def fetch(queued: QueuedMessage) -> int:
        return queued.message_id

    async def replay(message_id: int) -> None:
        answered.append(message_id)

    monkeypatch.setattr(QueueRepository, "push", slow)
    lockdown.register(Feature("text", "Text", QueuePolicy(replay, fetch)), owner="test")
    await lockdown.engage("s1", guild_id=1, channel_id=2)
    asking = asyncio.create_task(lockdown.allows("text", Written(1)))
    await storing.wait()
    await lockdown.release("s1")
    go_on.set()
    assert not await asking
    await until(lambda: answered == [1])


async def test_a_message_that_cannot_be_stored_is_told_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    lockdown = await house.open()

    async def nothing(_: Any) -> None:
        return None

    lockdown.register(Feature("text", "Text", QueuePolicy(nothing, nothing, dropped="Ask me again.")), owner="test")
    await lockdown.engage("s1", guild_id=1, channel_id=2)
    monkeypatch.setattr(QueueRepository, "push", fail)
    message = Written(1)
    assert not await lockdown.allows("text", message)
    assert message.replies == ["Ask me again."]


@pytest.mark.parametrize("method", ["oldest", "claim", "strike"])
async def test_answers_go_on_when_the_store_is_back(house: House, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    lockdown = await house.open()
    said: list[int] = []

    async def fetch(queued: QueuedMessage) -> int:
        return queued.message_id

    async def replay(message_id: int) -> None:
        said.append(message_id)

    async def answered(message_id: int) -> bool:
        return message_id in said

    lockdown.register(Feature("text", "Text", QueuePolicy(replay, fetch, answered=answered)), owner="test")
    await lockdown.engage("s1", guild_id=1, channel_id=2)
    for number in (1, 2):
        await lockdown.allows("text", Written(number))
    with monkeypatch.context() as broken:
        broken.setattr(QueueRepository, method, fail)
        await lockdown.release("s1")
        await house.clock.turn(12)
    while lockdown.waiting.replaying("text"):
        await house.clock.turn(10)
    assert said == [1, 2]


async def test_a_line_of_the_ledger_that_cannot_be_read_keeps_nothing_else_from_being_undone(house: House) -> None:
    lockdown = await house.open(route="voice")
    log: list[str] = []
    lockdown.register(Feature("job", "Job", PausePolicy(lambda: None, lambda: log.append("resume"))), owner="test")
    await lockdown.engage("s1", guild_id=1, channel_id=2)
    (thing,) = [thing for thing in lockdown._ledger._held if thing[0] == "route"]
    lockdown._ledger._held[thing] = [replace(entry, detail="no JSON") for entry in lockdown._ledger._held[thing]]
    await lockdown.release("s1")
    assert log == ["resume"]
    assert not lockdown.locked("job")
    assert [(owed.kind, owed.error) for owed in lockdown.owed] == [
        ("route", f"The route “{thing[1]}” failed (JSONDecodeError).")
    ]


async def test_who_gives_up_at_the_moment_the_locks_are_taken_leaves_none_behind(house: House) -> None:
    lockdown = await house.open(route="voice")
    pausing, log = asyncio.Event(), []
    lockdown.register(Feature("job", "Job", PausePolicy(pausing.set, lambda: log.append("resume"))), owner="test")
    await lockdown.settled()
    engaging = asyncio.create_task(lockdown.engage("s1", guild_id=1, channel_id=2))
    await pausing.wait()  # the last lock; a moment later the taking is done
    (taking,) = (task for task in asyncio.all_tasks() if task.get_name() == "ledger: take s1")
    taking.add_done_callback(lambda _: engaging.cancel())
    with pytest.raises(asyncio.CancelledError):
        await engaging
    assert log == ["resume"]
    assert not lockdown.locked("job")
    assert (await lockdown.status()).holds == ()
    assert house.routes.current == "default"
