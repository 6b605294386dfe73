"""Reload and sync: a fault never costs the running bot anything, and speech does not notice a reload."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import sys
import time
import types
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.config import CHECKOUT
from loopback.people.refused import Refused
from loopback.world.permissions import Permission

if TYPE_CHECKING:
    import discord

    from loopback.people.person import Person

REAL = CHECKOUT / "cogs"
STORY = " ".join(f"This is sentence number {number} of a story that goes on for a while." for number in range(3))
BROKEN = {
    "syntax error": ("def broken(:", "SyntaxError"),
    "missing import": ("from core.bot.cog import there_is_no_such_name", "ImportError"),
    "missing file": ("open('/nowhere/to/be/found.txt')", "FileNotFoundError"),
    "no setup": ("del setup", "NoEntryPointError"),
    "error in cog_load": (
        """
class VoiceCog(VoiceCog):
    async def cog_load(self):
        await super().cog_load()
        raise RuntimeError('the engine room is flooded')
""",
        "RuntimeError: the engine room is flooded",
    ),
    "name collision": (
        """
async def setup(bot):
    await bot.add_cog(VoiceCog(bot))
    await bot.add_cog(VoiceCog(bot))
""",
        "ClientException",
    ),
    "command collision": (
        """
class VoiceCog(VoiceCog):
    @subcommand('voice', 'say', 'The same name once more.')
    async def say_again(self, interaction: discord.Interaction) -> None:
        return
""",
        "CommandAlreadyRegistered",
    ),
}


@pytest.fixture(autouse=True)
def nothing_changed_below_the_cogs(monkeypatch):
    monkeypatch.setattr("core.bot.reload_report.process_started_s", lambda: time.time() + 3600)


@pytest.fixture
def cogs_folder(tmp_path, monkeypatch):
    """A copy of the cogs that tests may break; Python finds it before the real one."""
    folder = tmp_path / "host" / "cogs"
    folder.mkdir(parents=True)
    for name in ("voice", "prompt", "admin"):
        shutil.copy(REAL / f"{name}.py", folder)
    for name in [name for name in sys.modules if name.split(".")[0] == "cogs"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "cogs"]:
        del sys.modules[name]


def add(file: Path, code: str) -> None:
    file.write_text(f"{file.read_text(encoding='utf-8')}\n{code}\n", encoding="utf-8")


async def owner_of_the_bot(scene) -> Person:
    """Who made the application, in the server without any right."""
    owner = await scene.person("Olga")
    scene.bot_user.application.owner = owner.user
    return owner


async def boss(scene) -> Person:
    """An administrator of the server, who also made the application: what is of the process is hers."""
    grace = await scene.person("Grace", roles=[scene.admin_role])
    scene.bot_user.application.owner = grace.user
    return grace


def gaps(frames) -> list[int]:
    """Sequence numbers that should lie between frames and never came."""
    return [
        (after.sequence - before.sequence) % 0x10000 - 1
        for before, after in itertools.pairwise(frames)
        if (after.sequence - before.sequence) % 0x10000 != 1
    ]


async def test_one_cog_or_all_of_them(scene):
    await scene.start()
    grace = await boss(scene)
    before = {name: scene.bot.extensions[name] for name in scene.bot.extensions}
    assert await scene.run(grace, "reload", cog="voice") == "Reloaded `voice`. Sessions and recordings went on."
    assert scene.bot.extensions["cogs.voice"] is not before["cogs.voice"]
    assert scene.bot.extensions["cogs.prompt"] is before["cogs.prompt"]
    assert "Reloaded `prompt`, `voice`, `admin`." in await scene.run(grace, "reload")
    assert all(scene.bot.extensions[name] is not module for name, module in before.items())
    assert "Reloaded `voice`" in await scene.run(grace, "reload", cog="cogs.voice")


async def test_imports_of_other_threads_do_not_stop_a_reload(scene, monkeypatch):
    await scene.start()
    grace = await boss(scene)
    reload_extension, before = scene.bot.reload_extension, scene.bot.extensions["cogs.voice"]
    failures = iter([RuntimeError("dictionary changed size during iteration")] * 3)

    async def reload(name):
        if failure := next(failures, None):  # as when a thread loads a module while discord.py looks through them
            raise failure
        await reload_extension(name)

    monkeypatch.setattr(scene.bot, "reload_extension", reload)
    assert (await scene.run(grace, "reload", cog="voice")).startswith("Reloaded `voice`.")
    assert scene.bot.extensions["cogs.voice"] is not before


async def test_autocomplete_offers_loaded_cogs(scene):
    await scene.start()
    grace = await boss(scene)
    names = [choice["value"] for choice in await grace.autocomplete(scene.text, "reload", "cog", "")]
    assert names == ["admin", "prompt", "voice"]
    assert [choice["value"] for choice in await grace.autocomplete(scene.text, "reload", "cog", "VO")] == ["voice"]


async def test_an_unknown_cog_is_named_with_those_there_are(scene):
    await scene.start()
    said = await scene.run(await boss(scene), "reload", cog="juggling")
    assert said == "There is no such cog. Loaded are `admin`, `prompt`, `voice`."


async def test_new_code_is_what_runs_afterwards(scene, cogs_folder):
    await scene.start()
    grace = await boss(scene)
    add(cogs_folder / "voice.py", 'NOT_IN_VOICE = "The new code speaks."')
    await scene.run(grace, "reload", cog="voice")
    assert await scene.run(grace, "voice join") == "The new code speaks."


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_broken_cog_leaves_the_old_one_running_and_shows_its_fault(scene, cogs_folder, fault):
    source, shown = BROKEN[fault]
    await scene.start()
    grace = await boss(scene)
    await grace.join(scene.voice)
    assert "I am in" in await scene.run(grace, "voice join")
    session, menu = scene.session, grace.menu(scene.text)
    commands = sorted(command.name for command in scene.bot.tree.get_command("voice").commands)
    add(cogs_folder / "voice.py", source)
    said = await scene.run(grace, "reload", cog="voice")
    assert said.startswith("`voice` has a fault, so the old one goes on running:\n```\n")
    assert said.endswith("```")
    assert shown in said
    for folder in (cogs_folder, CHECKOUT, Path.home(), Path("/nowhere")):
        assert f"{folder}" not in said
    assert sorted(command.name for command in scene.bot.tree.get_command("voice").commands) == commands
    assert scene.bot.extensions["cogs.voice"] is sys.modules["cogs.voice"]
    assert grace.menu(scene.text) == menu
    assert scene.session is session
    assert await scene.run(grace, "voice volume", percent=50) == "Volume is 50%."
    shutil.copy(REAL / "voice.py", cogs_folder)
    assert "Reloaded `voice`" in await scene.run(grace, "reload", cog="voice")
    assert "I left" in await scene.run(grace, "voice leave")


async def test_of_several_broken_cogs_each_fault_is_shown_and_the_others_are_reloaded(scene, cogs_folder):
    await scene.start()
    for name in ("voice", "prompt"):
        add(cogs_folder / f"{name}.py", f"raise ValueError({name!r} + ' is broken ' + 'very ' * 2000)")
    said = await scene.run(await boss(scene), "reload")
    assert said.startswith("Reloaded `admin`.")
    assert "ValueError: voice is broken" in said
    assert "ValueError: prompt is broken" in said
    assert said.count("```") == 4
    assert len(said) <= 2000


async def test_a_broken_admin_cog_can_still_be_reloaded_once_it_is_mended(scene, cogs_folder):
    await scene.start()
    grace = await boss(scene)
    add(cogs_folder / "admin.py", "import nowhere_to_be_found")
    assert "ModuleNotFoundError" in await scene.run(grace, "reload", cog="admin")
    shutil.copy(REAL / "admin.py", cogs_folder)
    assert "Reloaded `admin`" in await scene.run(grace, "reload", cog="admin")


async def test_changes_below_the_cogs_are_named_because_they_need_a_restart(scene, tmp_path, monkeypatch):
    await scene.start()
    changed = tmp_path / "core" / "newer.py"
    changed.parent.mkdir()
    changed.write_text("", encoding="utf-8")
    module = types.ModuleType("core.newer")
    module.__file__ = str(changed)
    monkeypatch.setitem(sys.modules, "core.newer", module)
    monkeypatch.setattr("core.bot.reload_report.process_started_s", lambda: changed.stat().st_mtime - 0.001)
    said = await scene.run(await boss(scene), "reload", cog="prompt")
    assert "Restart the bot for what has changed elsewhere:" in said
    assert "`core/newer.py`" in said
    assert str(tmp_path) not in said


# While the bot is at work ---------------------------------------------------------------------------------------------


async def test_reloading_while_the_bot_speaks_loses_no_frame(scene):
    await scene.start()
    ada = await scene.joined()
    grace = await boss(scene)
    scene.chat.script(text=STORY, pace_s=0.002)
    await ada.type(scene.text, "Tell me a story.")
    await ada.ears.wait_for_voice(scene.bot_user.id)
    for name in ("voice", "prompt", None, "voice"):
        options = {} if name is None else {"cog": name}
        assert "Reloaded" in await scene.run(grace, "reload", **options)
        await asyncio.sleep(0.4)
    await scene.turns_over()
    await asyncio.sleep(0.3)
    frames = ada.ears.heard(scene.bot_user.id)
    spoken = [index for index, frame in enumerate(frames) if frame.voiced]
    assert len(frames) * 0.02 > 6, "the story takes longer than the four reloads"
    assert gaps(frames) == []
    assert ada.ears.lost(scene.bot_user.id) == 0
    assert not any(frame.silence for frame in frames[spoken[0] : spoken[-1]]), "nothing ran dry inside the spurt"
    steps = {(b.rtp_timestamp - a.rtp_timestamp) % 2**32 for a, b in itertools.pairwise(frames)}
    assert steps == {960}
    (turn,) = scene.runtime.conversation.recent
    assert turn.heard_text == STORY
    assert scene.session.player.stats.underruns == 0


async def test_reloading_keeps_the_session_and_what_it_knows(scene):
    await scene.start()
    grace = await boss(scene)
    await grace.join(scene.voice)
    await scene.run(grace, "voice join")
    session, runtime = scene.session, scene.runtime
    await scene.run(grace, "voice volume", percent=30)
    await scene.run(grace, "reload")
    assert scene.runtime is runtime
    assert scene.session is session
    assert session.connected
    assert await scene.run(grace, "voice volume") == "Volume is 30%."
    assert "I left" in await scene.run(grace, "voice leave")


async def test_a_prompt_that_is_being_gathered_is_not_lost(scene):
    await scene.start(prompt={"gather_idle_s": 30, "gather_max_s": 60})
    ada, grace = await scene.joined(), await boss(scene)
    await ada.type(scene.text, "I was going to ask")
    await scene.until(lambda: scene.runtime.intake._gather._bursts)
    assert scene.chat.requests == []
    await scene.run(grace, "reload", cog="prompt")
    await scene.until(lambda: scene.chat.requests)
    assert scene.chat.prompts[0][-1]["content"] == "Ada: I was going to ask"


async def test_messages_that_come_in_the_middle_of_a_reload_are_answered_once_each(scene):
    await scene.start(prompt={"gather_idle_s": 30, "gather_max_s": 60})
    ada, grace = await scene.joined(), await boss(scene)
    for _ in range(3):
        scene.chat.script(text="Yes.")
    await ada.type(scene.text, "First of all")
    await scene.until(lambda: scene.runtime.intake._gather._bursts)
    scene.discord.faults.slow("PUT */reactions/*", 3.0, times=1)  # the old cog takes its time to go
    reload = await grace.slash(scene.text, "reload", cog="prompt")
    await scene.until(lambda: scene.bot.get_cog("Parley Prompt") is None)
    await ada.type(scene.text, "Did you get this one?")
    await asyncio.sleep(0.1)
    assert scene.bot.get_cog("Parley Prompt") is None, "the message came while there was no cog"
    assert "Reloaded" in (await reload.answered()).content
    await ada.type(scene.text, "And this one?")
    await scene.until(lambda: len(scene.chat.requests) == 3)
    await scene.turns_over()
    asked = [prompt[-1]["content"] for prompt in scene.chat.prompts]
    assert asked == ["Ada: First of all", "Ada: Did you get this one?", "Ada: And this one?"]


async def test_commands_that_come_in_the_middle_of_a_reload_are_carried_out_once(scene, monkeypatch):
    await scene.start()
    ada, grace = await scene.joined(), await boss(scene)
    cog = scene.bot.get_cog("Parley Voice")
    unload, gone = cog.cog_unload, asyncio.Event()

    async def slowly():
        await unload()
        gone.set()
        await asyncio.sleep(0.5)

    monkeypatch.setattr(cog, "cog_unload", slowly)
    reload = await grace.slash(scene.text, "reload", cog="voice")
    await gone.wait()
    assert scene.bot.tree.get_command("voice") is None, "the command comes while there is none"
    assert await scene.run(ada, "voice volume", percent=50) == "Volume is 50%."
    assert "Reloaded" in (await reload.answered()).content
    assert await scene.run(ada, "voice volume") == "Volume is 50%."


async def test_a_command_whose_cog_is_gone_is_answered_with_a_sentence(scene):
    await scene.start()
    ada = await scene.person()
    await scene.bot.unload_extension("cogs.voice")
    assert "not there right now" in await scene.run(ada, "voice status")


async def test_a_reply_that_is_being_written_goes_on_through_a_reload(scene):
    await scene.start()
    ada, grace = await scene.person(), await boss(scene)
    scene.chat.script(text="one two three four five six seven eight nine ten", pace_s=0.1)
    message = await ada.type(scene.text, f"<@{scene.bot_user.id}> count to ten!")
    await ada.wait_for_message(scene.text, lambda found: found.author is scene.bot_user, 10)
    await scene.run(grace, "reload")
    await scene.turns_over()
    replies = [found for found in ada.history(scene.text) if found.author is scene.bot_user and found.id > message.id]
    assert [reply.content for reply in replies] == ["one two three four five six seven eight nine ten"]


# Who may --------------------------------------------------------------------------------------------------------------


def show_to_all(scene, *names: str) -> None:
    """What a server's settings (Integrations) can do: show an administrator's command to everybody."""
    for command in scene.discord.registry.all(scene.bot_user.id):
        if command["name"] in names:
            command["default_member_permissions"] = None


async def test_others_do_not_see_the_commands(scene):
    await scene.start()
    bob = await scene.person("Bob", roles=[scene.world.add_role(scene.guild, "mods", Permission.MANAGE_GUILD)])
    for command in ("reload", "sync"):
        with pytest.raises(Refused, match="hides"):
            await bob.slash(scene.text, command)


async def test_others_are_refused_even_where_a_server_shows_them_the_commands(scene):
    await scene.start()
    show_to_all(scene, "reload", "sync")
    bob = await scene.person("Bob", roles=[scene.world.add_role(scene.guild, "mods", Permission.MANAGE_GUILD)])
    before = dict(scene.bot.extensions)
    assert (await scene.run(bob, "reload")).startswith("Only the bot's owner can do this")
    assert await scene.run(bob, "sync") == "Only administrators of this server or the bot's owner can do this."
    assert dict(scene.bot.extensions) == before


async def test_the_owner_may_without_being_an_administrator_also_in_a_direct_message(scene):
    owner = await owner_of_the_bot(scene)
    await scene.start()
    show_to_all(scene, "reload")
    assert "Reloaded `voice`" in await scene.run(owner, "reload", cog="voice")
    interaction = await owner.slash(owner.dm(scene.bot_user), "reload", cog="voice")
    assert "Reloaded `voice`" in (await interaction.answered()).content


# Telling Discord ------------------------------------------------------------------------------------------------------


def registered(scene, guild=None) -> list[str]:
    return sorted(command["name"] for command in scene.discord.registry.all(scene.bot_user.id, guild and guild.id))


def forget(scene) -> None:
    """As in a bot whose commands were never synced, but for /sync itself."""
    registry, app = scene.discord.registry, scene.bot_user.id
    for command in registry.all(app):
        if command["name"] != "sync":
            registry.delete(app, None, int(command["id"]))


ALL = ["prompt", "reload", "sync", "voice"]


async def test_sync_tells_discord_everywhere(scene):
    await scene.start()
    forget(scene)
    grace = await boss(scene)
    assert await scene.run(grace, "sync") == "Discord knows 4 command(s) everywhere now."
    assert registered(scene) == ALL
    assert registered(scene, scene.guild) == []


async def test_sync_names_what_it_takes_away(scene):
    await scene.start()
    scene.discord.registry.create(scene.bot_user.id, None, {"name": "old", "description": "From before.", "type": 1})
    said = await scene.run(await boss(scene), "sync")
    assert said == "Discord knows 4 command(s) everywhere now. Gone are `/old`."


async def test_sync_here_adds_only_what_is_not_everywhere_already(scene):
    await scene.start()
    forget(scene)
    grace = await boss(scene)
    assert await scene.run(grace, "sync", here=True) == "Discord knows 3 command(s) on this server alone now."
    assert registered(scene) == ["sync"]
    assert registered(scene, scene.guild) == ["prompt", "reload", "voice"]
    assert "You are in no voice channel" in await scene.run(grace, "voice join"), "the copies work"


async def test_no_command_is_there_twice_whatever_is_synced_in_which_order(scene):
    await scene.start()
    grace = await boss(scene)
    for here in (True, False, True, True, False):
        await scene.run(grace, "sync", here=here)
        assert registered(scene) == ALL
        assert registered(scene, scene.guild) == []
    forget(scene)
    for here in (True, False):
        await scene.run(grace, "sync", here=here)
    assert registered(scene) == ALL
    assert registered(scene, scene.guild) == []


async def test_copies_on_a_server_run_the_new_code_after_a_reload(scene, cogs_folder):
    await scene.start()
    forget(scene)
    grace = await boss(scene)
    await scene.run(grace, "sync", here=True)
    add(cogs_folder / "voice.py", 'NOT_IN_VOICE = "The new code speaks."')
    await scene.run(grace, "reload", cog="voice")
    assert await scene.run(grace, "voice join") == "The new code speaks."


async def test_sync_here_leaves_the_hosts_own_commands_of_the_server_alone(scene):
    await scene.start()
    guild = scene.bot.get_guild(scene.guild.id)

    @scene.bot.tree.command(name="local", description="Somebody else's.", guild=guild)
    async def local(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("mine")

    grace = await boss(scene)
    for here in (True, False, True):
        await scene.run(grace, "sync", here=here)
        assert registered(scene, scene.guild) == (["local"])
    assert [command.name for command in scene.bot.tree.get_commands(guild=guild)] == ["local"]


async def test_sync_here_needs_a_server(scene):
    owner = await owner_of_the_bot(scene)
    await scene.start()
    interaction = await owner.slash(owner.dm(scene.bot_user), "sync", here=True)
    assert "on the server itself" in (await interaction.answered()).content


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(403, "applications.commands"), (400, "did not take the commands (400)")],
)
async def test_a_refused_sync_is_told_in_a_sentence(scene, status, sentence):
    await scene.start()
    scene.discord.faults.fail("PUT */commands", status=status)
    assert sentence in await scene.run(await boss(scene), "sync")
