"""A person in voice channels: a client of discord.py under the person's own token, with ears and a mouth."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import discord

from loopback.people.clients import client_options, running
from loopback.people.interacting import Interacting
from loopback.people.refused import Refused
from loopback.people.voice_client import PersonVoiceClient
from loopback.waiting import PATIENCE_S
from loopback.world.permissions import Permission
from loopback.world.rights import in_channel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

    import numpy as np

    from loopback.people.clients import LocalDiscord
    from loopback.people.ears import Ears
    from loopback.world.guilds import Channel, VoiceState
    from loopback.world.users import User

_LOOK_AGAIN_S = 0.01


class Talking(Interacting):
    """Joins voice channels, speaks and hears. Nothing is injected behind the protocol."""

    def __init__(self, loopback: LocalDiscord, user: User) -> None:
        super().__init__(loopback, user)
        self._client: discord.Client | None = None
        self._running = contextlib.AsyncExitStack()
        self._voice: PersonVoiceClient | None = None

    @property
    def voice_state(self) -> VoiceState | None:
        """Where this person is in voice, as everybody sees it."""
        states = (guild.voice_states.get(self.user.id) for guild in self.world.guilds.values())
        return next((state for state in states if state is not None), None)

    @property
    def voice(self) -> PersonVoiceClient:
        """The voice connection of the last `join`; raises Refused if there was none."""
        if self._voice is None:
            raise Refused(f"{self.user.name} never joined a voice channel")
        return self._voice

    @property
    def ears(self) -> Ears:
        """What this person heard since the last `join`; still there after `leave`."""
        return self.voice.ears

    async def join(self, channel: Channel, *, mute: bool = False, deaf: bool = False) -> PersonVoiceClient:
        """Enter a voice channel; somebody who is in one already moves.

        Raises:
            Refused: If the client would not let the person in: hidden, no Connect, or full.
            TimeoutError: If the voice server does not come up.
        """
        self._must_get_in(channel)
        if self._voice is not None and self.voice_state is not None and self._voice.is_connected():
            await self.move(channel)
            return self._voice
        client = await self._logged_in()
        await _until(lambda: not client.voice_clients, PATIENCE_S)  # it may not have noticed yet a throw-out
        target = client.get_channel(channel.id)
        if not isinstance(target, discord.VoiceChannel | discord.StageChannel):
            raise Refused(f"{channel.name!r} is no voice channel that {self.user.name} sees")
        self._voice = await target.connect(cls=PersonVoiceClient, timeout=PATIENCE_S, self_mute=mute, self_deaf=deaf)
        return self._voice

    async def until_encrypted(self, timeout: float = PATIENCE_S) -> None:
        """Wait until what this person says is end-to-end encrypted. Alone in a channel that never comes.

        Raises:
            TimeoutError: If the group is not formed in time.
        """
        connection = self.voice._connection
        await _until(lambda: connection.can_encrypt, timeout)

    async def leave(self) -> None:
        """Leave the voice channel; no effect outside of one."""
        if self._voice is not None and self.voice_state is not None:
            await self._voice.disconnect(force=True)
            await self._settled(lambda: self.voice_state is None, "leaving")

    async def move(self, channel: Channel) -> None:
        """Change to another voice channel of the guild, as by a click on it; done when the connection stands again."""
        self._must_get_in(channel)
        if self._is_in(channel):
            return
        before = self.voice.ws
        await self._ask_for(channel)
        await self._settled(lambda: self._is_in(channel), f"moving to {channel.name}")
        await _until(lambda: self.voice.ws is not before and self.voice.is_connected(), PATIENCE_S)

    async def mute(self, *, on: bool = True) -> None:
        """Switch the own microphone off or on."""
        await self._change(mute=on)

    async def deafen(self, *, on: bool = True) -> None:
        """Switch the own ears and microphone off or on, as the headphone button does."""
        await self._change(mute=on, deaf=on)

    async def camera(self, *, on: bool = True) -> None:
        """Switch the camera on or off: more SSRCs, and video packets on the same socket."""
        await self.voice.camera(on=on)

    async def say(self, text: str, *, voice: str = "en") -> None:
        """Speak a text, synthesised by a child process, to its end; `voice` is one of espeak's."""
        self._must_be_audible()
        await self.voice.mouth.say(text, voice=voice)

    async def play(self, sound: bytes | np.ndarray | Path) -> None:
        """Play s16le stereo PCM at 48 kHz (bytes or an int16 array of shape (n, 2)) or a sound file, to its end."""
        self._must_be_audible()
        await self.voice.mouth.play(sound)

    async def close(self) -> None:
        """Leave voice and log the client out. The account stays."""
        if self._voice is not None and self._voice.is_connected():
            await self._voice.disconnect(force=True)
        await self._running.aclose()
        self._client = None

    async def _logged_in(self) -> discord.Client:
        if self._client is not None and not self._client.is_closed():
            return self._client
        self.loopback.redirect()
        intents = discord.Intents(guilds=True, voice_states=True)
        options = client_options(self.loopback, intents)
        client = discord.Client(**options, chunk_guilds_at_startup=False, max_messages=None)
        self._client = await self._running.enter_async_context(running(client, self.token))
        return self._client

    async def _change(self, *, mute: bool, deaf: bool = False) -> None:
        state = self.voice_state
        if state is None or state.channel is None:
            raise Refused(f"{self.user.name} is not in a voice channel")
        await self._ask_for(state.channel, mute=mute, deaf=deaf)

        def changed() -> bool:
            now = self.voice_state
            return now is not None and (now.self_mute, now.self_deaf) == (mute, deaf)

        await self._settled(changed, "the new voice state")

    async def _ask_for(self, channel: Channel, *, mute: bool | None = None, deaf: bool | None = None) -> None:
        """Ask the gateway for a place in voice; what is not given stays as it is.

        Not `VoiceClient.move_to`: it changes the UDP socket while its reader still waits on the old one.
        """
        now = self.voice_state
        await self.voice.guild.change_voice_state(
            channel=discord.Object(channel.id),
            self_mute=mute if mute is not None else now is not None and now.self_mute,
            self_deaf=deaf if deaf is not None else now is not None and now.self_deaf,
        )

    async def _settled(self, done: Callable[[], bool], awaited: str) -> None:
        bell = self.loopback.interactions.bell
        await bell.until(lambda: done() or None, PATIENCE_S, awaited, lambda: f"{self.voice_state}")

    def _is_in(self, channel: Channel) -> bool:
        state = self.voice_state
        return state is not None and state.channel is channel

    def _must_get_in(self, channel: Channel) -> None:
        guild = channel.guild
        if guild is None or not channel.is_voice:
            raise Refused(f"{channel.name or channel.id!r} is no voice channel")
        self._must_have(channel, Permission.VIEW_CHANNEL | Permission.CONNECT)
        if not self.world.voice.may_join(guild.members[self.user.id], channel):
            raise Refused(f"{channel.name!r} is full")

    def _must_be_audible(self) -> None:
        state = self.voice_state
        if state is None or state.channel is None:
            raise Refused(f"{self.user.name} is not in a voice channel")
        if state.self_mute or state.member.muted or state.suppress:
            raise Refused(f"{self.user.name} is muted")
        if not state.channel.is_stage and not in_channel(state.channel, self.user) & Permission.SPEAK:
            raise Refused(f"{self.user.name} lacks SPEAK in {state.channel.name!r}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _until(done: Callable[[], bool], timeout_s: float) -> None:
    """Wait for something inside discord.py that it tells nobody about; raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not done():  # noqa: ASYNC110 (there is no event to wait for)
            await asyncio.sleep(_LOOK_AGAIN_S)
