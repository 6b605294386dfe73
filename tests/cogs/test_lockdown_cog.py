"""The lockdown as people on Discord see it."""

from __future__ import annotations

import asyncio

import pytest

from core.config import Environment
from core.config.model import ModelSection
from core.events import MemoryRanLow
from core.lockdown import BlockPolicy, Feature, PausePolicy
from core.machine.memory import Memory
from core.speech.speaker import Speaker
from launch.bot import ParleyBot
from loopback.services.chat import Chat
from loopback.services.hooks import Hooks

COGS = ("cogs.voice", "cogs.admin", "cogs.lockdown")
NOTIFIER = "tests.cogs.elsewhere.notifier"


async def status(scene, person) -> str:
    interaction = await person.slash(scene.text, "lockdown status")
    (embed,) = (await interaction.answered()).embeds
    return "\n".join([embed["description"], *(field["value"] for field in embed["fields"])])


def activity(scene) -> str | None:
    shown = scene.bot_user.activities
    return (shown[0].get("state") or shown[0].get("name")) if shown else None


async def test_a_session_locks_and_shows_it_and_leaving_undoes_it(scene):
    await scene.start(cogs=COGS)
    log: list[str] = []
    lockdown = scene.runtime.lockdown
    lockdown.register(Feature("pictures", "Pictures", BlockPolicy("No pictures now.")), owner="test")
    lockdown.register(
        Feature("job", "Job", PausePolicy(lambda: log.append("pause"), lambda: log.append("resume"))), owner="test"
    )
    ada = await scene.joined()
    assert log == ["pause"]
    said = await status(scene, ada)
    assert f"a voice session in <#{scene.voice.id}> holds everything" in said
    assert "🔒 **Pictures** (`pictures`, block): locked" in said
    await scene.until(lambda: activity(scene) == "In voice chat")
    await scene.run(ada, "voice leave")
    assert log == ["pause", "resume"]
    assert "▫️ **Pictures** (`pictures`, block): free" in await status(scene, ada)
    await scene.until(lambda: activity(scene) is None)


@pytest.mark.parametrize("end", ["kick", "delete the channel", "close the bot"])
async def test_however_a_session_ends_everything_is_undone(scene, end):
    bot = await scene.start(cogs=COGS)
    log: list[str] = []
    scene.runtime.lockdown.register(
        Feature("job", "Job", PausePolicy(lambda: log.append("pause"), lambda: log.append("resume"))), owner="test"
    )
    await scene.joined()
    if end == "kick":
        scene.world.voice.leave(scene.guild, scene.bot_user.id)
    elif end == "delete the channel":
        scene.world.delete_channel(scene.voice)
    else:
        await bot.close()
    await scene.until(lambda: log == ["pause", "resume"])


async def test_an_engine_that_hangs_does_not_keep_the_locks_of_a_kicked_bot(scene, monkeypatch):
    await scene.start(cogs=COGS)
    lockdown = scene.runtime.lockdown
    lockdown.register(Feature("pictures", "Pictures", BlockPolicy("No.")), owner="test")
    await scene.joined()

    enough = asyncio.Event()

    async def hang(speaker: Speaker) -> None:
        del speaker
        await enough.wait()

    monkeypatch.setattr("core.voice.session.CLOSE_S", 0.2)
    with monkeypatch.context() as broken:
        broken.setattr(Speaker, "close", hang)
        scene.world.voice.leave(scene.guild, scene.bot_user.id)
        try:
            await scene.until(lambda: not lockdown.locked("pictures"))
        finally:
            enough.set()
    assert (await lockdown.status()).holds == ()


async def test_a_session_asks_another_model_and_afterwards_the_usual_one(scene):
    async with Chat() as small:
        url = {"model": "stand-in", "retries": 0}
        routes = {"default": {"base_url": scene.chat.base_url, **url}, "voice": {"base_url": small.base_url, **url}}
        config = scene.config(prompt={"gather_idle_s": 0.05}, lockdown={"route": "voice"}).model_copy(
            update={"model": ModelSection.model_validate({"routes": routes})}
        )
        bot = ParleyBot(config, Environment({}), cogs=(*COGS, "cogs.prompt"), connector=scene.discord.connector())
        await scene.start_bot(bot)
        ada = await scene.joined()
        await scene.reply(ada, await ada.type(scene.text, "hello"))
        assert (len(scene.chat.prompts), len(small.prompts)) == (0, 1)
        await scene.run(ada, "voice leave")
        await scene.reply(ada, await ada.type(scene.text, f"<@{bot.user.id}> hello"))
        assert (len(scene.chat.prompts), len(small.prompts)) == (1, 1)


async def test_a_session_whose_route_is_not_configured_is_refused_with_the_names_there_are(scene):
    await scene.start(cogs=COGS, lockdown={"route": "voice"})
    ada = await scene.person()
    await ada.join(scene.voice)
    said = await scene.run(ada, "voice join")
    assert said.startswith("The session cannot start: ")
    assert "voice" in said
    assert "default" in said
    assert scene.bot_user.id not in scene.guild.voice_states


async def test_with_sessions_on_two_servers_locks_go_with_the_last(scene):
    elsewhere = scene.world.add_guild("Elsewhere")
    scene.world.add_member(elsewhere, scene.bot_user)
    room = scene.world.add_voice_channel(elsewhere, "Room")
    await scene.start(cogs=COGS, voice={"max_sessions": 2})
    voice, lockdown, log = scene.runtime.voice, scene.runtime.lockdown, []
    lockdown.register(
        Feature("job", "Job", PausePolicy(lambda: log.append("pause"), lambda: log.append("resume"))), owner="test"
    )
    ada = await scene.joined()
    await voice.join(scene.bot.get_channel(room.id))
    assert len((await lockdown.status()).holds) == 2
    await scene.run(ada, "voice leave")
    assert lockdown.locked("job")
    assert log == ["pause"]
    scene.world.voice.leave(elsewhere, scene.bot_user.id)
    await scene.until(lambda: not lockdown.locked("job"))
    assert log == ["pause", "resume"]


async def test_a_feature_that_refuses_to_pause_is_told_to_whoever_joins(scene):
    async with Hooks() as server:
        hook = {"name": "gpu", "lock_url": f"{server.url}/lock", "unlock_url": f"{server.url}/unlock", "required": True}
        await scene.start(cogs=COGS, lockdown={"hooks": [hook]})
        server.script(on="/lock", status=500)
        ada = await scene.person()
        await ada.join(scene.voice)
        said = await scene.run(ada, "voice join")
        assert said == "The session cannot start: The hook “gpu” answered with status 500."
        assert scene.session is None
        assert scene.bot_user.id not in scene.guild.voice_states
        assert "I am in" in await scene.run(ada, "voice join")
        await scene.run(ada, "voice leave")
        assert server.calls == ["POST /lock", "POST /unlock", "POST /lock", "POST /unlock"]


async def test_admins_lock_and_unlock_by_hand(scene):
    await scene.start(cogs=COGS)
    lockdown = scene.runtime.lockdown
    lockdown.register(Feature("pictures", "Pictures", BlockPolicy("No.")), owner="test")
    lockdown.register(Feature("avatar", "Avatar", BlockPolicy("No.")), owner="test")
    ada = await scene.person(roles=[scene.admin_role])

    def locked(name: str) -> bool:
        return lockdown.locked(name, guild_id=scene.guild.id)

    assert await scene.run(ada, "lockdown feature", name="pictures", minutes=5) == "“pictures” is locked for 5 min."
    assert (locked("pictures"), locked("avatar")) == (True, False)
    assert f"<@{ada.user.id}> by hand holds “pictures”" in await status(scene, ada)
    assert await scene.run(ada, "lockdown on") == "Everything is locked."
    assert locked("avatar")
    assert await scene.run(ada, "lockdown feature", name="pictures", locked=False) == (
        "“pictures” is free again; something else still holds it."
    )
    assert await scene.run(ada, "lockdown off") == "What was locked by hand is free again."
    assert not locked("pictures")
    assert await scene.run(ada, "lockdown off") == "Nothing was locked by hand."
    assert "There is no feature called “music”" in await scene.run(ada, "lockdown feature", name="music")
    choices = await ada.autocomplete(scene.text, "lockdown feature", "name", "pic")
    assert [choice["value"] for choice in choices] == ["pictures"]


async def test_an_undo_whose_cog_is_gone_is_forgotten_after_a_question(scene):
    await scene.start(cogs=COGS)
    lockdown, owner = scene.runtime.lockdown, object()
    lockdown.register(Feature("job", "Job", PausePolicy(lambda: None, lambda: None)), owner=owner)
    ada = await scene.person(roles=[scene.admin_role])
    scene.bot_user.application.owner = ada.user
    assert await scene.run(ada, "lockdown on", everywhere=True) == "Everything is locked on every server."
    lockdown.unregister(owner)
    await scene.run(ada, "lockdown off", everywhere=True)
    assert "Not undone yet: resuming “job”; it waits until its cog is loaded." in await status(scene, ada)
    (choice,) = await ada.autocomplete(scene.text, "lockdown forget", "undo", "jo")
    assert choice == {"name": "resuming “job”", "value": "pause:job"}

    for button, answer, left in (
        ("Keep it", "It stays in the status", 1),
        ("Forget it", "Forgotten: resuming “job”.", 0),
    ):
        asked = await ada.slash(scene.text, "lockdown forget", undo="pause:job")
        question = await asked.answered()
        assert question.is_ephemeral
        assert "resuming “job”" in question.content
        assert len(lockdown.owed) == 1
        pressed = await ada.press(question, button)
        assert answer in (await pressed.answered()).content
        assert len(lockdown.owed) == left
    assert "Not undone" not in await status(scene, ada)
    assert "undone already" in await scene.run(ada, "lockdown forget", undo="pause:job")


async def test_the_voice_status_has_a_line_about_what_gives_way(scene):
    await scene.start(cogs=COGS)
    lockdown = scene.runtime.lockdown

    def broken():
        raise RuntimeError("broken")

    lockdown.register(Feature("pictures", "Pictures", BlockPolicy("No.")), owner="test")
    ada = await scene.joined()

    async def line() -> str:
        interaction = await ada.slash(scene.text, "voice status")
        (embed,) = (await interaction.answered()).embeds
        return next(field["value"] for field in embed["fields"] if field["name"] == "Gives way")

    assert await line() == "🔒 2 feature(s)"  # the other one is replies in text channels
    lockdown.register(Feature("job", "Job", PausePolicy(broken, lambda: None)), owner="elsewhere")
    await lockdown.settled()
    assert await line() == "🔒 3 feature(s), ⚠️ 1 could not give way: see `/lockdown status`"
    lockdown.unregister("elsewhere")
    await scene.run(ada, "voice leave")
    await scene.run(ada, "voice join")
    assert await line() == "🔒 2 feature(s), ⚠️ 1 not undone yet: see `/lockdown status`"


async def test_others_than_admins_are_refused(scene):
    await scene.start(cogs=COGS)
    lockdown = scene.runtime.lockdown
    lockdown.register(Feature("pictures", "Pictures", BlockPolicy("No.")), owner="test")
    ada = await scene.person()
    refused = (("on", {}), ("off", {}), ("feature", {"name": "pictures"}))
    for command, options in refused:
        assert "Only administrators" in await scene.run(ada, f"lockdown {command}", **options)
    assert "Only the bot's owner" in await scene.run(ada, "lockdown forget", undo="pause:job")
    assert not lockdown.locked("pictures", guild_id=scene.guild.id)
    assert "**Pictures**" in await status(scene, ada)


async def test_full_memory_is_told_in_the_prompt_channel(scene):
    await scene.start(cogs=COGS)
    ada = await scene.joined()
    scene.runtime.hub.publish(MemoryRanLow("RTX 3060", 11 * 2**30, 12 * 2**30))
    message = await ada.wait_for_message(scene.text, lambda message: "RTX 3060" in message.content, 5)
    assert "11.0 of 12.0 GiB" in message.content


async def test_memory_that_is_full_before_the_session_begins_is_told_once_it_has_begun(scene):
    await scene.start(cogs=COGS)
    scene.runtime.lockdown.memory._reader.read = lambda: [Memory("RTX 3060", 95, 100)]
    ada = await scene.joined()
    await ada.wait_for_message(scene.text, lambda message: "RTX 3060 is nearly full" in message.content, 5)
    assert len([notice for notice in scene.notices() if "RTX 3060" in notice]) == 1


async def test_the_status_of_many_features_shows_each_of_them(scene):
    await scene.start(cogs=COGS)
    for number in range(24):
        feature = Feature(f"feature{number}", f"Feature number {number}", BlockPolicy("No."))
        scene.runtime.lockdown.register(feature, owner="test")
    ada = await scene.joined()
    said = await status(scene, ada)
    assert all(f"**Feature number {number}**" in said for number in range(24))
    assert " more" not in said


# Somebody else's cog ------------------------------------------------------------------------------------------------------


async def test_somebody_elses_cog_gives_way_and_stays_so_over_its_reload(scene):
    bot = await scene.start(cogs=(*COGS, NOTIFIER))
    ada = await scene.joined()
    notifier = bot.get_cog("Notifier")
    assert notifier.paused
    assert await scene.run(ada, "count") == "I count again after the call."
    message = await ada.type(scene.text, f"<@{bot.user.id}> count")
    assert await ada.wait_for_reaction(message, "🎤") == "🎤"

    await bot.reload_extension(NOTIFIER)
    again = bot.get_cog("Notifier")
    assert again is not notifier
    await scene.runtime.lockdown.settled()
    assert again.paused
    assert await scene.run(ada, "count") == "I count again after the call."

    await scene.run(ada, "voice leave")
    assert not again.paused
    await scene.until(lambda: again.ticks > 1)
    assert "ticks" in await scene.run(ada, "count")
    assert again.ticks < 20  # it did not catch up on what it missed


async def test_a_reload_of_the_lockdown_cog_keeps_locks_and_status_line(scene):
    bot = await scene.start(cogs=COGS)
    scene.runtime.lockdown.register(Feature("pictures", "Pictures", BlockPolicy("No.")), owner="test")
    ada = await scene.joined()
    await bot.reload_extension("cogs.lockdown")
    assert scene.runtime.lockdown.locked("pictures")
    await scene.run(ada, "voice leave")
    await scene.until(lambda: activity(scene) is None)
    assert not scene.runtime.lockdown.locked("pictures")
