"""Cheap speakers are real ones: they log in, share the group and are heard encrypted."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from loopback.server import Loopback
from loopback.voice.load import Choir, SyntheticSpeaker, encode, tone

if TYPE_CHECKING:
    from loopback.voice.client import ReceivedFrame

ROOT = Path(__file__).resolve().parents[3]


async def test_a_choir_in_another_process_is_heard_without_loss() -> None:
    async with Loopback() as loopback:
        place = loopback.standard()
        users = [loopback.world.add_user(f"singer{i}", bot=True) for i in range(6)]
        for user in users:
            loopback.world.add_member(place.guild, user, [])
        heard: list[ReceivedFrame] = []
        listener = SyntheticSpeaker(loopback.gateway, loopback.certificates.client_context(), place.bot.token)
        await listener.enter(place.guild.id, place.voice.id)
        listener.voice.on_audio = heard.append
        where = ["--guild", str(place.guild.id), "--channel", str(place.voice.id), "--seconds", "0.5"]
        where += ["--gateway", loopback.gateway, "--ca", str(loopback.certificates.ca_file)]
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "loopback.voice.load", *where, stdin=-1, stdout=-1, cwd=ROOT
        )
        output, _ = await child.communicate("\n".join(user.token for user in users).encode())
        entered, result = map(json.loads, output.splitlines())
        await listener.leave()
    assert entered == {"entered": 6}
    assert result["plain"] == 0
    assert result["sent"] == {str(user.id): 30 for user in users}
    counted = {user.id: sum(one.user_id == user.id for one in heard) for user in users}
    assert counted == {user.id: 30 for user in users}
    assert all(one.opus is not None for one in heard)
    assert sum(one.encrypted for one in heard) == 6 * 25


async def test_a_choir_sings_in_both_modes_in_one_process() -> None:
    async with Loopback() as loopback:
        place = loopback.standard()
        tls = loopback.certificates.client_context()
        speakers: list[SyntheticSpeaker] = []
        for mode in ("aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"):
            user = loopback.world.add_user(mode, bot=True)
            loopback.world.add_member(place.guild, user, [])
            speakers.append(SyntheticSpeaker(loopback.gateway, tls, user.token, mode=mode))
        choir = Choir(speakers)
        await choir.enter(place.guild.id, place.voice.id)
        await choir.sing(0.2, [encode(tone(300))], speed=4.0)
        await choir.leave()
        assert [(speaker.sent, speaker.plain) for speaker in speakers] == [(15, 0), (15, 0)]
