"""A process that is killed: `python -m tests.core.lockdown.victim DATABASE ANSWERS HOOKS session|recover`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from core.clock import SystemClock
from core.config.lockdown import LockdownSection
from core.hub import Hub
from core.lockdown import Feature, PausePolicy, QueuePolicy
from core.lockdown.service import Lockdown
from core.store.store import Store
from tests.core.lockdown.house import Written

if TYPE_CHECKING:
    from core.store.lockdown import QueuedMessage


def say(line: str) -> None:
    print(line, flush=True)


def note(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


async def main(database: str, answers: Path, hooks: str, what: str) -> None:
    store = Store(f"sqlite+aiosqlite:///{database}")
    await store.open()
    hub = Hub()
    hub.bind(asyncio.get_running_loop())
    section = LockdownSection.model_validate(
        {
            "replay_interval_s": 0.01,
            "hooks": [{"name": "gpu", "lock_url": f"{hooks}/lock", "unlock_url": f"{hooks}/unlock"}],
        }
    )
    lockdown = Lockdown(section, store, hub, SystemClock())
    await lockdown.open()

    async def fetch(queued: QueuedMessage) -> SimpleNamespace:
        return SimpleNamespace(id=queued.message_id)

    async def replay(message: SimpleNamespace) -> None:
        await asyncio.sleep(0.005)
        note(answers, str(message.id))
        say(f"answered {message.id}")

    async def answered(message: SimpleNamespace) -> bool:
        return str(message.id) in await asyncio.to_thread(lambda: answers.read_text(encoding="utf-8").split())

    lockdown.register(Feature("text", "Text", QueuePolicy(replay, fetch, answered=answered)), owner="victim")
    lockdown.register(
        Feature("job", "Job", PausePolicy(lambda: None, lambda: note(answers, "resumed"))), owner="victim"
    )
    if what == "session":
        await lockdown.engage("s1", guild_id=1, channel_id=2)
        for number in range(30):
            await lockdown.allows("text", Written(number))
        say("queued")
    else:
        await lockdown.settled()
        while lockdown.owed or lockdown.waiting.replaying("text"):  # noqa: ASYNC110 - nothing signals these
            await asyncio.sleep(0.01)
        say("done")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
