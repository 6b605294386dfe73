"""`/voice captions`: what is said in a voice channel, written down as it is said, for people who cannot hear it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from typing import TYPE_CHECKING

import discord

from core.bot.replies import NO_PINGS
from core.conversation.caption_page import Captions
from core.errors import VoiceError
from core.events import SessionEnded
from core.hearing.hearing import Forgotten, Heard, NotUnderstood
from core.names import plain
from core.privacy.owners import About
from core.tasks import Tasks
from core.voice.session import UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from core.bot.voice_hearing import VoiceHearing
    from core.clock import Clock
    from core.conversation.caption_page import CaptionPage
    from core.hearing.hearing import Notice
    from core.hub import Hub
    from core.privacy.owners import Person
    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

KEPT = 50  # sessions whose captions can be taken away after they ended
SAID = "{count} captions of what you said are on messages of mine."
TAKEN_AWAY = "{count} captions of what you said were taken off my messages."
STILL_THERE = "Some captions of what you said are still on my messages: Discord did not let me change them."
EDIT_INTERVAL_S = 1.0  # between two changes; Discord takes five messages in five seconds
FRESH_S = 15.0  # of silence, after which a new message begins
THREAD = "Captions of {channel}"
GONE = 10003, 10008  # Discord's codes: unknown channel, unknown message

ANNOUNCED = (
    "💬 **What is said in {channel} is written down in {place}** while captions are on, for everybody who can read it there; no sound "
    "is kept. Who does not want that types `/privacy opt-out what:heard`; `/voice captions on:False` ends it for all."
)
HERE = "this channel"
NO_THREAD = "I may not open a thread here, so captions come into this channel."
NO_PLACE = "Captions need a text channel: join me again with `/voice join` from one."
DELETED = "💬 The captions ended: their thread is gone. `/voice captions on:True` begins them anew."
UNWRITABLE = "💬 The captions ended: I may not write into their thread any more."
ENDED = "💬 The captions end here."
OVER = "💬 The captions end here: I left the voice channel."


class CaptionWriter:
    """Writes the captions of one session into a thread or channel; at most one change a second.

    Args:
        session: Whose captions.
        place: Where they are written.
        clock: Time.
        lost: Called with a sentence when the place is gone.
    """

    def __init__(
        self, session: VoiceSession, place: discord.abc.Messageable, clock: Clock, lost: Callable[[str], None]
    ) -> None:
        self.session = session
        self.place = place
        self._clock = clock
        self._lost = lost
        self._captions = Captions()
        self._said_s = float("-inf")
        self._wrote_s = float("-inf")
        self._showing = asyncio.Lock()
        self._tasks = Tasks(f"captions {session.id}")

    def tell(self, notice: Notice) -> None:
        """Take what was heard."""
        match notice:
            case Heard(utterance, transcription, final):
                name = self._name_of(utterance.user_id)
                if self._clock.monotonic() - self._said_s > FRESH_S:
                    self._captions.settle()
                self._said_s = self._clock.monotonic()
                self._captions.say(utterance.key, utterance.user_id, name, transcription.text, final=final)
            case NotUnderstood(utterance):
                self._captions.fail(utterance.key, utterance.user_id, self._name_of(utterance.user_id))
            case Forgotten(user_id):
                self._captions.forget(user_id)
            case _:
                return
        if not self._tasks.running("write"):
            self._tasks.start(self._write(), "write")

    async def close(self, sentence: str) -> None:
        """Write what is left, and that it is over."""
        await self._tasks.cancel_all()
        self._captions.close()
        try:
            for page in self._captions.dirty:
                await self._show(page)
            await self.place.send(sentence, allowed_mentions=NO_PINGS, silent=True)
        except UNREACHABLE as error:
            _log.info("the end of the captions of session %s could not be told: %s", self.session.id, error)

    async def stop(self) -> None:
        """Write no more."""
        await self._tasks.cancel_all()

    async def _write(self) -> None:
        while pages := self._captions.dirty:
            wait_s = self._wrote_s + EDIT_INTERVAL_S - self._clock.monotonic()
            if wait_s > 0:
                await self._clock.sleep(wait_s)
            self._wrote_s = self._clock.monotonic()
            try:
                await self._show(pages[0])
            except (discord.NotFound, discord.Forbidden) as error:
                if error.code == GONE[1]:  # a message that somebody deleted stays deleted
                    pages[0].lines.clear()
                    pages[0].message, pages[0].posted = None, ""
                    continue
                _log.info("captions of session %s: %s", self.session.id, error)
                self._lost(DELETED if isinstance(error, discord.NotFound) else UNWRITABLE)
                return
            except UNREACHABLE as error:  # the next try has newer words
                _log.warning("captions of session %s could not be shown: %s", self.session.id, error)

    def of(self, user_id: int) -> list[str]:
        """What somebody said."""
        return self._captions.of(user_id)

    async def forget(self, user_id: int) -> None:
        """Take somebody's lines away from every message, also after the captions ended.

        Raises:
            discord.DiscordException: Discord does not take it.
        """
        self._captions.forget(user_id)
        for page in self._captions.dirty:
            if page.message is None:
                continue
            try:
                await self._show(page)
            except discord.NotFound:  # somebody deleted it already
                page.message, page.posted = None, page.text

    async def _show(self, page: CaptionPage) -> None:
        async with self._showing:
            await self._show_now(page)

    async def _show_now(self, page: CaptionPage) -> None:
        text = page.text
        if page.message is None:
            page.message = await self.place.send(text, allowed_mentions=NO_PINGS, silent=True, suppress_embeds=True)
        elif text:
            await page.message.edit(content=text, allowed_mentions=NO_PINGS)
        else:
            await page.message.delete()
            page.message = None
        page.posted = text

    def _name_of(self, user_id: int) -> str:
        member = self.session.guild.get_member(user_id)
        return member.display_name if member is not None else "somebody"


class LiveCaptions:
    """Begins and ends captions; lives on the runtime, so that a reload changes nothing.

    Args:
        hearing: Hears sessions.
        hub: Tells when they end.
        clock: Time.
    """

    def __init__(self, hearing: VoiceHearing, hub: Hub, clock: Clock) -> None:
        self._hearing = hearing
        self._hub = hub
        self._clock = clock
        self._writers: dict[str, CaptionWriter] = {}
        self._over: deque[CaptionWriter] = deque(maxlen=KEPT)
        self._tasks = Tasks("captions")
        hub.subscribe(SessionEnded, self._ended, owner=self)

    def place(self, session: VoiceSession) -> discord.abc.Messageable | None:
        """Where a session's captions are written; None if there are none."""
        writer = self._writers.get(session.id)
        return writer.place if writer is not None else None

    async def start(self, session: VoiceSession) -> None:
        """Write down what is said from now on, and tell everybody there.

        Raises:
            HearingError: There is no recogniser.
            VoiceError: There is no channel to write into.
        """
        if session.id in self._writers:
            return
        channel = session.prompt_channel
        if channel is None:
            raise VoiceError(NO_PLACE)
        await self._hearing.open_recogniser()
        place, trouble = await self._thread(session, channel)
        writer = CaptionWriter(session, place, self._clock, lambda why: self._lose(session, why))
        if session.ended.is_set() or self._writers.setdefault(session.id, writer) is not writer:
            return
        try:
            await self._hearing.watch(session, writer.tell)
        except BaseException:
            self._writers.pop(session.id, None)
            raise
        where = place.mention if isinstance(place, discord.Thread) else HERE
        told = ANNOUNCED.format(channel=session.channel.mention, place=where)
        await session.notice("\n".join(part for part in (told, trouble) if part))

    async def stop(self, session: VoiceSession, sentence: str = ENDED) -> bool:
        """Write nothing any more; returns whether there were captions."""
        writer = self._writers.pop(session.id, None)
        if writer is None:
            return False
        await self._hearing.unwatch(session)
        await writer.close(sentence)
        self._over.append(writer)
        return True

    # People -----------------------------------------------------------------------------------------------------------

    async def describe_person(self, person: Person) -> About:
        """Say how many captions of a person stand on messages."""
        count = len(self._of(person.id))
        return About([SAID.format(count=count)] if count else [])

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        """Give what they say."""
        texts = self._of(person.id)
        return {"captions.json": json.dumps(texts, indent=2, ensure_ascii=False).encode()} if texts else {}

    async def delete_person(self, person: Person) -> Sequence[str]:
        """Take them off the messages.

        Raises:
            VoiceError: Discord did not take that.
        """
        count, failed = len(self._of(person.id)), False
        for writer in (*self._writers.values(), *self._over):
            try:
                await writer.forget(person.id)
            except UNREACHABLE:
                _log.exception("captions of session %s still have somebody on them", writer.session.id)
                failed = True
        if failed:
            raise VoiceError(STILL_THERE)
        return [TAKEN_AWAY.format(count=count)] if count else []

    def _of(self, user_id: int) -> list[str]:
        return [text for writer in (*self._writers.values(), *self._over) for text in writer.of(user_id)]

    async def close(self) -> None:
        """End all captions."""
        self._hub.drop(self)
        await self._tasks.cancel_all()
        for writer in list(self._writers.values()):
            await self.stop(writer.session)

    async def _thread(
        self, session: VoiceSession, channel: discord.abc.Messageable
    ) -> tuple[discord.abc.Messageable, str]:
        """A new thread in the prompt channel, or that channel itself where there can be none, with why."""
        if not isinstance(channel, discord.TextChannel):
            return channel, ""
        name = THREAD.format(channel=plain(session.channel.name, 70))
        try:
            return await channel.create_thread(name=name, type=discord.ChannelType.public_thread), ""
        except UNREACHABLE as error:
            _log.info("no thread for the captions of session %s: %s", session.id, error)
            return channel, NO_THREAD

    def _lose(self, session: VoiceSession, why: str) -> None:
        self._tasks.start(self._lost(session, why))

    async def _lost(self, session: VoiceSession, why: str) -> None:
        writer = self._writers.pop(session.id, None)
        if writer is not None:
            await self._hearing.unwatch(session)
            await writer.stop()
            self._over.append(writer)
            await session.notice(why)

    async def _ended(self, event: SessionEnded) -> None:
        writer = self._writers.get(event.session_id)
        if writer is not None:
            await self.stop(writer.session, OVER)
