"""`launcher.py doctor`: a line for each thing it looked at, and how to mend what is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from loopback.services.chat import Chat
from loopback.world.permissions import Permission

if TYPE_CHECKING:
    from tests.launch.conftest import Ended

KEY = "sk-a-key-of-a-model-that-must-not-be-shown"


async def examine(desk, *arguments: str, token: str | None = None, **environ: str) -> Ended:
    there = desk.there if desk.discord is not None else []
    if token is None and desk.discord is not None:
        token = desk.standard.bot.token
    ended = await desk.run("doctor", "--config", str(desk.config), *there, *arguments, token=token, **environ)
    assert "Traceback" not in ended.out + ended.err
    for secret in (token, KEY):
        assert not secret or secret not in ended.out + ended.err
    return ended


def finding(ended: Ended, mark: str, what: str) -> str:
    """The line that begins with this, and what to do about it below."""
    lines = ended.out.splitlines()
    for index, line in enumerate(lines):
        if line.startswith(f" {mark} {what}"):
            below = []
            for more in lines[index + 1 :]:
                if not more.startswith("     "):
                    break
                below.append(more.strip())
            return "\n".join([line.strip(), *below])
    raise AssertionError(f"no line “ {mark} {what}” in:\n{ended.out}")


def mended(ended: Ended) -> None:
    """Every bad line says how to mend it."""
    lines = ended.out.splitlines()
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        assert not line.startswith(" ✗") or below.startswith("     "), line


async def test_where_everything_is_there_it_says_so(desk):
    await desk.open_discord()
    async with Chat() as chat:
        route = f'[model.routes.default]\nbase_url = "{chat.base_url}"\nmodel = "stand-in"\napi_key_env = "MY_KEY"\n'
        desk.write(route)
        ended = await examine(desk, MY_KEY=KEY)
    assert ended.code == 0, ended.out
    assert "✗" not in ended.out
    assert ended.out.rstrip().endswith("Everything the bot needs is there.")
    for what in (
        "settings can be used",
        "Python 3.",
        "discord.py 2.7.",
        "davey 0.1.",
        "discord-ext-voice-recv 0.5.2a179",
        "Opus: ",
        f"database sqlite+aiosqlite:///{desk.folder}",
        "disk: ",
        "speech: espeak (this machine)",
        "model route “default” answers in",
        "logged in as parley",
        "may read messages",
        "server “Localhost”: has every permission it needs",
    ):
        finding(ended, "✓", what)


async def test_without_a_token_it_says_where_to_get_one_and_looks_at_the_rest(desk):
    ended = await examine(desk)
    assert ended.code == 1
    told = finding(ended, "✗", "no token")
    assert "a file named .env" in told
    assert "https://discord.com/developers/applications" in told
    finding(ended, "✓", "speech: espeak")
    assert ended.out.rstrip().endswith("1 thing(s) to mend, see above.")


async def test_without_a_model_it_says_what_the_bot_does_then(desk):
    await desk.open_discord()
    ended = await examine(desk)
    assert ended.code == 0
    assert "reads the prompt channel aloud" in ended.out


async def test_settings_that_cannot_be_used_end_it_at_once(desk):
    desk.write("[voice]\nvolume = 7\n")
    ended = await examine(desk)
    assert ended.code == 2
    assert "config.toml: [voice] volume = 7:" in finding(ended, "✗", "settings")


async def test_a_wrong_token_is_told_without_showing_it(desk):
    await desk.open_discord()
    ended = await examine(desk, token="MTIz.GabcDE.a-wrong-token")
    assert ended.code == 1
    assert "Copy it again into DISCORD_TOKEN" in finding(ended, "✗", "Discord refuses the token")


async def test_a_discord_that_does_not_answer_is_told(desk):
    ended = await examine(desk, "--discord", "http://127.0.0.1:9/api/v10", token="MTIz.GabcDE.a-token")
    assert ended.code == 1
    assert "Check the network" in finding(ended, "✗", "Discord cannot be reached")


async def test_a_missing_intent_is_told_with_where_to_switch_it_on(desk):
    await desk.open_discord()
    desk.standard.bot.application.privileged = frozenset({"members"})
    ended = await examine(desk)
    assert ended.code == 1
    assert "“Message Content Intent”" in finding(ended, "✗", "may not read messages")


async def test_missing_permissions_are_named_for_each_server_with_an_invitation(desk):
    discord = await desk.open_discord()
    guild, bot = desk.standard.guild, desk.standard.bot
    discord.world.edit_member(guild, guild.members[bot.id], role_ids=[])
    guild.everyone.permissions &= ~(Permission.SPEAK | Permission.ATTACH_FILES)
    ended = await examine(desk)
    assert ended.code == 1
    told = finding(ended, "✗", "server “Localhost”: missing Attach Files, Speak")
    assert f"client_id={bot.id}" in told


async def test_a_bot_in_no_server_is_odd_but_no_fault(desk):
    discord = await desk.open_discord()
    discord.world.remove_member(desk.standard.guild, desk.standard.bot)
    ended = await examine(desk)
    assert ended.code == 0
    assert "Invite the bot: https://discord.com/oauth2/authorize?client_id=" in finding(ended, "!", "in no server yet")


@pytest.mark.parametrize(
    ("engine", "section", "named"),
    [
        ("openai", '[speech.openai]\nbase_url = "http://127.0.0.1:9/v1"\n', "127.0.0.1:9"),
        ("wyoming", '[speech.wyoming]\nhost = "127.0.0.1"\nport = 9\n', "127.0.0.1:9"),
        ("websocket", '[speech.websocket]\nurl = "ws://127.0.0.1:9"\n', "127.0.0.1:9"),
        ("espeak", '[speech.espeak]\nvoice = "klingon-standard"\n', "klingon-standard"),
    ],
)
async def test_an_engine_that_is_not_there_is_named_with_its_address(desk, engine, section, named):
    desk.write(f"[speech]\nengine = {json.dumps(engine)}\n{section}")
    told = finding(await examine(desk), "✗", "speech")
    assert engine in told
    assert named in told
    assert "[speech] engine" in told


async def test_a_model_that_is_not_there_or_refuses_is_told_by_its_route(desk):
    async with Chat() as chat:
        chat.script(status=401)
        fast = f'[model.routes.fast]\nbase_url = "{chat.base_url}"\nmodel = "stand-in"\nretries = 0\n'
        away = '[model.routes.default]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "stand-in"\nretries = 0\n'
        desk.write(away + fast)
        ended = await examine(desk)
    assert "127.0.0.1:9" in finding(ended, "✗", "model route “default”")
    mended(ended)


async def test_a_database_and_a_folder_that_cannot_be_used_are_named(desk):
    desk.config.write_text('[store]\nurl = "sqlite+aiosqlite:////dev/null/parley.db"\n', encoding="utf-8")
    ended = await examine(desk)
    assert ended.code == 1
    assert "check [store] url" in finding(ended, "✗", "database")
    mended(ended)
    (desk.folder / "taken").write_text("a file where a folder should be", encoding="utf-8")
    folder = (desk.folder / "taken" / "recordings").as_posix()
    desk.config.write_text(f'[recording]\nfolder = "{folder}"\n', encoding="utf-8")
    assert "cannot be made" in finding(await examine(desk), "✗", f"folder {folder}")
