"""What a process leaves when it is killed, and what the next one does about it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

from core.lockdown import BlockPolicy, Feature, PausePolicy
from loopback.services.hooks import Hooks
from tests.core.lockdown.house import House, until

CHECKOUT = Path(__file__).resolve().parents[3]


class Journal:
    """Answers that outlive their process, as messages on Discord do: a file with one line each."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8").split() if self.path.exists() else []

    def write(self, line: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


async def run_child(*arguments: str, until_line: str) -> asyncio.subprocess.Process:
    """Start a process of its own and wait until it says a certain line."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.core.lockdown.victim", *arguments, cwd=CHECKOUT, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    async with asyncio.timeout(30):
        while line := await child.stdout.readline():
            if line.decode().strip() == until_line:
                return child
    raise AssertionError("the child ended early")


async def kill(child: asyncio.subprocess.Process) -> None:
    if sys.platform == "win32":
        child.kill()
    else:
        child.send_signal(signal.SIGKILL)
    await child.communicate()


async def test_killed_during_a_session_with_30_messages_everything_is_undone_and_each_answered_once_in_order(
    house: House, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "answers")
    async with Hooks() as server:
        child = await run_child(str(house.path), str(journal.path), server.url, "session", until_line="queued")
        await kill(child)
        assert server.calls == ["POST /lock"]
        assert journal.lines() == []
        child = await run_child(str(house.path), str(journal.path), server.url, "recover", until_line="done")
        await kill(child)
        assert server.calls == ["POST /lock", "POST /unlock"]
    assert journal.lines() == ["resumed", *(str(number) for number in range(30))]
    await house.open()
    assert await house.rows("lock_entry") == []
    assert await house.rows("lock_holder") == []
    assert await house.rows("queued_message") == []


async def test_killed_again_and_again_while_answering_no_message_is_lost_or_answered_twice(
    house: House, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "answers")
    async with Hooks() as server:
        arguments = (str(house.path), str(journal.path), server.url)
        await kill(await run_child(*arguments, "session", until_line="queued"))
        for count in (3, 11, 12):
            await kill(await run_child(*arguments, "recover", until_line=f"answered {count}"))
        await kill(await run_child(*arguments, "recover", until_line="done"))
    assert [line for line in journal.lines() if line.isdigit()] == [str(number) for number in range(30)]


async def test_locks_by_hand_survive_a_restart_until_their_time_is_over(house: House) -> None:
    lockdown = await house.open()
    pictures = Feature("pictures", "Pictures", BlockPolicy("no"))
    lockdown.register(pictures, owner="test")
    await lockdown.lock("pictures", duration_s=3600, reason="maintenance")
    await house.die(lockdown)
    again = await house.open()
    assert await again.allows("pictures")  # its cog is not loaded yet
    log: list[str] = []
    again.register(pictures, owner="test")
    again.register(
        Feature("job", "Job", PausePolicy(lambda: log.append("pause"), lambda: log.append("resume"))), owner="test"
    )
    await again.settled()
    assert not await again.allows("pictures")
    assert log == []
    await house.clock.turn(3601)
    await until(lambda: not again.locked("pictures"))
    assert await house.rows("lock_holder") == []


async def test_a_lock_by_hand_that_ran_out_while_the_bot_was_off_is_undone_at_start(house: House) -> None:
    lockdown = await house.open()
    log: list[str] = []
    job = Feature("job", "Job", PausePolicy(lambda: log.append("pause"), lambda: log.append("resume")))
    lockdown.register(job, owner="test")
    await lockdown.lock(duration_s=60)
    await house.die(lockdown)
    await house.clock.turn(61)
    again = await house.open()
    again.register(job, owner="test")
    await again.settled()
    await until(lambda: not again.owed)
    assert log == ["pause", "resume"]
    assert not again.locked("job")


async def test_a_session_that_was_killed_leaves_a_lock_by_hand_in_place(house: House) -> None:
    lockdown = await house.open()
    log: list[str] = []
    job = Feature("job", "Job", PausePolicy(lambda: log.append("pause"), lambda: log.append("resume")))
    lockdown.register(job, owner="test")
    await lockdown.lock()
    await lockdown.engage("s1", guild_id=1, channel_id=2)
    await house.die(lockdown)
    again = await house.open()
    again.register(job, owner="test")
    await again.settled()
    assert again.locked("job")
    assert log == ["pause", "pause"]  # in the new process the job runs again, so it is paused again
    await again.unlock()
    assert log == ["pause", "pause", "resume"]


async def test_an_undo_that_failed_before_the_kill_is_still_owed_after_it(house: House) -> None:
    lockdown = await house.open()
    log: list[str] = []

    def fail() -> None:
        raise RuntimeError("not yet")

    lockdown.register(Feature("job", "Job", PausePolicy(lambda: None, fail)), owner="test")
    await lockdown.engage("s1", guild_id=1, channel_id=2)
    await lockdown.release("s1")
    await house.die(lockdown)
    again = await house.open()
    assert [(owed.name, owed.attempts) for owed in again.owed] == [("job", 1)]
    again.register(Feature("job", "Job", PausePolicy(lambda: None, lambda: log.append("resume"))), owner="test")
    await again.settled()
    await until(lambda: not again.owed)
    assert log == ["resume"]


def test_what_the_ledger_keeps_of_a_message_is_no_text(tmp_path: Path) -> None:
    from dataclasses import fields

    from core.store.lockdown import QueuedMessage

    kept = {field.name for field in fields(QueuedMessage)}
    assert json.dumps(sorted(kept)) == json.dumps(
        ["arrived_at", "author_id", "channel_id", "claimed", "feature", "guild_id", "id", "message_id"]
    )
