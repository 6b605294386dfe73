"""What goes wrong while people are heard: they mute, leave, come back, lose packets, hum, get new keys; the words so far count."""

from __future__ import annotations

import asyncio
import io
import wave

import numpy as np

from core.events import WordsHeard
from loopback.people.espeak import synthesise
from loopback.services.transcription_http import TranscriptionHttp
from loopback.voice.faults import Network
from tests.core.hearing.mouths import noise

LONG = "We have seven apples and three oranges on the table, and the weather is very nice today."
STORY = " ".join(f"This is sentence number {number} of a long story about a king." for number in range(1, 9))


def finals(heard: list[WordsHeard], person) -> list[str]:
    return [event.text for event in heard if event.final and event.user_id == person.user.id]


async def hears(scene, server, **hearing):
    await scene.start(hearing={"engine": "openai", "openai": {"base_url": server.base_url}, **hearing})
    ada = await scene.joined()
    await scene.run(ada, "voice listen", on=True)
    await ada.until_encrypted()
    return ada, scene.events(WordsHeard)


async def test_words_so_far_count_through_loss_muting_leaving_new_keys_and_a_humming_microphone(scene):
    async with TranscriptionHttp() as server:
        ada, heard = await hears(scene, server, answer="never")
        scene.discord.voice.faults.network_for[scene.bot_user.id] = Network(loss=0.05)
        sound = await synthesise(LONG, voice="en-us")

        server.always(text="Through loss and new keys.")
        talking = asyncio.create_task(ada.play(sound))
        await asyncio.sleep(1.5)
        bob = await scene.person("Bob")
        await bob.join(scene.voice)  # the group gets new keys in the middle of it
        await talking
        await scene.until(lambda: finals(heard, ada), 20)
        assert server.sounds[-1].duration_s > 4, "lost packets are concealed, and keep their place"

        for end in (ada.mute, ada.leave):
            count = len(finals(heard, ada))
            server.always(text="In the middle of")
            talking = asyncio.create_task(ada.play(sound))
            await asyncio.sleep(2.0)
            talking.cancel()
            await asyncio.wait([talking])
            await end()
            await scene.until(lambda count=count: len(finals(heard, ada)) > count, 20)
            assert finals(heard, ada)[-1] == "In the middle of"
            if end == ada.mute:
                await ada.mute(on=False)
        await ada.join(scene.voice)
        await asyncio.gather(ada.until_encrypted(), bob.until_encrypted())
        count, asked = len(finals(heard, ada)), len(server.sounds)
        await bob.play(noise(2.5, level=0.1))
        assert len(server.sounds) == asked and not finals(heard, bob), "what hums is no speech"
        server.always(text="And back again.")
        await ada.play(sound)
        await scene.until(lambda: finals(heard, ada)[count:] == ["And back again."], 20)


def tone(seconds: float) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        at = np.arange(round(seconds * 48_000)) / 48_000
        file.writeframes((8000 * np.sin(2 * np.pi * 440 * at)).astype("<i2").tobytes())
    return out.getvalue()


async def test_its_own_voice_out_of_a_loudspeaker_is_not_answered_and_music_plays_on_while_it_gives_way(scene):
    async with TranscriptionHttp() as server:
        ada, heard = await hears(scene, server, answer="always")
        await scene.runtime.play(scene.guild.id, tone(60), title="tune")
        await scene.until(lambda: scene.session.media.position_s > 0.2)
        scene.chat.script(text=STORY, pace_s=0.001)
        await ada.type(scene.text, "Tell me a story.")
        await scene.until(lambda: scene.runtime.conversation.recent)
        turn = scene.runtime.conversation.recent[-1]
        await scene.until(lambda: turn.line is not None and turn.line.begun)
        await scene.until(lambda: "king" in turn.heard_text, 20)  # what comes out of a loudspeaker was said before
        server.always(text="sentence number 1 of a long story about a king")
        await ada.play(await synthesise(STORY[:60], voice="en-us"))
        await scene.until(lambda: finals(heard, ada), 20)
        assert turn.outcome is None and len(scene.chat.prompts) == 1, "its own words neither stop it nor ask anything"

        server.always(text="Please stop, I have a question.")
        scene.chat.script(text="Yes?")
        before_s = scene.session.media.position_s
        await ada.play(await synthesise("Please stop, I have a question.", voice="en-us"))
        await scene.until(lambda: turn.outcome == "stopped", 20)
        assert scene.session.media.position_s > before_s + 1 and scene.session.media.tracks, "music goes on"
