"""Messages become replies, spoken and written; nothing pings; what fails is said in one sentence."""

from __future__ import annotations

import asyncio
import itertools

import numpy as np
import pytest

from core.character import Mood
from core.errors import SpeechError, StoreError
from core.events import TurnEnded
from loopback.world.guilds import Channel, ChannelKind
from loopback.world.permissions import Permission
from tests.cogs.sounds import voice_pitch_hz, voiced


async def test_a_prompt_is_acknowledged_answered_aloud_and_written(scene):
    await scene.start()
    ada = await scene.joined()
    scene.chat.script(text="Certainly. The tea is ready.")
    listening = asyncio.create_task(ada.ears.wait_for_voice(scene.bot_user.id))
    message = await ada.type(scene.text, "Is the tea ready?")
    assert await ada.wait_for_reaction(message, "👂") == "👂"
    assert (await listening).encrypted
    reply = await scene.reply(ada, message)
    await scene.turns_over()
    assert reply.content == "Certainly. The tea is ready."
    pcm = ada.ears.pcm(scene.bot_user.id)
    assert len(pcm) / 48000 > 1.0
    assert np.abs(pcm).max() > 3000
    assert ada.ears.plain_frames == 0


async def test_the_model_is_told_persona_history_and_who_speaks(scene):
    await scene.start(prompt={"persona": "You are a lighthouse keeper."})
    ada = await scene.joined()
    for question in ("What do you see?", "And now?"):
        await ada.type(scene.text, question)
        await scene.until(lambda: scene.runtime.conversation.busy)
        await scene.turns_over()
    first, second = scene.chat.prompts
    assert first[0] == {"role": "system", "content": "You are a lighthouse keeper."}
    assert first[-1]["content"] == "Ada: What do you see?"
    assert [message["role"] for message in second] == ["system", "user", "assistant", "user"]
    assert second[1]["content"] == "Ada: What do you see?"


async def test_a_mood_is_told_to_the_model_and_heard_in_the_voice(scene):
    await scene.start(prompt={"persona": "You are a lighthouse keeper."})
    ada = await scene.joined()
    pitches = []
    for mood in (None, Mood(pitch_semitones=6, told="You are in high spirits today.")):
        scene.runtime.conversation.mood = mood
        scene.chat.script(text="The lamp is lit at seven, and all the boats are home.")
        ada.ears.forget()
        await ada.type(scene.text, "How are you today?")
        await scene.until(lambda: scene.runtime.conversation.busy)
        await scene.turns_over()
        pitches.append(voice_pitch_hz(voiced(ada, scene.bot_user)))
    assert scene.chat.prompts[0][0]["content"] == "You are a lighthouse keeper."
    assert scene.chat.prompts[1][0]["content"] == "You are a lighthouse keeper.\nYou are in high spirits today."
    assert 1.2 < pitches[1] / pitches[0] < 1.7


async def test_stop_cuts_the_sound_and_the_memory_holds_only_what_was_heard(scene):
    await scene.start()
    ada = await scene.joined()
    long = " ".join(f"This is sentence number {number} of a very long story." for number in range(30))
    scene.chat.script(text=long, pace_s=0.001)
    ended: list[TurnEnded] = []
    scene.runtime.hub.subscribe(TurnEnded, ended.append, owner=ended)
    await ada.type(scene.text, "Tell me a story.")
    await ada.ears.wait_for_voice(scene.bot_user.id)
    await asyncio.sleep(2.0)
    assert await scene.run(ada, "voice stop") == "Stopped."
    await scene.turns_over()
    await scene.runtime.hub.settle()
    frames = len(ada.ears.heard(scene.bot_user.id))
    await asyncio.sleep(0.4)
    assert len(ada.ears.heard(scene.bot_user.id)) - frames <= 8
    (end,) = ended
    assert end.outcome == "stopped"
    assert long.startswith(end.heard_text[:20])
    assert 20 < len(end.heard_text) < len(long) / 2
    lines = await scene.runtime.history.newest(scene.text.id, 5)
    assert [line.content for line in lines] == ["Tell me a story.", end.heard_text]


async def test_prompts_wait_in_line_and_are_answered_in_order(scene):
    await scene.start()
    ada = await scene.joined()
    for number in range(3):
        scene.chat.script(text=f"Answer {number}.")
    messages = [await ada.type(scene.text, f"Question {number}?") for number in range(3)]
    await scene.until(lambda: scene.runtime.conversation.busy)
    await scene.turns_over()
    answers = [message for message in ada.history(scene.text) if message.author is scene.bot_user]
    assert [answer.content for answer in answers] == ["Answer 0.", "Answer 1.", "Answer 2."]
    assert len(messages) == len(answers)


async def test_the_text_grows_while_the_model_goes_on_with_calm_edits(scene):
    await scene.start()
    ada = await scene.joined()
    scene.chat.script(text="One two three four five six seven eight nine ten. " * 4, pace_s=0.06)
    message = await ada.type(scene.text, "Count, please.")
    reply = await scene.reply(ada, message)
    texts = [revision.content for revision in reply.revisions]
    times = [revision.at for revision in reply.revisions]
    assert 3 <= len(texts) <= 6
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))
    assert all((later - earlier).total_seconds() > 0.9 for earlier, later in itertools.pairwise(times[:-1]))


async def test_without_a_model_the_bot_reads_aloud_names_once(scene):
    await scene.start(model=False)
    ada = await scene.joined()
    said: list[str] = []
    scene.runtime.hub.subscribe(TurnEnded, lambda event: said.append(event.reply_text), owner=said)
    await ada.type(scene.text, "Good evening everybody.")
    await ada.type(scene.text, "Look at https://example.org now.")
    await ada.type(scene.text, "This one is quiet.", silent=True)
    await scene.until(lambda: len(said) == 2 and not scene.runtime.conversation.busy)
    assert said[0] == "Ada said: Good evening everybody."
    assert said[1].startswith("Look at")
    assert len(ada.ears.heard(scene.bot_user.id)) > 50
    assert [message for message in ada.history(scene.text) if message.author is scene.bot_user] == []


async def test_stickers_and_forwarded_messages_are_read_and_what_says_nothing_is_not(scene):
    await scene.start(model=False)
    ada = await scene.joined()
    ended = scene.events(TurnEnded)
    other = scene.world.add_channel(scene.guild, ChannelKind.TEXT, "other")
    news = await ada.type(other, "The ship is in.")
    await ada.sticker(scene.text, "Wave")
    await scene.until(lambda: len(ended) == 1)
    await ada.type(scene.text, "😀")
    await ada.type(scene.text, f"<@{scene.bot_user.id}>")
    await ada.forward(news, scene.text)
    await scene.until(lambda: len(ended) == 2)
    await ada.type(scene.text, "Well then.")
    await scene.until(lambda: len(ended) == 3)
    assert [event.reply_text for event in ended] == ["Ada sent a sticker.", "😀\nThe ship is in.", "Well then."]


async def test_the_model_is_told_of_what_it_cannot_see(scene):
    await scene.start()
    ada = await scene.person()
    message = await ada.type(ada.dm(scene.bot_user), "", attachments=[("notes.pdf", b"%PDF-1.4", "application/pdf")])
    await scene.reply(ada, message)
    assert scene.chat.prompts[0][-1]["content"] == "Ada: (Sent along: a file. You cannot see or hear that.)"


async def test_a_mention_without_a_word_is_answered(scene):
    await scene.start()
    ada = await scene.person()
    await scene.reply(ada, await ada.type(scene.text, f"<@{scene.bot_user.id}>"))
    assert scene.chat.prompts[0][-1]["content"] == "Ada: Yes?"


async def test_a_database_that_fails_costs_the_memory_and_not_the_answer(scene, monkeypatch, caplog):
    await scene.start()
    ada = await scene.person()

    async def full(*_args, **_options):
        raise StoreError("My database cannot be read or written.")

    monkeypatch.setattr(scene.runtime.history, "add", full)
    monkeypatch.setattr(scene.runtime.history, "newest", full)
    scene.chat.script(text="At seven.")
    message = await ada.type(scene.text, f"<@{scene.bot_user.id}> when is dinner?")
    assert (await scene.reply(ada, message)).content == "At seven."
    assert "is not remembered" in caplog.text


async def test_when_the_voice_fails_what_was_to_be_said_is_written_and_readers_are_told_once(scene, monkeypatch):
    await scene.start(model=False)
    ada = await scene.joined()
    ended = scene.events(TurnEnded)

    async def broken(*_args, **_options):
        raise SpeechError("The speech engine espeak (this machine) broke.")
        yield

    with monkeypatch.context() as out_of_order:
        out_of_order.setattr(scene.session.speaker.engine, "stream", broken)
        for count, text in enumerate(("Good evening.", "Nice weather."), 1):
            await ada.type(scene.text, text)
            await scene.until(lambda count=count: len(ended) == count)
        await scene.run(ada, "voice say", text="Tea is **ready**, @everyone.")
        await scene.until(lambda: len(scene.notices()) == 2)
    why = "My voice failed (The speech engine espeak (this machine) broke)"
    assert scene.notices() == [
        f"{why}, so nothing is read aloud until it works again.",
        f"{why}. What I could not say: Tea is **ready**, @everyone.",
    ]
    assert not any(
        message.pings.everyone for message in scene.text.messages.values() if message.author is scene.bot_user
    )
    await ada.type(scene.text, "And now?")
    await ada.ears.wait_for_voice(scene.bot_user.id)


async def test_messages_are_read_in_the_order_they_came_though_the_database_is_slow_for_the_first(scene, monkeypatch):
    await scene.start(model=False)
    ada = await scene.joined()
    ends = scene.events(TurnEnded)
    settings, delays_s = scene.runtime.settings, iter([0.3])
    look_up = settings.person_voice

    async def person_voice(user_id):
        await asyncio.sleep(next(delays_s, 0))
        return await look_up(user_id)

    monkeypatch.setattr(settings, "person_voice", person_voice)
    await ada.type(scene.text, "One.")
    await ada.type(scene.text, "Two.")
    await scene.until(lambda: len(ends) == 2)
    assert [event.reply_text for event in ends] == ["Ada said: One.", "Two."]


async def test_outside_a_session_a_mention_and_a_direct_message_are_answered_in_text(scene):
    await scene.start()
    ada = await scene.person()
    scene.chat.script(text="Here I am.")
    message = await ada.type(scene.text, f"<@{scene.bot_user.id}> are you there?")
    assert (await scene.reply(ada, message)).content == "Here I am."
    dm = ada.dm(scene.bot_user)
    scene.chat.script(text="In private too.")
    message = await ada.type(dm, "And here?")
    assert (await scene.reply(ada, message)).content == "In private too."
    assert scene.chat.prompts[0][-1]["content"] == "Ada: are you there?"


async def test_who_is_not_in_the_call_is_answered_in_text_only(scene):
    await scene.start()
    ada = await scene.joined()
    bob = await scene.person("Bob")
    message = await bob.type(scene.text, "Can I ask from outside?")
    await scene.reply(bob, message)
    await scene.turns_over()
    assert ada.ears.heard(scene.bot_user.id) == []


async def test_ordinary_messages_elsewhere_are_left_alone(scene):
    other = scene.world.add_text_channel(scene.guild, "other")
    await scene.start()
    ada = await scene.joined()
    await ada.type(other, "Nobody asked the bot.")
    await asyncio.sleep(0.2)
    assert scene.chat.requests == []


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        ({"status": 401}, "wants a key"),
        ({"status": 429}, "no capacity left"),
        ({"status": 500}, "a fault of its own"),
        ({"refuse": True}, "cannot be reached"),
        ({"silent": True}, "did not begin to answer"),
        ({"cut_after": 0}, "cannot be reached"),
        ({"garbage_after": 0, "hang_after": 0}, ""),
    ],
    ids=["401", "429", "500", "refused", "silent", "cut", "garbage"],
)
async def test_a_failing_model_is_told_in_one_sentence_and_the_next_prompt_works(scene, behaviour, sentence):
    await scene.start(first_token_s=2)
    ada = await scene.joined()
    scene.chat.script(**behaviour)
    message = await ada.type(scene.text, "Hello?")
    reply = await scene.reply(ada, message)
    await scene.turns_over()
    assert sentence in reply.content.lower()
    assert reply.content.count("\n") == 0
    assert "Traceback" not in reply.content
    scene.chat.script(text="Back again.")
    message = await ada.type(scene.text, "Are you back?")
    assert (await scene.reply(ada, message)).content == "Back again."


async def test_speech_that_fails_half_way_falls_back_to_text(scene, monkeypatch):
    await scene.start()
    ada = await scene.joined()

    async def broken(*_args, **_options):
        raise SpeechError("The speech engine espeak (this machine) broke.")
        yield

    monkeypatch.setattr(scene.session.speaker.engine, "stream", broken)
    scene.chat.script(text="You can read me.")
    message = await ada.type(scene.text, "Can you talk?")
    assert (await scene.reply(ada, message)).content == "You can read me."
    notice = await ada.wait_for_message(scene.text, lambda found: "voice failed" in found.content, 5)
    assert "espeak" in notice.content


@pytest.mark.parametrize(
    "text",
    [
        "😀😀😀",
        "مرحبا بالعالم، كيف حالك؟",
        "```python\nprint('hello')\n```",
        "@everyone and @here, look!",
        "\u202e\u200b.",
        "a" * 1999 + ".",
    ],
    ids=["emoji", "right-to-left", "code", "everyone", "control", "long"],
)
async def test_odd_prompts_are_answered_and_never_ping(scene, text):
    await scene.start()
    ada = await scene.joined()
    scene.chat.script(text=f"@everyone <@{ada.user.id}> <@&{scene.guild.id}> {text}"[:80], pace_s=0)
    message = await ada.type(scene.text, text)
    await scene.until(lambda: scene.runtime.conversation.busy)
    reply = await scene.reply(ada, message)
    assert reply.content.startswith("@everyone")
    assert not any((reply.pings.everyone, reply.pings.users, reply.pings.roles))


async def test_a_reply_brings_along_what_it_answers(scene):
    bob = await scene.person("Bob")
    older = await bob.type(scene.text, "The cake is in the oven.")  # before the bot was there
    await scene.start()
    ada = await scene.joined()
    message = await ada.type(scene.text, "Is that true?", reply_to=older)
    await scene.reply(ada, message)
    assert scene.chat.prompts[0][-1]["content"] == "Ada: (This answers “Bob: The cake is in the oven.”.)\nIs that true?"


async def test_a_reply_to_the_bot_is_for_the_bot_even_without_a_ping(scene):
    await scene.start()
    ada = await scene.person()
    scene.chat.script(text="At seven.")
    answer = await scene.reply(ada, await ada.type(scene.text, f"<@{scene.bot_user.id}> when is dinner?"))
    scene.chat.script(text="Fish.")
    message = await ada.type(scene.text, "And what is there?", reply_to=answer, ping=False)
    assert (await scene.reply(ada, message)).content == "Fish."


async def test_without_a_model_and_a_session_who_asks_is_told_once_why_nobody_answers(scene):
    await scene.start(model=False)
    ada = await scene.person()
    for text in ("hello?", "are you there?"):
        message = await ada.type(scene.text, f"<@{scene.bot_user.id}> {text}")
    found = await ada.wait_for_message(scene.text, lambda found: found.author is scene.bot_user)
    assert "no language model" in found.content
    await ada.type(ada.dm(scene.bot_user), "Hello!")
    await ada.wait_for_message(ada.dm(scene.bot_user), lambda found: "no language model" in found.content)
    assert len(scene.notices()) == 1
    assert message.id < ada.dm(scene.bot_user).last_message_id


async def test_who_cannot_be_told_costs_nothing_but_a_line_in_the_log(scene, caplog):
    await scene.start(model=False)
    ada = await scene.person()
    scene.strip_bot()
    scene.world.set_overwrite(scene.text, scene.bot_user, deny=Permission.SEND_MESSAGES)
    faults: list[str] = []

    async def on_error(event, *_args, **_options):
        faults.append(event)

    scene.bot.on_error = on_error  # a host's, who has nothing to do with it
    caplog.set_level("INFO")
    await ada.type(scene.text, f"<@{scene.bot_user.id}> hello?")
    await scene.until(lambda: faults or "could not be answered" in caplog.text)
    assert faults == []


async def test_a_burst_is_gathered_into_one_prompt(scene):
    await scene.start(prompt={"gather_idle_s": 0.3})
    ada = await scene.joined()
    for line in ("so", "I was wondering", "what is for dinner?"):
        await ada.type(scene.text, line)
        await asyncio.sleep(0.05)
    await scene.until(lambda: scene.chat.requests)
    await scene.turns_over()
    assert [prompt[-1]["content"] for prompt in scene.chat.prompts] == ["Ada: so\nI was wondering\nwhat is for dinner?"]


async def test_prompt_channel_clear_and_persona(scene):
    other = scene.world.add_text_channel(scene.guild, "prompts")
    await scene.start()
    ada = await scene.person("Ada", roles=[scene.admin_role])
    assert f"<#{other.id}>" in await scene.run(ada, "prompt channel", channel=other)
    scene.chat.script(text="I listen here.")
    message = await ada.type(other, "Do you listen here?")
    assert (await scene.reply(ada, message)).content == "I listen here."
    assert "You are Parley" in await scene.run(ada, "prompt persona")
    assert "a pirate" in await scene.run(ada, "prompt persona", text="You are a pirate.")
    await scene.turns_over()
    await ada.type(other, "Who are you?")
    await scene.until(lambda: len(scene.chat.requests) == 2)
    assert scene.chat.prompts[1][0]["content"] == "You are a pirate."
    assert "back to my configured self" in await scene.run(ada, "prompt persona", text="default")
    assert "forgotten" in await scene.run(ada, "prompt clear")
    assert "no prompt channel" in await scene.run(ada, "prompt channel", off=True)
    await ada.type(other, "Do you still listen?")
    await ada.type(scene.text, f"<@{scene.bot_user.id}> and now?")
    await scene.until(lambda: len(scene.chat.requests) == 3)
    assert scene.chat.prompts[2][-1]["content"] == "Ada: and now?"
    assert await scene.runtime.settings.prompt_channels() == {}


async def test_a_long_persona_is_shown_as_far_as_it_fits(scene):
    await scene.start(prompt={"persona": "You are a lighthouse keeper. " * 200})
    ada = await scene.person("Ada", roles=[scene.admin_role])
    shown = await scene.run(ada, "prompt persona")
    assert shown.startswith("I am: You are a lighthouse keeper.")
    assert len(shown) == 2000


async def test_without_the_right_to_read_what_was_written_the_answer_comes_all_the_same(scene):
    await scene.start()
    scene.strip_bot()
    scene.world.set_overwrite(scene.text, scene.bot_user, deny=Permission.READ_MESSAGE_HISTORY)
    ada = await scene.person()
    scene.chat.script(text="At seven.")
    message = await ada.type(scene.text, f"<@{scene.bot_user.id}> when is dinner?")
    assert (await scene.reply(ada, message)).content == "At seven."


async def test_prompt_settings_need_rights(scene):
    await scene.start()
    bob = await scene.person("Bob")
    assert "“Manage Channels”" in await scene.run(bob, "prompt channel")
    assert "“Manage Messages”" in await scene.run(bob, "prompt clear")
    assert "“Manage Server”" in await scene.run(bob, "prompt persona", text="You are mine.")


async def test_what_is_deleted_or_edited_while_it_waits_is_read_as_it_is_then(scene):
    await scene.start(model=False, prompt={"gather_idle_s": 0})
    ada = await scene.joined()
    ended = scene.events(TurnEnded)
    await ada.type(scene.text, "This is the first of three, and it takes a moment to be said.")
    second = await ada.type(scene.text, "My password is swordfish.")
    third = await ada.type(scene.text, "I love you.")
    await scene.until(lambda: scene.runtime.conversation.waiting(scene.session) == 2)
    await ada.delete(second)
    await ada.edit(third, "I love tea.")
    await scene.until(lambda: len(ended) == 2 and not scene.runtime.conversation.busy)
    assert [event.reply_text for event in ended][1:] == ["I love tea."]


async def test_what_is_deleted_while_it_is_gathered_is_not_read(scene):
    await scene.start(model=False, prompt={"gather_idle_s": 0.5})
    ada = await scene.joined()
    ended = scene.events(TurnEnded)
    gone = await ada.type(scene.text, "not this")
    await ada.delete(gone)
    await ada.type(scene.text, "But this.")
    await scene.until(lambda: len(ended) == 1 and not scene.runtime.conversation.busy)
    assert ended[0].reply_text == "Ada said: But this."


@pytest.mark.parametrize("how", ["all", "newest", "faster"])
async def test_who_writes_faster_than_can_be_spoken_is_told_once_and_in_the_right_words(scene, how):
    await scene.start(model=False, prompt={"gather_idle_s": 0, "queue_limit": 3, "read_backlog": how})
    ada = await scene.joined()
    ended = scene.events(TurnEnded)
    await ada.type(scene.text, "This is the first line, and it takes a good while until it is said.")
    for number in range(1, 12):
        await ada.type(scene.text, f"Line {number}.")
    await scene.until(lambda: bool(ended) and ended[-1].reply_text == "Line 11.", 60)
    notices = [message.content for message in ada.history(scene.text) if message.author is scene.bot_user]
    assert len(notices) == 1
    assert "faster than I can speak" in notices[0]
    assert "prompt" not in notices[0]
    spoken = [event.reply_text for event in ended]
    assert spoken[-1] == "Line 11."
    assert (len(spoken) == 12) is (how != "newest"), spoken


async def test_configured_channels_and_threads_are_read_without_a_model(scene):
    other = scene.world.add_channel(scene.guild, ChannelKind.TEXT, "other")
    below, beside = (
        scene.world.put_channel(
            Channel(scene.world.ids.next(), ChannelKind.THREAD, "thread", scene.guild, parent=parent, owner_id=1)
        )
        for parent in (scene.text, other)
    )
    await scene.start(model=False, prompt={"gather_idle_s": 0, "channels": [other.id]})
    ada = await scene.joined()
    ended = scene.events(TurnEnded)
    for count, place in enumerate((other, below, beside), 1):
        await ada.type(place, f"Number {count}.")
        await scene.until(lambda count=count: len(ended) == count)
    assert [event.reply_text.rpartition("said: ")[2] for event in ended] == ["Number 1.", "Number 2.", "Number 3."]


async def test_threads_below_the_prompt_channel_are_answered(scene):
    await scene.start(prompt={"gather_idle_s": 0})
    ada = await scene.joined()
    thread = scene.world.put_channel(
        Channel(scene.world.ids.next(), ChannelKind.THREAD, "thread", scene.guild, parent=scene.text, owner_id=1)
    )
    scene.chat.script(text="Here I am.")
    message = await ada.type(thread, "Are you here?")
    assert (await scene.reply(ada, message)).content == "Here I am."
