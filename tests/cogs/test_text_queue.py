"""Ordinary messages wait during a session and are answered after it, a killed process included."""

from __future__ import annotations

import asyncio
import time

from core.events import TurnEnded
from launch import story
from loopback.rest.limits import RateLimits
from loopback.services.hooks import Hooks

COGS = ("cogs.voice", "cogs.prompt", "cogs.admin", "cogs.lockdown")
CALM = {"prompt": {"gather_idle_s": 0.05}, "lockdown": {"replay_interval_s": 0.01}}


def answers(world_user, person, channel):
    """What the bot replied to, and what it said, oldest first."""
    return [
        (message.reply_to.content if message.reply_to else None, message.content)
        for message in person.history(channel)
        if message.author is world_user
    ]


async def in_session(scene):
    """Ada is in voice with the bot; Bob, who is not, writes in another channel."""
    await scene.start(cogs=COGS, **CALM)
    ada = await scene.joined()
    bob = await scene.person("Bob")
    other = scene.world.add_text_channel(scene.guild, "other")
    return ada, bob, other


async def test_messages_elsewhere_wait_and_are_answered_in_order_afterwards(scene):
    ada, bob, other = await in_session(scene)
    written = [await bob.type(other, f"<@{scene.bot_user.id}> question {number}") for number in range(3)]
    assert await bob.wait_for_reaction(written[2], "⏳", 5) == "⏳"
    assert scene.chat.prompts == []
    for number in range(3):
        scene.chat.script(text=f"Answer {number}.")
    await scene.run(ada, "voice leave")
    await scene.until(lambda: len(answers(scene.bot_user, bob, other)) == 3)
    found = answers(scene.bot_user, bob, other)
    assert [answer for _, answer in found] == ["Answer 0.", "Answer 1.", "Answer 2."]
    assert [question for question, _ in found] == [message.content for message in written]
    await scene.until(lambda: not any(message.reactions for message in written))


async def test_deleted_messages_are_skipped_and_edits_are_read(scene):
    ada, bob, other = await in_session(scene)
    kept, gone, edited = [await bob.type(other, f"<@{scene.bot_user.id}> question {number}") for number in range(3)]
    await scene.until(lambda: scene.runtime.lockdown.waiting.counts.get("text") == 3)
    await bob.delete(gone)
    await bob.edit(edited, f"<@{scene.bot_user.id}> another question")
    await scene.run(ada, "voice leave")
    await scene.until(lambda: len(answers(scene.bot_user, bob, other)) == 2)
    await scene.turns_over()
    asked = [prompt[-1]["content"] for prompt in scene.chat.prompts]
    assert asked == ["Bob: question 0", "Bob: another question"]
    assert kept.reactions is not None


async def test_direct_messages_wait_too(scene):
    ada, bob, _ = await in_session(scene)
    direct = bob.dm(scene.bot_user)
    await bob.type(direct, "are you there?")
    await scene.until(lambda: scene.runtime.lockdown.waiting.counts.get("text") == 1)
    assert scene.chat.prompts == []
    await scene.run(ada, "voice leave")
    await bob.wait_for_message(direct, lambda message: message.author is scene.bot_user, 10)


async def test_messages_that_are_still_being_gathered_when_a_session_begins_wait_too(scene):
    await scene.start(cogs=COGS, **{**CALM, "prompt": {"gather_idle_s": 1.5}})
    ada, bob = await scene.person(), await scene.person("Bob")
    other = scene.world.add_text_channel(scene.guild, "other")
    await ada.join(scene.voice)
    written = [await bob.type(other, f"<@{scene.bot_user.id}> part {number}") for number in range(2)]
    assert "I am in" in await scene.run(ada, "voice join")
    await scene.until(lambda: scene.runtime.lockdown.waiting.counts.get("text") == 2)
    assert scene.chat.prompts == []
    await scene.run(ada, "voice leave")
    await scene.until(lambda: len(answers(scene.bot_user, bob, other)) == 2)
    assert [question for question, _ in answers(scene.bot_user, bob, other)] == [one.content for one in written]
    await scene.turns_over()


async def test_messages_that_are_still_in_line_when_a_session_begins_wait_too(scene):
    await scene.start(cogs=COGS, **CALM)
    ada, bob = await scene.person(), await scene.person("Bob")
    other = scene.world.add_text_channel(scene.guild, "other")
    await ada.join(scene.voice)
    scene.chat.script(pace_s=0.4, text="This takes me quite a while to say.")
    written = [await bob.type(other, f"<@{scene.bot_user.id}> question {number}?") for number in range(3)]
    await scene.until(lambda: len(scene.chat.prompts) == 1)
    assert "I am in" in await scene.run(ada, "voice join")
    await scene.until(lambda: scene.runtime.lockdown.waiting.counts.get("text") == 2)
    await scene.until(lambda: not scene.runtime.conversation.busy)
    assert len(scene.chat.prompts) == 1
    assert await bob.wait_for_reaction(written[2], "⏳", 5) == "⏳"
    await scene.run(ada, "voice leave")
    await scene.until(lambda: len(answers(scene.bot_user, bob, other)) == 3)
    assert [question for question, _ in answers(scene.bot_user, bob, other)] == [one.content for one in written]
    await scene.turns_over()


async def test_an_answer_in_line_behind_another_waits_for_the_end_of_the_next_session(scene, monkeypatch):
    monkeypatch.setattr("core.lockdown.waiting.RETRY_S", 0.1)
    ada, bob, other = await in_session(scene)
    waits = await bob.type(other, f"<@{scene.bot_user.id}> early")
    await scene.until(lambda: scene.runtime.lockdown.waiting.counts.get("text") == 1)
    scene.chat.script(pace_s=0.4, text="This takes me quite a while to say.")
    lockdown, conversation = scene.runtime.lockdown, scene.runtime.conversation
    allows = lockdown.allows

    async def allow(name, subject=None):  # a message that was let through just before
        return True if getattr(subject, "content", "").endswith("late") else await allows(name, subject)

    monkeypatch.setattr(lockdown, "allows", allow)
    await bob.type(other, f"<@{scene.bot_user.id}> late")
    await scene.until(lambda: len(scene.chat.prompts) == 1)
    await scene.run(ada, "voice leave")
    await scene.until(lambda: lockdown.waiting.replaying("text") and conversation.busy)
    assert "I am in" in await scene.run(ada, "voice join")
    await scene.until(lambda: not conversation.busy)
    assert len(scene.chat.prompts) == 1
    assert lockdown.waiting.counts.get("text") == 1
    await scene.run(ada, "voice leave")
    await scene.until(lambda: len(answers(scene.bot_user, bob, other)) == 2)
    assert answers(scene.bot_user, bob, other)[1][0] == waits.content
    await scene.turns_over()


async def test_the_prompt_channel_and_people_in_voice_are_answered_at_once(scene):
    ada, bob, other = await in_session(scene)
    await scene.reply(ada, await ada.type(scene.text, "question"))
    await scene.reply(bob, await bob.type(scene.text, "question"))
    await scene.reply(ada, await ada.type(other, f"<@{scene.bot_user.id}> question"))
    assert not scene.runtime.lockdown.waiting.counts.get("text")


async def test_the_author_of_dropped_messages_is_told_once(scene):
    await scene.start(cogs=COGS, **{**CALM, "lockdown": {"queue_limit": 2, "replay_interval_s": 0.01}})
    await scene.joined()
    bob = await scene.person("Bob")
    other = scene.world.add_text_channel(scene.guild, "other")
    written = [await bob.type(other, f"<@{scene.bot_user.id}> question {number}") for number in range(5)]
    told = await bob.wait_for_message(other, lambda message: "could not keep all" in message.content, 10)
    assert told.reply_to is written[0]
    await scene.until(lambda: [bool(message.reactions) for message in written] == [False] * 3 + [True] * 2)
    assert len(answers(scene.bot_user, bob, other)) == 1


async def test_answers_wait_while_the_prompt_cog_is_away(scene, monkeypatch):
    monkeypatch.setattr("core.lockdown.waiting.RETRY_S", 0.1)
    ada, bob, other = await in_session(scene)
    written = [await bob.type(other, f"<@{scene.bot_user.id}> question {number}") for number in range(2)]
    await scene.until(lambda: scene.runtime.lockdown.waiting.counts.get("text") == 2)
    await scene.bot.unload_extension("cogs.prompt")
    await scene.run(ada, "voice leave")
    await asyncio.sleep(1)  # ten tries
    assert scene.runtime.lockdown.waiting.counts.get("text") == 2
    await scene.bot.load_extension("cogs.prompt")
    await scene.until(lambda: len(answers(scene.bot_user, bob, other)) == 2)
    assert [question for question, _ in answers(scene.bot_user, bob, other)] == [one.content for one in written]
    await scene.turns_over()


class Dawdler:
    """A gate that takes its time to open, so that the closing of the bot lasts longer than the lockdown's."""

    async def engage(self, session_id, *, guild_id, channel_id):
        del session_id, guild_id, channel_id

    async def release(self, session_id):
        del session_id
        await asyncio.sleep(0.5)


async def test_a_bot_that_stops_during_a_session_answers_only_after_its_restart(scene):
    _, bob, other = await in_session(scene)
    written = [await bob.type(other, f"<@{scene.bot_user.id}> question {number}") for number in range(3)]
    await scene.until(lambda: scene.runtime.lockdown.waiting.counts.get("text") == 3)
    scene.runtime.voice.add_gate(Dawdler(), first=True)
    await scene.bot.close()
    assert scene.chat.prompts == []
    assert answers(scene.bot_user, bob, other) == []
    await scene.start(cogs=COGS, **CALM)
    await scene.until(lambda: len(answers(scene.bot_user, bob, other)) == 3)
    assert [question for question, _ in answers(scene.bot_user, bob, other)] == [one.content for one in written]
    await scene.turns_over()


class Counted(RateLimits):
    """Discord's limits, tighter than usual, and what they saw."""

    def __init__(self):
        super().__init__(limit=10, period_s=0.5)
        self.requests = []
        self.refused = []

    def take(self, method, template, parameters):
        window = super().take(method, template, parameters)
        self.requests.append(f"{method} {template}")
        if window.exceeded:
            self.refused.append(f"{method} {template}")
        return window

    def count(self, method, ending):
        return sum(request.startswith(method) and request.endswith(ending) for request in self.requests)


async def test_of_500_messages_100_are_answered_authors_are_told_once_and_no_limit_is_hit(scene):
    scene.discord.limits = limits = Counted()
    await scene.start(cogs=COGS, **{**CALM, "lockdown": {"replay_interval_s": 0}})
    scene.runtime.lockdown.waiting.outbox.interval_s = 0.05
    scene.chat.always(pace_s=0, text="Answered.")
    ada = await scene.joined()
    people = [await scene.person(f"Person {number}") for number in range(8)]
    other = scene.world.add_text_channel(scene.guild, "other")
    limits.requests.clear()
    began_s = time.monotonic()
    written = [
        await people[number % 8].type(other, f"<@{scene.bot_user.id}> question {number}") for number in range(500)
    ]
    waiting = scene.runtime.lockdown.waiting
    await scene.until(lambda: waiting.counts.get("text") == 100 and waiting.outbox.idle, 30)
    told = [question for question, said in answers(scene.bot_user, ada, other) if "could not keep all" in said]
    assert told == [message.content for message in written[:8]]
    assert limits.count("POST", "/messages") == 8
    courtesies = [request for request in limits.requests if request.endswith(("/messages", "/@me"))]
    assert len(courtesies) <= (time.monotonic() - began_s) / 0.05 + 1  # however long it takes: not faster than the pace
    assert limits.count("DELETE", "/@me") <= limits.count("PUT", "/@me") < 400
    assert not any(message.reactions for message in written[:400])
    assert scene.chat.prompts == []

    limits.requests.clear()
    await scene.run(ada, "voice leave")
    await scene.until(lambda: not waiting.counts.get("text"), 60)
    await scene.turns_over()
    answered = [question for question, said in answers(scene.bot_user, ada, other) if said == "Answered."]
    assert answered == [message.content for message in written[400:]]
    assert not any(message.reactions for message in written)
    assert limits.count("POST", "/messages") == 100
    assert len(limits.requests) < 600
    assert limits.refused == []


async def test_a_whole_evening_joins_talks_leaves_and_joins_again(scene):
    await scene.start(cogs=COGS, **CALM)
    ada, bob = await scene.person(), await scene.person("Bob")
    other = scene.world.add_text_channel(scene.guild, "other")
    await ada.join(scene.voice)
    ends = scene.events(TurnEnded)
    for evening in range(2):
        assert "I am in" in await scene.run(ada, "voice join")
        assert scene.guild.voice_states[scene.bot_user.id].channel is scene.voice
        heard = 0
        for number in range(3):
            scene.chat.script(text=f"This is my answer number {number}.")
            message = await ada.type(scene.text, f"question {number}")
            spoken = await ada.ears.wait_for_voice(scene.bot_user.id)
            assert len(ends) == number, "sound comes while the turn is still under way"
            assert spoken.encrypted
            assert (await scene.reply(ada, message)).content == f"This is my answer number {number}."
            await scene.until(lambda: len(ends) == number + 1)  # noqa: B023 - waited for at once
            frames = [frame for frame in ada.ears.heard(scene.bot_user.id) if frame.voiced]
            assert len(frames) - heard > 40, "the whole sentence was said, not a stump"
            heard = len(frames)
        assert ada.ears.lost(scene.bot_user.id) == 0
        assert ada.ears.plain_frames == 0
        waits = await bob.type(other, f"<@{scene.bot_user.id}> waiting {evening}")
        await scene.until(lambda: scene.runtime.lockdown.waiting.counts.get("text") == 1)
        assert "I left" in await scene.run(ada, "voice leave")
        assert scene.bot_user.id not in scene.guild.voice_states
        assert (await scene.reply(bob, waits)).reply_to is waits
        at_once = await bob.type(other, f"<@{scene.bot_user.id}> and now?")
        assert (await scene.reply(bob, at_once)).reply_to is at_once
        ends.clear()
        status = await scene.runtime.lockdown.status()
        assert (status.holds, status.owed, status.faults) == ((), [], [])
        assert [feature.state for feature in status.features] == ["free"]


async def test_killed_with_30_messages_queued_the_next_process_undoes_all_and_answers_each_once_in_order(tmp_path):
    async with Hooks() as hooks:
        settings = {
            **CALM,
            "lockdown": {"replay_interval_s": 0.01, "route": ""},
            "[lockdown.hooks]": {"name": "gpu", "lock_url": f"{hooks.url}/lock", "unlock_url": f"{hooks.url}/unlock"},
        }
        async with story.stage(tmp_path, settings) as stage:
            discord, guild, bot = stage.discord, stage.standard.guild, stage.standard.bot
            other = discord.world.add_text_channel(guild, "other")
            async with await discord.person("Ada", guild) as ada, await discord.person("Bob", guild) as bob:
                await ada.join(stage.standard.voice)
                joined = await ada.slash(stage.standard.text, "voice join")
                assert "I am in" in (await joined.answered()).content
                written = [await bob.type(other, f"<@{bot.id}> question {number}") for number in range(30)]
                await bob.wait_for_reaction(written[0], "⏳", 10)
                await asyncio.sleep(1.5)  # the last ones are in the store, whether or not they carry the mark yet
                await stage.kill_bot()
                assert hooks.calls == ["POST /lock"]
                assert stage.chat.prompts == []
                stage.chat.always(pace_s=0, text="Answered.")
                await stage.start_bot()
                async with asyncio.timeout(60):
                    while len(answers(bot, bob, other)) < 30:  # noqa: ASYNC110 - it happens in another process
                        await asyncio.sleep(0.1)
                await asyncio.sleep(1)
                status = await bob.slash(stage.standard.text, "lockdown status")
                (embed,) = (await status.answered()).embeds
                found = answers(bot, bob, other)
                assert [question for question, _ in found] == [message.content for message in written]
                assert hooks.calls == ["POST /lock", "POST /unlock"]
                assert embed["description"] == "Nothing is locked."
