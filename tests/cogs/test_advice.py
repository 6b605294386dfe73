"""What others add to a turn reaches the model, and an adviser that fails or dawdles costs nobody the answer."""

from __future__ import annotations

import asyncio

import pytest

from core.character import Character, Voice
from core.conversation import advice, advisers
from core.conversation.advice import Advice, unless_silent
from core.errors import ParleyError
from core.events import TurnEnded
from tests.cogs.sounds import voice_pitch_hz, voiced

TROLL = Character("troll", "Grumble", "You are a grumpy troll.", Voice(pitch=-5))


class Says:
    """An adviser that says the same of each turn."""

    def __init__(self, said: Advice | None) -> None:
        self.said = said

    async def advise(self, turn: object) -> Advice | None:
        return self.said


class Fails:
    """An adviser that raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def advise(self, turn: object) -> Advice | None:
        raise self.error


class Dawdles:
    """An adviser that never answers."""

    async def advise(self, turn: object) -> Advice | None:
        await asyncio.Event().wait()
        return None


async def test_a_turn_takes_character_notes_and_temperature_and_keeps_what_the_model_was_asked(scene, monkeypatch):
    monkeypatch.setattr(advisers, "DEADLINE_S", 0.05)
    await scene.start(prompt={"persona": "You are a lighthouse keeper."})
    ada = await scene.joined()
    conversation, ended = scene.runtime.conversation, scene.events(TurnEnded)
    for adviser in (
        Says(Advice(notes="Ada likes boats.", temperature=1.5)),
        Fails(ValueError("broken")),
        Fails(ParleyError("Not now.")),
        Dawdles(),
        Says(None),
        Says(Advice(TROLL, "She is in a hurry.", 0.25)),
    ):
        conversation.advise_with(adviser)
    scene.chat.script(text="Go away.")
    message = await ada.type(scene.text, "Who are you?")
    assert (await scene.reply(ada, message)).content == "Go away."
    told = scene.chat.prompts[0][0]
    assert told == {"role": "system", "content": "You are a grumpy troll.\nAda likes boats.\nShe is in a hurry."}
    assert scene.chat.requests[-1].json["temperature"] == 0.25
    (turn,) = conversation.recent
    assert [each.payload() for each in turn.request.messages] == scene.chat.prompts[0]
    assert (turn.request.route, turn.request.model, turn.request.temperature) == (
        "default",
        scene.chat.requests[-1].json["model"],
        0.25,
    )
    await scene.until(lambda: len(ended) == 1)
    assert ended[0].character_id == "troll"
    assert voice_pitch_hz(voiced(ada, scene.bot_user)) > 0


async def test_a_model_that_may_stay_silent_and_does_is_neither_shown_nor_heard_nor_called_a_fault(scene):
    await scene.start()
    ada = await scene.joined()
    ended = scene.events(TurnEnded)
    handle = scene.runtime.conversation.advise_with(Says(Advice(may_stay_silent=True)))
    scene.chat.script(text=advice.SILENT)
    await ada.type(scene.text, "Nothing to see here.")
    await scene.until(lambda: len(ended) == 1)
    assert ended[0].outcome == "silent"
    assert advice.MAY_STAY_SILENT in scene.chat.prompts[0][0]["content"]
    handle.end()
    scene.chat.script(text="Here I am.")
    message = await ada.type(scene.text, "And now?")
    assert (await scene.reply(ada, message)).content == "Here I am."
    written = [each.content for each in ada.history(scene.text) if each.author is scene.bot_user]
    assert written[-1:] == ["Here I am."] and advice.SILENT not in written
    assert advice.MAY_STAY_SILENT not in str(scene.chat.prompts[-1])


async def _pieces(*pieces: str):
    for piece in pieces:
        yield piece


@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        (("[sil", "ent]"), None),
        ((" [SILENT]\n",), None),
        ((), None),
        (("[silent", "] film is old."), "[silent] film is old."),
        (("[", "s", "o]"), "[so]"),
        (("Hello",), "Hello"),
    ],
)
async def test_only_the_bare_word_is_silence(pieces, answer):
    kept = await unless_silent(_pieces(*pieces))
    assert (None if kept is None else "".join([piece async for piece in kept])) == answer
