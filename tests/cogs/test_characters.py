"""Several characters in one session: each answers as itself, in its own voice, and knows what the others said."""

from __future__ import annotations

import asyncio

from core.bot.reply_poster import ChannelPoster
from core.character import Character, Mood, Voice
from core.conversation.asked import Asked, Author
from core.conversation.live_text import LiveText
from core.conversation.turn import Prompt, PromptLine
from core.events import TurnEnded
from tests.cogs.sounds import voice_pitch_hz, voiced

LOW = Character("low", "Grumble", "You are a grumpy troll.", Voice(pitch=-5))
HIGH = Character("high", "Chirp", "You are a merry bird.", Voice(pitch=5), Mood(told="You are in love."))
STORY = "The lamp is lit at seven, and all the boats are home."


class Page:
    """A sink that keeps what was written last."""

    text = ""

    async def update(self, text: str) -> None:
        self.text = text

    async def finish(self, text: str) -> None:
        self.text = text


def asked(scene, ada, text: str) -> Prompt:
    return Prompt(scene.text.id, scene.guild.id, scene.text.id, ada.user.id, "Ada", text)


async def test_two_characters_in_one_session_each_speak_with_their_own_voice(scene):
    await scene.start(prompt={"persona": "You are a lighthouse keeper."})
    ada = await scene.joined()
    ended = scene.events(TurnEnded)
    conversation = scene.runtime.conversation
    for _ in range(2):
        scene.chat.script(text=STORY)
    turns = [
        await conversation.submit(asked(scene, ada, "How are you?"), Page(), session=scene.session, character=character)
        for character in (LOW, HIGH)
    ]
    pitches = []
    for turn in turns:
        await conversation.finished(turn)
        pitches.append(voice_pitch_hz(voiced(ada, scene.bot_user)))
        ada.ears.forget()
    assert 1.5 < pitches[1] / pitches[0] < 2.2  # ten semitones are 1.78
    first, second = scene.chat.prompts
    assert first[0]["content"] == "You are a grumpy troll."
    assert second[0]["content"] == "You are a merry bird.\nYou are in love."
    # What the other said is not its own: the model is told it as somebody else's.
    assert second[1]["role"] == "user"
    assert f"Grumble: {STORY}" in second[1]["content"]
    assert not [message for message in second if message["role"] == "assistant"]
    lines = await scene.runtime.history.newest(scene.text.id, 9)
    assert [(line.role, line.name, line.character_id) for line in lines] == [
        ("user", "Ada", ""),
        ("assistant", "Grumble", "low"),
        ("user", "Ada", ""),
        ("assistant", "Chirp", "high"),
    ]
    await scene.until(lambda: len(ended) == 2)
    assert [event.character_id for event in ended] == ["low", "high"]


async def test_the_bot_itself_is_the_character_that_answers_when_none_is_named(scene):
    await scene.start(prompt={"name": "Otto", "persona": "You are a lighthouse keeper."})
    ada = await scene.joined()
    scene.chat.script(text="Otto: Good evening.")
    message = await ada.type(scene.text, "Who are you?")
    assert (await scene.reply(ada, message)).content == "Good evening."
    (turn,) = scene.runtime.conversation.recent
    assert (turn.character.id, turn.character.name, turn.interruptible) == ("", "Otto", True)
    assert scene.chat.prompts[0][0]["content"] == "You are a lighthouse keeper."
    lines = await scene.runtime.history.newest(scene.text.id, 9)
    assert [(line.name, line.character_id) for line in lines] == [("Ada", ""), ("Otto", "")]


async def test_a_turn_is_paused_while_somebody_speaks_and_goes_on_where_it_was(scene):
    await scene.start()
    ada = await scene.joined()
    conversation = scene.runtime.conversation
    text = " ".join(f"This is sentence number {number}." for number in range(6))
    turn = conversation.say(scene.session, text)
    await ada.ears.wait_for_voice(scene.bot_user.id)
    assert conversation.speaking(scene.session) is turn
    turn.pause()
    await scene.until(lambda: turn.line.held)
    await asyncio.sleep(0.3)  # the silence that ends a talk-spurt is sent
    frames, heard = len(ada.ears.heard(scene.bot_user.id)), turn.line.heard_samples
    await asyncio.sleep(0.5)
    assert len(ada.ears.heard(scene.bot_user.id)) == frames
    assert turn.line.heard_samples == heard
    assert text.startswith(turn.heard_text)
    assert len(turn.heard_text) < len(text)
    turn.resume()
    await conversation.finished(turn)
    assert (turn.outcome, turn.heard_text) == ("spoken", text)
    assert turn.line.heard_samples == turn.line.written_samples


async def test_a_turn_paused_before_it_has_a_sound_waits_with_it(scene):
    await scene.start()
    ada = await scene.joined()
    turn = scene.runtime.conversation.say(scene.session, "Not yet.", interruptible=False)
    turn.pause()
    await scene.until(lambda: turn.line is not None and turn.line.written_samples > 0)
    await asyncio.sleep(0.3)
    assert not ada.ears.heard(scene.bot_user.id)
    assert not turn.interruptible
    turn.resume()
    await scene.runtime.conversation.finished(turn)
    assert turn.outcome == "spoken"


async def test_a_session_that_chose_a_route_is_not_overruled_by_a_character(scene):
    await scene.start()
    ada = await scene.person()
    conversation, models = scene.runtime.conversation, scene.runtime.models
    stranger = Character("x", "X", route="nowhere")
    turn = await conversation.submit(asked(scene, ada, "Hello?"), page := Page(), character=stranger)
    await conversation.finished(turn)
    assert turn.outcome == "failed"
    assert "nowhere" in page.text
    models._current = "small"
    models._routes = {**models.routes, "small": models.routes["default"]}
    scene.chat.script(text="Here I am.")
    turn = await conversation.submit(asked(scene, ada, "Hello?"), page, character=stranger)
    await conversation.finished(turn)
    assert page.text == "Here I am."


async def test_what_two_people_say_at_once_is_one_prompt_answered_aloud_and_in_the_prompt_channel(scene):
    await scene.start(prompt={"persona": ""}, hearing={"engine": "off"})
    ada = await scene.joined()
    bob = await scene.person("Bob")
    await bob.join(scene.voice)
    await scene.until(lambda: len(scene.session.channel.voice_states) == 3)
    scene.chat.script(text="Tea for one, coffee for the other.")
    lines = [PromptLine(bob.user.id, "Bob", "Parley, coffee please."), PromptLine(ada.user.id, "Ada", "And tea.")]
    channel_id = scene.session.prompt_channel_id
    asked = Asked(
        "heard",
        Prompt.of_lines(lines, conversation_id=channel_id, guild_id=scene.guild.id, channel_id=channel_id),
        tuple(Author(line.user_id) for line in lines),
        place := Spoken(scene),
    )
    decision = await scene.runtime.intake.take(asked)
    assert (decision.verdict, place.acknowledged) == ("answer", 1)
    await scene.turns_over()
    assert scene.chat.prompts[0][-1]["content"] == "Bob: Parley, coffee please.\nAda: And tea."
    (turn,) = scene.runtime.conversation.recent
    assert (turn.outcome, turn.line.said_for) == ("spoken", {ada.user.id, bob.user.id})
    assert scene.notices()[-1] == "Tea for one, coffee for the other."
    lines = await scene.runtime.history.newest(channel_id, 9)
    assert [(line.user_id, line.content) for line in lines] == [
        (bob.user.id, "Parley, coffee please."),
        (ada.user.id, "And tea."),
        (None, "Tea for one, coffee for the other."),
    ]


class Spoken:
    """Where what was said is answered in writing: there is no message to reply to."""

    def __init__(self, scene) -> None:
        self._scene = scene
        self.acknowledged = 0

    def sink(self) -> LiveText:
        return LiveText(ChannelPoster(self._scene.session.prompt_channel), self._scene.runtime.clock)

    async def tell(self, sentence: str) -> None:
        raise AssertionError(sentence)

    async def acknowledge(self) -> None:
        self.acknowledged += 1
