"""Each person may say which language they speak; a recogniser is told, and what they said names its language."""

from __future__ import annotations

import asyncio

from core.events import WordsHeard
from loopback.services.transcription_http import TranscriptionHttp


async def test_people_of_several_languages_are_each_heard_in_theirs(scene):
    async with TranscriptionHttp() as server:
        hearing = {"engine": "openai", "answer": "never", "openai": {"base_url": server.base_url}}
        await scene.start(hearing=hearing)
        ada = await scene.joined()
        assert "no such language" in await scene.run(ada, "voice voices", language="Klingon")
        assert "you speak German" in await scene.run(ada, "voice voices", language="German")
        bob = await scene.person("Bob")
        await bob.join(scene.voice)
        await scene.run(ada, "voice listen", on=True)
        await asyncio.gather(ada.until_encrypted(), bob.until_encrypted())
        heard = scene.events(WordsHeard)

        server.script(text="Der Hund ist sehr groß.", language="german")
        await ada.say("Der Hund ist sehr groß und schläft.", voice="de")
        await scene.until(lambda: [event.language for event in heard if event.final] == ["de"])
        server.script(text="The dog is big.", language="english")
        await bob.say("The dog is very big and sleeps.", voice="en-us")
        await scene.until(lambda: [event.language for event in heard if event.final] == ["de", "en"])
        told = [form.fields.get("language") for form in server.sounds]
        assert told[0] == ["de"] and told[-1] is None, "who said nothing is heard in whatever it is"

        person = ada.user.id
        assert scene.runtime.settings.language_of(person) == "de"
        exported = await scene.runtime.privacy.export_person(person)
        assert b'"language": "de"' in exported["voice.json"]
        await scene.runtime.privacy.delete_person(person)
        assert scene.runtime.settings.language_of(person) is None
