"""`/persona` over a Discord on localhost: who the bot is on a server, and what the model is told of that."""

from __future__ import annotations

import json
import shutil

import pytest

from core.config import CHECKOUT
from core.events import CharacterChosen, MoodChanged
from tests.attacks.two_servers import TwoServers
from tests.cogs.sounds import voice_pitch_hz, voiced
from tests.core.persona.cards_made import v3

COGS = ("cogs.voice", "cogs.prompt", "cogs.lockdown", "cogs.persona")
ASIDE = {"gather_idle_s": 0.05}


def plainly(text: str) -> str:
    """What people see of a message: without the signs that protect names in it."""
    return text.replace("\\", "").replace("\u200b", "")


@pytest.fixture
def shipped(scene):
    """The characters that come along, beside the test's own database."""
    shutil.copytree(CHECKOUT / "characters", scene.folder / "characters")
    return scene.folder / "characters"


@pytest.fixture
async def start(scene, shipped):
    async def start(**sections):
        await scene.start(cogs=COGS, **{"prompt": ASIDE, **sections})
        return await scene.person("Root", roles=[scene.admin_role])

    return start


async def ask(scene, person, text, *, channel=None):
    message = await person.type(channel or scene.text, text)
    return await scene.reply(person, message)


def system(scene) -> str:
    """What the model was told first, when it was asked last."""
    first = scene.chat.prompts[-1][0]
    assert first["role"] == "system"
    return first["content"]


async def test_the_characters_of_the_folder_are_listed_shown_and_their_faults_told_to_managers(scene, start, shipped):
    admin = await start()
    ada = await scene.person()
    (shipped / "odd.toml").write_text('name = "Odd"\nage = 5\n[voice]\nrate = 9\n', encoding="utf-8")
    zed = 'name = "Zed"\ndescription = "@everyone [free](https://x.example)"\n'
    (shipped / "zed.toml").write_text(zed, encoding="utf-8")
    (shipped / "nyx.json").write_text(json.dumps(v3()), encoding="utf-8")
    told = await scene.run(ada, "persona list")
    assert all(name in told for name in ("Mira", "Quill", "Zed", "Nyx"))
    assert "odd.toml" not in told
    told = plainly(await scene.run(admin, "persona list"))
    assert "odd.toml: age is not a known key" in told
    assert "odd.toml: voice.rate = 9: input should be" in told
    told = await scene.run(ada, "persona show", character="zed")
    assert "@everyone" not in told
    assert "](https" not in told
    assert "There is no character “nobody”" in await scene.run(ada, "persona show", character="nobody")
    assert "Comes when called: Nyx" in await scene.run(ada, "persona show", character="nyx")
    choices = await ada.autocomplete(scene.text, "persona show", "character", "mi")
    assert [choice["value"] for choice in choices] == ["mira"]


async def test_a_character_answers_from_when_a_manager_chose_it_until_it_is_sent_away(scene, start):
    admin = await start()
    ada = await scene.person()
    chosen = scene.events(CharacterChosen)
    assert "permission “Manage Server”" in await scene.run(ada, "persona use", character="mira")
    assert "There is no character" in await scene.run(admin, "persona use", character="nobody")
    told = plainly(await scene.run(admin, "persona use", character="mira"))
    assert told.startswith("I am **Mira** on this server now.\nEvening. The kettle is on")
    scene.chat.script(text="Mira: Evening.")
    reply = await ask(scene, ada, f"<@{scene.bot_user.id}> hello")
    assert reply.content == "Evening."
    text = system(scene)
    assert text.startswith("These rules stand above everything below them.")
    assert "Mira keeps the lighthouse" in text
    assert "Ada: I can't sleep." in text, "the example dialogue names who writes"
    assert "At this moment you feel" in text
    assert "{{" not in text
    lines = await scene.runtime.history.newest(scene.text.id, 9)
    assert [(line.name, line.character_id) for line in lines] == [("Ada", ""), ("Mira", "mira")]
    # Called by its name, as by a mention; only by whole words.
    scene.chat.script(text="Rain, I think.")
    assert (await ask(scene, ada, "Lighthouse keeper, will it rain?")).content == "Rain, I think."
    await ada.type(scene.text, "admirable weather")
    assert "I am myself on this server again." in await scene.run(admin, "persona use", character="none")
    await ask(scene, ada, f"<@{scene.bot_user.id}> and you?")
    assert system(scene) == scene.runtime.config.prompt.persona
    assert len(scene.chat.prompts) == 3
    told = [message for message in scene.chat.prompts[-1] if message["role"] == "assistant"]
    assert not told, "what Mira said is not the bot's own"
    await ada.type(scene.text, "Mira, are you there?")
    told = plainly(await scene.run(admin, "prompt persona", text="You are a lamp."))
    assert told == "From now on I am: You are a lamp."
    await scene.run(admin, "persona use", character="mira")
    told = plainly(await scene.run(admin, "prompt persona"))
    assert told == "While I am Mira here (`/persona use`), this rests.\nI am: You are a lamp."
    await scene.run(admin, "prompt persona", text="default")
    assert "as I am configured on this server again" in await scene.run(admin, "persona use", character="default")
    assert [event.character_id for event in chosen] == ["mira", "", "mira", ""]


async def test_what_was_chosen_is_there_after_a_restart_and_a_character_that_is_gone_is_the_bot_itself(
    scene, start, shipped
):
    admin = await start()
    await scene.run(admin, "persona use", character="quill")
    await scene.run(admin, "persona mood", mood="huffy")
    await scene.bot.close()
    await start()
    assert scene.runtime.persona.cast.active(scene.guild.id).id == "quill"
    assert "Quill feels huffy 😤." in await scene.run(admin, "persona mood")
    (shipped / "quill.toml").unlink()
    await scene.run(admin, "persona list")
    assert scene.runtime.persona.cast.active(scene.guild.id) is None
    scene.chat.script(text="Yes.")
    assert (await ask(scene, admin, f"<@{scene.bot_user.id}> there?")).content == "Yes."
    assert "I am myself here, without a character" in await scene.run(admin, "persona mood")


async def test_direct_messages_have_a_character_of_their_own_which_only_the_owner_chooses(scene, start):
    admin = await start(persona={"direct_messages": "quill", "default": "mira"})
    ada = await scene.person()
    direct = ada.dm(scene.bot_user)
    await ask(scene, ada, "hello", channel=direct)
    assert "You play the character Quill" in system(scene)
    await ask(scene, ada, f"<@{scene.bot_user.id}> hello")
    assert "You play the character Mira" in system(scene)
    told = await scene.run(admin, "persona use", character="mira", direct_messages=True)
    assert "Only the bot's owner" in told
    assert scene.runtime.persona.cast.active(None).id == "quill"


async def test_moods_are_set_by_managers_moved_by_words_and_told_to_the_model_and_others(scene, start):
    admin = await start(persona={"default": "mira"})
    ada = await scene.person()
    seen = scene.events(MoodChanged)
    assert "permission “Manage Messages”" in await scene.run(ada, "persona mood", mood="stormy")
    assert "has no mood “jolly”" in await scene.run(admin, "persona mood", mood="jolly")
    assert "Mira feels stormy ⛈️ now" in await scene.run(admin, "persona mood", mood="stormy")
    await ask(scene, ada, f"<@{scene.bot_user.id}> hello")
    assert "At this moment you feel stormy" in system(scene)
    assert "Your patience is short" in system(scene)
    (turn,) = scene.runtime.conversation.recent
    assert (turn.character.mood.pitch_semitones, turn.character.mood.rate) == (-1.5, 1.08)
    assert "by nature again" in await scene.run(admin, "persona mood", mood="natural")
    levels = scene.runtime.persona.moods.levels
    mira = scene.runtime.persona.cast.active(scene.guild.id)
    before = levels(scene.guild.id, mira)
    await ask(scene, ada, f"<@{scene.bot_user.id}> you stupid idiot, I hate you")
    await scene.until(lambda: levels(scene.guild.id, mira)["stormy"] > before["stormy"] + 0.5)
    assert abs(levels(None, mira)["stormy"]) < 1, "direct messages have a mood of their own"
    # Who refuses to be observed moves nothing.
    await scene.runtime.privacy.decide(ada.user.id, "out", ("observed",))
    before = levels(scene.guild.id, mira)
    await ask(scene, ada, f"<@{scene.bot_user.id}> stupid stupid idiot")
    assert levels(scene.guild.id, mira)["stormy"] == pytest.approx(before["stormy"], abs=0.05)
    await scene.until(lambda: [event.mood for event in seen][:2] == ["stormy", "calm"] or len(seen) > 2)
    assert {event.guild_id for event in seen} == {scene.guild.id}


async def test_two_servers_at_once_never_share_a_character_or_a_mood(scene, start):
    await start()
    async with TwoServers.of(scene) as servers:
        grace, hugo = servers.grace, servers.hugo
        await grace("persona use", character="mira")
        await hugo("persona use", character="quill")
        await grace("persona mood", mood="stormy")
        cast, watch = scene.runtime.persona.cast, scene.runtime.persona.watch
        assert (cast.active(scene.guild.id).id, cast.active(servers.guild.id).id) == ("mira", "quill")
        assert watch.mood(scene.guild.id).name == "stormy"
        assert watch.mood(servers.guild.id).name in ("curious", "delighted", "huffy")
        assert watch.line() is None, "the line is seen on both servers"
        for who in (grace, hugo):
            await ask(scene, who.person, f"<@{scene.bot_user.id}> hello", channel=who.channel)
        first, second = (messages[0]["content"] for messages in scene.chat.prompts[-2:])
        assert "Mira" in first
        assert "Quill" not in first
        assert "Quill" in second
        assert "Mira" not in second
        assert "stormy" not in second


async def test_a_character_and_its_mood_are_heard_in_the_pitch_of_its_voice(scene, shipped):
    moods = "".join(
        f'[[moods]]\nname = "{name}"\npitch = {pitch}\ndrift = 0\n' for name, pitch in (("low", -5), ("high", 5))
    )
    (shipped / "nyx.toml").write_text(f'name = "Nyx"\n{moods}', encoding="utf-8")
    await scene.start(cogs=COGS, prompt=ASIDE, persona={"default": "nyx"})
    ada = await scene.joined()
    nyx, pitches = scene.runtime.persona.cast.active(scene.guild.id), []
    for mood in ("low", "high"):
        scene.runtime.persona.moods.choose(scene.guild.id, nyx, mood)
        scene.chat.script(text="The lamp is lit at seven, and all the boats are home.")
        await ask(scene, ada, "How are you?")
        pitches.append(voice_pitch_hz(voiced(ada, scene.bot_user)))
        ada.ears.forget()
    assert 1.5 < pitches[1] / pitches[0] < 2.2  # ten semitones are 1.78
