"""The promise: whoever a character is and whatever people are called, the persona pings nobody, and no server sees another's."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from loopback.world.permissions import Permission
from tests.attacks.test_names_in_every_message import NAMES, alive, words_of, written
from tests.attacks.two_servers import TwoServers
from tests.cogs.people import PROFILE
from tests.core.persona.cards_made import picture, v3

COGS = ("cogs.voice", "cogs.prompt", "cogs.recordings", "cogs.persona", "cogs.schedule", "cogs.lockdown", "cogs.admin")
PERSONA = {
    "profiles": {"every": 5},
    "joining_in": {"every": 3, "min_interval_s": 0},
    "arguments": {"lines": 2, "characters_per_s": 0, "again_s": 0, "second": "rival"},
    "autonomous": {"quiet_hours": ""},
}


def mood(name: str) -> dict[str, Any]:
    return {"name": name[:32], "emoji": name[:16], "told": name}


def toml(table: dict[str, Any]) -> str:
    """A flat table, with moods; JSON writes strings and lists as TOML does."""
    moods = table.pop("moods", [])
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    for each in moods:
        lines += ["[[moods]]", *(f"{key} = {json.dumps(value)}" for key, value in each.items())]
    return "\n".join(lines) + "\n"


def character(name: str, words: str) -> str:
    texts = dict.fromkeys(("description", "personality", "scenario", "instruction", "example", "greeting"), words)
    return toml({"name": name[:60], **texts, "triggers": [name[:40]], "moods": [mood(name), mood(f"b{name}")]})


@pytest.mark.parametrize("name", NAMES[:2])
async def test_all_that_the_persona_says_holds_no_markup_of_strangers(scene: Any, name: str) -> None:
    folder = scene.folder / "characters"
    folder.mkdir()
    for file in ("host", "rival"):
        (folder / f"{file}.toml").write_text(character(name, f"{name} {{{{user}}}} {{{{char}}}}"), encoding="utf-8")
        (folder / f"{file}.png").write_bytes(picture())
    (folder / "broken.toml").write_text(f"name = {json.dumps(name)}\n{json.dumps(name)} = 1\n", encoding="utf-8")
    scene.guild.name = scene.text.name = name
    await scene.start(cogs=COGS, persona=PERSONA)
    ada = await scene.person(name, roles=[scene.admin_role], nick=name[:32])
    scene.bot_user.application.owner = ada.user
    scene.runtime.privacy.consent.decide("observed", ada.user.id, "in")

    async def says(command: str, **options: object) -> list[str]:
        interaction = await ada.slash(scene.text, command, **options)
        return words_of(await interaction.answered(30))

    said = await says("persona list")
    said += await says("persona show", character="host")
    said += await says("persona show", character=name[:90])
    said += await says("persona use", character="host")
    said += await says("persona mood")
    said += await says("persona mood", mood=name[:32])
    said += await says("persona mood", mood="no such")
    for card in hostile_cards(name):
        said += await says("persona import", card=("card.json", json.dumps(card).encode(), "application/json"))
    said += await says("persona export", character="rival")
    said += await says("persona temperature", value=0.5)
    said += await says("persona observe", state="on")
    said += await says("persona observe")
    said += await says("persona every", messages=3)
    said += await says("persona autonomous", on=True)
    scene.chat.always(text=f"{name}: Do not press {name} please.")
    said += await says("persona argue", topic=f"{name} hello")
    room = scene.runtime.persona.arguments.arguments
    await scene.until(lambda: room.running(scene.guild.id) is None)
    for number in range(3):
        await ada.type(scene.text, f"{name} hello {number}")
    await scene.until(lambda: len(own(scene)) >= 3)
    scene.chat.always(
        text=json.dumps(
            {key: name[:30] if isinstance(each, str) else [name[:30]] for key, each in PROFILE.items()}
            | {"reply_style": "brief"}
        )
    )
    for number in range(3):
        await ada.type(scene.text, f"and again {number}")
    await scene.runtime.people.messages.flush()
    await asyncio.sleep(0.3)
    said += await says("persona profile")
    said += await says("persona status")
    said += await says("schedule add", when="in 30 minutes", what="say", text=name)
    said += await says("schedule add", when=name[:90], what="say", text=name)
    said += await says("schedule list")
    said += await says("schedule zone", zone=name[:50])
    said += await says("persona stop")
    said += await says("persona remove", character="host")
    offered = [
        choice["name"]
        for command, option in (("persona use", "character"), ("persona mood", "mood"), ("schedule remove", "schedule"))
        for choice in await ada.autocomplete(scene.text, command, option, "")
    ]
    for text in [*said, *written(scene)]:
        if "Do not press" not in text:
            assert alive(text) is None, text
    for message in scene.text.messages.values():
        if message.author is scene.bot_user:
            assert not message.pings, message.content
    assert offered
    assert not any("\n" in text or "\u202e" in text or len(text) > 100 for text in offered)


def hostile_cards(name: str) -> list[Any]:
    extensions = {"parley": {"moods": [{"name": name, name: 1}], "voice": {name: name}, "triggers": [name]}}
    return [
        v3(name=name, description=name, first_mes=name, creator_notes=name, extensions=extensions),
        {"spec": name, "data": {"name": "x"}},
        {"spec": "chara_card_v3", "data": {"name": [name]}},
        {"spec": "chara_card_v3", "data": name},
        name,
    ]


def own(scene: Any) -> list[str]:
    return [each.content for each in scene.text.messages.values() if "Do not press" in each.content]


async def test_no_server_sees_chooses_or_removes_what_is_anothers(scene: Any) -> None:
    (scene.folder / "characters").mkdir()
    await scene.start(cogs=COGS, persona={**PERSONA, "arguments": {"lines": 2, "characters_per_s": 0}})
    async with TwoServers.of(scene) as both:
        grace, hugo = both.grace, both.hugo
        world = scene.world
        role = world.add_role(both.guild, "bot", Permission.ADMINISTRATOR)
        world.edit_member(both.guild, both.guild.members[scene.bot_user.id], role_ids=[role.id])
        world.add_member(both.guild, grace.user)
        card = json.dumps(v3(name="Secretkeeper", description="SECRETWORD", first_mes="hello")).encode()
        interaction = await grace.person.slash(
            scene.text, "persona import", card=("card.json", card, "application/json")
        )
        preview = await interaction.answered(30)
        await grace.person.press(preview, "Keep")
        shelf = scene.runtime.persona.shelf
        await scene.until(lambda: any(each.guild_id for each in shelf.of(scene.guild.id)))
        (sheet,) = [each for each in shelf.of(scene.guild.id) if each.guild_id]
        assert "Secretkeeper" in await grace("persona use", character=sheet.id)
        for command in ("show", "use", "remove", "export"):
            told = await hugo(f"persona {command}", character=sheet.id)
            assert "There is no character" in told, (command, told)
            assert "SECRETWORD" not in told
        assert await hugo.complete("persona use", "character") == []
        assert "Secretkeeper" not in await hugo("persona list") + await hugo("persona status")
        assert "myself" in await hugo("persona mood")
        (added,) = [await grace("schedule add", when="in 30 minutes", what="say", text="SECRETWORD")]
        assert "SECRETWORD" in added
        for command in ("remove", "pause", "resume"):
            assert "SECRETWORD" not in await hugo(f"schedule {command}", schedule="1")
        assert "SECRETWORD" not in await hugo("schedule list")
        assert len(scene.runtime.schedules.of(scene.guild.id)) == 1
        # A person of both: what is kept of them on one server is not shown, and not told the model, on the other.
        scene.runtime.privacy.consent.decide("observed", grace.user.id, "in")
        await grace("persona observe", state="on")
        scene.chat.script(text=json.dumps(PROFILE | {"interests": ["SECRETWORD"]}))
        for number in range(5):
            await grace.person.type(scene.text, f"thing {number}")
        people = scene.runtime.people
        await scene.until(lambda: len(scene.chat.prompts) >= 1)
        await people.messages.flush()
        elsewhere = await grace.person.slash(both.text, "persona profile")
        assert "SECRETWORD" not in (await elsewhere.answered(30)).content
        scene.chat.prompts.clear()
        asked = len(scene.chat.prompts)
        await grace.person.type(both.text, f"<@{scene.bot_user.id}> hello")
        await scene.until(lambda: len(scene.chat.prompts) > asked)
        await scene.turns_over()
        assert all("SECRETWORD" not in str(prompt) for prompt in scene.chat.prompts if "hello" in str(prompt))


async def test_a_reload_in_the_middle_of_everything_leaves_no_task_of_the_persona_behind(scene: Any) -> None:
    persona = {**PERSONA, "arguments": {"lines": 2, "characters_per_s": 1, "longest_pause_s": 60}}
    await scene.start(cogs=COGS, persona=persona)
    ada = await scene.person("Ada", roles=[scene.admin_role])
    scene.runtime.privacy.consent.decide("observed", ada.user.id, "in")
    await scene.run(ada, "persona observe", state="on")
    names = {task.get_name() for task in asyncio.all_tasks()}
    await scene.run(ada, "persona argue", topic="tea")
    scene.chat.always(silent=True)
    for number in range(6):
        await ada.type(scene.text, f"thing {number}")
    await scene.until(lambda: len(scene.chat.requests) >= 2)
    for _ in range(2):
        await scene.bot.reload_extension("cogs.persona")
    scene.chat.always(silent=False)
    await scene.until(lambda: not [name for name in _new(names) if "argument" in name or "join in" in name], 10)
    assert not [name for name in _new(names) if "webhook" in name]
    message = await ada.type(scene.text, f"<@{scene.bot_user.id}> hello")
    await scene.reply(ada, message)


def _new(names: set[str]) -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name() not in names]
