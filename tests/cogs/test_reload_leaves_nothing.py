"""Every cog is reloaded ten times while the bot speaks and records: nothing is left behind, and no frame is lost."""

from __future__ import annotations

import ast
import asyncio
import gc
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from core.config import CHECKOUT
from core.handles import Handle
from core.recording.metadata import read_metadata
from tests.cogs.sounds import tone
from tests.cogs.test_admin import gaps

if TYPE_CHECKING:
    from collections.abc import Iterator

COGS = (
    "cogs.voice",
    "cogs.prompt",
    "cogs.recorder",
    "cogs.recordings",
    "cogs.lockdown",
    "cogs.studio",
    "cogs.admin",
)
TIMES = 10
STORY = " ".join(f"This is sentence number {number} of a story that goes on for a while." for number in range(12))
# Registering in a cog: each call of these on a room must be the argument of `until_unload`; the cog's own are tied.
REGISTERS = {"register", "take", "add_claim", "listen", "add_listener", "add_view", "respect", "subscribe"}


def measured(scene: Any) -> dict[str, Any]:
    """Everything that a reload could leave behind, counted."""
    gc.collect()
    bot, runtime = scene.bot, scene.runtime
    views = bot._connection._view_store
    handles = Counter(each.what for each in gc.get_objects() if isinstance(each, Handle) and not each.ended)
    return {
        "handles": handles,
        "subscriptions": Counter(runtime.hub.counts().keys()),
        "claims": len(runtime.messages._claims),
        "features": sorted(feature.name for feature in runtime.lockdown.features),
        "buttons": sorted(runtime.interactions._pressed),
        "listeners": {name: len(found) for name, found in bot.extra_events.items() if found},
        "commands": sorted(command.qualified_name for command in bot.tree.walk_commands()),
        "views": (len(views._views), len(views._modals), len(views._synced_message_views)),
        "owners": len(runtime._owners),
        "runtime's tasks": sorted(str(name) for name in runtime.tasks._tasks),
        "cogs": sorted(
            type(each).__name__
            for each in gc.get_objects()
            if type(each).__module__ in COGS and type(each).__name__.endswith("Cog")
        ),
    }


def passing() -> tuple[Counter[str], set[str]]:
    """The tasks and threads that are there at the moment, by what they are for."""
    tasks = Counter(task.get_name() for task in asyncio.all_tasks())
    return tasks, {thread.name for thread in threading.enumerate()}


def grown(before: Counter[str], after: Counter[str]) -> dict[str, int]:
    """Tasks of ours that there are more of than before, by what they are for."""
    left = {name: after[name] - before[name] for name in after if "Task-" not in name}
    return {name: more for name, more in left.items() if more > 0}


async def test_ten_reloads_of_every_cog_leave_nothing_behind_and_lose_no_frame(scene: Any) -> None:
    await scene.start(cogs=COGS, model=False, recording={"min_free_mb": 1})
    ada = await scene.person("Ada", roles=[scene.admin_role])
    scene.bot_user.application.owner = ada.user
    await ada.join(scene.voice)
    assert "Recording" in await scene.run(ada, "voice record")
    await ada.until_encrypted()
    panel = await ada.wait_for_message(scene.text, lambda message: "Recording" in message.content, 10)
    runtime, session, live = scene.runtime, scene.session, scene.runtime.recordings.live(scene.guild.id)
    talking = asyncio.create_task(talk(ada))
    turns = [runtime.say(scene.guild.id, STORY, author_id=ada.user.id)]
    await ada.ears.wait_for_voice(scene.bot_user.id)
    assert "Reloaded" in await scene.run(ada, "reload")  # what is imported and cached once is there
    await asyncio.sleep(0.5)
    before, tasks_before, threads_before = measured(scene), *passing()

    for _ in range(TIMES):
        said = await scene.run(ada, "reload")
        assert "Reloaded" in said
        assert "fault" not in said
        if not runtime.conversation.busy:
            turns.append(runtime.say(scene.guild.id, STORY, author_id=ada.user.id))
        await (await ada.press(panel, "Note")).response()  # a form that is left: discord.py would keep it for ever
    assert scene.session is session
    assert runtime.recordings.live(scene.guild.id) is live
    # What the last reload began may take its time: a lock is written down, a clause is still spoken.
    await scene.until(lambda: not grown(tasks_before, passing()[0]))
    after, tasks_after, threads_after = measured(scene), *passing()

    assert after == before
    assert before["handles"]["subscription to RecordingStopped"] >= 2, "handles are really counted"
    names = [f"{name.split('.')[1].title()}Cog" for name in COGS]
    spare = Counter(after["cogs"]) - Counter(names)
    assert spare.total() <= 1, "the last of a kind may be referred to until the next one comes; more would be a leak"
    assert grown(tasks_before, tasks_after) == {}
    assert sum(tasks_after.values()) <= sum(tasks_before.values()) + 3  # requests of the loopback that are under way
    assert len(threads_after) <= len(threads_before) + 2, (
        threads_after - threads_before
    )  # a pool that grows to its size

    talking.cancel()
    runtime.stop(scene.guild.id)
    await scene.turns_over()
    await asyncio.sleep(0.3)
    assert gaps(ada.ears.heard(scene.bot_user.id)) == []
    await scene.run(ada, "voice record", action="stop")
    (folder,) = (scene.folder / "data" / "recordings").glob("*/*/*")
    await scene.until(lambda: read_metadata(folder).state == "finished", 60)
    found = read_metadata(folder)
    assert [person.packets.lost for person in found.people] == [0] * len(found.people)
    segments = Counter(segment.user_id for segment in found.segments)
    assert set(segments) == {str(ada.user.id), str(scene.bot_user.id)}
    assert segments[str(scene.bot_user.id)] == 1, "the bot was not cut"  # Ada's own client may pause on a busy machine


async def talk(person: Any) -> None:
    """Speak until it is enough."""
    while True:
        await person.play(tone(440, 1.0).repeat(2).reshape(-1, 2))


@pytest.mark.parametrize("file", sorted((CHECKOUT / "cogs").glob("*.py")), ids=lambda file: file.stem)
def test_a_cog_registers_nothing_that_does_not_end_with_it(file: Any) -> None:
    assert list(loose(ast.parse(file.read_text(encoding="utf-8")))) == []


def test_a_registration_that_nobody_ends_is_seen() -> None:
    tied = "self.until_unload(self.runtime.hub.subscribe(Event, self.on)); self.subscribe(Event, self.on)"
    assert list(loose(ast.parse(tied))) == []
    assert list(loose(ast.parse("self.runtime.hub.subscribe(Event, self.on, owner=self)"))) == [1]
    assert list(loose(ast.parse("asyncio.create_task(work())"))) == [1]


def loose(tree: ast.AST) -> Iterator[int]:
    """Lines where something is registered, or begun, that does not end with the cog."""
    tied = {id(part) for call in _calls(tree, {"until_unload"}) for part in ast.walk(call)}
    for call in _calls(tree, REGISTERS | {"create_task", "ensure_future"}):
        of, _, name = ast.unparse(call.func).rpartition(".")
        rooms = of.startswith("self.") or of in ("asyncio", "hub", "lockdown", "bot", "runtime")
        if name == "take":  # others take prompts, not registrations
            rooms = of.endswith(("messages", "interactions"))
        if id(call) not in tied and rooms:
            yield call.lineno


def _calls(tree: ast.AST, names: set[str]) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
            yield node
