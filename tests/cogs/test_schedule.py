"""`/schedule`: what people add is done at its time, by their rights, and told; what is wrong is refused in a sentence."""

from __future__ import annotations

import io
import re
import wave
from datetime import UTC, datetime, timedelta

import pytest

from core.clock import SystemClock
from loopback.world.permissions import Permission

COGS = ("cogs.voice", "cogs.schedule", "cogs.lockdown", "cogs.recorder", "cogs.admin")
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 100


class SetClock(SystemClock):
    """The machine's clock, but for what it shows, which somebody sets."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


class Planned:
    """A server with a bot that schedules, a manager, and a clock to be set."""

    def __init__(self, scene, clock) -> None:
        self.scene, self.clock = scene, clock
        self.managers = scene.world.add_role(scene.guild, "managers", Permission.MANAGE_GUILD)

    async def manager(self, name="Ada", *roles):
        return await self.scene.person(name, roles=[self.managers, *roles])

    async def add(self, person, when, what, **options):
        return await self.scene.run(person, "schedule add", when=when, what=what, **options)

    @property
    def schedules(self):
        return self.scene.runtime.schedules

    def only(self):
        (found,) = self.schedules.of(self.scene.guild.id)
        return found

    async def come(self, schedule=None, late_s=1.0):
        """Let the time of a schedule come, and wait until it is done."""
        due = (schedule or self.only()).next_at
        self.clock.ahead += due - self.clock.now() + timedelta(seconds=late_s)
        self.schedules.look()
        await self.schedules.settled()


@pytest.fixture
async def planned(scene, monkeypatch):
    clock = SetClock()
    clock.ahead = datetime(2026, 11, 25, 11, 0, tzinfo=UTC) - clock.now()
    monkeypatch.setattr("core.bot.runtime.SystemClock", lambda: clock)
    await scene.start(cogs=COGS)
    return Planned(scene, clock)


def sound() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(b"\x00\x10" * 24_000)
    return out.getvalue()


# Adding, listing, removing --------------------------------------------------------------------------------------------


async def test_what_is_added_is_told_with_its_next_time_listed_paused_resumed_and_removed(planned, scene):
    ada = await planned.manager()
    told = await planned.add(ada, "every Monday 18:00", "say", text="**Hello** @everyone")
    next_s = int(datetime(2026, 11, 30, 18, tzinfo=UTC).timestamp())
    assert told == (
        f"Scheduled as **#1**: says in <#{scene.text.id}>: “\\*\\*Hello\\*\\* @\u200beveryone”. It repeats: "
        f"`every Monday 18:00`, in the time zone UTC. Next: <t:{next_s}:F> (<t:{next_s}:R>). A time that I miss by more "
        "than a minute is skipped."
    )
    listed = await scene.run(ada, "schedule list")
    assert "**Schedules** (1 of 100), in the time zone UTC" in listed
    assert f"-# next <t:{next_s}:F>" in listed
    (choice,) = await ada.autocomplete(scene.text, "schedule pause", "schedule", "monday")
    assert choice["name"].startswith("#1 every Monday 18:00: say **Hello**")
    assert (
        await scene.run(ada, "schedule pause", schedule="#1") == "**#1** is paused. `/schedule resume` lets it go on."
    )
    assert await scene.run(ada, "schedule pause", schedule="1") == "**#1** is paused already."
    assert "⏸️ paused" in await scene.run(ada, "schedule list")
    await planned.come(late_s=5)
    assert scene.notices() == []
    assert "goes on, from now on by your rights" in await scene.run(ada, "schedule resume", schedule="1")
    assert await scene.run(ada, "schedule resume", schedule="1") == "**#1** is not paused."
    await planned.come()
    assert scene.notices() == ["**Hello** @everyone"]
    posted = next(each for each in scene.text.messages.values() if each.author is scene.bot_user)
    assert not posted.mentions.everyone
    assert "✅ done" in await scene.run(ada, "schedule list")
    assert (await scene.run(ada, "schedule remove", schedule="1")).startswith("Removed **#1**: says in")
    assert (await scene.run(ada, "schedule list")).startswith("Nothing is scheduled here.")


async def test_who_may_not_manage_the_server_may_do_nothing_of_it(planned, scene):
    ada, bob = await planned.manager(), await scene.person("Bob")
    await planned.add(ada, "every day 18:00", "say", text="hello")
    refusal = "Only people with the permission “Manage Server” may do this."
    assert await planned.add(bob, "every day 18:00", "say", text="hi") == refusal
    for command, options in (
        ("list", {}),
        ("remove", {"schedule": "1"}),
        ("pause", {"schedule": "1"}),
        ("resume", {"schedule": "1"}),
        ("zone", {"zone": "Europe/Berlin"}),
    ):
        assert await scene.run(bob, f"schedule {command}", **options) == refusal
    assert await bob.autocomplete(scene.text, "schedule remove", "schedule", "") == []
    assert "is UTC: it is 11:0" in await scene.run(bob, "schedule zone")


async def test_what_is_missing_wrong_or_left_over_is_named_and_nothing_is_kept(planned, scene):
    ada = await planned.manager()
    for told, when, what, options in (
        ("`mondey` is no day of the week. Did you mean Monday?", "every mondey 18:00", "say", {"text": "hi"}),
        ("comes every 1 second, and the shortest here is 5 minutes", "every 1 second", "say", {"text": "hi"}),
        ("What shall I say?", "every day 18:00", "say", {}),
        ("What shall I say?", "every day 18:00", "say", {"text": " \u2800 "}),
        ("What shall I ask the model?", "every day 18:00", "ask", {}),
        ("Which file shall I play?", "every day 18:00", "play", {}),
        ("Which picture shall I post?", "every day 18:00", "picture", {}),
        ("`text` does not go with `what:play`. That takes `file`.", "every day 18:00", "play", {"text": "x"}),
        ("The sounds folder has no such file.", "every day 18:00", "play", {"file": "../secret"}),
        ("A recording needs a voice channel", "every day 18:00", "record", {}),
        ("Only who may record in", "every day 18:00", "record", {"channel": scene.voice}),
        (
            "That file is no picture that Discord shows",
            "every day 18:00",
            "picture",
            {"picture": ("a.png", b"MZ no picture", "image/png")},
        ),
        (
            "That picture is too large (9.0 MB); I take up to 8 MB.",
            "every day 18:00",
            "picture",
            {"picture": ("a.png", PNG + b"\x00" * 9_000_000, "image/png")},
        ),
    ):
        assert told in await planned.add(ada, when, what, **options), (when, what)
    for number in ("2", "#9999999999999", "<@1>", "", "-1", "²"):
        if number:
            assert "There is no schedule of that number here." in await scene.run(
                ada, "schedule remove", schedule=number
            )
    assert planned.schedules.all() == []
    assert not (scene.folder / "data" / "schedule").exists()


async def test_another_servers_schedules_are_not_seen(planned, scene):
    ada = await planned.manager()
    await planned.add(ada, "every day 18:00", "say", text="hello")
    other = scene.world.add_guild("Elsewhere")
    channel = scene.world.add_text_channel(other, "general")
    scene.world.add_member(other, scene.bot_user)
    role = scene.world.add_role(other, "managers", Permission.MANAGE_GUILD)
    eve = await scene._stack.enter_async_context(await scene.discord.person("Eve", other, roles=[role]))
    await scene.until(lambda: scene.bot.get_guild(other.id) is not None)
    interaction = await eve.slash(channel, "schedule remove", schedule="1")
    assert (
        "There is no schedule of that number here. Nothing is scheduled here." in (await interaction.answered()).content
    )
    interaction = await eve.slash(channel, "schedule list")
    assert (await interaction.answered()).content.startswith("Nothing is scheduled here.")


async def test_the_servers_zone_is_shown_set_suggested_and_guessed(planned, scene):
    ada = await planned.manager()
    await planned.add(ada, "every day 18:00", "say", text="hello")
    names = [each["value"] for each in await ada.autocomplete(scene.text, "schedule zone", "zone", "berl")]
    assert names == ["Europe/Berlin"]
    assert "Did you mean `Europe/Berlin`" in await scene.run(ada, "schedule zone", zone="Europe/Berlim")
    told = await scene.run(ada, "schedule zone", zone="europe/berlin")
    assert told.startswith("The time zone of this server is Europe/Berlin now: it is 12:0")
    assert "1 schedule(s) that repeat by the clock follow it" in told
    assert planned.only().next_at == datetime(2026, 11, 25, 17, tzinfo=UTC)


async def test_a_long_list_has_pages_and_a_server_has_a_limit(planned, scene):
    ada = await planned.manager()
    for number in range(100):
        await planned.schedules.add(
            "say", "every 86400 2026-12-01T00:00:00+00:00", {"text": "x" * 300}, wording="<@1>" * 20 + str(number),
            guild_id=scene.guild.id, channel_id=scene.text.id, added_by=ada.user.id,
        )  # fmt: skip
    first = await scene.run(ada, "schedule list")
    pages = int(re.search(r"page 1 of (\d+)", first)[1])
    read = [first, *[await scene.run(ada, "schedule list", page=page) for page in range(2, pages + 1)]]
    assert all(len(page) <= 2000 for page in read)
    shown = [int(number) for page in read for number in re.findall(r"\*\*#(\d+)\*\*", page)]
    assert sorted(shown) == list(range(1, 101)), "each is shown, whole, once"
    assert await scene.run(ada, "schedule list", page=pages + 1) == f"There are {pages} page(s)."
    assert "This server has 100 schedules already" in await planned.add(ada, "in 1 hour", "say", text="x")


# Doing ----------------------------------------------------------------------------------------------------------------


async def test_the_model_is_asked_as_the_servers_persona_and_its_answer_pings_nobody(planned, scene):
    ada = await planned.manager()
    await planned.add(ada, "in 20 minutes", "ask", text="Wish everybody a good evening.")
    scene.chat.script(text="Good evening, @everyone! [click](http://evil.example)")
    await planned.come()
    (posted,) = [
        each for each in scene.text.messages.values() if each.author is scene.bot_user and not each.is_ephemeral
    ]
    assert posted.content == "Good evening, @everyone! [click]\\(http://evil.example)"
    assert not posted.mentions.everyone
    system, asked = scene.chat.prompts[-1]
    assert scene.runtime.config.prompt.persona in system["content"]
    assert asked["content"] == "Wish everybody a good evening."
    assert scene.runtime.occasions.spent_today(scene.guild.id) > 0
    assert planned.only().outcome == "done"


async def test_a_model_that_fails_is_told_in_the_list_and_the_next_time_is_right(planned, scene):
    ada = await planned.manager()
    await planned.add(ada, "every day 18:00", "ask", text="hello")
    scene.chat.script(status=500)
    await planned.come()
    assert scene.notices() == []
    assert "⚠️ failed: " in await scene.run(ada, "schedule list")
    assert planned.only().next_at == datetime(2026, 11, 26, 18, tzinfo=UTC)


async def test_a_picture_is_kept_privately_posted_and_gone_with_its_schedule(planned, scene):
    ada = await planned.manager()
    told = await planned.add(ada, "every day 18:00", "picture", text="look", picture=("a.exe", PNG, "image/png"))
    assert "posts a picture in" in told
    (file,) = (scene.folder / "data" / "schedule").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    await planned.come()
    (posted,) = [each for each in scene.text.messages.values() if each.author is scene.bot_user and each.attachments]
    assert posted.content == "look"
    assert posted.attachments[0].filename == "picture.png"
    await scene.run(ada, "schedule remove", schedule="1")
    await scene.until(lambda: not file.exists())


async def test_the_picture_of_what_is_over_or_of_nobody_is_deleted(planned, scene):
    ada = await planned.manager()
    await planned.add(ada, "in 20 minutes", "picture", picture=("a.png", PNG, "image/png"))
    (file,) = (scene.folder / "data" / "schedule").iterdir()
    await planned.come()
    await scene.until(lambda: not file.exists())
    orphan = file.with_name("0123456789abcdef.png")
    orphan.write_bytes(PNG)
    await scene.runtime.schedule_pictures.sweep([])
    assert not orphan.exists()


async def test_a_file_is_played_in_the_session_there_is_and_else_told(planned, scene):
    folder = scene.folder / scene.runtime.config.voice.sounds
    folder.mkdir(parents=True)
    (folder / "gong.wav").write_bytes(sound())
    ada = await planned.manager()
    assert [each["value"] for each in await ada.autocomplete(scene.text, "schedule add", "file", "go")] == ["gong.wav"]
    await planned.add(ada, "every day 18:00", "play", file="gong.wav")
    await planned.come()
    assert "I was in no voice channel" in planned.only().detail
    await ada.join(scene.voice)
    await scene.run(ada, "voice join")
    await planned.come()
    assert planned.only().outcome == "done", planned.only().detail
    bob = await scene.person("Bob")
    await bob.join(scene.voice)
    await ada.leave()
    await scene.until(lambda: len(scene.session.channel.members) == 2)
    await planned.come()
    assert "was not in the voice channel, and may not move members" in planned.only().detail


async def test_a_recording_begins_announced_by_the_rights_of_who_added_it(planned, scene):
    recorders = scene.world.add_role(scene.guild, "recorders", Permission.MANAGE_CHANNELS)
    ada = await planned.manager("Ada", recorders)
    await planned.add(ada, "every day 18:00", "record", channel=scene.voice)
    await planned.come()
    assert "Nobody was in" in planned.only().detail
    assert scene.session is None
    bob = await scene.person("Bob")
    await bob.join(scene.voice)
    await planned.come()
    assert planned.only().outcome == "done", planned.only().detail
    live = scene.runtime.recordings.live(scene.guild.id)
    assert live is not None
    assert live.recorder is not None
    assert any("is being recorded" in each for each in scene.notices(scene.voice))
    await scene.run(ada, "voice record", action="stop")
    await scene.runtime.voice.leave(scene.guild.id)
    scene.world.edit_member(scene.guild, scene.guild.members[ada.user.id], role_ids=[planned.managers.id])
    await planned.come()
    paused = planned.only()
    assert (paused.state, "may not record in" in paused.reason) == ("paused", True)
    assert scene.session is None


# Rights at the moment of use ------------------------------------------------------------------------------------------


async def test_who_lost_the_right_or_left_has_it_paused_and_that_is_told(planned, scene):
    ada, bob = await planned.manager(), await planned.manager("Bob")
    await planned.add(ada, "every day 18:00", "say", text="hello")
    scene.world.edit_member(scene.guild, scene.guild.members[ada.user.id], role_ids=[])
    await planned.come()
    (told,) = scene.notices()
    assert told == (
        "⏸️ Schedule #1 (`every day 18:00`) is paused: Whoever added it does not have the permission “Manage Server” any "
        "more. Who may manage this server can go on with it by `/schedule resume`."
    )
    assert "⏸️ paused: Whoever added it does not have the permission" in await scene.run(bob, "schedule list")
    await scene.run(bob, "schedule resume", schedule="1")
    await planned.come()
    assert scene.notices()[1:] == ["hello"]
    scene.world.remove_member(scene.guild, scene.guild.members[bob.user.id].user)
    await planned.come()
    assert "is not on this server any more" in planned.only().reason


async def test_a_channel_that_is_gone_or_closed_to_either_is_told(planned, scene):
    ada = await planned.manager()
    gone = scene.world.add_text_channel(scene.guild, "gone")
    closed = scene.world.add_text_channel(scene.guild, "closed")
    await scene.until(lambda: scene.bot.get_channel(closed.id) is not None)
    await planned.add(ada, "every day 18:00", "say", text="hello", channel=gone)
    await planned.add(ada, "every day 18:00", "say", text="hello", channel=closed)
    scene.world.delete_channel(gone)
    scene.world.set_overwrite(closed, planned.managers, deny=Permission.SEND_MESSAGES)
    scene.world.set_overwrite(closed, scene.guild.roles[scene.guild.id], deny=Permission.SEND_MESSAGES)
    await scene.until(lambda: scene.bot.get_channel(gone.id) is None)
    await planned.come(planned.schedules.get(1))
    assert planned.schedules.get(1).reason.startswith("Its channel is gone.")
    assert "may not write in" in planned.schedules.get(2).reason
    assert "You may not write in" in await planned.add(ada, "every day 18:00", "say", text="hello", channel=closed)


# Lockdown -------------------------------------------------------------------------------------------------------------


async def test_a_session_pauses_schedules_which_are_then_made_up_or_skipped_as_configured(planned, scene):
    ada = await planned.manager()
    await planned.add(ada, "every day 18:00", "say", text="skipped")
    await planned.add(ada, "every day 18:00", "say", text="made up", late="once", grace_min=60)
    await ada.join(scene.voice)
    await scene.run(ada, "voice join")
    before = scene.notices()
    await planned.come(planned.schedules.get(1))
    assert scene.notices() == before, "nothing happens"
    assert "⏳ due" in await scene.run(ada, "schedule list")
    assert "and waits: a voice session, to which this gives way" in await scene.run(ada, "schedule list")
    planned.clock.ahead += timedelta(minutes=10)
    planned.schedules.look()
    await planned.schedules.settled()
    assert scene.notices() == before
    await scene.run(ada, "voice leave")
    await scene.until(lambda: "made up" in scene.notices())
    await planned.schedules.settled()
    assert "skipped" not in scene.notices()
    assert planned.schedules.get(1).missed_last.endswith("a voice session, to which this gives way. Skipped.")
    assert planned.schedules.get(2).missed_last.endswith("Made up once.")


async def test_a_server_that_locks_schedules_by_hand_has_them_wait_and_no_other(planned, scene):
    boss = await scene.person("Boss", roles=[scene.admin_role])
    await planned.add(boss, "every day 18:00", "say", text="hello", late="once")
    await scene.run(boss, "lockdown feature", name="schedule")
    await planned.come()
    assert scene.notices() == []
    assert planned.schedules.waits(1) == "locked by an administrator"
    await scene.runtime.lockdown.unlock("schedule", guild_id=scene.guild.id)
    planned.schedules.look()
    await planned.schedules.settled()
    assert scene.notices() == ["hello"]


async def test_without_the_cog_schedules_wait_and_a_reload_loses_none(planned, scene):
    ada = await planned.manager()
    await planned.add(ada, "every day 18:00", "say", text="hello")
    await scene.bot.unload_extension("cogs.schedule")
    await planned.come()
    assert scene.notices() == []
    await scene.bot.load_extension("cogs.schedule")
    await planned.schedules.settled()
    await scene.until(lambda: scene.notices() == ["hello"])
    with pytest.raises(Exception, match="done by somebody else"):
        planned.schedules.handle("say", _nothing)


async def _nothing(firing):
    return firing.key


async def test_what_is_removed_while_the_model_thinks_is_not_posted(planned, scene):
    ada = await planned.manager()
    await planned.add(ada, "every day 18:00", "ask", text="hello")
    ask = scene.runtime.occasions.ask

    async def slow(*args, **options):
        answer = await ask(*args, **options)
        await scene.run(ada, "schedule remove", schedule="1")
        return answer

    scene.runtime.occasions.ask = slow
    scene.chat.script(text="Too late.")
    await planned.come()
    assert scene.notices() == []
    assert planned.schedules.all() == []


async def test_what_came_while_the_bot_was_away_is_told_after_a_restart_and_the_rest_goes_on(planned, scene):
    ada = await planned.manager()
    await scene.run(ada, "schedule zone", zone="Europe/Berlin")
    await planned.add(ada, "every day 18:00", "say", text="skipped")
    await planned.add(ada, "every day 18:00", "say", text="made up", late="once")
    await planned.add(ada, "in 6 hours", "picture", text="look", picture=("a.png", PNG, "image/png"))
    await scene.bot.close()
    planned.clock.ahead += timedelta(days=2, hours=9)  # 27 November, 20:00 UTC: three missed
    await scene.start(cogs=COGS)
    planned.schedules.look()
    await scene.until(lambda: "made up" in scene.notices())
    await planned.schedules.settled()
    assert scene.notices() == ["made up"]
    listed = await scene.run(ada, "schedule list")
    assert "in the time zone Europe/Berlin" in listed
    assert listed.count("3 times missed, the last <t:1795798800:f>: I was not running. Skipped.") == 1
    assert listed.count("3 times missed, the last <t:1795798800:f>: I was not running. Made up once.") == 1
    assert "1 time missed" in listed
    assert planned.schedules.get(1).next_at == datetime(2026, 11, 28, 17, tzinfo=UTC)
    pictures = scene.folder / "data" / "schedule"
    await scene.until(lambda: not list(pictures.iterdir()))
