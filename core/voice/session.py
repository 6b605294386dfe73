"""One voice session: the bot in one channel of one guild, from join to leave."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import discord

from core.events import EncryptionChanged, SessionImpaired, SessionInterrupted, SessionMoved, SessionResumed
from core.names import shown
from core.tasks import Tasks
from core.voice.absence import Absence, AbsenceStep
from core.voice.checks import NO_SPEAK, VoiceRoom, name_of
from core.voice.connection.changes import (
    CameUp,
    ConnectionChange,
    ConnectionOver,
    EncryptionTurned,
    WentDown,
    unwatched,
)
from core.voice.keys import KeyStep, KeyWatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from core.clock import Clock
    from core.errors import ParleyError
    from core.hub import Hub
    from core.music.deck import Deck
    from core.music.track import Track
    from core.speech.speakable import Names
    from core.speech.speaker import Speaker
    from core.voice.connection.persistent import PersistentVoiceClient
    from core.voice.playback.player import Player
    from core.voice.receive.receiver import Receiver
    from core.voice.receive.speaking import SpeakingDetector

    MakeDeck = Callable[[Player, Callable[[Track, ParleyError], Awaitable[None]]], Deck]

_log = logging.getLogger(__name__)

STEP_S = 0.25  # how often it is asked what is due
CLOSE_S = 2.0  # for each step of closing: an engine that hangs must not keep the rest of the bot locked

UNREACHABLE = (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError)

MOVED = "I was moved to {channel} and go on there."
BACK = "I am back: the voice connection was away for {gap:.0f} s."
BROKEN_OFF = "I stopped playing **{title}**. {why}"
AWAY = "The voice connection broke; I am trying to come back."
DEAFENED = "A moderator deafened me: I hear nobody, and nothing that is said is recorded, until that is undone."
UNDEAFENED = "I am no longer deafened and hear everybody again."
UNENCRYPTED = (
    "This channel's end-to-end encryption was switched off: from now on Discord can hear what is said here. "
    "What runs goes on; end it if you mind."
)
ENCRYPTED = "This channel is encrypted end to end again."
NO_KEYS = (
    "This channel is encrypted end to end, and its keys are not agreed on yet. What I have to say waits until they are."
)
NO_KEYS_LEFT = (
    "I cannot agree on this channel's end-to-end keys with the others, and do not speak without: "
    "what I have to say is only written until that works. I go on trying."
)
KEYS = "The channel's end-to-end keys are agreed on; I can be heard again."


@dataclass(slots=True)
class Connection:
    """What is open while a session runs."""

    client: PersistentVoiceClient
    speaker: Speaker
    speaking: SpeakingDetector
    make_deck: MakeDeck


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
        self._absence = Absence()
        self._over = False
        self.muted = self.suppressed = False  # by the server, for good or on a stage
        self.deafened = self.silenced = False  # by the server
        self._rejoin_now = False
        self._keys = KeyWatch()
        self._tasks = Tasks(f"session {session_id}")
        self.media = connection.make_deck(connection.client.player, self._media_failed)

    @staticmethod
    def new_id() -> str:
        """An id for a session that is about to start."""
        return secrets.token_hex(6)

    @property
    def guild(self) -> discord.Guild:
        """The guild the session belongs to."""
        return self.channel.guild

    @property
    def client(self) -> PersistentVoiceClient:
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
    def silent(self) -> bool:
        """Whether nothing is said any more because the channel's end-to-end keys do not come."""
        return self._keys.silent

    @property
    def connected(self) -> bool:
        """Whether sound can be sent right now."""
        return self.client.is_connected()

    def watch(self, lost: Callable[[], None]) -> None:
        """Start looking after the connection; `lost` is called once if it is gone for good."""
        self.client.watch(self._changed)
        self._tasks.start(self._do_what_is_due(lost), "due")

    def impaired(self, state: discord.VoiceState) -> None:
        """Take in what the server keeps the bot from, and tell when that changes."""
        self.muted, self.suppressed = state.mute, state.suppress
        deafened, silenced = state.deaf, state.mute or state.suppress
        if (deafened, silenced) == (self.deafened, self.silenced):
            return
        if deafened != self.deafened:
            self._tasks.start(self.notice(DEAFENED if deafened else UNDEAFENED), "notice deafened")
        self.deafened, self.silenced = deafened, silenced
        _log.info("session %s: deafened: %s, silenced: %s", self.id, deafened, silenced)
        self._hub.publish(SessionImpaired(self.guild.id, self.id, self.channel.id, deafened, silenced))

    async def notice(self, text: str) -> None:
        """Say something in the prompt channel; nothing pings, and a channel that is gone is no error."""
        if self.prompt_channel is None:
            return
        try:
            await self.prompt_channel.send(text, allowed_mentions=discord.AllowedMentions.none(), silent=True)
        except UNREACHABLE as error:
            _log.warning("session %s: the prompt channel could not be told %r: %s", self.id, text, error)

    async def _media_failed(self, track: Track, error: ParleyError) -> None:
        title = shown(track.name)
        await self.notice(BROKEN_OFF.format(title=title, why=error.sentence))

    async def moved(self, channel: VoiceRoom) -> None:
        """Follow to another channel of the guild."""
        before, self.channel = self.channel, channel
        if self.prompt_channel_id == before.id:  # the chat of the voice channel itself
            self.prompt_channel = channel
        _log.info("session %s moved from %d to %d", self.id, before.id, channel.id)
        self._hub.publish(SessionMoved(channel.guild.id, self.id, before.id, channel.id))
        await self.notice(MOVED.format(channel=name_of(channel)))
        if isinstance(channel, discord.VoiceChannel) and not channel.permissions_for(channel.guild.me).speak:
            await self.notice(NO_SPEAK.format(channel=name_of(channel)))

    def renew(self, channel: VoiceRoom, prompt_channel: discord.abc.Messageable | None) -> None:
        """Take the objects of a new gateway session, which made all older ones worthless, and join again if need be."""
        self.channel, self.prompt_channel = channel, prompt_channel
        self.client.register(channel)
        state = channel.guild.me.voice
        if state is None or state.channel is None:
            self._rejoin_now = True

    async def close(self) -> None:
        """Stop sound, leave the channel, close the engine. Each step runs even if one before failed."""
        self.ended.set()
        self.client.lasting.changed = unwatched  # what the connection does from now on is expected
        await self._tasks.cancel_all()
        self.player.stop_all()
        steps = (
            (self.media.close, "media queue"),
            (self.speaking.close, "speaking detector"),
            (self.client.hang_up, "voice connection"),
            (self.speaker.close, "speech engine"),
        )
        for step, what in steps:
            try:
                async with asyncio.timeout(CLOSE_S):
                    await step()
            except Exception:  # noqa: BLE001 - the later steps must run whatever a socket or an engine raises; the log has it
                _log.exception("session %s: closing the %s failed", self.id, what)

    # The connection ---------------------------------------------------------------------------------------------------

    def _changed(self, change: ConnectionChange) -> None:
        """Take in what the connection tells; nothing of it is asked for otherwise."""
        if self._over:
            return
        now = self._clock.monotonic()
        match change:
            case CameUp():
                self._came_up(self._absence.up(now))
            case WentDown(grace_s):
                self._absence.down(now, grace_s)
                self._mind_absence(now)
            case EncryptionTurned(before, version):
                self._encryption_turned(before, version)
            case ConnectionOver():
                self._over = True  # told when something is due: that the channel is deleted comes right behind

    async def _do_what_is_due(self, lost: Callable[[], None]) -> None:
        """Do what time brings: come back when discord.py's own attempts do not, get keys, tell when it is over."""
        while True:
            await self._clock.sleep(STEP_S)
            if self._over:
                lost()
                return
            self._mind_absence(self._clock.monotonic())
            await self._look_for_keys()
            if self._rejoin_now:
                await self._come_back()
            for step in self._absence.due(self._clock.monotonic(), idle=self.client.lasting.idle):
                match step:
                    case AbsenceStep.TELL:
                        self._tasks.start(self.notice(AWAY), "notice away")
                    case AbsenceStep.TRY:
                        await self._come_back()
                    case AbsenceStep.GIVE_UP:
                        lost()
                        return

    def _mind_absence(self, now: float) -> None:
        if self._absence.begins(now):
            self.interruptions += 1
            _log.warning("session %s: the voice connection is away", self.id)
            self._hub.publish(SessionInterrupted(self.guild.id, self.id, self.channel.id, "connection lost"))

    def _came_up(self, gap_s: float | None) -> None:
        if gap_s is None:
            return
        _log.info("session %s: the voice connection is back after %.1f s", self.id, gap_s)
        self._hub.publish(SessionResumed(self.guild.id, self.id, self.channel.id, gap_s))
        if gap_s > 1:
            self._tasks.start(self.notice(BACK.format(gap=gap_s)), "notice back")

    def _encryption_turned(self, before: int, version: int) -> None:
        _log.warning("session %s: the channel went from DAVE version %d to %d", self.id, before, version)
        now_s = self._clock.monotonic()
        if not (before and version):
            self._tasks.start(self.notice(ENCRYPTED if version else UNENCRYPTED), "notice encryption")
        self._hub.publish(EncryptionChanged(self.guild.id, self.id, self.channel.id, before, version, now_s))

    async def _look_for_keys(self) -> None:
        """Nothing is said without the channel's end-to-end keys: get them, and say what that means."""
        self.client.look_around()
        if not self.connected:
            return
        waiting = self.player.queued()
        missing = self.client.accompanied and not self.client.lasting.sealed
        for step in self._keys.look(self._clock.monotonic(), missing=missing, speaking=bool(waiting)):
            _log.warning(
                "session %s: the end-to-end keys are %s", self.id, f"missing: {step.value}" if missing else "here"
            )
            match step:
                case KeyStep.TELL:
                    self._tasks.start(self.notice(NO_KEYS), "notice no keys")
                case KeyStep.RENEW:
                    await self.client.lasting.recover()
                case KeyStep.RECONNECT:
                    self._rejoin_now = True
                case KeyStep.GIVE_UP:
                    self._tasks.start(self.notice(NO_KEYS_LEFT), "notice no keys left")
                case KeyStep.RECOVERED:
                    self._tasks.start(self.notice(KEYS), "notice keys")
        if self._keys.silent and waiting:
            self.player.stop_all()

    async def _come_back(self) -> None:
        _log.info("session %s connects anew", self.id)
        self._rejoin_now = False
        try:
            await self.client.come_back(self.channel)
        except UNREACHABLE as error:
            _log.warning("session %s could not connect anew: %r", self.id, error)
        self._absence.tried(self._clock.monotonic())
