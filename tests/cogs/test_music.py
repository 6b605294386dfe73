"""Every /music command, button, right and refusal, over a Discord on localhost."""

from __future__ import annotations

import asyncio
import struct

import numpy as np
import pytest

from loopback.world.permissions import Permission
from tests.cogs.sounds import encoded, pitch_hz, tone, voiced, wav
from tests.core.music.test_survey import flac, png, with_cover
from tests.web_site import reply, serving

COGS = ("cogs.voice", "cogs.music", "cogs.admin")
SONGS = {"a.wav": 400, "b.wav": 600, "c.wav": 900, "d.wav": 1200}


@pytest.fixture
async def music(scene):
    """A scene with a folder of four songs of 20 s."""
    folder = scene.folder / "data/sounds"
    folder.mkdir(parents=True)
    for name, hz in SONGS.items():
        (folder / name).write_bytes(wav(tone(hz, 20, rate_hz=16000), rate_hz=16000))
    (folder / "gong.wav").write_bytes(wav(tone(2000, 0.4)))

    async def begin(*names, model=False, **settings):
        await scene.start(cogs=COGS, model=model, **settings)
        ada = await scene.joined()
        for name in names:
            await scene.run(ada, "music play", what=name)
        return ada

    scene.begin = begin
    return scene


def names(scene):
    return "".join(track.title[0] for track in scene.session.media.tracks)


def now_hz(ada, scene, seconds=0.25):
    return pitch_hz(voiced(ada, scene.bot_user)[-round(seconds * 48_000) :])


async def hears(ada, scene, hz, timeout=10):
    """Wait until what plays is of this pitch."""
    await scene.until(lambda: len(voiced(ada, scene.bot_user)) > 24_000 and abs(now_hz(ada, scene) - hz) < 15, timeout)


# The queue --------------------------------------------------------------------------------------------------------------


async def test_what_is_asked_for_plays_waits_and_is_shown(music):
    ada = await music.begin()
    assert await music.run(ada, "music play", what="a.wav") == "Playing **a.wav**."
    assert await music.run(ada, "music play", what="b.wav") == "**b.wav** is number 2 in the queue."
    assert await music.run(ada, "music play", what="c.wav", next=True) == "**c.wav** is number 2 in the queue."
    assert await music.run(ada, "voice play", file="d.wav") == "Playing **d.wav** after 3 other(s)."
    await hears(ada, music, SONGS["a.wav"])
    shown = (await music.run(ada, "music queue")).splitlines()
    assert "/ 0:20" in shown[0]
    assert shown[1] == f"**a.wav** (<@{ada.user.id}>)"
    assert [line.split("**")[1] for line in shown[2:5]] == ["c.wav", "b.wav", "d.wav"]
    assert shown[2].startswith("2\\. ")
    assert shown[-1].startswith("3 waiting")
    assert "**a.wav**" in await music.run(ada, "music now")


async def test_the_queue_is_moved_mixed_shortened_and_cleared(music):
    ada = await music.begin(*SONGS)
    assert await music.run(ada, "music move", number=4, to=2) == "**d.wav** is number 2 now."
    assert names(music) == "adbc"
    assert "playing already" in await music.run(ada, "music move", number=1, to=2)
    assert "no track number 9" in await music.run(ada, "music remove", number=9)
    choices = await ada.autocomplete(music.text, "music remove", "number", "b.")
    assert [(choice["name"], choice["value"]) for choice in choices] == [("3. b.wav", 3)]
    assert await music.run(ada, "music remove", number=3) == "Removed **b.wav**."
    assert await music.run(ada, "music shuffle") == "2 tracks that wait are mixed."
    assert sorted(names(music)) == ["a", "c", "d"]
    assert await music.run(ada, "music clear") == "2 track(s) that waited are gone."
    assert await music.run(ada, "music clear") == "Nothing was waiting."
    assert "Nothing waits" in await music.run(ada, "music shuffle")
    assert names(music) == "a"
    assert await music.run(ada, "music stop") == "Stopped. The queue is empty."
    for command in ("stop", "skip", "pause", "now"):
        assert await music.run(ada, f"music {command}") == "Nothing is playing."
    assert await music.run(ada, "music queue") == "Nothing is playing."


async def test_skip_goes_on_with_what_is_next_by_then(music):
    ada = await music.begin("a.wav", "b.wav")
    await hears(ada, music, 400)
    assert await music.run(ada, "music skip") == "Skipped **a.wav**."
    await hears(ada, music, 600)
    await music.run(ada, "music loop", mode="track")
    assert await music.run(ada, "music skip") == "Skipped **b.wav**."
    await music.until(lambda: not music.session.media.tracks and not music.session.player.queued())


async def test_loops_begin_again(music):
    folder = music.folder / "data/sounds"
    (folder / "x.wav").write_bytes(wav(tone(700, 0.5)))
    (folder / "y.wav").write_bytes(wav(tone(1500, 0.5)))
    ada = await music.begin()
    await music.run(ada, "music play", what="x.wav")
    assert await music.run(ada, "music loop", mode="queue") == "The queue plays in a circle."
    await music.run(ada, "music play", what="y.wav")
    await music.until(lambda: len(voiced(ada, music.bot_user)) > 4 * 48_000)
    assert await music.run(ada, "music loop", mode="off") == "No loop any more."
    heard = voiced(ada, music.bot_user)[: 3 * 48_000]
    pieces = [pitch_hz(heard[start : start + 9600]) for start in range(0, len(heard) - 9600, 9600)]
    assert {round(hz, -2) for hz in pieces} >= {700, 1500}
    assert sum(abs(hz - 1500) < 60 for hz in pieces) >= 4


# What plays -------------------------------------------------------------------------------------------------------------


async def test_pause_holds_and_resume_goes_on_where_it_was(music):
    ada = await music.begin("a.wav")
    await hears(ada, music, 400)
    assert await music.run(ada, "music resume") == "It was not paused."
    assert await music.run(ada, "music pause") == "Paused."
    assert await music.run(ada, "music pause") == "It is paused already."
    await asyncio.sleep(0.3)
    at_s, heard = music.session.media.position_s, len(voiced(ada, music.bot_user))
    await asyncio.sleep(0.4)
    assert len(voiced(ada, music.bot_user)) == heard
    assert music.session.media.position_s == at_s
    assert await music.run(ada, "music resume") == "Going on."
    await music.until(lambda: music.session.media.position_s > at_s + 0.2)


async def test_seek_goes_where_people_say(music):
    folder = music.folder / "data/sounds"
    (folder / "two.wav").write_bytes(wav(np.concatenate([tone(500, 10), tone(1000, 10)])))
    ada = await music.begin("two.wav")
    await hears(ada, music, 500)
    assert await music.run(ada, "music seek", to="0:12") == "**two.wav** goes on at 0:12."
    await hears(ada, music, 1000)
    assert 12 < music.session.media.position_s < 18
    assert "goes on at 0:0" in await music.run(ada, "music seek", to="-12")
    await hears(ada, music, 500)
    assert "no place in a track" in await music.run(ada, "music seek", to="the chorus")
    assert "only 0:20 long" in await music.run(ada, "music seek", to="5:00")
    await music.run(ada, "music pause")
    assert "goes on at 0:15" in await music.run(ada, "music seek", to="15")
    assert music.session.media.position_s == pytest.approx(15, abs=0.01)
    await music.run(ada, "music resume")
    await hears(ada, music, 1000)


async def test_the_musics_volume_is_its_own(music):
    ada = await music.begin("a.wav")
    await hears(ada, music, 400)
    loud = np.abs(voiced(ada, music.bot_user)[-9600:]).max()
    assert await music.run(ada, "music volume") == "Music is at 100%."
    assert await music.run(ada, "music volume", percent=25) == "Music is at 25%."
    await music.until(lambda: np.abs(voiced(ada, music.bot_user)[-4800:]).max() < 0.3 * loud)
    assert music.session.player.volume == 1.0


async def test_an_effect_sounds_over_the_music(music):
    ada = await music.begin("a.wav")
    await hears(ada, music, 400)
    assert await music.run(ada, "music effect", name="gong.wav") == "Playing **gong.wav** over it."

    def both():
        heard = voiced(ada, music.bot_user)[-48_000:]
        spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)))) / len(heard)
        at = lambda hz: spectrum[round(hz * len(heard) / 48_000)]
        return at(2000) > 0.01 and at(400) > 0.01

    await music.until(both)
    assert names(music) == "a"
    assert "no such file" in await music.run(ada, "music effect", name="nothing.wav")
    assert [choice["value"] for choice in await ada.autocomplete(music.text, "music effect", "name", "gong")] == [
        "gong.wav"
    ]


# What there is to play ----------------------------------------------------------------------------------------------------


async def test_one_thing_at_a_time_is_asked_for(music):
    ada = await music.begin()
    assert "Give one thing" in await music.run(ada, "music play")
    sound = ("x.wav", wav(tone(300, 1)), "audio/wav")
    assert "Give one thing" in await music.run(ada, "music play", what="a.wav", upload=sound)
    assert "no such file" in await music.run(ada, "music play", what="../secret.wav")
    assert await music.run(ada, "music play", upload=sound) == "Playing **x.wav**."


async def test_what_was_played_is_offered_again(music):
    async with serving() as site:
        site.answers["/far.wav"] = reply(wav(tone(800, 3)), kind="audio/wav")
        ada = await music.begin("b.wav", fetch={"allow": ["127.0.0.1"]})
        await music.run(ada, "music play", what=site.url("/far.wav"))
        choices = await ada.autocomplete(music.text, "music play", "what", "")
        values = [choice["value"] for choice in choices]
        assert values[:5] == ["a.wav", "b.wav", "c.wav", "d.wav", "gong.wav"]
        assert values[5:] == [site.url("/far.wav")]


async def test_an_address_is_played_and_its_file_goes_afterwards(music):
    async with serving() as site:
        site.answers["/far.mp3"] = reply(encoded(tone(800, 1.0), "mp3", "libmp3lame"), kind="audio/mpeg")
        ada = await music.begin(fetch={"allow": ["127.0.0.1"]})
        assert await music.run(ada, "music play", what=site.url("/far.mp3")) == "Playing **far.mp3**."
        await hears(ada, music, 800)
        await music.until(lambda: not music.session.media.tracks)
        await music.until(lambda: not list((music.folder / "data/music").iterdir()))


async def test_addresses_that_may_not_be_opened_are_told(music):
    async with serving() as site:
        ada = await music.begin("a.wav")
        told = await music.run(ada, "music play", what=site.url("/x.mp3"))
        assert "is not on the public internet" in told
        assert site.connections == 0
        assert names(music) == "a"


async def test_a_list_becomes_as_many_tracks_as_there_is_room_for(music):
    async with serving() as site:
        lines = [f"#EXTINF:3,song {number}\n{site.url(f'/{number}.wav')}" for number in range(30)]
        listed = "\n".join(["#EXTM3U", *lines, "file:///etc/passwd"]).encode()
        for number in range(30):
            site.answers[f"/{number}.wav"] = reply(wav(tone(300 + 100 * number, 1)), kind="audio/wav")
        ada = await music.begin("a.wav", fetch={"allow": ["127.0.0.1"]}, music={"max_tracks_person": 4})
        told = await music.run(ada, "music play", upload=("all.m3u", listed, "audio/x-mpegurl"), next=True)
        assert told.startswith("3 tracks are in the queue now, from number 2 on. 28 more were left out")
        assert [track.title for track in music.session.media.tracks] == ["a.wav", "song 0", "song 1", "song 2"]
        assert "yours already" in await music.run(ada, "music play", what="b.wav")
        await music.run(ada, "music skip")
        await hears(ada, music, 300)
        await hears(ada, music, 400)


# Buttons and the card ---------------------------------------------------------------------------------------------------


def cards(scene):
    return [message for message in scene.text.messages.values() if message.author is scene.bot_user and message.embeds]


async def test_the_card_shows_what_plays_and_its_buttons_work(music):
    ada = await music.begin("a.wav", "b.wav")
    await music.until(lambda: cards(music))
    card = cards(music)[0]
    assert card.embeds[0]["description"].startswith("**a.wav**")
    assert f"Asked for by <@{ada.user.id}>" in card.embeds[0]["description"]

    async def press(label):
        return (await (await ada.press(card, label)).answered()).content

    assert await press("Pause") == "Paused."
    assert await press("Pause") == "Going on."
    assert await press("Loop: off") == "This track plays again and again."
    assert await press("Skip") == "Skipped **a.wav**."
    await hears(ada, music, 600)
    assert await press("Stop") == "Stopped. The queue is empty."
    assert await press("Stop") == "Nothing is playing."


async def test_the_card_is_edited_at_most_once_in_five_seconds(music):
    ada = await music.begin("a.wav")
    await music.until(lambda: cards(music))
    card = cards(music)[0]
    began = asyncio.get_running_loop().time()
    before = card.embeds[0]["description"]
    for _ in range(3):
        await music.run(ada, "music pause")
        await music.run(ada, "music resume")
    await music.until(lambda: cards(music)[0].embeds[0]["description"] != before)
    assert asyncio.get_running_loop().time() - began > 4.0
    assert len(cards(music)) == 1


# Rights -------------------------------------------------------------------------------------------------------------------


async def test_who_does_not_listen_decides_nothing(music):
    await music.begin("a.wav")
    eve = await music.person("Eve")
    for command, options in (
        ("play", {"what": "b.wav"}),
        ("skip", {}),
        ("pause", {}),
        ("clear", {}),
        ("effect", {"name": "gong.wav"}),
        ("volume", {"percent": 5}),
    ):
        assert "only who listens decides" in await music.run(eve, f"music {command}", **options)
    assert "a.wav" in await music.run(eve, "music queue")


async def test_where_there_is_a_dj_the_others_vote_and_rule_over_their_own(music):
    ada = await music.begin("a.wav", music={"dj_role": "DJ"})
    dj = music.world.add_role(music.guild, "dj", Permission(0))
    bob, cyd = await music.person("Bob"), await music.person("Cyd")
    music.world.edit_member(music.guild, music.guild.members[cyd.user.id], role_ids=[dj.id])
    for person in (bob, cyd):
        await person.join(music.voice)
    await music.until(lambda: len(music.session.channel.members) == 4)
    assert await music.run(bob, "music play", what="b.wav") == "**b.wav** is number 2 in the queue."
    for command, options in (
        ("pause", {}),
        ("clear", {}),
        ("shuffle", {}),
        ("stop", {}),
        ("move", {"number": 2, "to": 2}),
        ("loop", {"mode": "track"}),
        ("seek", {"to": "1"}),
        ("remove", {"number": 1}),
        ("volume", {"percent": 50}),
    ):
        assert "Only a DJ" in await music.run(bob, f"music {command}", **options), command
    assert await music.run(bob, "music skip") == "1 of 2 votes to skip **a.wav**."
    assert await music.run(bob, "music skip") == "1 of 2 votes to skip **a.wav**."
    assert await music.run(bob, "music remove", number=2) == "Removed **b.wav**."
    assert await music.run(cyd, "music volume", percent=50) == "Music is at 50%."
    assert await music.run(ada, "music skip") == "Skipped **a.wav**."  # her own
    await music.run(ada, "music play", what="c.wav")
    assert "1 of 2" in await music.run(bob, "music skip")
    dan = await music.person("Dan")
    await dan.join(music.voice)
    await music.until(lambda: len(music.session.channel.members) == 5)
    assert await music.run(dan, "music skip") == "Skipped **c.wav**."


async def test_music_waits_while_nobody_is_there(music):
    ada = await music.begin("a.wav", voice={"leave_when_alone_s": 60})
    await hears(ada, music, 400)
    await ada.leave()
    await music.until(lambda: music.session.media.paused)
    await ada.join(music.voice)
    await music.until(lambda: not music.session.media.paused)


async def test_the_voices_commands_leave_a_djs_music_alone(music):
    ada = await music.begin("a.wav", music={"dj_role": "DJ"})
    bob = await music.person("Bob")
    await bob.join(music.voice)
    await music.until(lambda: len(music.session.channel.members) == 3)
    assert "Only a DJ" in await music.run(bob, "voice skip")
    assert "I was not saying" in await music.run(bob, "voice stop")
    assert names(music) == "a"
    assert await music.run(ada, "voice skip") == "Skipped."


# Limits -------------------------------------------------------------------------------------------------------------------


def _wav_head(rate_hz, duration_s):
    """The head of a WAV file of 8 bits."""
    count = rate_hz * duration_s
    form = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate_hz, rate_hz, 1, 8)
    return b"RIFF" + struct.pack("<I", 36 + count) + form + b"data" + struct.pack("<I", count)


async def test_a_file_of_two_hundred_hours_is_refused_and_one_that_is_just_long_is_not(music):
    folder = music.folder / "data/sounds"
    minute = encoded(tone(300, 60), "mp3", "libmp3lame")
    with (folder / "long.mp3").open("wb") as file:
        for _ in range(60 * 3):
            file.write(minute)
    with (folder / "longest.wav").open("wb") as file:
        file.write(_wav_head(4000, 200 * 3600))
        file.truncate(44 + 4000 * 3600 * 200)  # the disk holds the head of it
    ada = await music.begin()
    assert "too long: at most 4:00:00" in await music.run(ada, "music play", what="longest.wav")
    assert await music.run(ada, "music play", what="long.mp3") == "Playing **long.mp3**."
    await hears(ada, music, 300)
    assert "goes on at 2:59:00" in await music.run(ada, "music seek", to="2:59:00")
    await hears(ada, music, 300)
    assert music.session.media.position_s > 3 * 3600 - 70


async def test_eight_large_uploads_wait_on_disk_and_not_in_memory(music):
    ada = await music.begin()
    size = 24_000_000
    sound = wav(np.zeros(size // 2, np.int16))
    await music.run(ada, "music play", what="a.wav")
    people = [ada, *[await music.person(f"Person{number}") for number in range(3)]]
    for person in people[1:]:
        await person.join(music.voice)
    asked = [music.run(person, "music play", upload=("x.wav", sound, "audio/wav"), timeout=60) for person in people * 2]
    told = await asyncio.gather(*asked)
    assert sum("number" in each for each in told) == 8, told
    assert "MB already" in await music.run(ada, "music play", upload=("x.wav", sound, "audio/wav"))
    assert all(track.source.size == len(sound) for track in music.session.media.tracks[1:])
    assert sum(path.stat().st_size for path in (music.folder / "data/music").iterdir()) == 8 * len(sound)
    await music.run(ada, "music stop")
    await music.until(lambda: not list((music.folder / "data/music").iterdir()))


async def test_effects_do_not_pile_up(music):
    (music.folder / "data/sounds/tune.wav").write_bytes(wav(tone(900, 3)))
    ada = await music.begin()
    told = [await music.run(ada, "music effect", name="tune.wav") for _ in range(6)]
    assert told[:5] == ["Playing **tune.wav** over it."] * 5
    assert told[5].startswith("Several effects wait already")
    await music.run(ada, "music play", what="a.wav")
    assert await music.run(ada, "music stop") == "Stopped. The queue is empty."
    await music.until(lambda: not music.session.player.queued())


async def test_the_card_bears_title_artist_and_picture_of_the_file_as_strangers_text(music):
    sound = flac(np.float32(0.2) * np.sin(np.arange(12 * 48_000) / 20), title="<@1> *Air*", artist="@everyone")
    (music.folder / "data/sounds/song.flac").write_bytes(with_cover(sound, png(600, 600)))
    await music.begin("song.flac")
    await music.until(lambda: cards(music) and "thumbnail" in cards(music)[0].embeds[0])
    embed = cards(music)[0].embeds[0]
    assert embed["description"].startswith(r"**\<@" + "\u200b" + r"1\> \*Air\*** by @" + "\u200b" + "everyone")
    assert [attachment.filename for attachment in cards(music)[0].attachments] == ["cover.jpg"]


async def test_what_is_dead_at_an_address_is_told_and_the_queue_goes_on(music):
    async with serving() as site:
        site.answers["/page.mp3"] = reply(b"<!doctype html><html>no sound</html>", kind="text/html")
        site.answers["/good.wav"] = reply(wav(tone(700, 3)), kind="audio/wav")
        listed = "\n".join(site.url(path) for path in ("/dead.mp3", "/page.mp3", "/good.wav")).encode()
        ada = await music.begin(fetch={"allow": ["127.0.0.1"]})
        told = await music.run(ada, "music play", upload=("all.m3u", listed, "audio/x-mpegurl"))
        assert told == "3 tracks are in the queue now, from number 1 on."
        await hears(ada, music, 700)
        notices = [notice for notice in music.notices() if notice.startswith("I stopped playing")]
        assert ["dead.mp3" in notices[0], "page.mp3" in notices[1]] == [True, True]
        assert "404" in notices[0] or "there is nothing" in notices[0]


async def test_a_reload_is_not_heard_and_its_buttons_work_afterwards(music):
    ada = await music.begin("a.wav", "b.wav")
    music.bot_user.application.owner, music.bot.owner_id = ada.user, None
    music.world.edit_member(music.guild, music.guild.members[ada.user.id], role_ids=[music.admin_role.id])
    await hears(ada, music, 400)
    await music.until(lambda: cards(music))
    deck, at_s = music.session.media, music.session.media.position_s
    assert "Reloaded" in await music.run(ada, "reload")
    assert music.session.media is deck
    await music.until(lambda: deck.position_s > at_s + 0.5)
    assert music.session.player.stats.underruns == 0
    assert (await (await ada.press(cards(music)[0], "Skip")).answered()).content == "Skipped **a.wav**."
    await hears(ada, music, 600)


async def test_a_station_plays_shows_its_titles_and_goes_on_after_it_broke_off(music):
    sound = encoded(tone(500, 20), "mp3", "libmp3lame")
    connections = 0

    async def station(asked, writer):
        nonlocal connections
        connections += 1
        title = f"StreamTitle='Song {connections} <@1>';".encode()
        title += bytes(-len(title) % 16)
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\nicy-name: Jazz *FM*\r\nicy-metaint: 4000\r\n\r\n")
        for start in range(0, len(sound) if connections > 1 else 40_000, 4000):
            writer.write(sound[start : start + 4000] + bytes([len(title) // 16]) + title)
            await writer.drain()
            await asyncio.sleep(0.05)

    async with serving() as site:
        site.answers["/live"] = station
        ada = await music.begin(fetch={"allow": ["127.0.0.1"]})
        assert await music.run(ada, "music play", what=site.url("/live")) == r"Playing **Jazz \*FM\***."
        await hears(ada, music, 500)
        assert "no places to go to" in await music.run(ada, "music seek", to="10")
        await music.until(lambda: connections >= 3)  # it is asked once for what it is, and again when it broke off
        await music.until(lambda: cards(music) and "Song" in cards(music)[0].embeds[0]["description"])
        shown = cards(music)[0].embeds[0]["description"]
        assert r"\<@" + "\u200b" + r"1\>" in shown
        assert "live" in shown
        heard = len(voiced(ada, music.bot_user))
        await music.until(lambda: len(voiced(ada, music.bot_user)) > heard + 24_000)
        assert await music.run(ada, "music stop") == "Stopped. The queue is empty."
