"""Which interactions wait for a cog: those that discord.py finds no command for, and no others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import discord
import pytest
from discord import app_commands

from core.bot.interactions import AWAY, InteractionRouter
from core.clock import SystemClock


class Response:
    """Keeps what was said."""

    def __init__(self, error: Exception | None = None) -> None:
        self.said: list[str] = []
        self._error = error

    def is_done(self) -> bool:
        return bool(self.said)

    async def send_message(self, text: str, **_options: object) -> None:
        if self._error is not None:
            raise self._error
        self.said.append(text)


def tree(guild_id: int | None) -> app_commands.CommandTree[Any]:
    """A tree with `/voice status`, everywhere or on one server."""
    found: app_commands.CommandTree[Any] = app_commands.CommandTree(discord.Client(intents=discord.Intents.none()))
    group = app_commands.Group(name="voice", description="Voice.")

    async def status(interaction: discord.Interaction) -> None:
        """Nobody calls it here."""

    group.add_command(app_commands.Command(name="status", description="Status.", callback=status))
    found.add_command(group, guild=discord.Object(guild_id) if guild_id else None)
    return found


def call(response: Response, *, guild_id: int | None = None, subcommand: str = "status") -> Any:
    data: dict[str, Any] = {"name": "voice", "type": 1, "options": [{"name": subcommand, "type": 1, "options": []}]}
    if guild_id is not None:
        data["guild_id"] = str(guild_id)
    return SimpleNamespace(type=discord.InteractionType.application_command, data=data, response=response)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.bot.interactions.WAIT_S", 0.1)


@pytest.mark.parametrize(("registered", "called"), [(None, None), (7, 7), (None, 7)])
async def test_what_discord_py_finds_is_left_to_it(registered: int | None, called: int | None) -> None:
    returning, response = InteractionRouter(tree(registered), SystemClock()), Response()
    returning.know({"voice"})
    await returning.seen(call(response, guild_id=called))
    assert response.said == []


async def test_what_is_gone_is_answered_with_a_sentence() -> None:
    returning, response = InteractionRouter(tree(7), SystemClock()), Response()
    returning.know({"voice"})
    await returning.seen(call(response, guild_id=7, subcommand="record"))
    assert response.said == [AWAY]


async def test_an_answer_that_comes_too_late_is_no_error_of_the_hosts(caplog: pytest.LogCaptureFixture) -> None:
    returning, response = InteractionRouter(tree(None), SystemClock()), Response(RuntimeError("answered already"))
    returning.know({"voice"})
    with caplog.at_level("INFO"):
        await returning.seen(call(response, subcommand="record"))
    assert "answered already" in caplog.text


async def test_a_menu_command_is_told_from_a_typed_one_of_the_same_name():
    found, response = tree(None), Response()

    async def of_message(interaction: discord.Interaction, message: discord.Message) -> None:
        """Nobody calls it here."""

    returning = InteractionRouter(found, SystemClock())
    returning.know({"voice"})
    menu = call(response)
    menu.data = {"name": "voice", "type": 3, "target_id": "1"}
    await returning.seen(menu)
    assert response.said == [AWAY]  # there is a /voice, but no such menu command
    found.add_command(app_commands.ContextMenu(name="voice", callback=of_message))
    there = Response()
    menu.response = there
    await returning.seen(menu)
    assert not there.said
