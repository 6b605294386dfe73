"""Messages of the bot's own: in silent channels that allow it, at its times, and never in a session."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from loopback.world.permissions import Permission
from tests.cogs.test_schedule import SetClock

COGS = ("cogs.voice", "cogs.prompt", "cogs.persona", "cogs.schedule", "cogs.lockdown")
SETTINGS = {"quiet_after_min": 60, "per_day": 2, "quiet_hours": "22:00-08:00", "max_unanswered": 2}


class Silence:
    """A channel, somebody who manages it, and a clock to be set."""

    def __init__(self, scene, clock) -> None:
        self.scene, self.clock = scene, clock

    async def passes(self, **time) -> list[str]:
        """What the bot says after so long."""
        before = len(self.scene.notices())
        self.clock.ahead += timedelta(**time)
        await self.scene.runtime.autonomous.look()
        return self.scene.notices()[before:]

    async def writes(self, person, text="good morning", **options):
        message = await person.type(self.scene.text, text, **options)
        last = self.scene.runtime.autonomous._last
        await self.scene.until(lambda: last.get(self.scene.text.id) and last[self.scene.text.id].id == message.id)
        return message

    @property
    def asked(self) -> int:
        return len(self.scene.chat.prompts)


@pytest.fixture
async def silence(scene, monkeypatch):
    clock = SetClock()
    clock.ahead = datetime(2026, 11, 25, 9, 0, tzinfo=UTC) - clock.now()
    monkeypatch.setattr("core.bot.runtime.SystemClock", lambda: clock)
    await scene.start(cogs=COGS, persona={"autonomous": SETTINGS})
    found = Silence(scene, clock)
    role = scene.world.add_role(scene.guild, "managers", Permission.MANAGE_GUILD)
    found.ada = await scene.person("Ada", roles=[role])
    return found


async def test_it_speaks_up_after_a_silence_where_that_is_allowed_and_knows_afterwards_what_it_said(silence, scene):
    ada = silence.ada
    told = await scene.run(ada, "persona autonomous", on=True)
    assert told == (
        f"I may speak up by myself in <#{scene.text.id}>: after 1 hour of silence, 2 times a day at most, not from 22:00 to "
        "08:00 (UTC), until 2 in a row are unanswered."
    )
    await silence.writes(ada, "my secret is 42")
    scene.chat.script(text="What did you dream of, @everyone? [look](http://evil.example)")
    assert await silence.passes(minutes=30) == []
    assert await silence.passes(minutes=65) == ["What did you dream of, @everyone? [look]\\(http://evil.example)"]
    posted = max(
        (each for each in scene.text.messages.values() if each.author is scene.bot_user and not each.is_ephemeral),
        key=lambda each: each.id,
    )
    assert not posted.mentions.everyone
    system, begin = scene.chat.prompts[-1]
    assert "has been silent for 1.6 hours" in system["content"]
    assert "Wednesday, 10:" in system["content"]
    assert begin["content"] == "(Silence.)"
    assert "secret" not in str(scene.chat.prompts[-1]), "nobody's words go to the model"
    assert "Today I have spoken up 1 time(s)." in await scene.run(ada, "persona autonomous")
    assert await silence.passes(hours=3) == [], "the last message is its own"
    scene.chat.script(text="Of the sea.")
    await scene.reply(ada, await silence.writes(ada, f"<@{scene.bot_user.id}> of what do you speak?"))
    assert "What did you dream of" in str(scene.chat.prompts[-1])


async def test_it_is_off_until_a_manager_switches_it_on_and_off_again(silence, scene):
    bob = await scene.person("Bob")
    await bob.type(scene.text, "hello")
    assert await silence.passes(hours=5) == []
    assert "“Manage Server”" in await scene.run(bob, "persona autonomous", on=True)
    assert await scene.run(bob, "persona autonomous") == f"I say nothing by myself in <#{scene.text.id}>."
    await scene.run(silence.ada, "persona autonomous", on=True)
    await silence.writes(bob)
    await scene.run(silence.ada, "persona autonomous", on=False)
    assert await silence.passes(hours=2) == []
    assert silence.asked == 0


async def test_at_most_so_often_a_day_and_no_more_after_some_without_an_answer(silence, scene):
    ada = silence.ada
    await scene.run(ada, "persona autonomous", on=True)
    for _ in range(2):
        await silence.writes(ada)
        scene.chat.script(text="Hm?")
        assert await silence.passes(minutes=100) == ["Hm?"]
        silence.clock.ahead += timedelta(minutes=70)  # too late for an answer
    await silence.writes(ada)
    assert await silence.passes(minutes=100) == [], "twice a day"
    silence.clock.ahead += timedelta(hours=24) - timedelta(hours=5)
    await silence.writes(ada)
    assert await silence.passes(minutes=100) == [], "nobody answered the last two"
    assert "Nobody answered the last 2" in await scene.run(ada, "persona autonomous")
    await scene.reply(ada, await silence.writes(ada, f"<@{scene.bot_user.id}> are you there?"))
    await silence.writes(ada)
    scene.chat.script(text="Here I am.")
    assert await silence.passes(minutes=100) == ["Here I am."]


async def test_never_in_a_session_and_afterwards_it_does(silence, scene):
    ada = silence.ada
    await scene.run(ada, "persona autonomous", on=True)
    await ada.join(scene.voice)
    await scene.run(ada, "voice join", channel=scene.voice)
    await silence.writes(ada)
    assert await silence.passes(minutes=100) == []
    assert silence.asked == 0
    await scene.run(ada, "voice leave")
    await scene.until(lambda: not scene.runtime.lockdown.locked("autonomous"))
    scene.chat.script(text="Peace.")
    assert await silence.passes(minutes=1) == ["Peace."]


async def test_silence_of_the_model_its_failure_and_a_spent_budget_say_nothing_and_are_not_tried_again_at_once(
    silence, scene
):
    ada = silence.ada
    await scene.run(ada, "persona autonomous", on=True)
    await silence.writes(ada)
    scene.chat.script(text="[silent]")
    assert await silence.passes(minutes=100) == []
    assert await silence.passes(minutes=10) == []
    assert silence.asked == 1
    scene.chat.script(status=500)
    assert await silence.passes(minutes=60) == []
    asked = silence.asked
    assert await silence.passes(minutes=10) == []
    assert silence.asked == asked


async def test_who_writes_while_it_thinks_has_the_word(silence, scene):
    ada = silence.ada
    await scene.run(ada, "persona autonomous", on=True)
    await silence.writes(ada)
    autonomous, ask = scene.runtime.autonomous, scene.runtime.occasions.ask

    async def slow(*args, **options):
        answer = await ask(*args, **options)
        await silence.writes(ada, "wait")
        return answer

    autonomous._occasions.ask = slow
    scene.chat.script(text="So silent here.")
    assert await silence.passes(minutes=100) == []


async def test_after_a_restart_it_looks_who_wrote_last_and_a_channel_that_is_gone_hurts_no_other(silence, scene):
    ada = silence.ada
    await scene.run(ada, "persona autonomous", on=True)
    await silence.writes(ada)
    gone = scene.world.add_text_channel(scene.guild, "gone")
    await scene.until(lambda: scene.bot.get_channel(gone.id) is not None)
    await scene.runtime.autonomous.allow(scene.bot.get_channel(gone.id))
    scene.world.delete_channel(gone)
    await scene.until(lambda: scene.bot.get_channel(gone.id) is None)
    scene.runtime.autonomous._last.clear()
    scene.runtime.autonomous._channels = dict(reversed(scene.runtime.autonomous._channels.items()))
    written = datetime.now(UTC)  # as Discord dates it, who knows nothing of our clock
    silence.clock.ahead += (written + timedelta(days=2)).replace(hour=12) - silence.clock.now()
    scene.chat.script(text="Still here?")
    assert await silence.passes(minutes=1) == ["Still here?"]
    assert await scene.runtime.autonomous._repository.all()
