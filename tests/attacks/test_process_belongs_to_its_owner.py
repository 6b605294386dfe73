"""What is of the process is for the bot's owner alone; a server's administrator decides, and sees, only what is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from core.lockdown import BlockPolicy, Feature, PausePolicy
from loopback.services.hooks import Hooks
from tests.attacks.two_servers import TwoServers, commands_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

COGS = ("cogs.voice", "cogs.prompt", "cogs.admin", "cogs.lockdown")


@pytest.fixture
async def two(scene: Any) -> AsyncGenerator[TwoServers]:
    async with TwoServers.of(scene) as made:
        yield made


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("reload", {}),
        ("reload", {"cog": "voice"}),
        ("sync", {}),
        ("sync", {"here": False}),
        ("lockdown on", {"everywhere": True}),
        ("lockdown off", {"everywhere": True}),
        ("lockdown feature", {"name": "pictures", "everywhere": True}),
        ("lockdown forget", {"undo": "pause:job"}),
    ],
)
async def test_an_administrator_of_a_server_is_refused_what_concerns_every_server(
    two: TwoServers, command: str, options: dict[str, object]
) -> None:
    bot = await two.scene.start(cogs=COGS)
    two.register(Feature("pictures", "Pictures", BlockPolicy("No pictures.")))
    cogs, commands = dict(bot.extensions), commands_of(two.scene)
    assert "Only the bot's owner can do this" in await two.grace(command, **options)
    assert dict(bot.extensions) == cogs
    assert commands_of(two.scene) == commands
    assert not two.lockdown.locked("pictures")
    assert (await two.lockdown.status()).holds == ()


@pytest.mark.parametrize(("role", "may"), [("admin", True), ("developer", True), ("read_only", False)])
async def test_a_team_that_owns_the_bot_may_through_its_admins_and_developers(
    two: TwoServers, role: str, may: bool
) -> None:
    two.scene.bot_user.application.team = ((two.scene.bot_user.application.owner, "admin"), (two.grace.user, role))
    await two.scene.start(cogs=COGS)
    assert ("Reloaded" in await two.grace("reload", cog="voice")) is may
    assert ("every server" in await two.grace("lockdown on", everywhere=True)) is True
    assert bool((await two.lockdown.status()).holds) is may


async def test_a_discord_that_does_not_say_who_owns_the_bot_makes_nobody_its_owner(two: TwoServers) -> None:
    bot = await two.scene.start(cogs=COGS)
    bot.owner_id = bot.owner_ids = None
    two.scene.discord.faults.fail("GET /oauth2/applications/@me", status=500, times=100)
    before = dict(bot.extensions)
    assert "Reloaded" not in await two.grace("reload", cog="voice")
    assert dict(bot.extensions) == before
    assert await two.grace("lockdown on") == "Everything is locked."  # what is of a server needs no owner


async def test_completion_names_cogs_and_undos_to_the_owner_alone(two: TwoServers) -> None:
    await two.scene.start(cogs=COGS)
    owner = object()
    two.register(Feature("job", "Job", PausePolicy(lambda: None, lambda: None)), owner=owner)
    await two.lockdown.lock()
    two.lockdown.unregister(owner)
    await two.lockdown.unlock()
    asked = (("reload", "cog"), ("lockdown forget", "undo"))
    for command, option in asked:
        assert await two.grace.complete(command, option) == []
    two.scene.bot.owner_id = two.grace.user.id
    for command, option in asked:
        assert await two.grace.complete(command, option)


async def test_a_lock_by_hand_closes_a_door_on_its_own_server_and_nowhere_else(two: TwoServers) -> None:
    await two.scene.start(cogs=COGS)
    log: list[str] = []
    two.register(Feature("pictures", "Pictures", BlockPolicy("No pictures.")))
    two.register(Feature("job", "Job", PausePolicy(lambda: log.append("pause"), lambda: log.append("resume"))))
    here, there = await two.messages()
    assert await two.grace("lockdown on") == "Everything is locked."
    assert (await two.lockdown.allows("pictures", here), await two.lockdown.allows("pictures", there)) == (False, True)
    assert log == [], "what runs for every server is not one server's to pause"
    assert await two.hugo("lockdown off") == "Nothing was locked by hand."
    assert not await two.lockdown.allows("pictures", here), "another server's administrator cannot open it"
    assert await two.grace("lockdown off") == "What was locked by hand is free again."
    assert await two.lockdown.allows("pictures", here)


async def test_the_owner_locks_every_server_and_no_administrator_opens_that_again(two: TwoServers) -> None:
    await two.scene.start(cogs=COGS)
    log: list[str] = []
    two.register(Feature("pictures", "Pictures", BlockPolicy("No pictures.")))
    two.register(Feature("job", "Job", PausePolicy(lambda: log.append("pause"), lambda: log.append("resume"))))
    messages = await two.messages()
    two.scene.bot.owner_id = two.hugo.user.id
    assert await two.hugo("lockdown on", everywhere=True) == "Everything is locked on every server."
    assert await two.grace("lockdown off") == "Nothing was locked by hand."
    assert "Nothing was locked by hand" in await two.grace("lockdown feature", name="pictures", locked=False)
    assert [await two.lockdown.allows("pictures", message) for message in messages] == [False, False]
    assert log == ["pause"]
    assert f"<@{two.hugo.user.id}>" not in await two.grace.status()
    assert "the bot's owner by hand" in await two.grace.status()
    assert "free again on every server" in await two.hugo("lockdown off", everywhere=True)
    assert log == ["pause", "resume"]


async def test_messages_of_a_locked_server_wait_while_those_of_another_are_answered(two: TwoServers) -> None:
    bot = await two.scene.start(cogs=COGS)
    await two.grace("lockdown on")
    asked = f"<@{bot.user.id}> hello"
    await two.grace.person.type(two.scene.text, asked)
    await two.scene.until(lambda: two.lockdown.waiting.counts.get("text") == 1)
    await two.scene.reply(two.hugo.person, await two.hugo.person.type(two.text, asked))
    assert two.lockdown.waiting.counts == {"text": 1}
    before = len(two.scene.notices())
    await two.grace("lockdown off")
    await two.scene.until(lambda: len(two.scene.notices()) > before)


async def test_the_status_shows_nothing_of_another_server(two: TwoServers) -> None:
    async with Hooks() as server:
        hook = {"name": "secret-gpu-box", "lock_url": f"{server.url}/lock", "unlock_url": f"{server.url}/unlock"}
        bot = await two.scene.start(cogs=COGS, voice={"max_sessions": 2}, lockdown={"hooks": [hook]})
        server.script(on="/lock", status=500)
        await two.grace("lockdown on", minutes=5)
        await two.scene.runtime.voice.join(bot.get_channel(two.scene.voice.id))
        await two.grace.person.type(two.scene.text, f"<@{bot.user.id}> hello")
        await two.scene.until(lambda: two.lockdown.waiting.counts.get("text") == 1)
        seen = await two.hugo.status()
        foreign = (two.scene.guild.id, two.scene.voice.id, two.scene.text.id, two.grace.user.id)
        assert not [id_ for id_ in foreign if str(id_) in seen], seen
        assert "a voice session on another server holds everything" in seen
        assert "waiting" not in seen
        assert "secret-gpu-box" not in seen
        assert "System memory" not in seen
        assert "1 thing(s) failed" in seen
        own = await two.grace.status()
        assert f"a voice session in <#{two.scene.voice.id}>" in own
        assert f"<@{two.grace.user.id}> by hand" in own
        assert "1 waiting" in own
        assert "secret-gpu-box" not in own
        bot.owner_id = two.hugo.user.id
        whole = await two.hugo.status()
        assert all(words in whole for words in (f"<#{two.scene.voice.id}>", "secret-gpu-box", "System memory"))


async def test_an_administrator_tells_discord_about_the_commands_on_their_own_server(two: TwoServers) -> None:
    await two.scene.start(cogs=COGS)
    everywhere = commands_of(two.scene)
    assert "on this server alone" in await two.grace("sync", here=True)
    assert commands_of(two.scene) == everywhere


async def test_a_flood_on_one_server_pushes_out_no_message_of_another(two: TwoServers) -> None:
    bot = await two.scene.start(cogs=COGS, lockdown={"queue_limit": 2})
    await two.lockdown.lock()
    asked = f"<@{bot.user.id}> hello"
    await two.hugo.person.type(two.text, asked)
    await two.scene.until(lambda: two.lockdown.waiting.counts.get("text") == 1)
    for number in range(4):
        await two.grace.person.type(two.scene.text, f"{asked} {number}")
    await two.scene.until(lambda: two.lockdown.waiting.outbox.idle and two.lockdown.waiting.counts["text"] >= 3)
    assert two.lockdown.waiting.count("text", two.guild.id) == 1
    assert two.lockdown.waiting.count("text", two.scene.guild.id) == 2
