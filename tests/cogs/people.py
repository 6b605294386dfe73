"""What the tests of people share: a bot that reads along, and people who agreed to it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

COGS = ("cogs.voice", "cogs.prompt", "cogs.lockdown", "cogs.recordings", "cogs.persona")
QUICK = {"profiles": {"every": 5}, "joining_in": {"every": 0}}
PROFILE = {
    "tone": "dry and friendly",
    "interests": ["sourdough", "lighthouses"],
    "language": "English",
    "address": "Captain",
    "avoid": ["small talk"],
    "reply_style": "brief",
}


def profile(**changes: Any) -> str:
    """A model's answer to the question for a profile."""
    return json.dumps(PROFILE | changes)


async def observing(scene: Any, *names: str, persona: dict[str, Any] | None = None, **sections: Any) -> list[Any]:
    """Start a bot that reads along in the usual channel; the people named have agreed."""
    await scene.start(cogs=COGS, persona={**QUICK, **(persona or {})}, **sections)
    scene.root = await scene.person("Root", roles=[scene.admin_role])
    assert "the channel has been told" in await scene.run(scene.root, "persona observe", state="on")
    people = [await scene.person(name) for name in names]
    for person in people:
        await scene.runtime.privacy.decide(person.user.id, "in", ("observed",))
    return people


async def kept(scene: Any, person: Any) -> list[str]:
    """What is kept of somebody's messages, once all that waits is written."""
    messages = scene.runtime.people.messages
    await messages.flush()
    return [each.content for each in await messages.repository.of_person(person.user.id)]


async def until_kept(scene: Any, person: Any, *texts: str) -> None:
    """Wait until exactly these messages of somebody are kept."""
    async with asyncio.timeout(20):
        while await kept(scene, person) != list(texts):  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


async def type_all(scene: Any, person: Any, *texts: str, channel: Any = None) -> list[Any]:
    """Write messages and wait until the bot has seen them."""
    written = [await person.type(channel or scene.text, text) for text in texts]
    await scene.until(lambda: scene.bot._connection._get_message(written[-1].id) is not None)
    return written


async def profiled(scene: Any, person: Any, *, channel: Any = None, answer: str = "") -> None:
    """Have a profile of somebody made, of five new messages."""
    scene.chat.script(text=answer or profile())
    people = scene.runtime.people
    await type_all(scene, person, *(f"{person.user.name} says thing {number}." for number in range(5)), channel=channel)
    await people.messages.flush()
    await scene.until(lambda: not people.profiles.due)


async def told(scene: Any, person: Any, text: str = "What shall I bake?", *, channel: Any = None) -> str:
    """What the model is told of itself when somebody asks it something."""
    asked = len(scene.chat.prompts)
    await person.type(channel or scene.text, f"<@{scene.bot_user.id}> {text}")
    await scene.until(lambda: len(scene.chat.prompts) > asked)
    await scene.turns_over()
    return scene.chat.prompts[asked][0]["content"]
