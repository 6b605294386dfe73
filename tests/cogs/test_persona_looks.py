"""What a server's profile of the bot shows of its character: pictures, a mood behind the name, the line below it."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from core.bot import persona_pictures
from core.errors import WorkersBusy
from core.machine.lane import ProcessLane
from core.persona import pace
from core.persona.portraits import portrait
from loopback.world.permissions import Permission
from tests.attacks.two_servers import TwoServers
from tests.cogs.test_persona_cog import COGS, plainly
from tests.conftest import ManualClock
from tests.core.persona.cards_made import picture

NYX = """
name = "Nyx"
avatar = "nyx.png"
[[moods]]
name = "calm"
weight = 2
drift = 0
emoji = "🌊"
[[moods]]
name = "cross"
weight = 0
drift = 0
half_life_s = 600000
emoji = "😠"
avatar = "cross.png"
[[moods]]
name = "merry"
weight = 0
drift = 0
half_life_s = 600000
emoji = "😄"
avatar = "merry.png"
"""
COLOURS = {"nyx": "purple", "cross": "red", "merry": "yellow"}


@pytest.fixture
def nyx(scene):
    folder = scene.folder / "characters"
    folder.mkdir()
    (folder / "nyx.toml").write_text(NYX, encoding="utf-8")
    for name, colour in COLOURS.items():
        (folder / f"{name}.png").write_bytes(picture((300, 200), colour))
    return folder


@pytest.fixture
async def start(scene, nyx):
    async def start(**keys):
        await scene.start(cogs=COGS, persona=keys)
        scene.time = ManualClock()
        scene.runtime.persona.pictures._clock = scene.time
        scene.runtime.persona.nickname._clock = scene.time
        scene.edits = edits_of(scene)
        return await scene.person("Root", roles=[scene.admin_role])

    return start


def edits_of(scene) -> list[str]:
    """Requests that change the bot's profile, as they come."""
    seen: list[str] = []
    take = scene.discord.limits.take

    def counting(method, template, parameters):
        if method == "PATCH" and template.endswith("/members/@me"):
            seen.append(template)
        return take(method, template, parameters)

    scene.discord.limits.take = counting
    return seen


def colour(scene, guild=None) -> str:
    """The colour of the picture that a server sees."""
    data = (guild or scene.guild).members[scene.bot_user.id].avatar[1]
    if not data:
        return ""
    shown = Image.open(io.BytesIO(data))
    assert shown.format == "PNG"
    assert shown.size == (200, 200)
    pixel = shown.convert("RGB").getpixel((9, 9))
    return next(name for name, named in COLOURS.items() if Image.new("RGB", (1, 1), named).getpixel((0, 0)) == pixel)


async def shows(scene, name: str) -> None:
    await scene.until(lambda: colour(scene) == name)
    await scene.until(lambda: not len(scene.runtime.persona.pictures._tasks))


async def waits(scene) -> None:
    """Until the keeper of pictures sleeps."""
    await scene.until(lambda: scene.time._sleepers)


async def test_a_picture_follows_character_and_mood_twice_in_ten_minutes_and_the_latest_wish_later(scene, start):
    admin = await start()
    await scene.run(admin, "persona use", character="nyx")
    await shows(scene, "nyx")
    assert scene.bot_user.avatar is None, "the account's own picture is nobody's business"
    await scene.run(admin, "persona mood", mood="cross")
    await shows(scene, "cross")
    assert len(scene.edits) == 2
    await scene.run(admin, "persona mood", mood="merry")
    await waits(scene)
    assert "the picture changes in 10 min" in plainly(await scene.run(admin, "persona status"))
    await scene.run(admin, "persona mood", mood="natural")
    await scene.run(admin, "persona mood", mood="merry")
    await scene.time.advance(300)
    assert (colour(scene), len(scene.edits)) == ("cross", 2)
    scene.discord.limits._windows.clear()
    await scene.time.advance(300 + pace.SPARE_S + 60)
    await shows(scene, "merry")
    assert len(scene.edits) == 3
    await scene.time.advance(pace.WINDOW_S * 2)
    scene.discord.limits._windows.clear()
    await scene.run(admin, "persona use", character="none")
    await shows(scene, "")
    assert "Of my picture" not in await scene.run(admin, "persona status")


async def test_a_picture_is_locked_in_a_session_and_made_up_afterwards_once(scene, start):
    admin = await start()
    await admin.join(scene.voice)
    await scene.run(admin, "voice join")
    told = plainly(await scene.run(admin, "persona use", character="nyx"))
    assert told.endswith("-# The picture stays as it is during the session, and changes afterwards.")
    for mood in ("cross", "merry"):
        await scene.run(admin, "persona mood", mood=mood)
        await waits(scene)
        await scene.time.advance(5)
    told = plainly(await scene.run(admin, "persona status"))
    assert "the picture stays as it is during the session" in told
    assert "Gives way just now" in told
    assert "My picture on each server" in told
    assert scene.edits == []
    await scene.bot.reload_extension("cogs.persona")
    await scene.time.advance(5)
    assert scene.edits == []
    await scene.run(admin, "voice leave")
    await scene.until(lambda: not scene.runtime.lockdown.locked("avatar"))
    await scene.time.advance(5)
    await shows(scene, "merry")
    assert len(scene.edits) == 1


async def test_a_refusal_for_too_many_changes_is_not_tried_again_before_its_time(scene, start):
    admin = await start()
    me = scene.bot.get_guild(scene.guild.id).me
    for _ in range(2):  # by somebody else, unknown to us
        await me.edit(avatar=None)
    await scene.run(admin, "persona use", character="nyx")
    await waits(scene)
    assert len(scene.edits) == 3
    await scene.time.advance(300)
    assert len(scene.edits) == 3
    scene.discord.limits._windows.clear()
    await scene.time.advance(400)
    await shows(scene, "nyx")
    assert len(scene.edits) == 4


async def test_a_429_of_minutes_is_not_slept_through(scene, start, monkeypatch):
    monkeypatch.setattr(persona_pictures, "EDIT_S", 0.3)
    admin = await start()
    scene.discord.faults.limit("PATCH /guilds/*/members/@me", retry_after_s=300)
    await scene.run(admin, "persona use", character="nyx")
    await waits(scene)
    assert "the picture changes in 10 min" in plainly(await scene.run(admin, "persona status"))
    await scene.time.advance(pace.WINDOW_S + 60)
    await shows(scene, "nyx")


async def test_a_picture_that_is_none_or_is_refused_is_told_and_not_tried_again(scene, start, nyx):
    (nyx / "nyx.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    admin = await start()
    await scene.run(admin, "persona use", character="nyx")
    pictures = scene.runtime.persona.pictures
    await scene.until(lambda: pictures.told(scene.guild.id))
    told = plainly(await scene.run(admin, "persona status"))
    assert "Of my picture: the picture could not be changed: That PNG is cut off or damaged" in told
    assert scene.edits == []
    (nyx / "nyx.png").write_bytes(picture((300, 200), "purple"))
    scene.discord.faults.fail("PATCH /guilds/*/members/@me", status=403)
    await scene.run(admin, "persona use", character="nyx")
    await scene.until(lambda: "Discord refuses it (403)" in pictures.told(scene.guild.id))
    await scene.run(admin, "persona mood", mood="cross")
    await shows(scene, "cross")
    assert pictures.told(scene.guild.id) == ""


async def test_servers_have_pictures_of_their_own_and_a_missed_change_is_made_up_after_a_restart(scene, start):
    await start()
    async with TwoServers.of(scene) as servers:
        await servers.grace("persona use", character="nyx")
        await shows(scene, "nyx")
        assert colour(scene, servers.guild) == ""
        await scene.bot.close()
        (scene.folder / "characters" / "nyx.png").write_bytes(picture((300, 200), "red"))
        await start()
        await shows(scene, "cross")
        assert colour(scene, servers.guild) == ""


async def test_many_servers_of_one_character_share_its_picture_and_a_full_lane_is_waited_for(scene, nyx, monkeypatch):
    guilds = [scene.guild]
    for number in range(5):
        guild = scene.world.add_guild(f"Server {number}")
        scene.world.add_member(guild, scene.bot_user)
        guilds.append(guild)
    opened, full = [], [True]
    run = ProcessLane.run

    async def counted(self, function, *args, **options):
        if function is portrait:
            opened.append(function)
            if full:
                full.clear()
                raise WorkersBusy("Too much is waiting already.")
        return await run(self, function, *args, **options)

    monkeypatch.setattr(ProcessLane, "run", counted)
    monkeypatch.setattr(persona_pictures, "BUSY_S", 0.05)
    await scene.start(cogs=COGS, persona={"default": "nyx"})
    await scene.until(lambda: all(colour(scene, guild) == "nyx" for guild in guilds))
    assert len(opened) == 2, "once in vain, once for all of them"


async def test_pictures_can_be_switched_off_and_names_stay_as_they_are_by_default(scene, start):
    admin = await start(avatars={"enabled": False})
    await scene.run(admin, "persona use", character="nyx")
    await scene.run(admin, "persona mood", mood="cross")
    assert len(scene.runtime.persona.pictures._tasks) == len(scene.runtime.persona.nickname._tasks) == 0
    assert scene.edits == []


async def test_a_mood_stands_behind_the_name_where_that_is_wanted_rarely_and_never_in_a_session(scene, start):
    admin = await start(moods={"nickname_emoji": True}, avatars={"enabled": False})
    me = scene.guild.members[scene.bot_user.id]
    await scene.run(admin, "persona use", character="nyx")
    await scene.until(lambda: me.nick == f"{scene.bot_user.name} 🌊")
    await scene.run(admin, "persona mood", mood="cross")
    await waits(scene)
    await scene.time.advance(500)
    assert me.nick.endswith("🌊")
    await scene.time.advance(200)
    await scene.until(lambda: me.nick == f"{scene.bot_user.name} 😠")
    await admin.join(scene.voice)
    await scene.run(admin, "voice join")
    await scene.run(admin, "persona mood", mood="merry")
    await scene.time.advance(2000)
    assert me.nick.endswith("😠")
    await scene.run(admin, "voice leave")
    await scene.until(lambda: me.nick == f"{scene.bot_user.name} 😄")
    # A name that people gave it stays.
    await scene.bot.get_guild(scene.guild.id).me.edit(nick="Captain 😄")
    await scene.until(lambda: scene.bot.get_guild(scene.guild.id).me.nick == "Captain 😄")
    await scene.time.advance(2000)
    await scene.run(admin, "persona use", character="none")
    await scene.until(lambda: me.nick == "Captain")
    scene.strip_bot()
    everyone = scene.guild.roles[scene.guild.id]
    scene.world.edit_role(scene.guild, everyone, permissions=everyone.permissions & ~Permission.CHANGE_NICKNAME)
    await scene.until(lambda: not scene.bot.get_guild(scene.guild.id).me.guild_permissions.change_nickname)
    await scene.run(admin, "persona use", character="nyx")
    await scene.time.advance(2000)
    assert me.nick == "Captain"
    assert "I need the permission “Change Nickname”" in await scene.run(admin, "persona status")


async def test_the_mood_is_on_the_line_below_the_name_and_in_both_statuses(scene, start):
    admin = await start(avatars={"enabled": False})

    def line() -> list[str]:
        return [activity.get("state") or activity["name"] for activity in scene.bot_user.activities]

    await scene.run(admin, "persona use", character="nyx")
    await scene.until(lambda: line() == ["Feeling calm 🌊"])
    await scene.run(admin, "persona mood", mood="cross")
    await scene.until(lambda: line() == ["Feeling cross 😠"])
    told = plainly(await scene.run(admin, "persona status"))
    assert "I am **Nyx** here (`nyx`)." in told
    assert "I feel cross 😠; after that calm, merry." in told
    assert "tokens" in told
    assert "I read along in no channel of this server." in told
    await scene.run(admin, "persona observe", state="on")
    assert scene.text.mention in plainly(await scene.run(admin, "persona status"))
    assert "Nothing of it gives way just now." in told
    await admin.join(scene.voice)
    await scene.run(admin, "voice join")
    await scene.until(lambda: line() == ["In voice chat"])
    interaction = await admin.slash(scene.text, "voice status")
    [embed] = (await interaction.answered(30)).embeds
    assert ("Mood", "Nyx: cross 😠") in [(field["name"], field["value"]) for field in embed["fields"]]
    await scene.run(admin, "voice leave")
    await scene.until(lambda: line() == ["Feeling cross 😠"])
    await scene.run(admin, "persona use", character="none")
    await scene.until(lambda: line() == [])
