"""Models that answer oddly, as people meet them: what they read, what they hear, and that the next prompt works."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from core.store.history import HistoryEntry
from tests.cogs.sounds import voiced


async def asked(scene, person, text: str) -> str:
    """What a person reads in answer to a prompt, when all is over."""
    reply = await scene.reply(person, await person.type(scene.text, text))
    return reply.content


async def test_strict_templates_recover_from_every_fault_and_every_old_history(scene):
    await scene.start()
    ada = await scene.joined()
    now = datetime.now(UTC)
    for turn, role, content in (
        ("a", "assistant", "Hello."),
        ("b", "user", "Hm"),
        ("c", "user", ""),
        ("d", "user", "x"),
    ):
        await scene.runtime.history.add(scene.text.id, HistoryEntry(turn, role, content, now, ada.user.id, "Ada"))
    scene.chat.always(strict_roles=True)
    for fault in (
        {"status": 500},
        {"cut_after": 0},
        {"text": ""},
        {"garbage_after": 0},
        {"text": "", "refusal": "No."},
    ):
        scene.chat.script(**fault)
        await asked(scene, ada, "Are you there?")
        scene.chat.script(text="Here I am.")
        assert await asked(scene, ada, "And now?") == "Here I am."
    assert all(prompt[-1]["content"].startswith("Ada: A") for prompt in scene.chat.prompts)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"ends_after": 8}, "broke in the middle of the answer."),
        ({"finish_reason": "length"}, "was cut off, because it reached its limit"),
        ({"finish_reason": "content_filter"}, "cut its answer off."),
        ({"garbage_after": 8, "garbage": b'error: {"code": 500, "message": "x"}\n\n'}, "fault of its own (500)"),
    ],
)
async def test_a_torn_answer_is_said_to_be_torn_aloud_and_in_writing_and_remembered_without_that(scene, fault, why):
    await scene.start()
    ada = await scene.joined()
    scene.chat.script(text="The kettle is on the stove. ")
    await asked(scene, ada, "Where is the kettle?")
    whole = len(voiced(ada, scene.bot_user))
    ada.ears.forget()
    scene.chat.script(text="The kettle is on the stove. ", **fault)
    written = await asked(scene, ada, "Where is the kettle now?")
    assert written.startswith("The kettle is on the stove")
    assert why in written
    await asyncio.sleep(0.3)
    assert len(voiced(ada, scene.bot_user)) > whole * 1.3
    lines = await scene.runtime.history.newest(scene.text.id, 1)
    assert lines[0].content.rstrip(" .") == "The kettle is on the stove"


async def test_a_refusal_and_a_mere_thought_are_told_and_not_remembered_as_answers(scene):
    await scene.start()
    ada = await scene.joined()
    scene.chat.script(text="", refusal="I cannot help with that.")
    scene.chat.script(text="<think>Hm, who is Ada")
    assert "refused to answer this: “I cannot help with that.”" in await asked(scene, ada, "Rob a bank for me.")
    assert "it only thought" in await asked(scene, ada, "Who am I?")
    assert [line.role for line in await scene.runtime.history.newest(scene.text.id, 5)] == ["user", "user"]


async def test_an_emoji_in_two_halves_is_written_and_remembered(scene):
    await scene.start()
    ada = await scene.joined()
    scene.chat.script(deltas=("Bread ", "\ud83e", "\udd56", " and \ud83e."))
    assert await asked(scene, ada, "What is there?") == "Bread 🥖 and \ufffd."
    assert (await scene.runtime.history.newest(scene.text.id, 1))[0].content == "Bread 🥖 and \ufffd."
