"""Two people talk: each with discord.py's own voice client, end-to-end encrypted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from loopback.people.refused import Refused
from loopback.world import Permission

if TYPE_CHECKING:
    from tests.loopback.people.conftest import Room


def tone(seconds: float, hertz: float = 440.0) -> np.ndarray:
    times = np.arange(int(seconds * 48_000)) / 48_000
    mono = (np.sin(2 * np.pi * hertz * times) * 8000).astype(np.int16)
    return np.stack([mono, mono], axis=1)


async def test_two_people_hear_each_other_encrypted(room: Room) -> None:
    await room.alice.join(room.standard.voice)
    await room.bob.join(room.standard.voice)
    await asyncio.gather(room.alice.until_encrypted(), room.bob.until_encrypted())
    for speaker, listener in ((room.alice, room.bob), (room.bob, room.alice)):
        heard = asyncio.create_task(listener.ears.wait_for_voice(speaker.user.id))
        await speaker.play(tone(0.4))
        frame = await heard
        assert frame.voiced
        assert frame.encrypted
        assert listener.ears.dave_frames >= 18
        assert listener.ears.plain_frames == 0
        assert listener.ears.undecryptable == 0


async def test_a_person_speaks_words(room: Room) -> None:
    await room.alice.join(room.standard.voice)
    await room.bob.join(room.standard.voice)
    await room.alice.say("hello")
    assert sum(frame.voiced for frame in room.bob.ears.heard(room.alice.user.id)) > 10


async def test_who_leaves_is_gone_and_may_come_back(room: Room) -> None:
    await room.alice.join(room.standard.voice)
    assert room.alice.voice_state.channel is room.standard.voice
    await room.alice.leave()
    assert room.alice.voice_state is None
    await room.alice.join(room.standard.voice)
    assert room.alice.voice_state is not None


async def test_a_person_moves_with_join_and_move(room: Room) -> None:
    other = room.loopback.world.add_voice_channel(room.standard.guild, "Other")
    await room.alice.join(room.standard.voice)
    await room.alice.mute()
    await room.alice.move(other)
    assert room.alice.voice_state.channel is other
    assert room.alice.voice_state.self_mute
    await room.alice.join(room.standard.voice)
    assert room.alice.voice_state.channel is room.standard.voice


async def test_mute_and_deafen_are_seen_and_the_muted_do_not_speak(room: Room) -> None:
    await room.alice.join(room.standard.voice)
    await room.alice.mute()
    assert room.alice.voice_state.self_mute
    with pytest.raises(Refused, match="is muted"):
        await room.alice.play(tone(0.1))
    await room.alice.deafen()
    assert room.alice.voice_state.self_deaf
    await room.alice.deafen(on=False)
    assert not room.alice.voice_state.self_mute
    await room.alice.play(tone(0.1))


async def test_the_client_keeps_people_out_of_full_closed_and_hidden_channels(room: Room) -> None:
    world, guild = room.loopback.world, room.standard.guild
    small = world.add_voice_channel(guild, "Small", user_limit=1)
    closed = world.add_voice_channel(guild, "Closed")
    world.set_overwrite(closed, guild.everyone, deny=Permission.CONNECT)
    await room.alice.join(small)
    with pytest.raises(Refused, match="full"):
        await room.bob.join(small)
    with pytest.raises(Refused, match="CONNECT"):
        await room.bob.join(closed)
    with pytest.raises(Refused, match="no voice channel"):
        await room.bob.join(room.standard.text)
    with pytest.raises(Refused, match="never joined"):
        _ = room.bob.ears


async def test_without_speak_nothing_is_said(room: Room) -> None:
    await room.alice.join(room.standard.voice)
    everyone = room.standard.guild.everyone
    room.loopback.world.set_overwrite(room.standard.voice, everyone, deny=Permission.SPEAK)
    with pytest.raises(Refused, match="lacks SPEAK"):
        await room.alice.say("hello")


async def test_who_is_thrown_out_knows_it(room: Room) -> None:
    await room.alice.join(room.standard.voice)
    room.loopback.world.voice.leave(room.standard.guild, room.alice.user.id)
    assert room.alice.voice_state is None
    with pytest.raises(Refused, match="not in a voice channel"):
        await room.alice.say("hello")
    await room.alice.join(room.standard.voice)
    assert room.alice.voice_state.channel is room.standard.voice


async def test_who_is_dragged_away_goes_on_talking_there(room: Room) -> None:
    other = room.loopback.world.add_voice_channel(room.standard.guild, "Other")
    await room.alice.join(room.standard.voice)
    await room.bob.join(other)
    room.loopback.world.voice.move(room.standard.guild, room.alice.user.id, other)
    await asyncio.gather(room.alice.until_encrypted(), room.bob.until_encrypted())
    heard = asyncio.create_task(room.bob.ears.wait_for_voice(room.alice.user.id))
    await room.alice.play(tone(0.3))
    assert (await heard).encrypted
