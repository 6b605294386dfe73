"""Reads along where the bot may, and hears of all that takes it back: edits, deletions, channels and people that go."""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from typing import TYPE_CHECKING

import discord

from core.bot import message_text
from core.errors import StoreError
from core.store.observed import Observed
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from discord.ext import commands

    from core.clock import Clock
    from core.conversation.intake import Intake
    from core.persona.people.people import People
    from core.voice.service import VoiceService

    Listener = Callable[..., Awaitable[None]]
    JoinIn = Callable[[discord.abc.Messageable], object]

_log = logging.getLogger(__name__)

LOOK_S = 45.0  # between two looks who has left, where Discord does not tell
ASKED_AT_ONCE, ASKED_A_LOOK = 100, 1000  # people; the first is Discord's own limit
LOOKED_BACK = 100  # messages of a channel that are compared after an absence
NAMES_HELD = 5000

_WRITTEN = (discord.MessageType.default, discord.MessageType.reply)
_COMMAND = re.compile(r"^\s*[!?.$%&;~+=\-]{1,2}[A-Za-z]")  # of bots whose commands begin so


class PeopleWatch:
    """Hears of messages for `People`. What takes something back counts always; nothing is kept while no cog wants it."""

    def __init__(self, bot: commands.Bot, people: People, intake: Intake, voice: VoiceService, clock: Clock) -> None:
        """Nothing is kept before `join_in` is set."""
        self._bot = bot
        self._people = people
        self._intake = intake
        self._voice = voice
        self._clock = clock
        self.join_in: JoinIn | None = None  # by the cog: without it, nothing is kept
        self._names: OrderedDict[tuple[int, int], str] = OrderedDict()
        self._tasks = Tasks("people watch")
        self._asked = 0

    def listeners(self) -> dict[str, Listener]:
        """What hears discord.py's events."""
        return {
            "on_message": self.message,
            "on_raw_message_edit": self._edited,
            "on_raw_message_delete": self._deleted,
            "on_raw_bulk_message_delete": self._bulk_deleted,
            "on_guild_channel_delete": self._channel_gone,
            "on_raw_thread_delete": self._thread_gone,
            "on_raw_member_remove": self._member_gone,
            "on_guild_remove": self._server_gone,
            "on_ready": self._ready,
        }

    async def close(self) -> None:
        """Look no more."""
        await self._tasks.cancel_all()

    def name(self, guild_id: int, user_id: int) -> str:
        """What somebody was called when they last wrote, or is called now."""
        guild = self._bot.get_guild(guild_id)
        member = guild.get_member(user_id) if guild is not None else None
        return self._names.get((guild_id, user_id)) or (member.display_name if member is not None else "somebody")

    # Messages ---------------------------------------------------------------------------------------------------------

    async def message(self, message: discord.Message) -> None:
        """Somebody wrote."""
        guild, author = message.guild, message.author
        if self.join_in is None or guild is None or not self._people.channels.is_observed(message.channel.id):
            return
        if author.bot or message.webhook_id is not None or message.type not in _WRITTEN:
            return
        text = message_text.words(message, self._bot.user)
        seen = Observed(message.id, guild.id, message.channel.id, author.id, text, message.created_at)
        self._names[(guild.id, author.id)] = author.display_name
        self._names.move_to_end((guild.id, author.id))
        if len(self._names) > NAMES_HELD:
            self._names.popitem(last=False)
        worth = not _COMMAND.match(message.content) and not self._is_for_another_bot(message)
        worth = worth and not await self._is_command(message)
        if self._people.heard(seen, worth_keeping=worth, addressed=self._is_answered(message)):
            self.join_in(message.channel)

    def _is_answered(self, message: discord.Message) -> bool:
        """Whether the bot answers this anyway: it is spoken to, or all that is written there is a prompt."""
        if message_text.calls(message, self._bot.user):
            return True
        parent = getattr(message.channel, "parent_id", None)
        places = [message.channel.id, *([parent] if parent is not None else [])]
        if self._intake.listens_in(message.guild.id if message.guild else None, *places):
            return True
        return any(self._voice.session_of_prompt_channel(place) is not None for place in places)

    def _is_for_another_bot(self, message: discord.Message) -> bool:
        replied = message.reference.resolved if message.reference is not None else None
        asked = [*message.mentions, *([replied.author] if isinstance(replied, discord.Message) else [])]
        return any(each.bot and each != self._bot.user for each in asked)

    async def _is_command(self, message: discord.Message) -> bool:
        context = await self._bot.get_context(message)
        return context.valid

    async def _edited(self, payload: discord.RawMessageUpdateEvent) -> None:
        if payload.guild_id is not None and self._people.channels.get(payload.channel_id) is not None:
            self._people.messages.change(payload.message_id, message_text.words(payload.message, self._bot.user))

    async def _deleted(self, payload: discord.RawMessageDeleteEvent) -> None:
        if payload.guild_id is not None and self._people.channels.get(payload.channel_id) is not None:
            self._people.messages.remove([payload.message_id])

    async def _bulk_deleted(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        if payload.guild_id is not None and self._people.channels.get(payload.channel_id) is not None:
            self._people.messages.remove(payload.message_ids)

    # What goes --------------------------------------------------------------------------------------------------------

    async def _channel_gone(self, channel: discord.abc.GuildChannel) -> None:
        await self._people.channels_gone([channel.id])

    async def _thread_gone(self, payload: discord.RawThreadDeleteEvent) -> None:
        await self._people.channels_gone([payload.thread_id])

    async def _member_gone(self, payload: discord.RawMemberRemoveEvent) -> None:
        await self._people.member_gone(payload.guild_id, payload.user.id)

    async def _server_gone(self, guild: discord.Guild) -> None:
        await self._people.server_gone(guild.id)

    # What went while nobody heard it ----------------------------------------------------------------------------------

    async def _ready(self) -> None:
        """The bot is there, or back after events were lost: find out what went meanwhile, and look who leaves from now on."""
        self._tasks.start(self._catch_up(), "catch up", replace=True)
        self._tasks.start(self._keep_looking(), "look")

    async def _catch_up(self) -> None:
        try:
            await self.catch_up()
        except StoreError:
            _log.exception("what was deleted while I was away could not be found out; the next start tries again")

    async def catch_up(self) -> None:
        """Forget servers and channels that are gone, and messages that were deleted, since events were last heard.

        Raises:
            StoreError: The database cannot be read or written.
        """
        there = {guild.id for guild in self._bot.guilds}
        kept = {guild_id for guild_id, _ in await self._people.messages.repository.people()}
        for guild_id in (kept | set(self._people.channels.servers)) - there:
            await self._people.server_gone(guild_id)
        for guild in self._bot.guilds:
            if guild.unavailable:
                continue
            for channel_id in await self._people.messages.repository.channels(guild.id):
                channel = guild.get_channel_or_thread(channel_id)
                if not self._people.channels.wanted(channel_id):
                    await self._people.messages.forget_channel(channel_id)
                elif isinstance(channel, discord.abc.Messageable):
                    if channel.permissions_for(guild.me).read_message_history:  # else Discord shows an empty channel
                        await self._compare(channel_id, channel)
                elif channel is None and not await self._is_there(guild, channel_id):
                    await self._people.channels_gone([channel_id])

    async def _is_there(self, guild: discord.Guild, channel_id: int) -> bool:
        """Whether a channel exists that the cache does not have: an archived thread."""
        try:
            await guild.fetch_channel(channel_id)
        except discord.NotFound:
            return False
        except discord.HTTPException:  # hidden, or Discord is ill: nobody knows
            return True
        return True

    async def _compare(self, channel_id: int, channel: discord.abc.Messageable) -> None:
        """Take what the newest messages of a channel are now for what is kept of them."""
        try:
            found = {each.id: each async for each in channel.history(limit=LOOKED_BACK)}
        except discord.HTTPException as error:
            _log.info("channel %d cannot be looked at for what was deleted: %s", channel_id, error)
            return
        first = min(found, default=0) if len(found) == LOOKED_BACK else 0
        kept = await self._people.messages.repository.between(channel_id, first, 2**63 - 1)
        newest = max(found, default=0)
        self._people.messages.remove(each for each in kept if each not in found and (each <= newest or not found))
        for message_id in kept.keys() & found.keys():
            if found[message_id].edited_at is not None:
                self._people.messages.change(message_id, message_text.words(found[message_id], self._bot.user))

    async def _keep_looking(self) -> None:
        while True:
            await self._clock.sleep(LOOK_S)
            try:
                await self.look()
            except StoreError:
                _log.exception("who has left could not be found out")

    async def look(self) -> None:
        """Forget those who have left a server, where Discord does not tell: the intent “members” is not needed.

        Raises:
            StoreError: The database cannot be read.
        """
        everybody = await self._people.messages.repository.people()
        if self._bot.intents.members:  # Discord tells; this is for what went while nobody heard it
            for guild_id, user_id in everybody:
                guild = self._bot.get_guild(guild_id)
                if guild is not None and guild.chunked and guild.get_member(user_id) is None:
                    await self._people.member_gone(guild_id, user_id)
            return
        start = self._asked if self._asked < len(everybody) else 0
        now = everybody[start : start + ASKED_A_LOOK]
        self._asked = start + len(now)
        by_server: dict[int, list[int]] = {}
        for guild_id, user_id in now:
            by_server.setdefault(guild_id, []).append(user_id)
        for guild_id, user_ids in by_server.items():
            guild = self._bot.get_guild(guild_id)
            if guild is not None and not guild.unavailable:
                for first in range(0, len(user_ids), ASKED_AT_ONCE):
                    await self._look_for(guild, user_ids[first : first + ASKED_AT_ONCE])

    async def _look_for(self, guild: discord.Guild, user_ids: Sequence[int]) -> None:
        try:
            found = {member.id for member in await guild.query_members(user_ids=list(user_ids), limit=ASKED_AT_ONCE)}
        except (TimeoutError, discord.HTTPException, discord.ClientException) as error:
            _log.info("server %d does not tell who is there: %s", guild.id, error)
            return
        for user_id in set(user_ids) - found:
            await self._people.member_gone(guild.id, user_id)
