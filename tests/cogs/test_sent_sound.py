"""Voice messages and sound files in prompts are heard, shown as text, and answered; what is none is one sentence."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from core.errors import HearingError
from core.hearing.models import embedded_folder
from loopback.people.espeak import synthesise
from loopback.world.guilds import ChannelKind
from loopback.world.messages import Upload
from tests.cogs.sounds import encoded, wav
from tests.core.hearing.transcripts.speech import Scripted

needs_model = pytest.mark.skipif(embedded_folder() is None, reason="the recogniser's weights are not installed")
BICYCLE = "My sister has bought a yellow bicycle."


async def spoken(text: str = BICYCLE) -> np.ndarray:
    return np.frombuffer(await synthesise(text, voice="en-us"), np.int16)[::2].copy()


def voice_message(samples: np.ndarray, duration_s: float | None = None, data: bytes | None = None) -> Upload:
    """As Discord's clients send it: Ogg with Opus, and no text beside it."""
    data = encoded(samples, "ogg", "libopus") if data is None else data
    length_s = len(samples) / 48_000 if duration_s is None else duration_s
    return Upload("voice-message.ogg", data, "audio/ogg", duration_s=length_s, waveform="AAAA")


async def begin(scene: Any, *lines: Any, **sections: Any) -> tuple[Any, Scripted]:
    """The bot, with a recogniser that says these lines."""
    await scene.start(**sections)
    recogniser = Scripted(list(lines) or [BICYCLE])
    scene.runtime.intake._sounds._transcriber = recogniser
    return await scene.joined(), recogniser


async def send(scene: Any, person: Any, *uploads: Upload, text: str = "") -> Any:
    message = await person.type(scene.text, text, attachments=uploads)
    return message


def replies(scene: Any, message: Any) -> list[str]:
    return [
        each.content
        for each in scene.text.messages.values()
        if each.author is scene.bot_user and each.reply_to_id == message.id
    ]


async def answered(scene: Any, count: int = 1) -> None:
    await scene.until(lambda: len(scene.chat.prompts) >= count)
    await scene.turns_over()


@needs_model
async def test_a_voice_message_is_heard_shown_and_answered_aloud(scene):
    await scene.start(hearing={"answer": "never"})
    ada = await scene.joined()
    scene.chat.script(text="What a lovely colour.")
    listening = asyncio.create_task(ada.ears.wait_for_voice(scene.bot_user.id, 60))
    message = await send(scene, ada, voice_message(await spoken()))
    assert (await listening).encrypted
    await answered(scene)
    assert "yellow" in scene.chat.prompts[0][-1]["content"]
    assert "cannot see or hear" not in scene.chat.prompts[0][-1]["content"]
    shown, reply = replies(scene, message)
    assert shown.startswith("> ")
    assert "yellow" in shown
    assert reply == "What a lovely colour."


async def test_the_words_follow_what_was_typed_and_pictures_stay_unseen(scene):
    ada, _ = await begin(scene)
    picture = Upload("a.png", b"\x89PNG", "image/png")
    await send(scene, ada, Upload("a.mp3", wav(await spoken()), "audio/mpeg"), picture, text="Who says this?")
    await answered(scene)
    told = scene.chat.prompts[0][-1]["content"]
    assert told.startswith(f"Ada: Who says this?\n(Said in a sound that came along: “{BICYCLE}”)")
    assert "a picture" in told
    assert "a sound." not in told


async def test_what_is_typed_after_a_voice_message_comes_after_it(scene):
    ada, recogniser = await begin(scene)
    gate = asyncio.Event()
    recogniser.gate = gate.wait
    await send(scene, ada, voice_message(await spoken()))
    await scene.until(lambda: recogniser.heard)
    await ada.type(scene.text, "And what do you say?")
    await asyncio.sleep(0.3)
    assert not scene.chat.prompts
    gate.set()
    await answered(scene)
    await scene.turns_over()
    told = [line["content"] for line in scene.chat.prompts[-1] if line["role"] == "user"]
    assert "\n".join(told).index("bicycle") < "\n".join(told).index("what do you say")


async def test_markup_and_mentions_in_what_was_said_do_nothing(scene):
    ada, _ = await begin(scene, "@everyone **look** <@1> https://example.org `x`")
    message = await send(scene, ada, voice_message(await spoken()))
    await answered(scene)
    shown = replies(scene, message)[0]
    assert "@everyone" not in shown
    assert "\\*\\*look" in shown
    assert "https://" not in shown


async def test_long_words_are_shown_whole_on_several_messages(scene):
    said = " ".join(f"word_{number}" for number in range(600)) + " end"
    ada, _ = await begin(scene, said)
    message = await send(scene, ada, voice_message(await spoken()))
    await answered(scene)
    shown = [text for text in replies(scene, message) if text.startswith("> ")]
    assert len(shown) > 1
    assert " ".join(text.removeprefix("> ") for text in shown).replace("\\", "") == said
    assert said in scene.chat.prompts[0][-1]["content"]


def broken(samples: np.ndarray) -> Upload:
    return voice_message(samples, 3.0, b"OggS" + bytes(range(256)) * 40)


BAD = {
    "of no seconds": (lambda _: voice_message(np.zeros(0, np.int16), 0.0, wav(np.zeros(0, np.int16))), "nothing in it"),
    "of no bytes": (lambda _: voice_message(np.zeros(0, np.int16), 0.0, b""), "is empty"),
    "of three hours": (lambda samples: voice_message(samples, 3 * 3600.0), "I listen to at most 10:00"),
    "that is longer than it says": (lambda _: voice_message(np.zeros(48_000 * 620, np.int16), 3.0), "at most 10:00"),
    "that is broken": (broken, "sound"),
    "in which nobody speaks": (voice_message, "I understood no words"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_voice_message_that_is_none_is_one_sentence(scene, name):
    make, sentence = BAD[name]
    ada, _ = await begin(scene, "" if "nobody" in name else BICYCLE)
    message = await send(scene, ada, make(await spoken()))
    await scene.until(lambda: replies(scene, message))
    (said,) = replies(scene, message)
    assert sentence in said
    assert said.count(".") - said.count("10:00.") <= 1
    await ada.type(scene.text, "Are you there?")
    await answered(scene)
    assert len(replies(scene, message)) == 1
    assert len(scene.chat.prompts) == 1, "only what was typed is answered"


async def test_a_file_that_is_too_large_is_not_fetched(scene):
    ada, recogniser = await begin(scene, voice={"upload_limit_mb": 0.01})
    message = await send(scene, ada, voice_message(np.tile(await spoken(), 3)))
    await scene.until(lambda: replies(scene, message))
    assert "too large" in replies(scene, message)[0]
    assert not recogniser.heard


async def test_who_refused_to_be_heard_is_told_and_not_heard(scene):
    ada, recogniser = await begin(scene)
    await scene.runtime.privacy.decide(ada.user.id, "out", ("heard",))
    message = await send(scene, ada, voice_message(await spoken()))
    await scene.until(lambda: replies(scene, message))
    assert "asked not to be heard" in replies(scene, message)[0]
    assert not recogniser.heard
    assert not scene.chat.prompts


async def test_without_a_recogniser_the_model_is_told_that_it_cannot_hear_that(scene):
    ada, recogniser = await begin(scene)
    recogniser.problem = HearingError("There is no model.")
    message = await send(scene, ada, voice_message(await spoken()))
    await answered(scene)
    assert "You cannot see or hear that" in scene.chat.prompts[0][-1]["content"]
    assert not [text for text in replies(scene, message) if text.startswith("> ")]


@pytest.mark.parametrize("hearing", [{"engine": "off"}, {"attachments": False, "answer": "never"}])
async def test_switched_off_it_is_as_it_was(scene, hearing):
    await scene.start(hearing=hearing)
    ada = await scene.joined()
    await send(scene, ada, voice_message(await spoken()))
    await answered(scene)
    assert "Sent along: a sound" in scene.chat.prompts[0][-1]["content"]


async def test_a_recogniser_that_fails_is_told_once_and_what_was_typed_is_answered(scene):
    ada, _ = await begin(scene, HearingError("The recogniser broke."))
    message = await send(scene, ada, voice_message(await spoken()), voice_message(await spoken()), text="Listen!")
    await answered(scene)
    assert replies(scene, message).count("The recogniser broke.") == 1
    assert "Listen!" in scene.chat.prompts[0][-1]["content"]


async def test_what_is_deleted_while_it_is_listened_to_is_neither_shown_nor_answered(scene):
    ada, recogniser = await begin(scene)
    gate = asyncio.Event()
    recogniser.gate = gate.wait
    message = await send(scene, ada, voice_message(await spoken()))
    await scene.until(lambda: recogniser.heard)
    await ada.delete(message)
    await asyncio.sleep(0.2)
    gate.set()
    await asyncio.sleep(0.5)
    assert not scene.chat.prompts
    assert not [text for text in scene.notices() if text.startswith("> ")]


async def test_who_is_deleted_while_they_are_listened_to_is_not_answered(scene):
    ada, recogniser = await begin(scene)
    gate = asyncio.Event()
    recogniser.gate = gate.wait
    await send(scene, ada, voice_message(await spoken()))
    await scene.until(lambda: recogniser.heard)
    await scene.runtime.privacy.delete_person(ada.user.id)
    gate.set()
    await asyncio.sleep(0.5)
    assert not scene.chat.prompts
    assert not [text for text in scene.notices() if text.startswith("> ")]


async def test_what_is_passed_on_from_somebody_else_is_not_listened_to(scene):
    ada, recogniser = await begin(scene)
    first = await send(scene, ada, voice_message(await spoken()))
    await answered(scene)
    heard = len(recogniser.heard)
    await ada.forward(first, scene.text)
    await answered(scene, 2)
    assert len(recogniser.heard) == heard


async def test_a_message_that_is_not_for_the_bot_is_not_listened_to(scene):
    _, recogniser = await begin(scene)
    bob = await scene.person("Bob")
    other = scene.world.add_channel(scene.guild, ChannelKind.TEXT, "elsewhere")
    await bob.type(other, "", attachments=[voice_message(await spoken())])
    await asyncio.sleep(0.5)
    assert not recogniser.heard
