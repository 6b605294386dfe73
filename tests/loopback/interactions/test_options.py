"""Options of every type reach the bot as the real client sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from loopback.interactions.interaction import Callback
from loopback.people.refused import Refused
from loopback.world import Permission

if TYPE_CHECKING:
    from tests.loopback.interactions.conftest import Scene


@pytest.fixture
def options(scene: Scene) -> dict[str, Any]:
    role = scene.loopback.world.add_role(scene.standard.guild, "singer")
    return {
        "word": "word",
        "count": 2,
        "ratio": 0.5,
        "really": True,
        "who": scene.bob,
        "role": role,
        "somebody": role,
        "where": scene.standard.text,
        "file": ("a.txt", b"abc", "text/plain"),
        "colour": "green",
    }


async def test_every_type_arrives(scene: Scene, options: dict[str, Any]) -> None:
    interaction = await scene.alice.slash(scene.standard.text, "everything", **options)
    answer = await interaction.answered()
    assert answer.content == "word 2 0.5 True bob singer singer general b'abc' green"
    assert scene.bot.errors == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("word", "w", "2 to 5"),
        ("count", 4, "1 to 3"),
        ("who", "bob", "nothing like 'bob'"),
        ("where", None, "needs its option 'where'"),
        ("file", b"abc", "given as"),
        ("colour", "blue", "takes one of"),
    ],
)
async def test_a_wrong_value_never_leaves_the_client(
    scene: Scene, options: dict[str, Any], name: str, value: object, says: str
) -> None:
    with pytest.raises(Refused, match=says):
        await scene.alice.slash(scene.standard.text, "everything", **{**options, name: value})
    assert scene.bot.interactions == []


async def test_a_channel_of_another_type_is_not_offered(scene: Scene, options: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="only"):
        await scene.alice.slash(scene.standard.text, "everything", **{**options, "where": scene.standard.voice})


async def test_a_hidden_channel_is_not_offered(scene: Scene, options: dict[str, Any]) -> None:
    hidden = scene.loopback.world.add_text_channel(scene.standard.guild, "hidden")
    everyone = scene.standard.guild.everyone
    scene.loopback.world.set_overwrite(hidden, everyone, deny=Permission.VIEW_CHANNEL)
    with pytest.raises(Refused, match="does not show"):
        await scene.alice.slash(scene.standard.text, "everything", **{**options, "where": hidden})
    with pytest.raises(Refused, match="VIEW_CHANNEL"):
        await scene.alice.slash(hidden, "say", text="a")


async def test_groups_and_subcommands_are_reached_by_their_path(scene: Scene) -> None:
    joined = await scene.alice.slash(scene.standard.text, "voice join", channel=scene.standard.voice)
    assert (await joined.answered()).content == "joined Lounge"
    assert (await (await scene.alice.slash(scene.standard.text, "/voice join")).answered()).content == "joined yours"
    volume = await scene.alice.slash(scene.standard.text, "voice set volume", percent=40)
    assert (await volume.answered()).content == "volume 40"
    assert {"say", "voice join", "voice set volume"} <= set(scene.alice.menu(scene.standard.text))


async def test_an_unknown_command_is_not_offered(scene: Scene) -> None:
    with pytest.raises(Refused, match="no command 'sing'"):
        await scene.alice.slash(scene.standard.text, "sing")


async def test_autocomplete_gives_the_choices_of_the_moment(scene: Scene) -> None:
    text = scene.standard.text
    choices = await scene.alice.autocomplete(text, "place", "town", "Be", country="all")
    assert choices == [{"name": "Berlin", "value": "berlin"}, {"name": "Bern", "value": "bern"}]
    assert await scene.alice.autocomplete(text, "place", "town", "X") == []


async def test_more_than_25_choices_are_refused(scene: Scene) -> None:
    with pytest.raises(TimeoutError, match="no response"):
        await scene.alice.autocomplete(scene.standard.text, "place", "town", "many", timeout=0.2)


async def test_menus_carry_their_target(scene: Scene) -> None:
    described = await scene.alice.user_menu(scene.standard.text, scene.bob.user, "Describe")
    assert (await described.answered()).content == "that is bob"
    message = await scene.bob.type(scene.standard.text, "wise words")
    quoted = await scene.alice.message_menu(message, "Quote")
    answer = await quoted.answered()
    assert answer.content == "> wise words"
    assert answer.kind == 23


async def test_default_permissions_hide_a_command(scene: Scene) -> None:
    assert "secret" not in scene.alice.menu(scene.standard.text)
    with pytest.raises(Refused, match="hides 'secret'"):
        await scene.alice.slash(scene.standard.text, "secret")
    role = scene.loopback.world.add_role(scene.standard.guild, "manager", Permission.MANAGE_GUILD)
    carol = await scene.loopback.person("carol", scene.standard.guild, roles=[role])
    assert (await (await carol.slash(scene.standard.text, "secret")).answered()).content == "secret"


async def test_without_use_application_commands_nothing_is_offered(scene: Scene) -> None:
    everyone = scene.standard.guild.everyone
    scene.loopback.world.set_overwrite(scene.standard.text, everyone, deny=Permission.USE_APPLICATION_COMMANDS)
    assert scene.alice.menu(scene.standard.text) == []


async def test_commands_work_in_direct_messages(scene: Scene) -> None:
    channel = scene.alice.dm(scene.standard.bot)
    interaction = await scene.alice.slash(channel, "say", text="hello")
    assert await interaction.response() is Callback.MESSAGE
    received = await scene.received()
    assert received.guild is None
    assert received.context.dm_channel
    assert received.user.name == "alice"


async def test_the_payload_carries_what_the_real_one_does(scene: Scene) -> None:
    await scene.alice.slash(scene.standard.text, "say", text="hello")
    received = await scene.received()
    assert received.channel.id == scene.standard.text.id
    assert received.guild.id == scene.standard.guild.id
    assert received.user.name == "alice"
    assert received.permissions.send_messages
    assert not received.permissions.manage_guild
    assert received.app_permissions.administrator
    assert received.filesize_limit == 10 * 1024 * 1024
    assert str(received.locale) == "en-US"
    assert received.context.guild
    assert received.entitlements == []
    assert received.guild_locale is not None
    assert received.is_guild_integration()
