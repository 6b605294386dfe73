"""The way into a voice channel: a look at the engine, gates, engine, connection; undone in reverse when a step fails.

The gates come first: an engine that loads a model loads it into memory that others have given back. The look before them
takes no memory, so that nothing gives way for an engine that is not there.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import aiohttp
import discord

from core.errors import VoiceError
from core.music.deck import Deck
from core.voice.checks import VoiceRoom, name_of
from core.voice.session import Connection, VoiceSession

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from core.config.voice import VoiceSection
    from core.hub import Hub
    from core.speech.speaker import Speaker
    from core.store.settings import SettingsRepository
    from core.voice.connection.persistent import PersistentVoiceClient
    from core.voice.receive.speaking import SpeakingDetector
    from core.voice.session import MakeDeck

_log = logging.getLogger(__name__)

STRANGER = "Another part of this bot is already in a voice channel here. It has to leave first."
NO_ANSWER = "Discord did not let me into {channel} within {timeout:g} s. Check my permissions there and try again."
NO_LUCK = "I could not join {channel}: the voice server refused or cannot be reached. Please try again."


class SessionGate(Protocol):
    """Somebody who must act before a session starts and after it ended; the lockdown does."""

    async def engage(self, session_id: str, *, guild_id: int, channel_id: int) -> None:
        """Get ready; raising ParleyError refuses the session, with everything undone."""
        ...

    async def release(self, session_id: str) -> None:
        """Undo, however the session ended."""
        ...


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A connection that is ready, and the id its gates know it by."""

    session_id: str
    connection: Connection


class SessionOpener:
    """Opens what a session needs."""

    def __init__(
        self,
        bot: discord.Client,
        section: VoiceSection,
        hub: Hub,
        settings: SettingsRepository,
        make_speaker: Callable[[], Speaker],
        gates: Sequence[SessionGate],
        make_deck: MakeDeck | None = None,
    ) -> None:
        self._bot = bot
        self._section = section
        self._hub = hub
        self._settings = settings
        self._make_speaker = make_speaker
        self._gates = gates
        self._make_deck = make_deck or Deck

    async def open(self, channel: VoiceRoom) -> OpenedSession:
        """Everything for a session in this channel.

        Raises:
            VoiceError: Discord refuses, does not answer, or somebody else of this bot is there.
            SpeechError: The speech engine is not to be had.
            ParleyError: A gate refuses.
        """
        guild = channel.guild
        if guild.voice_client is not None:  # a host's own music player
            raise VoiceError(STRANGER)
        session_id = VoiceSession.new_id()
        undoing = AsyncExitStack()
        try:
            speaker = self._make_speaker()
            _undo_later(undoing, speaker.close)
            await speaker.check()
            for gate in self._gates:
                await gate.engage(session_id, guild_id=guild.id, channel_id=channel.id)
                _undo_later(undoing, partial(gate.release, session_id))
            _undo_later(undoing, speaker.close)  # a second time, since its memory is given back before gates open
            await speaker.open()
            client = await self._connect(channel)
            _undo_later(undoing, client.hang_up)
            kept = await self._settings.guild(guild.id)
        except BaseException:
            await asyncio.shield(undoing.aclose())
            raise
        client.player.volume = self._section.volume if kept.volume is None else kept.volume
        return OpenedSession(session_id, Connection(client, speaker, self._listen(client), self._make_deck))

    async def _connect(self, channel: VoiceRoom) -> PersistentVoiceClient:
        from core.voice.connection.persistent import PersistentVoiceClient

        timeout_s = self._section.connect_timeout_s
        try:
            return await PersistentVoiceClient.open(self._bot, channel, timeout_s=timeout_s)
        except TimeoutError as error:
            raise VoiceError(NO_ANSWER.format(channel=name_of(channel), timeout=timeout_s)) from error
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            raise VoiceError(NO_LUCK.format(channel=name_of(channel))) from error

    def _listen(self, client: PersistentVoiceClient) -> SpeakingDetector:
        from core.voice.receive.speaking import SpeakingDetector

        silence_s = self._section.speaking_silence_ms / 1000
        speaking = SpeakingDetector(self._hub, client.guild.id, lambda: client.channel.id, silence_s=silence_s)
        client.receiver.subscribe(speaking.heard, owner=speaking)
        speaking.start()
        return speaking


def _undo_later(undoing: AsyncExitStack, undo: Callable[[], Awaitable[None]]) -> None:
    async def step() -> None:
        try:
            await undo()
        except Exception:  # noqa: BLE001 - what was taken before must be given back too; the log has the cause
            _log.exception("undoing a session's start failed half way")

    undoing.push_async_callback(step)
