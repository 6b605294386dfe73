"""What people hear of music: no gap, even loudness, out of the way of voices, on after a crash. Measured at their ears."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from core.bot.barge_in import BargeIn
from core.hearing.hearing import Heard
from core.hearing.text import Segment, Transcription
from core.hearing.utterance import Utterance
from core.hearing.utterance_finder import Began
from core.music.loudness import measure
from tests.cogs.sounds import encoded, tone, voiced, wav
from tests.cogs.test_music import COGS, hears, music  # noqa: F401 - a fixture is used by its name
from tests.cogs.test_music_under_speech import level_of

pytestmark = pytest.mark.usefixtures("music")
RATE_HZ = 48_000


def heard(ada, scene):
    """Everything of the bot's that came, in its own time."""
    return ada.ears.pcm(scene.bot_user.id)[:, 0]


def put(scene, name, data):
    (scene.folder / "data/sounds" / name).write_bytes(data)


async def over(scene):
    await scene.until(lambda: not scene.session.media.tracks and not scene.session.player.queued(), 60)
    await asyncio.sleep(0.2)


def quiet_ms(samples, floor=1000):
    """The longest silence inside of what sounds, in ms; the codec rings on for a little behind it."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > floor)
    inside = np.abs(samples[loud[0] : loud[-1]].astype(np.int32)) > floor
    edges = np.flatnonzero(np.diff(np.concatenate(([1], inside.astype(np.int8), [1]))))
    return max((edges[1::2] - edges[::2]).max(initial=0), 0) / RATE_HZ * 1000


@pytest.mark.parametrize(("kind", "codec"), [("wav", "pcm_s16le"), ("mp3", "libmp3lame"), ("flac", "flac")])
async def test_between_two_tracks_there_is_no_gap(scene, kind, codec):
    """One wave cut in two files, at a place that is no frame's: whoever listens cannot tell where."""
    whole = tone(500, 6.5)
    cut = round(5.013 * RATE_HZ)
    put(scene, f"x.{kind}", encoded(whole[:cut], kind, codec))
    put(scene, f"y.{kind}", encoded(whole[cut:], kind, codec))
    ada = await scene.begin(f"x.{kind}", f"y.{kind}", music={"even_loudness": False})
    await over(scene)
    samples = heard(ada, scene)
    assert quiet_ms(samples) < 1.0
    loud = np.flatnonzero(np.abs(samples) > 1000)
    assert (loud[-1] - loud[0]) / RATE_HZ == pytest.approx(6.5, abs=0.003)


async def test_a_crossfade_keeps_the_power_up(scene):
    noise = np.random.default_rng(5).normal(0, 4000, 6 * RATE_HZ).clip(-32000, 32000).astype("<i2")
    put(scene, "x.wav", wav(noise[: 3 * RATE_HZ]))
    put(scene, "y.wav", wav(noise[3 * RATE_HZ :]))
    ada = await scene.begin("x.wav", "y.wav", music={"even_loudness": False, "crossfade_s": 1})
    await over(scene)
    samples = heard(ada, scene).astype(np.float64)
    loud = np.flatnonzero(np.abs(samples) > 1000)
    assert (loud[-1] - loud[0]) / RATE_HZ == pytest.approx(5.0, abs=0.05)
    inside = samples[loud[0] + 4800 : loud[-1] - 4800]
    power = np.sqrt((inside[: len(inside) // 4800 * 4800].reshape(-1, 4800) ** 2).mean(axis=1))
    assert power.min() > 0.75 * np.median(power)
    assert power.max() < 1.3 * np.median(power)


async def test_files_twenty_decibels_apart_are_heard_alike(scene):
    rng = np.random.default_rng(7)
    for number, gain_db in enumerate((0, -5, -10, -15, -20)):
        noise = rng.normal(0, 5000 * 10 ** (gain_db / 20), 3 * RATE_HZ).clip(-32000, 32000).astype("<i2")
        put(scene, f"n{number}.wav", wav(noise))
    ada = await scene.begin(*(f"n{number}.wav" for number in range(5)))
    await over(scene)
    samples = heard(ada, scene)
    begin = np.flatnonzero(np.abs(samples) > 300)[0]
    found = []
    for number in range(5):
        start = begin + number * 3 * RATE_HZ + 4800
        piece = samples[start : start + round(2.8 * RATE_HZ)]
        found.append(measure([np.stack([piece, piece], axis=1).astype(np.float32) / 32768]).lufs)
    assert max(found) - min(found) < 1.0, found
    assert np.mean(found) == pytest.approx(-18, abs=1.5)  # the codec leaves out the highest of a noise


async def test_music_gives_way_to_people_where_they_are_heard(scene):
    ada = await scene.begin("c.wav", music={"even_loudness": False})
    await ada.until_encrypted()
    await hears(ada, scene, 900)
    levels = []
    for heard_there in (False, True):
        scene.runtime.voice_hearing.hears = lambda session, is_so=heard_there: is_so
        before = len(heard(ada, scene))
        await asyncio.sleep(0.5)
        await ada.play(tone(300, 1.2).repeat(2).reshape(-1, 2))
        await asyncio.sleep(2.0)
        levels.append(level_of(900, heard(ada, scene)[before:]))
    ignored, heeded = levels
    assert ignored[2:-1].min() > 0.9 * np.median(ignored)
    alone = np.median(ignored)
    assert heeded[2:-1].min() / alone == pytest.approx(0.2, abs=0.05)
    assert 8 <= (heeded[2:-1] < 0.3 * alone).sum() <= 22
    assert np.median(heeded[-5:-1]) == pytest.approx(alone, rel=0.1)


async def test_after_a_crash_of_the_voice_server_music_goes_on_where_it_was(scene):
    noise = np.random.default_rng(3).normal(0, 4000, 15 * RATE_HZ)
    noise = np.convolve(noise, np.ones(12) / 3.5, "same").clip(-32000, 32000).astype("<i2")
    put(scene, "noise.wav", wav(noise))
    ada = await scene.begin("noise.wav", music={"even_loudness": False})
    await scene.until(lambda: len(voiced(ada, scene.bot_user)) > 2 * RATE_HZ)
    session = scene.session
    scene.hang_up(4015)
    await scene.until(lambda: session.interruptions and session.connected, 40)
    before = len(voiced(ada, scene.bot_user))
    await scene.until(lambda: len(voiced(ada, scene.bot_user)) > before + 2 * RATE_HZ, 40)
    samples = voiced(ada, scene.bot_user)

    def lag(start):
        """Where in the file what was heard from there on stands, less where it was heard."""
        piece = samples[start : start + RATE_HZ // 2]
        found = np.correlate(noise[: start + 3 * RATE_HZ].astype(np.float64), piece, "valid")
        return int(np.argmax(found)) - start

    first, last = lag(RATE_HZ // 2), lag(len(samples) - RATE_HZ)
    assert abs(last - first) / RATE_HZ <= 0.040
    assert scene.session is session


async def test_who_interrupts_a_reply_does_not_stop_the_music(scene):
    """As a session that hears does it: held at the first sound of somebody's, cut at their first words."""
    put(scene, "long.wav", wav(tone(6000, 40, rate_hz=16000), rate_hz=16000))
    ada = await scene.begin("long.wav", music={"even_loudness": False})
    await scene.until(lambda: len(voiced(ada, scene.bot_user)) > RATE_HZ // 2)
    turn = scene.runtime.say(scene.guild.id, "This is a very long story about a fox and a hen. " * 20)
    await scene.until(lambda: turn.line is not None and turn.line.begun)
    barge_in = BargeIn(lambda: turn, scene.runtime.clock, "pause", watch=lambda on: None, is_own=lambda text: False)
    await asyncio.sleep(0.8)
    barge_in.tell(Began("utterance", ada.user.id, 0.0))
    assert turn.line.paused
    await asyncio.sleep(1.4)
    samples = np.zeros(24_000, np.float32)
    words = Utterance("utterance", 1, 2, ada.user.id, 0.0, scene.runtime.clock.now(), samples, 1.0, True)
    understood = Transcription((Segment("Stop it please, I have a question.", 0, 1),), "en", "test", "test")
    barge_in.tell(Heard(words, understood, True))
    await scene.until(lambda: turn.line.done)
    at_s = scene.session.media.position_s
    await asyncio.sleep(1.5)
    await barge_in.close()
    assert scene.session.media.position_s > at_s + 1.0
    assert [track.title for track in scene.session.media.tracks] == ["long.wav"]
    level = level_of(6000, heard(ada, scene))
    begin = np.flatnonzero(level > 0.1)[0]
    inside = level[begin + 1 : -2]
    assert (inside > 0.04).mean() > 0.9, "it sounds all the time, ducked under the voice"
    assert np.median(inside[-4:]) == pytest.approx(0.3, rel=0.15)
    assert (inside < 0.08).sum() >= 5, "it was under the voice"
