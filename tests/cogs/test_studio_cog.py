"""Pictures sent to the bot, drawings asked of it, and how both give way to a voice session."""

from __future__ import annotations

import asyncio
import io
import json

import pytest
from PIL import Image

from core.config import Environment
from core.config.model import ModelSection
from core.errors import StoreError
from core.studio import studio
from launch.bot import ParleyBot
from loopback.services.comfyui import ComfyUI
from tests.comfy_workflow import workflow

COGS = ("cogs.voice", "cogs.prompt", "cogs.admin", "cogs.lockdown", "cogs.studio")
NO_VISION = "I cannot look at pictures while I am in a voice channel. Please ask me again afterwards."
NO_DRAWING = "I cannot draw while I am in a voice channel. Please ask me again afterwards."


def png(colour: str = "red", size: tuple[int, int] = (200, 100)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
async def comfyui():
    async with ComfyUI() as server:
        yield server


@pytest.fixture
async def start(scene, comfyui):
    async def start(**sections):
        route = {"base_url": scene.chat.base_url, "model": "stand-in", "vision": True, "retries": 0}
        file = scene.folder / "flow.json"
        file.write_text(json.dumps(workflow()), encoding="utf-8")
        comfy = {"url": comfyui.url, "workflow": str(file), "width": 64, "height": 64, **sections.pop("comfyui", {})}
        config = scene.config(
            **{
                "studio": {"comfyui": comfy},
                "prompt": {"gather_idle_s": 0.05},
                **sections,
            }
        ).model_copy(update={"model": ModelSection.model_validate({"routes": {"default": route}})})
        return await scene.start_bot(ParleyBot(config, Environment({}), cogs=COGS, connector=scene.discord.connector()))

    return start


async def ask(scene, person, text, *files):
    return await person.type(scene.text, f"<@{scene.bot_user.id}> {text}", attachments=list(files))


async def test_a_picture_goes_to_the_model_that_sees_and_its_answer_comes_as_a_reply(scene, start):
    await start()
    ada = await scene.person()
    scene.chat.script(text="A red field.")
    message = await ask(scene, ada, "what is this?", ("field.bin.png", png(size=(3000, 1500)), "image/png"))
    reply = await scene.reply(ada, message)
    assert reply.content == "A red field."
    assert reply.reply_to is message
    (picture,) = scene.chat.pictures
    assert picture.media_type == "image/jpeg"
    assert Image.open(io.BytesIO(picture.data)).size == (1024, 512)
    assert scene.chat.prompts[-1][-1]["content"][0]["text"] == "Ada: what is this?"


async def test_a_character_looks_as_itself_under_the_same_rules(scene, start):
    (scene.folder / "characters").mkdir()
    (scene.folder / "characters" / "mira.toml").write_text('name = "Mira"\ndescription = "A keeper."', encoding="utf-8")
    await start(persona={"default": "mira"})
    ada = await scene.person()
    scene.chat.script(text="Mira: A red field.")
    message = await ask(scene, ada, "what is this?", ("a.png", png(), "image/png"))
    assert (await scene.reply(ada, message)).content == "A red field."
    told = scene.chat.prompts[-1][0]["content"]
    assert told.startswith("These rules stand above everything below them.")
    assert "A keeper." in told
    lines = await scene.runtime.history.newest(scene.text.id, 9)
    assert [(line.name, line.character_id) for line in lines] == [("Ada", ""), ("Mira", "mira")]


async def test_a_later_prompt_may_speak_of_the_picture(scene, start):
    await start()
    ada = await scene.person()
    scene.chat.script(text="A red field.")
    await scene.reply(ada, await ask(scene, ada, "what is this?", ("a.png", png(), "image/png")))
    await scene.reply(ada, await ask(scene, ada, "and which colour was it?"))
    told = [message["content"] for message in scene.chat.prompts[-1]]
    assert "Ada: what is this? [sent a picture]" in told
    assert "A red field." in told


async def test_who_is_deleted_while_their_picture_is_looked_at_is_not_remembered_with_it(scene, start):
    await start()
    ada = await scene.person()
    scene.chat.script(text="A red field. " * 40, pace_s=0.01)
    asking = await ask(scene, ada, "what is this?", ("a.png", png(), "image/png"))
    await scene.until(lambda: scene.chat.prompts)
    await scene.runtime.privacy.delete_person(ada.user.id)
    await scene.reply(ada, asking)
    assert await scene.runtime.history.newest(scene.text.id, 9) == []


async def test_a_database_that_fails_costs_the_memory_of_a_picture_and_not_the_answer(
    scene, start, monkeypatch, caplog
):
    await start()
    ada = await scene.person()

    async def full(*_args, **_options):
        raise StoreError("My database cannot be read or written.")

    monkeypatch.setattr(scene.runtime.history, "add", full)
    scene.chat.script(text="A red field.")
    message = await ask(scene, ada, "what is this?", ("a.png", png(), "image/png"))
    assert (await scene.reply(ada, message)).content == "A red field."
    assert "is not remembered" in caplog.text


async def test_frames_of_an_animation_are_looked_at(scene, start):
    await start()
    ada = await scene.person()
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue", "white", "black", "yellow")]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    await scene.reply(ada, await ask(scene, ada, "what moves?", ("a.gif", out.getvalue(), "image/gif")))
    assert len(scene.chat.pictures) == 4


async def test_a_file_that_only_claims_to_be_a_picture_is_named_as_none(scene, start):
    await start()
    ada = await scene.person()
    reply = await scene.reply(ada, await ask(scene, ada, "see?", ("a.png", b"MZ\x90 not a picture", "image/png")))
    assert reply.content == "That file is no picture or video that I can read."
    assert scene.chat.prompts == []


async def test_drawing_by_command_shows_progress_and_posts_the_picture(scene, start, comfyui):
    await start()
    comfyui.always(on="/prompt", pace_s=0.05)
    ada = await scene.person()
    interaction = await ada.slash(scene.text, "draw", prompt="a *cat*", seed=7)
    done = await interaction.wait_for(lambda message: message.attachments)
    assert done.content == "🎨 a \\*cat\\*"
    assert any("Drawing" in revision.content for revision in done.revisions)
    (file,) = done.attachments
    assert file.content_type == "image/png"
    asked = next(request.json for request in comfyui.requests if request.path == "/prompt")["prompt"]
    assert (asked["6"]["inputs"]["text"], asked["3"]["inputs"]["seed"]) == ("a *cat*", 7)


async def test_drawing_by_message(scene, start, comfyui):
    await start()
    ada = await scene.person()
    message = await ask(scene, ada, "draw me a lighthouse at night")
    reply = await scene.reply(ada, message)
    await scene.until(lambda: reply.attachments)
    asked = next(request.json for request in comfyui.requests if request.path == "/prompt")["prompt"]
    assert asked["6"]["inputs"]["text"] == "a lighthouse at night"
    assert scene.chat.prompts == []


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [({"status": 500}, "answered with status 500"), ({"fails": "boom"}, "failed in node 3 (KSampler): RuntimeError")],
)
async def test_a_failed_drawing_is_one_sentence_in_the_same_message(scene, start, comfyui, fault, sentence):
    await start()
    comfyui.script(on="/prompt", **fault)
    ada = await scene.person()
    interaction = await ada.slash(scene.text, "draw", prompt="a cat")
    said = await interaction.wait_for(lambda message: sentence in message.content)
    assert "\n" not in said.content
    reply = await scene.reply(ada, await ask(scene, ada, "hello"))  # nothing hangs
    assert reply.content


async def test_a_drawing_over_the_upload_limit_is_made_smaller(scene, start, comfyui):
    await start()
    comfyui.script(on="/prompt", padding=11 * 2**20)
    ada = await scene.person()
    interaction = await ada.slash(scene.text, "draw", prompt="a cat")
    done = await interaction.wait_for(lambda message: message.attachments)
    assert done.attachments[0].content_type == "image/jpeg"


async def test_during_a_session_both_give_way_with_their_message_and_no_server_is_touched(scene, start, comfyui):
    await start()
    ada = await scene.joined()
    bob = await scene.person("Bob")
    picture = ("a.png", png(), "image/png")
    for person in (ada, bob):  # it makes no difference whether they are in the voice channel
        for text, files, sentence in (("what is this?", [picture], NO_VISION), ("draw a cat", [], NO_DRAWING)):
            message = await person.type(scene.text, f"<@{scene.bot_user.id}> {text}", attachments=files)
            assert (await scene.reply(person, message)).content == sentence
            assert await person.wait_for_reaction(message, "🎤") == "🎤"
    assert await scene.run(bob, "draw", prompt="a cat") == NO_DRAWING
    assert comfyui.requests == []
    assert scene.chat.prompts == []

    await scene.run(ada, "voice leave")
    interaction = await bob.slash(scene.text, "draw", prompt="a cat")
    await interaction.wait_for(lambda message: message.attachments)
    await scene.reply(bob, await ask(scene, bob, "what is this?", picture))
    assert len(scene.chat.pictures) == 1


async def test_a_lock_that_comes_between_the_asking_and_the_work_keeps_the_servers_untouched(
    scene, start, comfyui, monkeypatch
):
    await start()
    lockdown, loop = scene.runtime.lockdown, asyncio.get_running_loop()
    look, read = scene.runtime.studio.look, studio.read_workflow

    async def engage():
        await lockdown.engage("s1", guild_id=1, channel_id=2)

    async def look_late(files, owner):
        await engage()
        return await look(files, owner)

    def read_late(path):
        asyncio.run_coroutine_threadsafe(engage(), loop).result(5)
        return read(path)

    monkeypatch.setattr(scene.runtime.studio, "look", look_late)
    monkeypatch.setattr(studio, "read_workflow", read_late)
    ada = await scene.person()
    message = await ask(scene, ada, "what is this?", ("a.png", png(), "image/png"))
    assert (await scene.reply(ada, message)).content == NO_VISION
    await lockdown.release("s1")
    interaction = await ada.slash(scene.text, "draw", prompt="a cat")
    assert "needs the machine now" in (await interaction.answered()).content
    assert (scene.chat.prompts, comfyui.requests) == ([], [])


async def test_a_session_that_begins_stops_the_drawing_under_way(scene, start, comfyui):
    await start()
    comfyui.script(on="/prompt", hang_after=1)
    ada = await scene.person()
    await ada.join(scene.voice)
    interaction = await ada.slash(scene.text, "draw", prompt="a cat")
    await comfyui.wait_for(lambda request: request.path == "/prompt")
    await interaction.wait_for(lambda message: "Drawing" in message.content)
    assert "I am in" in await scene.run(ada, "voice join")
    said = await interaction.wait_for(lambda message: "stopped" in message.content)
    assert "needs the machine now" in said.content
    assert "/interrupt" in [request.path for request in comfyui.requests]


async def test_a_reload_of_the_cog_does_not_end_a_drawing(scene, start, comfyui):
    bot = await start()
    comfyui.script(on="/prompt", pace_s=0.3)
    ada = await scene.person()
    interaction = await ada.slash(scene.text, "draw", prompt="a cat")
    await comfyui.wait_for(lambda request: request.path == "/prompt")
    await bot.reload_extension("cogs.studio")
    assert (await interaction.wait_for(lambda message: message.attachments)).attachments
