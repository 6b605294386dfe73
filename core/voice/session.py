"""One voice session: the bot in one channel of one guild, from join to leave."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import discord

from core.errors import ParleyError
from core.events import SessionInterrupted, SessionMoved, SessionResumed
from core.tasks import Tasks
from core.voice.checks import VoiceRoom, name_of
from core.voice.media import Media

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from core.clock import Clock
    from core.hub import Hub
    from core.speech.speakable import Names
    from core.speech.speaker import Speaker
    from core.voice.client import ParleyVoiceClient
    from core.voice.playback.player import Player
    from core.voice.receive.receiver import Receiver
    from core.voice.receive.speaking import SpeakingDetector

_log = logging.getLogger(__name__)

WATCH_S = 0.25  # how often the connection is looked at
REJOIN_AFTER_S = 10.0  # discord.py reconnects by itself; after this long it gets a push
GIVE_UP_S = 90.0

MOVED = "I was moved to {channel} and go on there."
BACK = "I am back: the voice connection was away for {gap:.0f} s."
AWAY = "The voice connection broke; I am trying to come back."


@dataclass(slots=True)
class Connection:
    """What is open while a session runs."""

    client: ParleyVoiceClient
    speaker: Speaker
    speaking: SpeakingDetector


class VoiceSession:
    """The bot in one voice channel.

    Made by `VoiceService.join`. `player` and `receiver` stay the same objects through moves and reconnects.
    """

    def __init__(
        self,
        channel: VoiceRoom,
        connection: Connection,
        *,
        prompt_channel: discord.abc.Messageable | None,
        started_by: int | None,
        hub: Hub,
        clock: Clock,
        session_id: str,
    ) -> None:
        self.id = session_id
        self.channel = channel
        self.prompt_channel = prompt_channel
        self.started_by = started_by
        self.started_at: datetime = clock.now()
        self.interruptions = 0
        self.ended = asyncio.Event()
        self._connection = connection
        self._hub = hub
        self._clock = clock
        self._away_since: float | None = None
        self._tasks = Tasks(f"session {session_id}")
        self.media = Media(connection.client.player)

    @staticmethod
    def new_id() -> str:
        """An id for a session that is about to start."""
        return secrets.token_hex(6)

    @property
    def guild(self) -> discord.Guild:
        """The guild the session belongs to."""
        return self.channel.guild

    @property
    def client(self) -> ParleyVoiceClient:
        """The connection to Discord's voice server."""
        return self._connection.client

    @property
    def player(self) -> Player:
        """What sends sound."""
        return self._connection.client.player

    @property
    def receiver(self) -> Receiver:
        """What hears packets."""
        return self._connection.client.receiver

    @property
    def speaker(self) -> Speaker:
        """What turns text into sound; open for the whole session."""
        return self._connection.speaker

    @property
    def speaking(self) -> SpeakingDetector:
        """Who is really speaking."""
        return self._connection.speaking

    @property
    def names(self) -> Names:
        """What people, roles and channels of the guild are called when they are mentioned in speech."""
        from core.speech.speakable import Names

        guild = self.guild

        def called(found: discord.Member | discord.Role | discord.abc.GuildChannel | discord.Thread | None) -> str:
            return "" if found is None else getattr(found, "display_name", found.name)

        return Names(
            user=lambda user_id: called(guild.get_member(user_id)) or "someone",
            role=lambda role_id: called(guild.get_role(role_id)) or "a role",
            channel=lambda channel_id: called(guild.get_channel_or_thread(channel_id)) or "a channel",
        )

    @property
    def prompt_channel_id(self) -> int | None:
        """Id of the text channel whose messages are prompts."""
        return getattr(self.prompt_channel, "id", None)

    @property
    def connected(self) -> bool:
        """Whether sound can be sent right now."""
        return self.client.is_connected()

    def watch(self, lost: Callable[[], None]) -> None:
        """Start looking after the connection; `lost` is called once if it does not come back."""
        self._tasks.start(self._watch(lost), "watch")

    async def notice(self, text: str) -> None:
        """Say something in the prompt channel; nothing pings, and a channel that is gone is no error."""
        if self.prompt_channel is None:
            return
        try:
            await self.prompt_channel.send(text, allowed_mentions=discord.AllowedMentions.none(), silent=True)
        except discord.HTTPException as error:
            _log.warning("session %s: the prompt channel could not be told %r: %s", self.id, text, error)

    async def moved(self, channel: VoiceRoom) -> None:
        """Follow to another channel of the guild."""
        before, self.channel = self.channel, channel
        _log.info("session %s moved from %d to %d", self.id, before.id, channel.id)
        self._hub.publish(SessionMoved(channel.guild.id, self.id, before.id, channel.id))
        await self.notice(MOVED.format(channel=name_of(channel)))

    async def rejoin(self) -> None:
        """Ask Discord for the voice connection again, after the gateway forgot about it."""
        _log.info("session %s asks for its voice connection again", self.id)
        await self.guild.change_voice_state(channel=self.channel)

    async def close(self) -> None:
        """Stop sound, leave the channel, close the engine. Each step runs even if one before failed."""
        self.ended.set()
        await self._tasks.cancel_all()
        await self.media.close()
        self.player.stop_all()
        await self.speaking.close()
        for step, what in ((self._disconnect, "voice connection"), (self.speaker.close, "speech engine")):
            try:
                await step()
            except (discord.DiscordException, ParleyError, OSError, TimeoutError):
                _log.warning("session %s: closing the %s failed", self.id, what, exc_info=True)

    async def _disconnect(self) -> None:
        await self.client.disconnect(force=True)

    async def _watch(self, lost: Callable[[], None]) -> None:
        """Tell when the connection goes and comes; push a rejoin when discord.py's own attempts do not come back."""
        pushed_at = 0.0
        while True:
            await self._clock.sleep(WATCH_S)
            now = self._clock.monotonic()
            if self.connected:
                await self._came_back(now)
            elif self._away_since is None:
                self._away_since = pushed_at = now
                self.interruptions += 1
                _log.warning("session %s: the voice connection is away", self.id)
                self._hub.publish(SessionInterrupted(self.guild.id, self.id, self.channel.id, "connection lost"))
            elif now - self._away_since > GIVE_UP_S:
                lost()
                return
            elif now - pushed_at > REJOIN_AFTER_S:
                pushed_at = now
                await self.notice(AWAY)
                await self.rejoin()

    async def _came_back(self, now: float) -> None:
        if self._away_since is None:
            return
        gap_s = now - self._away_since
        self._away_since = None
        _log.info("session %s: the voice connection is back after %.1f s", self.id, gap_s)
        self._hub.publish(SessionResumed(self.guild.id, self.id, self.channel.id, gap_s))
        if gap_s > 1:
            await self.notice(BACK.format(gap=gap_s))
