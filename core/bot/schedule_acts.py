"""What is done at a time, of each kind: says, asks the model, plays, posts a picture, starts a recording."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

import discord

from core.bot.replies import NO_PINGS
from core.bot.schedule_rights import Place, still
from core.conversation.pages import split
from core.errors import ParleyError, ScheduleError, VoiceError
from core.llm.messages import ChatMessage
from core.names import code
from core.persona.occasions import PATIENCE_S, Occasion, OccasionRefused
from core.recording.metadata import Named
from core.schedule.firing import NotNow, Withdrawn
from core.voice.checks import VoiceRoom

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from core.bot.runtime import Runtime
    from core.handles import Handle
    from core.schedule.firing import Firing
    from core.store.schedules import Schedule

_log = logging.getLogger(__name__)

FEATURE = "schedule"
OF_A_SESSION = ("play", "record")  # they are what a session is for: it does not pause them
PAUSED_KINDS = ("say", "ask", "picture")
KINDS = (*PAUSED_KINDS, *OF_A_SESSION)
IN_SESSION = "a voice session, to which this gives way"
BY_HAND = "locked by an administrator"
OFFLINE = "no connection to Discord"
MAX_TOKENS = 500
ASKED = (
    "\n\nNobody has written just now: somebody who manages this server has scheduled what follows. Do it, as one message "
    "for the channel. Address nobody by a mention, and say nothing about these instructions."
)
DUE = "(Something was due.)"
NOT_SENT = "Discord did not take the message."
STOPPED = "removed or paused meanwhile"
NO_SESSION = "I was in no voice channel, so there was nowhere to play it."
NOT_LISTENING = "Whoever added it was not in the voice channel, and may not move members there."
ELSEWHERE = "I was in another voice channel."
EMPTY = "Nobody was in {channel}."
NO_RECORDER = "The recorder cog is not loaded."
PAUSED = (
    "⏸️ Schedule #{id} ({wording}) is paused: {why} Who may manage this server can go on with it by `/schedule resume`."
)


class ScheduleActs:
    """Does the kinds that people schedule with `/schedule`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def handles(self) -> list[Handle]:
        """Do every kind until these are ended."""
        schedules, deadline_s = self._runtime.schedules, self._runtime.config.schedule.deadline_s
        handlers: dict[str, Callable[[Firing, discord.Member, Place], Awaitable[str]]] = {
            "say": self._say,
            "ask": self._ask,
            "play": self._play,
            "picture": self._picture,
            "record": self._record,
        }

        def handler(
            act: Callable[[Firing, discord.Member, Place], Awaitable[str]],
        ) -> Callable[[Firing], Awaitable[str]]:
            return lambda firing: self._allowed(firing, act)

        return [
            schedules.handle(
                kind, handler(act), gate=self.gate, deadline_s=deadline_s + (PATIENCE_S if kind == "ask" else 0)
            )
            for kind, act in handlers.items()
        ]

    def gate(self, schedule: Schedule) -> str:
        """Why something has to wait now, as part of a sentence; empty if it need not."""
        lockdown, guild_id = self._runtime.lockdown, schedule.guild_id
        if not self._runtime.bot.is_ready():
            return OFFLINE
        if lockdown.locked_by_hand(FEATURE, guild_id=guild_id):
            return BY_HAND
        return IN_SESSION if schedule.kind in PAUSED_KINDS and lockdown.locked(FEATURE, guild_id=guild_id) else ""

    def pause(self) -> None:
        """A session begins, or somebody locks it: what was not seen yet waits."""
        self._runtime.schedules.interrupt(PAUSED_KINDS, IN_SESSION)

    def resume(self) -> None:
        """What waited is made up or skipped, as each is configured."""
        self._runtime.schedules.look()

    async def _allowed(self, firing: Firing, act: Callable[[Firing, discord.Member, Place], Awaitable[str]]) -> str:
        """Do it by the rights that whoever added it has now; who has them no more has it paused, and told there."""
        try:
            return await act(firing, *await self._still(firing.schedule))
        except Withdrawn as withdrawn:
            await self._tell_paused(firing.schedule, withdrawn.sentence)
            raise
        except discord.HTTPException as error:
            raise ScheduleError(NOT_SENT) from error

    async def _still(self, schedule: Schedule) -> tuple[discord.Member, Place]:
        """Who added it, and where, if it may still be done: what was removed or paused meanwhile may not."""
        found = await still(self._runtime.bot, self._runtime.config.recording, schedule)
        current = self._runtime.schedules.get(schedule.id)
        if current is None or current.state != "active":
            raise NotNow(STOPPED)
        return found

    async def _tell_paused(self, schedule: Schedule, why: str) -> None:
        text = PAUSED.format(id=schedule.id, wording=code(schedule.wording, 60), why=why)
        channel = self._runtime.bot.get_partial_messageable(schedule.channel_id or 0)
        try:
            await channel.send(text, allowed_mentions=NO_PINGS)
        except discord.HTTPException as error:
            _log.info("schedule %d is paused, which could not be told in its channel: %s", schedule.id, error)

    async def _say(self, firing: Firing, member: discord.Member, channel: Place) -> str:
        del member
        pages = split(str(firing.schedule.what.get("text", "")))
        firing.commit()
        for page in pages:
            await channel.send(page, allowed_mentions=NO_PINGS)
        return ""

    async def _ask(self, firing: Firing, member: discord.Member, channel: Place) -> str:
        """Ask as the server's character; the answer is posted if the same may still be done then."""
        del member
        runtime, schedule = self._runtime, firing.schedule
        occasion = Occasion(FEATURE, channel.guild.id, channel.id)
        persona = await runtime.own_voice.instruction(channel.guild.id)
        messages = [
            ChatMessage("system", f"{persona}{ASKED}".strip()),
            ChatMessage("user", str(schedule.what.get("text", ""))),
        ]
        try:
            answer = await runtime.occasions.ask(occasion, messages, max_tokens=MAX_TOKENS)
        except OccasionRefused as refused:
            if refused.reason in ("lockdown", "busy"):
                raise NotNow(
                    IN_SESSION if refused.reason == "lockdown" else "people, whose questions come first"
                ) from refused
            raise
        await self._still(schedule)  # the answer may have taken minutes
        if why := self.gate(schedule):
            raise NotNow(why)
        firing.commit()
        for page in split(answer):
            await channel.send(page, allowed_mentions=NO_PINGS, suppress_embeds=True)
        await runtime.own_voice.remember(channel.guild.id, channel.id, DUE, answer)
        return ""

    async def _picture(self, firing: Firing, member: discord.Member, channel: Place) -> str:
        del member
        what = firing.schedule.what
        name = str(what.get("picture", ""))
        data = await self._runtime.schedule_pictures.read(name)
        text = next(iter(split(str(what.get("text", "")))), "")
        file = discord.File(io.BytesIO(data), filename=f"picture.{name.rpartition('.')[2]}")
        firing.commit()
        await channel.send(text, file=file, allowed_mentions=NO_PINGS)
        return ""

    async def _play(self, firing: Firing, member: discord.Member, channel: Place) -> str:
        """Play in the session there is, by the rule that `/voice play` has."""
        session = self._runtime.voice.session(channel.guild.id)
        if session is None:
            raise ScheduleError(NO_SESSION)
        room = session.channel
        people = [each for each in room.members if not each.bot]
        if people and member.id not in room.voice_states and not room.permissions_for(member).move_members:
            raise ScheduleError(NOT_LISTENING)
        firing.commit()
        await self._runtime.music.play_file(session, str(firing.schedule.what.get("file", "")), by=member.id)
        return ""

    async def _record(self, firing: Firing, member: discord.Member, channel: Place) -> str:
        """Record as `/voice record` does, announced and with everybody's consent asked."""
        voice, begin = self._runtime.voice, self._runtime.recording_places.begin
        if begin is None:
            raise ScheduleError(NO_RECORDER)
        if not isinstance(channel, VoiceRoom):
            raise ScheduleError(EMPTY.format(channel=channel.mention))
        if all(each.bot for each in channel.members):
            raise ScheduleError(EMPTY.format(channel=channel.mention))
        session = before = voice.session(channel.guild.id)
        if session is not None and session.channel.id != channel.id:
            raise ScheduleError(ELSEWHERE)
        firing.commit()
        session = session or await voice.join(channel, started_by=member.id)
        try:
            await begin(session, None, Named(id=str(member.id), name=member.display_name))
        except ParleyError:
            if before is None:
                try:
                    await voice.leave(channel.guild.id)
                except VoiceError as error:
                    _log.info("the session of a recording that did not begin was over: %s", error.sentence)
            raise
        return ""
