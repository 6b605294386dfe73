"""Every /voice command as people use it: what they read, and what the others in the channel hear."""

from __future__ import annotations

import asyncio
import threading

import pytest

from core.machine.memory import MemoryReader
from core.machine.usage import Usage
from loopback.interactions.interaction import Callback
from loopback.world.permissions import Permission
from tests.cogs.sounds import encoded, level, pitch_hz, tone, voice_pitch_hz, voiced, wav

HUM = wav(tone(1000, 1.0))


async def silence(scene):
    """Wait until nothing is played any more."""
    await scene.until(lambda: not scene.session.media.tracks and not scene.session.player.queued())
    await asyncio.sleep(0.15)


async def embed(scene, person):
    interaction = await person.slash(scene.text, "voice status")
    message = await interaction.answered()
    (found,) = message.embeds
    return found


def fields(found):
    return {field["name"]: field["value"] for field in found["fields"]}


# Status -----------------------------------------------------------------------------------------------------------------


async def test_status_shows_the_session_on_one_page(scene):
    await scene.start()
    ada = await scene.joined()
    scene.chat.script(text="One two three.")
    await ada.type(scene.text, "Count.")
    await scene.until(lambda: scene.runtime.conversation.recent)
    await scene.turns_over()
    await silence(scene)
    shown = fields(await embed(scene, ada))
    assert shown["Channel"] == f"<#{scene.voice.id}>"
    assert shown["Prompts"] == f"<#{scene.text.id}>"
    assert shown["Since"].startswith("<t:")
    assert shown["Here"] == f"▫️ <@{ada.user.id}>"
    epoch = scene.discord.voice.room(scene.voice.id).epoch
    code = scene.session.client.voice_privacy_code
    assert shown["Encryption"] == f"end to end, epoch {epoch}\n`{code}`"
    assert shown["Voice engine"] == "espeak"
    assert shown["Model"] == "default (stand-in)"
    assert "first text" in shown["Latency, last turns"]
    assert "first sound" in shown["Latency, last turns"]
    sent = scene.session.player.stats.frames_sent
    assert shown["Sound"].startswith(f"{sent} frames sent, 0 underruns")
    assert shown["Queue"] == "empty"
    assert "Trouble" not in shown
    assert not {"This process", "GPU memory"} & set(shown)  # what is of the process is for its owner
    scene.bot_user.application.owner = ada.user
    scene.bot.owner_id = None  # as it is before discord.py has asked
    shown = fields(await embed(scene, ada))
    assert shown["Voice engine"].startswith("espeak (")
    assert "MiB" in shown["This process"]


async def test_alone_there_is_nobody_to_share_a_key_with(scene):
    await scene.start()
    ada = await scene.person()
    await scene.run(ada, "voice join", channel=scene.voice)
    assert fields(await embed(scene, ada))["Encryption"] == "end to end as soon as somebody else is here"
    await ada.join(scene.voice)
    await scene.until(lambda: scene.session.client.dave.ready)
    assert fields(await embed(scene, ada))["Encryption"].startswith("end to end, epoch ")


async def test_status_shows_how_full_the_gpus_are(scene, tmp_path):
    await scene.start()
    ada = await scene.joined()
    device = tmp_path / "sys/class/drm/card0/device"
    device.mkdir(parents=True)
    for name, size in (("total", 8), ("used", 3)):
        (device / f"mem_info_vram_{name}").write_text(str(size * 2**30))
    scene.runtime.usage = Usage(MemoryReader(root=tmp_path))
    assert "GPU memory" not in fields(await embed(scene, ada))
    scene.bot_user.application.owner, scene.bot.owner_id = ada.user, None
    assert fields(await embed(scene, ada))["GPU memory"].endswith("AMD GPU: 3.0 of 8.0 GiB")


async def test_status_is_answered_however_long_a_driver_takes_to_wake(scene):
    await scene.start()
    ada = await scene.joined()
    awake = threading.Event()

    class Sleepy(MemoryReader):
        def read(self):
            awake.wait(30)
            return []

    scene.runtime.usage = Usage(Sleepy())
    interaction = await ada.slash(scene.text, "voice status")
    try:
        assert await interaction.response() is Callback.DEFER
    finally:
        awake.set()
    assert (await interaction.answered()).embeds


async def test_status_shows_who_is_really_speaking_and_who_only_could(scene):
    await scene.start()
    ada, bob, eve = await scene.joined(), await scene.person("Bob"), await scene.person("Eve")
    await bob.join(scene.voice)
    await eve.join(scene.voice)
    await eve.mute()
    await ada.until_encrypted()
    playing = asyncio.create_task(ada.play(tone(300, 2.0).repeat(2).reshape(-1, 2)))
    await scene.until(lambda: scene.runtime.voice.speaking_users(scene.guild.id))
    here = fields(await embed(scene, bob))["Here"].splitlines()
    assert here == [f"🔊 <@{ada.user.id}>", f"▫️ <@{bob.user.id}>", f"🔇 <@{eve.user.id}>"]
    await playing
    await scene.until(lambda: not scene.runtime.voice.speaking_users(scene.guild.id))
    assert "🔊" not in fields(await embed(scene, bob))["Here"]


async def test_status_stays_readable_with_ninety_nine_people(scene):
    await scene.start()
    ada = await scene.joined()
    for number in range(98):
        user = scene.world.add_user(f"person{number}")
        member = scene.world.add_member(scene.guild, user)
        scene.world.voice.join(scene.guild, member, scene.voice, f"session{number}")
    await scene.until(lambda: len(scene.session.channel.members) == 100)
    found = await embed(scene, ada)
    assert fields(found)["Here"].splitlines()[-1] == "and 79 more"
    assert len(found["fields"]) <= 25
    assert all(len(field["value"]) <= 1024 for field in found["fields"])
    assert sum(len(field["name"]) + len(field["value"]) for field in found["fields"]) + len(found["title"]) <= 6000


async def test_status_names_what_is_wrong(scene):
    await scene.start()
    ada = await scene.joined()
    scene.world.edit_member(scene.guild, scene.guild.members[scene.bot_user.id], muted=True)
    await scene.until(lambda: scene.session.guild.me.voice.mute)
    assert fields(await embed(scene, ada))["Trouble"] == "I am muted by the server: nobody hears me."


async def test_status_counts_what_waits(scene):
    await scene.start()
    ada = await scene.joined()
    for number in range(3):
        await scene.run(ada, "voice say", text=f"This is sentence number {number} of those that wait.")
    await scene.runtime.play(scene.guild.id, wav(tone(300, 5)))
    shown = fields(await embed(scene, ada))
    assert shown["Queue"] == "2 prompt(s), 1 file(s)"


# Saying and playing -------------------------------------------------------------------------------------------------------


async def test_say_is_heard(scene):
    await scene.start()
    ada = await scene.joined()
    hearing = asyncio.create_task(ada.ears.wait_for_voice(scene.bot_user.id))
    assert await scene.run(ada, "voice say", text="Hello there.") == "Saying it."
    assert (await hearing).encrypted


async def test_an_upload_is_heard_as_it_is(scene):
    await scene.start()
    ada = await scene.joined()
    said = await scene.run(ada, "voice play", upload=("a *fine* tone.wav", HUM, "audio/wav"))
    assert said == r"Playing **a \*fine\* tone.wav**."
    await silence(scene)
    samples = voiced(ada, scene.bot_user)
    assert len(samples) == pytest.approx(48_000, rel=0.05)
    assert pitch_hz(samples) == pytest.approx(1000, abs=5)
    assert level(samples) == pytest.approx(0.3 / 2**0.5, rel=0.1)


@pytest.mark.parametrize(("container", "codec"), [("mp3", "libmp3lame"), ("ogg", "libopus")])
async def test_other_formats_are_heard_too(scene, container, codec):
    await scene.start()
    ada = await scene.joined()
    sound = encoded(tone(700, 0.6), container, codec)
    assert "Playing" in await scene.run(ada, "voice play", upload=(f"tone.{container}", sound, "audio/x"))
    await silence(scene)
    assert pitch_hz(voiced(ada, scene.bot_user)) == pytest.approx(700, abs=10)


async def test_of_a_film_the_sound_is_heard(scene):
    await scene.start()
    ada = await scene.joined()
    film = encoded(tone(500, 1.0), "matroska", "libopus", picture=True)
    assert "Playing" in await scene.run(ada, "voice play", upload=("film.mkv", film, "video/x-matroska"))
    await silence(scene)
    assert pitch_hz(voiced(ada, scene.bot_user)) == pytest.approx(500, abs=10)


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("notes.txt", b"Dear diary, this is no sound. " * 40, "no sound"),
        ("nothing.wav", b"", "empty"),
        ("large.wav", bytes(60_000), "too large"),
        ("head.wav", HUM[:44], "damaged"),
        ("noise.mp3", bytes(range(256)) * 40, "."),
    ],
)
async def test_what_is_no_sound_is_refused_in_one_sentence(scene, name, data, sentence):
    await scene.start(voice={"upload_limit_mb": 0.05})
    ada = await scene.joined()
    said = await scene.run(ada, "voice play", upload=(name, data, "application/octet-stream"))
    assert sentence in said
    assert "Playing" not in said
    assert "wrong on my side" not in said
    assert scene.session.media.tracks == []
    assert scene.session.player.stats.frames_sent == 0


async def test_a_text_without_a_sound_is_refused(scene):
    await scene.start()
    ada = await scene.joined()
    assert await scene.run(ada, "voice say", text="😀 ?!") == "There is nothing in that text that I could say."


async def test_an_upload_that_discord_does_not_hand_over_is_told(scene):
    await scene.start()
    ada = await scene.joined()
    scene.discord.faults.fail("GET /attachments/*", status=404, times=None)
    assert "Please upload it once more" in await scene.run(ada, "voice play", upload=("hum.wav", HUM, "audio/wav"))
    assert scene.session.media.tracks == []


async def test_a_file_that_turns_out_too_long_half_way_is_told_then(scene):
    await scene.start(voice={"play_limit_s": 2})
    ada = await scene.joined()
    sound = bytearray(encoded(tone(700, 4), "flac", "flac"))
    sound[21:26] = bytes([sound[21] & 0xF0]) + bytes(4)  # STREAMINFO: its length is unknown
    assert "Playing" in await scene.run(ada, "voice play", upload=("endless.flac", bytes(sound), "audio/flac"))
    await scene.until(scene.notices)
    assert scene.notices()[0].startswith("I stopped playing **endless.flac**. The file is too long")
    assert 48_000 < len(voiced(ada, scene.bot_user)) < 2.1 * 48_000
    assert scene.session.media.tracks == []


async def test_a_file_of_the_sounds_folder_is_found_completed_and_heard(scene):
    folder = scene.folder / "sounds"
    folder.mkdir()
    (folder / "gong.wav").write_bytes(wav(tone(440, 0.5)))
    (folder / "bell.wav").write_bytes(wav(tone(880, 0.5)))
    (folder / ".hidden").write_bytes(b"")
    (scene.folder / "secret.wav").write_bytes(HUM)
    await scene.start(voice={"sounds": str(folder)})
    ada = await scene.joined()
    choices = await ada.autocomplete(scene.text, "voice play", "file", "")
    assert [choice["value"] for choice in choices] == ["bell.wav", "gong.wav"]
    assert [choice["value"] for choice in await ada.autocomplete(scene.text, "voice play", "file", "GO")] == [
        "gong.wav"
    ]
    assert await scene.run(ada, "voice play", file="gong.wav") == "Playing **gong.wav**."
    await silence(scene)
    assert pitch_hz(voiced(ada, scene.bot_user)) == pytest.approx(440, abs=5)
    assert "no such file" in await scene.run(ada, "voice play", file="../secret.wav")
    assert "Give one thing" in await scene.run(ada, "voice play")
    assert "Give one thing" in await scene.run(ada, "voice play", file="gong.wav", upload=("x.wav", HUM, "audio/wav"))


async def test_files_wait_in_line_and_the_fifty_first_is_refused(scene):
    await scene.start()
    ada = await scene.joined()
    long = wav(tone(300, 30, rate_hz=8000), rate_hz=8000)
    for _ in range(49):
        await scene.runtime.play(scene.guild.id, long)
    assert "after 49 other(s)" in await scene.run(ada, "voice play", upload=("x.wav", long, "audio/wav"))
    assert "50 files are waiting" in await scene.run(ada, "voice play", upload=("x.wav", long, "audio/wav"))
    assert await scene.run(ada, "voice stop") == "Stopped 50."
    await scene.until(lambda: not scene.session.player.queued())
    assert "Playing **x.wav**." in await scene.run(ada, "voice play", upload=("x.wav", long, "audio/wav"))


async def test_uploads_that_wait_do_not_fill_the_disk(scene):
    await scene.start(music={"max_waiting_mb": 0.15})
    ada = await scene.joined()
    assert "Playing" in await scene.run(ada, "voice play", upload=("a.wav", HUM, "audio/wav"))
    assert "take 0 MB already" in await scene.run(ada, "voice play", upload=("b.wav", HUM, "audio/wav"))


# Stopping -----------------------------------------------------------------------------------------------------------------


async def test_stop_silences_voice_and_files_and_drops_what_waits(scene):
    await scene.start()
    ada = await scene.joined()
    for number in range(2):
        await scene.run(ada, "voice say", text=f"A long sentence number {number} that goes on and on and on.")
    await scene.runtime.play(scene.guild.id, wav(tone(300, 20)))
    await ada.ears.wait_for_voice(scene.bot_user.id)
    assert await scene.run(ada, "voice stop") == "Stopped 3."
    await asyncio.sleep(0.3)
    frames = len(ada.ears.heard(scene.bot_user.id))
    await asyncio.sleep(0.3)
    assert len(ada.ears.heard(scene.bot_user.id)) == frames
    assert await scene.run(ada, "voice stop") == "I was not saying or playing anything."


async def test_stop_in_the_same_moment_leaves_no_turn_in_line(scene):
    await scene.start()
    await scene.joined()
    scene.runtime.say(scene.guild.id, "Never said.")
    assert scene.runtime.stop(scene.guild.id) == 1
    await scene.until(lambda: not scene.runtime.conversation.busy)


async def test_skip_goes_on_with_the_next(scene):
    await scene.start()
    ada = await scene.joined()
    await scene.runtime.play(scene.guild.id, wav(tone(400, 20)))
    await scene.runtime.play(scene.guild.id, wav(tone(1200, 0.6)))
    await ada.ears.wait_for_voice(scene.bot_user.id)
    await asyncio.sleep(0.3)
    assert await scene.run(ada, "voice skip") == "Skipped."
    await silence(scene)
    heard = voiced(ada, scene.bot_user)
    assert pitch_hz(heard[-24_000:]) == pytest.approx(1200, abs=10)
    assert len(heard) < 3 * 48_000
    assert await scene.run(ada, "voice skip") == "I was not saying or playing anything."


# Volume and voices ----------------------------------------------------------------------------------------------------------


async def test_the_volume_is_heard_shown_and_kept_for_the_server(scene):
    await scene.start()
    ada = await scene.joined()
    assert await scene.run(ada, "voice volume") == "Volume is 100%."
    assert await scene.run(ada, "voice volume", percent=25) == "Volume is 25%."
    await scene.runtime.play(scene.guild.id, HUM)
    await silence(scene)
    assert level(voiced(ada, scene.bot_user)) == pytest.approx(0.25 * 0.3 / 2**0.5, rel=0.15)
    await scene.run(ada, "voice leave")
    await scene.run(ada, "voice join")
    assert await scene.run(ada, "voice volume") == "Volume is 25%."


async def test_voices_are_completed_from_the_engines_own_list_and_others_refused(scene):
    await scene.start()
    ada = await scene.joined()
    await scene.until(lambda: scene.runtime.voice_preferences.names)
    choices = [choice["value"] for choice in await ada.autocomplete(scene.text, "voice voices", "voice", "de")]
    assert choices[:2] == ["default", "de"]
    assert len(choices) <= 25
    assert "There is no such voice" in await scene.run(ada, "voice voices", voice="klingon9")
    assert "“de”" in await scene.run(ada, "voice voices", voice="de")
    assert "“de+f2”" in await scene.run(ada, "voice voices", voice="de+f2")
    assert "my own voice" in await scene.run(ada, "voice voices", voice="default")


async def test_voice_rate_and_pitch_of_a_person_are_heard(scene):
    await scene.start()
    ada = await scene.joined()
    names = ("Bob", "Eve", "Dora")
    bob, eve, dora = [await scene.person(name) for name in names]
    said = await scene.run(bob, "voice voices", rate=200, nickname="Bobby")
    assert said == "Your messages are read with my own voice, 200% speed, you are called “Bobby”."
    assert "called" not in await scene.run(bob, "voice voices", nickname="Default")
    await scene.run(eve, "voice voices", pitch=7)
    await scene.run(dora, "voice voices", voice="de")
    sounds = []
    for person in (ada, bob, eve, dora):
        turn = scene.runtime.say(scene.guild.id, "Ah, the harbour is near.", author_id=person.user.id)
        await scene.runtime.conversation.finished(turn)
        await silence(scene)
        sounds.append(voiced(ada, scene.bot_user))
        ada.ears.forget()
    plain, fast, high, german = sounds
    assert 0.3 < len(fast) / len(plain) < 0.65
    assert 0.85 < len(high) / len(plain) < 1.15
    assert 1.3 < voice_pitch_hz(high) / voice_pitch_hz(plain) < 1.8
    assert 0.85 < voice_pitch_hz(german) / voice_pitch_hz(plain) < 1.15
    assert abs(len(german) - len(plain)) > 960


# Who may do what ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("voice say", {"text": "Boo."}),
        ("voice stop", {}),
        ("voice skip", {}),
        ("voice volume", {"percent": 5}),
        ("voice leave", {}),
        ("voice play", {"upload": ("x.wav", HUM, "audio/wav")}),
    ],
)
async def test_who_does_not_listen_decides_nothing_unless_they_moderate(scene, command, options):
    await scene.start()
    await scene.joined()
    eve = await scene.person("Eve")
    said = await scene.run(eve, command, **options)
    assert said == f"Join <#{scene.voice.id}> first: only who listens decides what is heard there."
    assert scene.session.player.volume == 1
    assert scene.session.player.stats.frames_sent == 0
    scene.world.edit_member(scene.guild, scene.guild.members[eve.user.id], role_ids=[scene.admin_role.id])
    assert "first" not in await scene.run(eve, command, **options)


async def test_everybody_may_look_at_status_and_volume(scene):
    await scene.start()
    await scene.joined()
    eve = await scene.person("Eve")
    assert await scene.run(eve, "voice volume") == "Volume is 100%."
    assert await embed(scene, eve)


async def test_nobody_can_send_the_bot_where_they_may_not_go_themselves(scene):
    vault = scene.world.add_voice_channel(scene.guild, "Vault")
    await scene.start()
    eve = await scene.person("Eve")
    scene.world.set_overwrite(vault, eve.user, deny=Permission.CONNECT)
    said = await scene.run(eve, "voice join", channel=vault)
    assert said == f"You may not join <#{vault.id}>, so you cannot send me there."
    assert scene.session is None


async def test_an_empty_channel_is_left_at_anybodys_wish(scene):
    await scene.start()
    ada = await scene.joined()
    await ada.leave()
    eve = await scene.person("Eve")
    assert "I left" in await scene.run(eve, "voice leave")
