"""The bot's own pictures and names: its account's and, in each guild, its member's; and how often they may change."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import discord
import pytest

from loopback.rest import profile_pictures
from loopback.services.png import png

if TYPE_CHECKING:
    from loopback.people.clients import Listening
    from loopback.server import Loopback, Standard


async def test_a_member_has_a_profile_of_its_own_in_each_guild(
    bot: Listening, quiet: Loopback, usual: Standard, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, banner = png(8, 8, 1), png(16, 8, 2)
    me = bot.get_guild(usual.guild.id).me
    edited = await me.edit(nick="Ada", avatar=picture, banner=banner, bio="I read.")
    assert (edited.nick, await edited.guild_avatar.read()) == ("Ada", picture)
    await bot.heard("member_update", lambda _, after: after.guild_avatar is not None)
    member = usual.guild.members[usual.bot.id]
    assert (member.banner[1], member.bio, usual.bot.avatar) == (banner, "I read.", None)
    await me.edit(avatar=None, bio=None)
    assert (member.avatar, member.bio, member.nick) == ((None, b""), None, "Ada")
    with pytest.raises(discord.HTTPException) as refusal:
        await me.edit(bio="x" * 191)
    assert refusal.value.code == 50035
    monkeypatch.setattr(profile_pictures, "PICTURE_LIMIT_BYTES", 100)
    with pytest.raises(discord.HTTPException) as refusal:
        await me.edit(avatar=png(64, 64))
    assert "10240" in refusal.value.text


async def test_an_avatar_changes_twice_in_ten_minutes(
    bot: Listening, quiet: Loopback, usual: Standard, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = time.time()
    monkeypatch.setattr(quiet.limits, "_clock", lambda: moment)
    me = bot.get_guild(usual.guild.id).me
    for change in (bot.user.edit, me.edit):
        for number in range(2):
            await change(avatar=png(8, 8, number))
        with pytest.raises(discord.HTTPException) as refusal:
            await change(avatar=png(8, 8, 9))
        assert (refusal.value.status, refusal.value.code) == (400, 50035)
        assert "too fast" in refusal.value.text
        moment += 601.0
        await change(avatar=None)
    await bot.user.edit(username="free")
    quiet.faults.limit("PATCH /users/@me", retry_after_s=0.2)
    await bot.user.edit(avatar=png(8, 8, 3))
    assert usual.bot.avatar_bytes == png(8, 8, 3), "a 429 is slept through by discord.py"
