"""Everybody's words are on their own track, in their place, as loud as they were; the mix is all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.audio.frames import OPUS_SILENCE
from core.bot.record_session import subscribe_to_own_voice
from loopback.people.espeak import synthesise
from tests.journeys.sounds import RATE_HZ, clicks, find, peaks, voice
from tests.journeys.studio import Spoken, assert_nothing_else, assert_there

if TYPE_CHECKING:
    from core.audio.frames import OpusFrame
    from tests.journeys.studio import Studio

HEADROOM = 10 ** (-3 / 20)


@pytest.mark.parametrize("mode", ["aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"])
async def test_people_are_found_on_their_tracks_where_and_as_loud_as_they_spoke(studio: Studio, mode: str) -> None:
    both, studio.faults.modes = studio.faults.modes, (mode,)
    await studio.start()
    studio.faults.modes = both  # people's clients speak only the second
    ada, ben, cleo = await studio.people("Ada", "Ben", "Cleo")
    await studio.record()
    together = await asyncio.gather(studio.speak(ada, voice(0)), studio.speak(ben, voice(1, level=0.1)))
    alone = [await studio.speak(cleo, voice(2, 0.6)), await studio.speak(ada, voice(3, 0.7, level=0.4))]
    recorded = await studio.stop()
    said = [*together, *alone]
    assert_there(recorded, *said, likeness=0.99)
    for person in (ada, ben, cleo):
        assert_nothing_else(recorded, person.user.id, [spoken for spoken in said if spoken.user_id == person.user.id])
    assert recorded.metadata.state == "finished"
    assert recorded.metadata.encryption.transport == mode
    assert {person.name for person in recorded.metadata.people} == {"Ada", "Ben", "Cleo"}
    for person in recorded.metadata.people:
        assert (person.packets.lost, person.packets.concealed, person.packets.undecryptable) == (0, 0, {})
        frames = sum(len(spoken.sent_s) + 5 for spoken in said if str(spoken.user_id) == person.id)
        assert person.packets.received == frames
    total = sum(recorded.track(person.user.id).astype(np.float64) for person in (ada, ben, cleo))
    assert np.abs(total * HEADROOM - recorded.mix).max() <= 1  # nothing was loud enough for the limiter


async def test_somebody_who_never_breathes_stays_in_time(studio: Studio) -> None:
    await studio.start()
    (ada,) = await studio.people("Ada")
    await studio.record()
    said = [await studio.speak(ada, voice(number, 0.3)) for number in range(6)]
    recorded = await studio.stop()
    assert_there(recorded, *said, within_ms=30)  # discord.py sends its frames of silence ahead of time


async def test_words_and_clicks_are_where_they_were_spoken(studio: Studio) -> None:
    await studio.start()
    ada, ben = await studio.people("Ada", "Ben")
    words = np.frombuffer(await synthesise("Testing, one two three."), np.int16).reshape(-1, 2)
    await studio.record()
    spoken, clicked = await asyncio.gather(
        studio.speak(ada, words), studio.speak(ben, clicks(1.5, [0.11, 0.6, 0.605, 1.3]))
    )
    recorded = await studio.stop()
    assert_there(recorded, spoken, likeness=0.95)
    place = recorded.place(clicked)
    expected = [place + round(at_s * RATE_HZ) for at_s in (0.11, 0.605, 1.3)]
    found = peaks(recorded.track(ben.user.id), 5000)
    assert len(found) == 3  # two of the four are nearer to each other than the ear can part
    assert np.abs(np.subtract(found, expected)).max() <= (0.02 + clicked.unrest_s) * RATE_HZ
    assert (
        np.ptp(np.subtract(found, expected)) <= (0.006 + clicked.unrest_s) * RATE_HZ
    )  # among themselves they are in time to the sample
    in_mix = find(recorded.mix, words, recorded.place(spoken))
    assert abs(in_mix.gain_db + 3) < 1
    (segment,) = [segment for segment in recorded.metadata.segments if segment.user_id == str(ada.user.id)]
    assert segment.duration_s == pytest.approx(len(words) / RATE_HZ, abs=0.4)


async def test_what_the_bot_says_is_on_its_own_track_beside_everybody(studio: Studio) -> None:
    await studio.start()
    (ada,) = await studio.people("Ada")
    await studio.record()
    sound = voice(4, 0.8)
    sent: list[OpusFrame] = []
    subscribe_to_own_voice(studio.session.player, studio.bot_user.id, sent.append)
    line = studio.session.player.line("reply")
    line.write(sound.astype(np.float32) / 32768)
    line.end()
    spoken = await studio.speak(ada, voice(1, 0.6))
    end = await line.finished()
    recorded = await studio.stop()
    bot = recorded.person(studio.bot_user.id)
    assert (bot.bot, bot.name, bot.packets.lost) == (True, studio.bot_user.name, 0)
    times_s = [frame.arrival_s for frame in sent if frame.payload != OPUS_SILENCE]
    said = Spoken(studio.bot_user.id, sound, times_s, spoken.stalled_s)
    assert abs(line.first_frame_at_s - said.began_s) <= 0.02 + said.unrest_s
    assert_there(recorded, said, likeness=0.99)
    assert end.outcome == "played"
    assert_there(recorded, spoken)
    assert find(recorded.mix, sound, recorded.place(said)).likeness > 0.3
