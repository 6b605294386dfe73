"""Speaks up by itself in channels that have fallen silent, where that is allowed and nothing stands against it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

import discord

from core.bot.replies import NO_PINGS
from core.conversation.advice import SILENT
from core.conversation.pages import split
from core.errors import ParleyError
from core.llm.messages import ChatMessage
from core.persona.autonomous import BEGIN, FEATURE, PROMPT, Last, heard, refusal, said_on, spoke, tried
from core.persona.occasions import Occasion, OccasionRefused
from core.schedule.wording import length
from core.store.autonomous import AutonomousChannel

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from core.bot.own_voice import OwnVoice
    from core.clock import Clock
    from core.config.persona import AutonomousSection
    from core.persona.autonomous import Why
    from core.persona.occasions import Occasions
    from core.store.autonomous import AutonomousRepository
    from core.voice.service import VoiceService

_log = logging.getLogger(__name__)

LOOK_S = 60.0
AT_ONCE = 4  # channels that are looked at: one whose question hangs holds up few
MOST_CHANNELS = 20  # of a server: each is looked at every minute

TOO_MANY = "I may speak up by myself in {most} channels of this server already. Switch one off with `/persona autonomous on:False` there."
SEES_NOTHING = "I see none of what is written in {channel}: my role needs “View Channel”, “Send Messages” and “Read Message History” there."
ON = (
    "I may speak up by myself in {channel}: after {quiet} of silence, {count} times a day at most{hours}, until {most} in a "
    "row are unanswered."
)
HOURS = ", not from {start} to {end} ({zone})"
LIKES = " I like to at {likes}."
OFF = "I say nothing by myself in {channel}."
TODAY = " Today I have spoken up {count} time(s)."
WAITING = " Nobody answered the last {count}, so I wait until somebody writes to me."
SWITCHED_OFF = " But it is switched off for every server ([persona.autonomous] enabled)."


class AutonomousChannels:
    """The channels in which the bot may speak up, and when it does. Lives on the runtime as `runtime.autonomous`."""

    def __init__(
        self,
        section: AutonomousSection,
        repository: AutonomousRepository,
        *,
        bot: discord.Client,
        clock: Clock,
        occasions: Occasions,
        own_voice: OwnVoice,
        voice: VoiceService,
        zone: Callable[[int | None], tzinfo],
    ) -> None:
        """Nothing is read before `open`.

        Args:
            section: `[persona.autonomous]`.
            repository: Where is kept where it is allowed.
            bot: Who speaks.
            clock: Time.
            occasions: Who is asked whether it may, and for the words.
            own_voice: As whom.
            voice: Voice sessions, in which nothing is said.
            zone: Gives the time zone of a server.
        """
        self._section = section
        self._repository = repository
        self._bot = bot
        self._clock = clock
        self._occasions = occasions
        self._own_voice = own_voice
        self._voice = voice
        self._zone = zone
        self._channels: dict[int, AutonomousChannel] = {}
        self._last: dict[int, Last] = {}

    async def open(self) -> None:
        """Read where it is allowed.

        Raises:
            StoreError: It cannot be read.
        """
        self._channels = {each.channel_id: each for each in await self._repository.all()}

    # What people set --------------------------------------------------------------------------------------------------

    def get(self, channel_id: int) -> AutonomousChannel | None:
        """A channel where it is allowed, or None."""
        return self._channels.get(channel_id)

    async def allow(self, channel: discord.TextChannel | discord.Thread) -> None:
        """Let the bot speak up in a channel from now on; what went unanswered is forgotten.

        Raises:
            ParleyError: Too many channels, a permission is missing, or it cannot be written.
        """
        mine = [each for each in self._channels.values() if each.guild_id == channel.guild.id]
        if channel.id not in self._channels and len(mine) >= MOST_CHANNELS:
            raise ParleyError(TOO_MANY.format(most=MOST_CHANNELS))
        allowed = channel.permissions_for(channel.guild.me)
        sends = allowed.send_messages_in_threads if isinstance(channel, discord.Thread) else allowed.send_messages
        if not (allowed.view_channel and allowed.read_message_history and sends):
            raise ParleyError(SEES_NOTHING.format(channel=channel.mention))
        known = self._channels.get(channel.id, AutonomousChannel(channel.id, channel.guild.id))
        await self._save(replace(known, unanswered=0))

    async def forbid(self, channel_id: int) -> None:
        """Say nothing by itself there any more.

        Raises:
            StoreError: It cannot be written, and stays as it was.
        """
        await self._repository.remove(channel_id)
        self._channels.pop(channel_id, None)
        self._last.pop(channel_id, None)

    def told(self, channel: discord.TextChannel | discord.Thread) -> str:
        """How it is in a channel, as sentences."""
        known = self._channels.get(channel.id)
        if known is None:
            return OFF.format(channel=channel.mention)
        section, zone = self._section, self._zone(channel.guild.id)
        start, _, end = section.quiet_hours.partition("-")
        hours = HOURS.format(start=start, end=end, zone=str(zone)) if section.quiet_hours else ""
        quiet = length(section.quiet_after_min * 60)
        text = ON.format(
            channel=channel.mention, quiet=quiet, count=section.per_day, hours=hours, most=section.max_unanswered
        )
        if likes := self._likes(channel.guild.id):
            text += LIKES.format(likes=" and ".join(likes))
        if count := said_on(known, self._clock.now(), zone):
            text += TODAY.format(count=count)
        if known.unanswered >= section.max_unanswered:
            text += WAITING.format(count=known.unanswered)
        return text if section.enabled else text + SWITCHED_OFF

    # What happens -----------------------------------------------------------------------------------------------------

    async def seen(self, message: discord.Message) -> None:
        """A message came, anybody's."""
        known = self._channels.get(message.channel.id)
        if known is None:
            return
        self._last[known.channel_id] = self._about(message, at_now=True)
        me = self._bot.user
        if self._last[known.channel_id].by_person and me is not None:
            answered = message.reference.resolved if message.reference is not None else None
            to_us = me in message.mentions or (isinstance(answered, discord.Message) and answered.author.id == me.id)
            changed = heard(self._section, known, self._clock.now(), to_us=to_us)
            if changed is not known:
                await self._save(changed)

    async def watch(self) -> None:
        """Look every minute, until cancelled."""
        while True:
            await self._clock.sleep(LOOK_S)
            if self._section.enabled and self._bot.is_ready():
                await self.look()

    async def look(self) -> None:
        """Look at each channel once, and speak up where that is due."""
        at_once = asyncio.Semaphore(AT_ONCE)

        async def consider(known: AutonomousChannel) -> None:
            async with at_once:
                await self._try(known)

        await asyncio.gather(*(consider(known) for known in list(self._channels.values())))

    async def _try(self, known: AutonomousChannel) -> None:
        """Look at one; whatever happens there, the others are looked at too."""
        id_ = known.channel_id
        try:
            await self._consider(known)
        except OccasionRefused as refused:
            _log.info("channel %d: nothing is said by itself: %s", id_, refused.sentence)
        except ParleyError as error:
            _log.warning("channel %d: nothing is said by itself: %s", id_, error.sentence, exc_info=error)
        except discord.HTTPException as error:
            _log.warning("channel %d: Discord refuses: %s", id_, error)
        except Exception:  # noqa: BLE001 - see above; the log has the cause
            _log.exception("channel %d could not be looked at", id_)

    async def _consider(self, known: AutonomousChannel) -> None:
        channel = self._place(known)
        if channel is None:
            return
        occasion = Occasion(FEATURE, known.guild_id, known.channel_id)
        if self._occasions.refusal(occasion, self._section.max_tokens) is not None:
            return
        if self._voice.session(known.guild_id) is not None or await self._refusal(known, channel):
            return
        await self._save(
            tried(known, self._clock.now())
        )  # first: whatever happens, the model is not asked every minute
        answer = await self._ask(known, channel, occasion)
        if not answer or self._channels.get(known.channel_id) is None:
            return
        if await self._refusal(known, channel) or self._occasions.refusal(occasion) is not None:
            return  # somebody wrote meanwhile, or a session began
        zone = self._zone(known.guild_id)
        await self._save(spoke(self._channels[known.channel_id], self._clock.now(), zone))
        sent = await channel.send(answer, allowed_mentions=NO_PINGS, suppress_embeds=True)
        self._last[known.channel_id] = self._about(sent, at_now=True)
        await self._own_voice.remember(known.guild_id, known.channel_id, BEGIN, answer)

    async def _ask(
        self, known: AutonomousChannel, channel: discord.TextChannel | discord.Thread, occasion: Occasion
    ) -> str:
        """What the model would say, as one message; empty for nothing. Nobody's words go there."""
        now = self._clock.now()
        last = self._last[known.channel_id]
        told = PROMPT.format(
            channel=split(channel.name)[0][:100],
            silence=length((now - last.at).total_seconds()),
            now=f"{now.astimezone(self._zone(known.guild_id)):%A, %H:%M}",
        )
        messages = [
            ChatMessage("system", f"{await self._own_voice.instruction(known.guild_id)}{told}".strip()),
            ChatMessage("user", BEGIN),
        ]
        answer = await self._occasions.ask(occasion, messages, max_tokens=self._section.max_tokens)
        if SILENT in answer.casefold():
            return ""
        return next(iter(split(answer)), "")

    async def _refusal(self, known: AutonomousChannel, channel: discord.TextChannel | discord.Thread) -> Why:
        if known.channel_id not in self._last:
            self._last[known.channel_id] = await self._newest(channel)
        zone = self._zone(known.guild_id)
        likes = self._likes(known.guild_id)
        return refusal(self._section, known, self._last[known.channel_id], self._clock.now(), zone, likes)

    async def _newest(self, channel: discord.TextChannel | discord.Thread) -> Last:
        """The newest message, after a start; of an empty channel, as if somebody had written just now."""
        async for message in channel.history(limit=1):
            return self._about(message, at_now=False)
        return Last(secrets.randbits(32), self._clock.now(), by_person=True)

    def _about(self, message: discord.Message, *, at_now: bool) -> Last:
        by_us = self._bot.user is not None and message.author.id == self._bot.user.id
        by_person = not message.author.bot and message.webhook_id is None
        at = self._clock.now() if at_now else message.created_at
        return Last(message.id, at, by_person, by_us)

    def _place(self, known: AutonomousChannel) -> discord.TextChannel | discord.Thread | None:
        """The channel, if it is there and the bot may write in it."""
        guild = self._bot.get_guild(known.guild_id)
        channel = None if guild is None else guild.get_channel_or_thread(known.channel_id)
        if not isinstance(channel, discord.TextChannel | discord.Thread):
            return None
        allowed = channel.permissions_for(channel.guild.me)
        sends = allowed.send_messages_in_threads if isinstance(channel, discord.Thread) else allowed.send_messages
        return channel if allowed.view_channel and sends else None

    def _likes(self, guild_id: int) -> list[str]:
        """The times that the server's character likes, or else those that are configured."""
        return self._own_voice.likes(guild_id) or self._section.likes

    async def _save(self, changed: AutonomousChannel) -> None:
        await self._repository.save(changed)
        self._channels[changed.channel_id] = changed
