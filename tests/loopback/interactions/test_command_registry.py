"""Registering commands: discord.py's sync, ids and versions, limits, and errors as Discord words them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import discord
import pytest
from discord import app_commands

from loopback.errors import ApiError
from loopback.interactions.command_registry import CommandRegistry

if TYPE_CHECKING:
    from tests.loopback.interactions.conftest import Scene

APPLICATION = 1
GUILD = 2


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(clock: Clock) -> CommandRegistry:
    return CommandRegistry(itertools.count(100).__next__, clock)


def command(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "description": "d", **fields}


def test_an_overwrite_keeps_ids_and_changes_versions_of_what_changed(registry: CommandRegistry) -> None:
    first = registry.overwrite(APPLICATION, None, [command("a"), command("b"), command("c")])
    second = registry.overwrite(APPLICATION, None, [command("a"), command("b", description="new")])
    assert [one["name"] for one in registry.all(APPLICATION)] == ["a", "b"]
    assert [one["id"] for one in second] == [one["id"] for one in first[:2]]
    assert second[0]["version"] == first[0]["version"]
    assert second[1]["version"] != first[1]["version"]


def test_dropping_all_options_is_a_change(registry: CommandRegistry) -> None:
    option = {"type": 3, "name": "text", "description": "d"}
    registry.overwrite(APPLICATION, None, [command("a", options=[option])])
    (stored,) = registry.overwrite(APPLICATION, None, [command("a")])
    assert "options" not in stored


def test_a_post_of_an_existing_name_overwrites_it(registry: CommandRegistry) -> None:
    first, was_new = registry.create(APPLICATION, None, command("a"))
    assert was_new
    second, was_new = registry.create(APPLICATION, None, command("a", description="new"))
    assert not was_new
    assert second["id"] == first["id"]
    menu, was_new = registry.create(APPLICATION, None, {"name": "a", "type": 2})
    assert was_new
    assert menu["id"] != first["id"]


def test_guild_commands_stand_before_global_ones(registry: CommandRegistry) -> None:
    registry.create(APPLICATION, None, command("a", description="global"))
    registry.create(APPLICATION, None, command("b"))
    registry.create(APPLICATION, GUILD, command("a", description="of the guild"))
    offered = {one["name"]: one["description"] for one in registry.offered(APPLICATION, GUILD)}
    assert offered == {"a": "of the guild", "b": "d"}
    assert {one["description"] for one in registry.offered(APPLICATION, None)} == {"global", "d"}


def test_an_edit_changes_only_what_is_given(registry: CommandRegistry) -> None:
    stored, _ = registry.create(APPLICATION, None, command("a", nsfw=True))
    edited = registry.edit(APPLICATION, None, int(stored["id"]), {"description": "new"})
    assert (edited["name"], edited["description"], edited["nsfw"]) == ("a", "new", True)
    registry.create(APPLICATION, None, command("b"))
    assert refusal(lambda: registry.edit(APPLICATION, None, int(stored["id"]), {"name": "b"})).code == 50035


def test_what_is_not_there_is_unknown(registry: CommandRegistry) -> None:
    for act in (registry.get, registry.delete):
        assert refusal(lambda act=act: act(APPLICATION, None, 7)).code == 10063


def test_one_bad_command_refuses_the_whole_overwrite(registry: CommandRegistry) -> None:
    registry.overwrite(APPLICATION, None, [command("a")])
    error = refusal(lambda: registry.overwrite(APPLICATION, None, [command("b"), command("C")]))
    assert error.to_json() == {
        "code": 50035,
        "message": "Invalid Form Body",
        "errors": {
            "1": {
                "name": {
                    "_errors": [{"code": "APPLICATION_COMMAND_INVALID_NAME", "message": "Command name is invalid"}]
                }
            }
        },
    }
    assert [one["name"] for one in registry.all(APPLICATION)] == ["a"]


def test_two_of_one_name_are_refused(registry: CommandRegistry) -> None:
    error = refusal(lambda: registry.overwrite(APPLICATION, None, [command("a"), command("a")]))
    assert error.errors["1"]["_errors"][0]["code"] == "APPLICATION_COMMANDS_DUPLICATE_NAME"


def test_a_hundred_commands_are_the_most(registry: CommandRegistry) -> None:
    registry.overwrite(APPLICATION, None, [command(f"c{n}") for n in range(100)])
    assert refusal(lambda: registry.create(APPLICATION, None, command("more"))).code == 30032
    assert refusal(lambda: registry.overwrite(APPLICATION, None, [command(f"d{n}") for n in range(101)])).code == 30032


def test_two_hundred_creates_a_day_are_the_most_and_updates_do_not_count(
    registry: CommandRegistry, clock: Clock
) -> None:
    for day_part in range(2):
        registry.overwrite(APPLICATION, None, [command(f"part{day_part}-{n}") for n in range(100)])
    for _ in range(5):
        registry.overwrite(APPLICATION, None, [command(f"part1-{n}", description="new") for n in range(100)])
    error = refusal(lambda: registry.overwrite(APPLICATION, None, [command("one-more")]))
    assert (error.status, error.code) == (400, 30034)
    assert error.message == "Max number of daily application command creates has been reached (200)"
    clock.now_s = 86_400
    registry.overwrite(APPLICATION, None, [command("one-more")])


def refusal(act: Any) -> ApiError:
    with pytest.raises(ApiError) as raised:
        act()
    return raised.value


async def test_a_tree_syncs_and_gets_its_ids_back(scene: Scene) -> None:
    synced = await scene.bot.tree.sync()
    assert {one.name for one in synced} >= {"say", "voice", "Describe", "Quote"}
    assert await scene.bot.tree.fetch_commands() == synced
    voice = next(one for one in synced if one.name == "voice")
    assert {option.name for option in voice.options} == {"join", "set"}
    assert await scene.bot.tree.fetch_command(voice.id) == voice


async def test_guild_commands_are_synced_edited_and_deleted(scene: Scene) -> None:
    guild = discord.Object(scene.standard.guild.id)
    scene.bot.tree.copy_global_to(guild=guild)
    synced = await scene.bot.tree.sync(guild=guild)
    say = next(one for one in synced if one.name == "say")
    edited = await say.edit(description="Say it well")
    assert (edited.id, edited.description) == (say.id, "Say it well")
    await edited.delete()
    with pytest.raises(discord.NotFound) as raised:
        await scene.bot.tree.fetch_command(say.id, guild=guild)
    assert raised.value.code == 10063


async def test_discord_py_reads_the_errors_of_a_bad_command(scene: Scene) -> None:
    @app_commands.command(name="fine", description="d")
    async def fine(interaction: discord.Interaction) -> None: ...

    fine.description = "d" * 101
    scene.bot.tree.add_command(fine)
    with pytest.raises(app_commands.CommandSyncFailure, match="Must be between 1 and 100 in length"):
        await scene.bot.tree.sync()


async def test_another_applications_commands_are_closed(scene: Scene) -> None:
    other = scene.loopback.world.add_user("other", bot=True)
    with pytest.raises(discord.Forbidden):
        await scene.bot.http.get_global_commands(other.id)
    with pytest.raises(discord.NotFound):
        await scene.bot.http.get_guild_commands(scene.bot.application_id, 5)
