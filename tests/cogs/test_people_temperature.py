"""Each person may say how freely they want to be answered: by command or in plain words, within limits, told back."""

from __future__ import annotations

from core.conversation.text_sink import Unwritten
from core.conversation.turn import Prompt, PromptLine, Timings, Turn
from tests.cogs.people import COGS


async def asked(scene, person, text, channel=None):
    """The bot's reply to a message, and the temperature that a model was asked with for it, if one was."""
    before = len(scene.chat.requests)
    message = await person.type(channel or scene.text, f"<@{scene.bot_user.id}> {text}")
    reply = await scene.reply(person, message)
    requests = scene.chat.requests[before:]
    return reply.content, [request.json.get("temperature") for request in requests]


async def test_it_is_set_told_back_and_used_for_that_persons_turns_alone(scene):
    await scene.start(cogs=COGS)
    ada, ben = await scene.person("Ada"), await scene.person("Ben")
    assert "set no temperature" in await scene.run(ada, "persona temperature")
    assert "temperature of 0.3" in await scene.run(ada, "persona temperature", value=0.3)
    assert "is 0.3" in await scene.run(ada, "persona temperature")
    for beyond in (-0.1, 1.5, 1e9):
        assert await scene.run(ada, "persona temperature", value=beyond) == "A temperature lies between 0 and 1.4."
    assert (await asked(scene, ada, "What shall I bake?"))[1] == [0.3]
    assert (await asked(scene, ben, "What shall I bake?"))[1] == [None]
    assert "forgotten" in await scene.run(ada, "persona temperature", reset=True)
    assert (await asked(scene, ada, "And now?"))[1] == [None]


async def test_it_is_set_in_plain_words_of_several_languages_and_no_model_is_asked_for_that(scene):
    await scene.start(cogs=COGS)
    ada = await scene.person("Ada")
    assert await asked(scene, ada, "Be more creative, please!") == (
        "From now on I answer you with a temperature of 1.",
        [],
    )
    assert await asked(scene, ada, "sei bitte kreativer") == ("From now on I answer you with a temperature of 1.2.", [])
    assert "1.4" in (await asked(scene, ada, "sois plus créatif"))[0]
    assert "as far as it goes" in (await asked(scene, ada, "sé más creativo"))[0]
    assert "is 1.4" in (await asked(scene, ada, "What is my temperature?"))[0]
    assert "1.2" in (await asked(scene, ada, "be less creative"))[0]
    assert "0.5" in (await asked(scene, ada, "setz meine Temperatur auf 0,5"))[0]
    assert "between 0 and 1.4" in (await asked(scene, ada, "set my temperature to 9"))[0]
    assert (await asked(scene, ada, "How do I be more creative when I bake?"))[1] == [0.5]
    await scene.bot.close()
    await scene.start(cogs=COGS)
    assert (await asked(scene, ada, "And after a restart?"))[1] == [0.5]


async def test_if_several_people_speak_at_once_it_is_that_of_whoever_spoke_last(scene):
    await scene.start(cogs=COGS)
    ada, ben = await scene.person("Ada"), await scene.person("Ben")
    await scene.run(ada, "persona temperature", value=0.3)
    await scene.run(ben, "persona temperature", value=1.1)
    place = {"conversation_id": scene.text.id, "guild_id": scene.guild.id, "channel_id": scene.text.id}
    for order, expected in (((ada, ben), 1.1), ((ben, ada), 0.3)):
        lines = [PromptLine(each.user.id, each.user.name, "Hello.") for each in order]
        turn = Turn(Prompt.of_lines(lines, **place), Unwritten(), Timings(0.0))
        assert (await scene.runtime.conversation.advisers.ask(turn)).temperature == expected
