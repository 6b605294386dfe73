"""`launcher.py run`: it says plainly why it cannot start, and stops in good order."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

import pytest

from core.config import CHECKOUT

if TYPE_CHECKING:
    from tests.launch.conftest import Ended

TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDE.a-token-that-must-not-be-shown-anywhere"


def refused(ended: Ended, *, code: int = 2) -> str:
    """The sentence of a launcher that did not start."""
    assert ended.code == code, ended
    assert "Traceback" not in ended.err
    assert ended.out == ""
    return ended.err.strip()


# Before anything is connected -----------------------------------------------------------------------------------------


async def test_without_a_token_it_says_where_to_put_one(desk):
    said = refused(await desk.run("run", "--config", str(desk.config)))
    assert said.startswith("DISCORD_TOKEN is not set. Put the bot's token into a file named .env")
    assert "doctor" in said


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "[voice]\nmax_sesions = 2\n",
            ["config.toml: [voice] max_sesions is not a known key; known are:", "max_sessions"],
        ),
        ("[voise]\nmax_sessions = 2\n", ["config.toml: [voise] is not a known section; known are:", "voice"]),
        ('[voice]\nmax_sessions = "many"\n', ["config.toml: [voice] max_sessions = 'many':", "integer"]),
        ("[voice]\nvolume = 7\n", ["config.toml: [voice] volume = 7:", "less than or equal to 2"]),
        ('[speech]\nengine = "parrot"\n', ["[speech] engine = 'parrot':", "'espeak'", "'wyoming'"]),
        ('[log]\nlevel = "LOUD"\n', ["[log] level = 'LOUD':", "'INFO'"]),
        ("[voice\n", ["config.toml is not valid TOML"]),
        ('[model.routes.fast]\nmodel = "m"\n', ["[model]", "none named 'default'"]),
        ("[voice]\nvolume = 7\nmax_sesions = 2\n", ["volume = 7", "max_sesions"]),
    ],
)
async def test_wrong_settings_are_refused_with_file_key_value_and_what_is_allowed(desk, text, parts):
    desk.write(text)
    said = refused(await desk.run("run", "--config", str(desk.config), token=TOKEN))
    for part in parts:
        assert part in said


async def test_wrong_settings_from_the_environment_are_refused(desk):
    ended = await desk.run("run", "--config", str(desk.config), token=TOKEN, PARLEY_VOICE__MAX_SESSIONS="0")
    assert "[voice] max_sessions = '0':" in refused(ended)


async def test_a_settings_file_that_is_not_there_is_named(desk):
    said = refused(await desk.run("run", "--config", "nowhere.toml", token=TOKEN))
    assert said == "nowhere.toml cannot be read: No such file or directory."


async def test_an_unknown_cog_is_named_with_those_there_are(desk):
    said = refused(await desk.run("run", "--config", str(desk.config), "--cogs", "voice,juggling", token=TOKEN))
    assert said.startswith("There is no cog “juggling”. There are: admin, ")


async def test_a_database_that_cannot_be_opened_is_named(desk):
    await desk.open_discord()
    desk.config.write_text('[store]\nurl = "sqlite+aiosqlite:////dev/null/parley.db"\n', encoding="utf-8")
    ended = await desk.run("run", "--config", str(desk.config), *desk.there, token=desk.standard.bot.token)
    said = refused(ended)
    assert "The database parley.db cannot be opened; check [store] url" in said


# Discord --------------------------------------------------------------------------------------------------------------


async def test_a_wrong_token_is_refused_without_showing_it(desk):
    await desk.open_discord()
    ended = await desk.run("--verbose", "run", "--config", str(desk.config), *desk.there, token=TOKEN)
    assert ended.code == 2
    assert "Discord refuses the token in DISCORD_TOKEN. Copy it again from the developer portal" in ended.err
    assert "Traceback" not in ended.err
    assert TOKEN not in ended.out + ended.err


async def test_a_missing_intent_is_named_with_where_to_switch_it_on(desk):
    await desk.open_discord()
    desk.standard.bot.application.privileged = frozenset()
    ended = await desk.run("run", "--config", str(desk.config), *desk.there, token=desk.standard.bot.token)
    assert "switch on “Message Content Intent”" in refused(ended)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def test_a_discord_that_cannot_be_reached_is_named(desk):
    url = f"http://127.0.0.1:{free_port()}/api/v10"
    said = refused(await desk.run("run", "--config", str(desk.config), "--discord", url, token=TOKEN), code=1)
    assert said.startswith("Discord cannot be reached: ")
    assert "Check the network and --discord." in said


async def test_something_else_than_a_discord_is_told_apart(desk):
    await desk.open_discord()
    url = desk.discord.rest.replace("/api/v10", "/nothing")
    said = refused(await desk.run("run", "--config", str(desk.config), "--discord", url, token=TOKEN), code=1)
    assert "Discord cannot be reached: " in said


async def test_a_certificate_file_that_is_none_is_named(desk):
    await desk.open_discord()
    arguments = ["--discord", desk.discord.rest, "--ca", str(desk.config)]
    said = refused(await desk.run("run", "--config", str(desk.config), *arguments, token=TOKEN))
    assert said.startswith(f"--ca {desk.config}: ")


async def test_commands_that_discord_does_not_take_do_not_keep_the_bot_from_running(desk):
    await desk.open_discord()
    desk.discord.faults.fail("PUT */commands", status=400, times=None)
    bot = await desk.bot()
    await bot.says("Discord did not take the commands")


# A run ----------------------------------------------------------------------------------------------------------------


async def joined(desk):
    """A person and the bot in the voice channel."""
    ada = await desk.discord.person("Ada", desk.standard.guild)
    await ada.join(desk.standard.voice)
    interaction = await ada.slash(desk.standard.text, "voice join")
    assert "I am in" in (await interaction.answered()).content
    return ada


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends other signals; launch/run.py handles them")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_session_and_the_process_in_good_order(desk, number):
    await desk.open_discord()
    bot = await desk.bot()
    ada = await joined(desk)
    await ada.slash(desk.standard.text, "voice say", text="I am in the middle of a rather long sentence. " * 5)
    await ada.ears.wait_for_voice(desk.standard.bot.id)
    begun_s = time.monotonic()
    bot.process.send_signal(number)
    ended = await bot.ended(5)
    assert ended.code == 0, ended.err
    assert time.monotonic() - begun_s < 5
    assert "Traceback" not in ended.err
    assert "ended: I am shutting down." in ended.err
    await asyncio.sleep(0.1)
    assert desk.standard.bot.id not in desk.standard.guild.voice_states
    assert not list(desk.folder.glob("*.db-wal")), "the database is closed"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends other signals; launch/run.py handles them")
async def test_what_hangs_at_the_end_does_not_keep_the_process(desk):
    """A thread that never ends, as a broken disk would cause."""
    await desk.open_discord()
    (desk.folder / "sitecustomize.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,)).start()\n", encoding="utf-8"
    )
    bot = await desk.bot(PYTHONPATH=str(desk.folder))
    bot.process.send_signal(signal.SIGTERM)
    ended = await bot.ended(5.5)
    assert "still hangs" in ended.err


async def test_it_syncs_once_and_again_only_when_the_commands_change(desk):
    await desk.open_discord()
    seen: list[int] = []
    overwrite = desk.discord.registry.overwrite

    def spy(application_id, guild_id, body):
        seen.append(len(body))
        return overwrite(application_id, guild_id, body)

    desk.discord.registry.overwrite = spy
    for arguments, syncs in (((), 1), ((), 1), (("--cogs", "voice,prompt"), 2), (("--cogs", "voice,prompt"), 2)):
        bot = await desk.bot(*arguments)
        bot.process.terminate()
        await bot.ended()
        assert len(seen) == syncs
    overwrite(desk.standard.bot.id, None, [])  # somebody else's program took them away
    bot = await desk.bot("--cogs", "voice,prompt")
    bot.process.terminate()
    await bot.ended()
    assert len(seen) == 3
    assert [file.name for file in desk.folder.glob("*.sha256")] == [f"commands-{desk.standard.bot.id}.sha256"]


async def test_only_the_named_cogs_are_loaded(desk):
    await desk.open_discord()
    await desk.bot("--cogs", "voice")
    ada = await desk.discord.person("Ada", desk.standard.guild)
    offered = {line.split()[0] for line in ada.menu(desk.standard.text)}
    assert offered == {"voice"}


async def test_no_secret_reaches_the_log_however_much_is_logged(desk):
    await desk.open_discord()
    key = "sk-a-key-of-a-model-that-must-not-be-shown"
    desk.write(
        '[log]\nlevel = "DEBUG"\n[model.routes.default]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\napi_key_env = "MY_KEY"\n'
    )
    settings = ["--config", str(desk.config)]
    token = desk.standard.bot.token
    bot = await desk.start("--verbose", "run", *settings, *desk.there, token=token, MY_KEY=key)
    await bot.says("logged in as")
    ada = await desk.discord.person("Ada", desk.standard.guild)
    message = await ada.type(desk.standard.text, f"<@{desk.standard.bot.id}> are you there?")
    reply = await ada.wait_for_message(desk.standard.text, lambda found: found.id > message.id, 20)
    bot.process.terminate()
    ended = await bot.ended()
    written = ended.out + ended.err + reply.content
    assert len(ended.err) > 5000, "a lot was logged"
    assert token not in written
    assert key not in written


# The command line -----------------------------------------------------------------------------------------------------


async def test_help_names_every_command_and_its_options(desk):
    ended = await desk.run("--help")
    assert ended.code == 0
    for command in ("run", "demo", "doctor", "loopback"):
        assert f"\n    {command} " in ended.out
        described = await desk.run(command, "--help")
        assert described.code == 0
        assert described.out.startswith(f"usage: launcher.py {command}")
    assert "--discord URL" in (await desk.run("run", "--help")).out


@pytest.mark.parametrize("arguments", [(), ("dance",), ("run", "--nonsense")])
async def test_a_wrong_command_line_shows_the_usage(desk, arguments):
    ended = await desk.run(*arguments)
    assert ended.code == 2
    assert ended.err.startswith("usage: launcher.py")


async def test_it_runs_from_any_working_directory(desk):
    assert desk.folder != CHECKOUT
    ended = await desk.run("run", "--config", "config.toml")
    assert "DISCORD_TOKEN is not set" in refused(ended)
