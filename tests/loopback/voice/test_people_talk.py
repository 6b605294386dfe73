"""discord.py's unmodified voice client, logged in to a Discord on localhost: people hear each other, whatever breaks."""

from __future__ import annotations

import asyncio
import io
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import discord
import numpy as np
import pytest

from loopback.people.clients import client_options, running
from loopback.people.voice_client import PersonVoiceClient
from loopback.server import Loopback, Standard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from loopback.voice.room import Room, VoiceSession

RATE = 48_000


def tone(pitch_hz: float, seconds: float = 0.6) -> bytes:
    """A sine as s16le stereo."""
    wave = np.sin(np.arange(int(RATE * seconds)) * 2 * np.pi * pitch_hz / RATE) * 8000
    return wave.astype("<i2").repeat(2).tobytes()


def pitch_of(pcm: np.ndarray) -> float:
    """The strongest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(pcm[:, 0].astype(np.float64)))
    return float(np.argmax(spectrum)) * RATE / len(pcm)


@dataclass(slots=True)
class Call:
    """A Discord with several people logged in by discord.py."""

    loopback: Loopback
    place: Standard
    clients: list[discord.Client]

    async def join(self, number: int, channel_id: int | None = None) -> PersonVoiceClient:
        channel = self.clients[number].get_channel(channel_id or self.place.voice.id)
        assert isinstance(channel, discord.VoiceChannel)
        return await channel.connect(cls=PersonVoiceClient, timeout=30)

    @property
    def sessions(self) -> list[VoiceSession]:
        room = self.loopback.voice.room(self.place.voice.id)
        return list(room.sessions.values()) if room else []

    @property
    def room(self) -> Room:
        room = self.loopback.voice.room(self.place.voice.id)
        assert room is not None
        return room


@pytest.fixture
async def call() -> AsyncIterator[Call]:
    async with Loopback() as loopback:
        loopback.redirect()
        place = loopback.standard()
        clients = [discord.Client(**client_options(loopback)) for _ in range(3)]
        async with AsyncExitStack() as stack:
            for number, client in enumerate(clients):
                user = loopback.world.add_user(f"person{number}", bot=True)
                loopback.world.add_member(place.guild, user, [])
                await stack.enter_async_context(running(client, user.token))
            yield Call(loopback, place, clients)


async def everybody_hears(voices: list[PersonVoiceClient]) -> None:
    """Each plays a tone of its own at the same time; each other one must hear it."""
    pitches = [400.0 * (number + 1) for number in range(len(voices))]
    for voice in voices:
        voice.ears.forget()
    await asyncio.gather(*(voice.mouth.play(tone(pitch)) for voice, pitch in zip(voices, pitches, strict=True)))
    await asyncio.sleep(0.2)
    for listener in voices:
        for speaker, pitch in zip(voices, pitches, strict=True):
            if speaker is not listener:
                heard = listener.ears.pcm(speaker.user.id)
                assert len(heard) > RATE * 0.5
                assert abs(pitch_of(heard) - pitch) < 10


async def test_three_people_hear_each_other_end_to_end_encrypted(call: Call):
    voices = [await call.join(number) for number in range(3)]
    await call.room.wait_settled(3)
    await everybody_hears(voices)
    for voice in voices:
        assert voice.ears.dave_frames == 60
        assert (voice.ears.plain_frames, voice.ears.undecryptable, voice.ears.malformed) == (0, 0, 0)
        assert voice.ears.silence_frames == 10
    assert len({voice.voice_privacy_code for voice in voices}) == 1


# discord.py forgets to close the old socket when it is moved.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_discord_pys_own_client_joins_moves_and_is_heard_unmodified(call: Call):
    elsewhere = call.loopback.world.add_voice_channel(call.place.guild, "Elsewhere")
    plain = await call.clients[0].get_channel(call.place.voice.id).connect(timeout=30)
    await plain.move_to(call.clients[0].get_channel(elsewhere.id))
    listener = await call.join(1, elsewhere.id)
    room = call.loopback.voice.room(elsewhere.id)
    assert room is not None
    await room.wait_settled(2)
    plain.play(discord.PCMAudio(io.BytesIO(tone(440))))
    frame = await listener.ears.wait_for_voice(plain.user.id)
    assert frame.encrypted
    await asyncio.sleep(0.8)
    assert abs(pitch_of(listener.ears.pcm(plain.user.id)) - 440) < 10
    await plain.disconnect()


async def test_people_who_come_and_go_always_share_the_group(call: Call):
    first = await call.join(0)
    second = await call.join(1)
    await call.room.wait_settled(2)
    third = await call.join(2)
    await call.room.wait_settled(3)
    await second.disconnect()
    await call.room.wait_settled(2)
    await everybody_hears([first, third])
    await third.disconnect()
    await call.room.wait_settled(1)
    assert call.room.epoch == 0
    second = await call.join(1)
    await call.room.wait_settled(2)
    await everybody_hears([first, second])


async def test_a_corrupt_welcome_is_recovered_by_discord_py_itself(call: Call):
    first, second = await call.join(0), await call.join(1)
    await call.room.wait_settled(2)
    call.loopback.voice.faults.corrupt_welcomes = 1
    third = await call.join(2)
    await call.room.wait_until(lambda room: room.dave_counters.recoveries == 1)
    await call.room.wait_settled(3)
    await everybody_hears([first, second, third])


async def test_a_downgrade_and_an_upgrade_are_followed_while_connected(call: Call):
    voices = [await call.join(0), await call.join(1)]
    await call.room.wait_settled(2)
    call.room.set_protocol_version(0)
    await call.room.wait_until(lambda room: room.settled)
    await everybody_hears(voices)
    assert all(voice.ears.plain_frames > 25 for voice in voices)
    call.room.set_protocol_version(1)
    await call.room.wait_until(lambda room: room.epoch > 0 and room.settled)
    await everybody_hears(voices)
    assert all(voice.ears.dave_frames > 25 for voice in voices)


async def test_a_voice_server_without_dave_carries_plain_audio(call: Call):
    call.loopback.voice.faults.dave = False
    voices = [await call.join(0), await call.join(1)]
    await everybody_hears(voices)
    assert all(voice.ears.dave_frames == 0 for voice in voices)


async def test_a_camera_is_seen_and_does_not_disturb_the_voice(call: Call):
    voices = [await call.join(0), await call.join(1)]
    await call.room.wait_settled(2)
    await voices[0].camera(on=True)
    await everybody_hears(voices)
    await voices[0].camera(on=False)
    assert voices[1].ears.video_packets > 5
    assert voices[1].ears.video_frames > 5
    assert voices[1].ears.malformed == 0


async def test_loss_is_counted_where_it_is_heard(call: Call):
    voices = [await call.join(0), await call.join(1)]
    await call.room.wait_settled(2)
    call.loopback.voice.faults.network.loss = 0.2
    await asyncio.gather(*(voice.mouth.play(tone(440, 1.0)) for voice in voices))
    await asyncio.sleep(0.1)
    session = call.loopback.voice.session(guild_id=call.place.guild.id, user_id=voices[1].user.id)
    assert session is not None
    lost = session.endpoint.lost[voices[0].ssrc]
    assert lost > 0
    heard = len(voices[1].ears.heard(voices[0].user.id))
    assert heard + lost == 55
    # Only losses between packets that came can be seen at the ear.
    assert voices[1].ears.lost(voices[0].user.id) <= lost


async def test_a_move_takes_the_voice_along(call: Call):
    elsewhere = call.loopback.world.add_voice_channel(call.place.guild, "Elsewhere")
    voices = [await call.join(0), await call.join(1)]
    await call.room.wait_settled(2)
    for number, voice in enumerate(voices):
        await voice.move_to(call.clients[number].get_channel(elsewhere.id))
    room = call.loopback.voice.room(elsewhere.id)
    assert room is not None
    await room.wait_settled(2)
    assert call.loopback.voice.room(call.place.voice.id) is None
    await everybody_hears(voices)


async def test_a_kicked_person_is_disconnected_and_the_others_go_on(call: Call):
    voices = [await call.join(number) for number in range(3)]
    await call.room.wait_settled(3)
    call.loopback.world.voice.leave(call.place.guild, voices[2].user.id)
    await call.room.wait_settled(2)
    await everybody_hears(voices[:2])
    async with asyncio.timeout(30):
        while voices[2].is_connected():  # noqa: ASYNC110 - discord.py tells nobody
            await asyncio.sleep(0.02)


async def test_a_dropped_websocket_is_reconnected_by_discord_py(call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(discord.backoff.ExponentialBackoff, "delay", lambda _self: 0.05)
    voices = [await call.join(0), await call.join(1)]
    await call.room.wait_settled(2)
    before = call.room.sessions[voices[1].user.id]
    await call.loopback.voice.drop(guild_id=call.place.guild.id, user_id=voices[1].user.id)
    await call.room.wait_until(lambda room: room.sessions.get(voices[1].user.id) not in (None, before))
    await call.room.wait_settled(2)
    await everybody_hears(voices)


@pytest.mark.parametrize("code", [4006, 4015])
async def test_people_are_back_after_a_crash_of_the_voice_server(
    call: Call, monkeypatch: pytest.MonkeyPatch, code: int
):
    monkeypatch.setattr(discord.backoff.ExponentialBackoff, "delay", lambda _self: 0.05)
    voices = [await call.join(0), await call.join(1)]
    await call.room.wait_settled(2)
    before = list(call.sessions)
    await call.loopback.voice.crash(call.place.voice.id, code)
    async with asyncio.timeout(30):
        while any(session in before for session in call.sessions) or len(call.sessions) < 2:  # noqa: ASYNC110 - the rooms come and go
            await asyncio.sleep(0.02)
    await call.room.wait_settled(2)
    await everybody_hears(voices)


async def test_speech_is_synthesised_said_and_heard(call: Call, tmp_path):
    voices = [await call.join(0), await call.join(1)]
    await call.room.wait_settled(2)
    wait = asyncio.create_task(voices[1].ears.wait_for_voice(voices[0].user.id))
    await voices[0].mouth.say("Hi")
    frame = await wait
    assert frame.voiced
    assert frame.encrypted
    assert voices[1].ears.speakers == [voices[0].user.id]
    await asyncio.to_thread(voices[1].ears.write_wav, tmp_path / "heard.wav")
    assert (tmp_path / "heard.wav").stat().st_size > 20_000
