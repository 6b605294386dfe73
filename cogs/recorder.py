"""RecorderCog: record a voice channel, let people refuse, show how it goes and how it ended."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Literal

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

import discord
from discord import app_commands
from discord.ext import commands

from core.bot import recording_messages as words
from core.bot.auto_recorder import AutoRecorder
from core.bot.cog import ParleyCog, subcommand
from core.bot.interactions import BUTTONS, written
from core.bot.record_session import record_session
from core.bot.recording_mark import mark, unmark
from core.bot.recording_panels import OWNER, panel_buttons
from core.bot.recording_reports import send_report
from core.bot.recording_rights import require_recording_there
from core.bot.replies import NO_PINGS, answer, tell_error
from core.bot.transcript_panel import show_transcript
from core.errors import ParleyError, RecordingError
from core.events import RecordingRendered, RecordingStopped, SessionMoved
from core.privacy.words import decided_text
from core.recording.events import RecordingFailed
from core.recording.files import file_in
from core.recording.metadata import PAUSED_BY, STOPPED_BY, Named
from core.voice.checks import VoiceRoom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.bot.spoken_commands import SpokenCommand
    from core.recording.live_recording import LiveRecording
    from core.recording.metadata import Metadata
    from core.store.recordings import RecordingRecord
    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

NOT_IN_VOICE = "You are in no voice channel. Join the one I shall record."
UNANNOUNCED = "I may write neither here nor in the chat of the voice channel, and a recording must be announced."
UNANNOUNCED_THERE = "I was moved to a channel in whose chat I may not write, and a recording must be announced."
STARTED = "Recording {channel}. The panel shows how it goes."
STOPPED, PAUSED, RESUMED = "Stopped. The files follow.", "Paused. Nobody is heard until it goes on.", "It goes on."
RECORDING_ALOUD, STOPPED_ALOUD = "Recording.", "The recording is over."
NOTED, EMPTY_NOTE = "Noted at {at}.", "A note needs some text: `/voice record action:note text:`."
AGREED = "Thank you: from now on you are recorded. {kept}"
NOTE_FORM = "note-"  # then comes the recording
OVER = "That recording is over, so nothing can be noted in it any more."
PANEL_S, RENDERING_S = 5.0, 1.5

Action = Literal["start", "stop", "pause", "resume", "note"]


def _note_form(live: LiveRecording) -> discord.ui.Modal:
    """Asks for the text of a note; the runtime listens to it by its id, as to the buttons."""
    form = discord.ui.Modal(title="Note", custom_id=f"{BUTTONS}{OWNER}:{NOTE_FORM}{live.id}")
    form.add_item(discord.ui.TextInput(label="What is to be found again?", custom_id="text", max_length=200))
    form.stop()
    return form


class RecorderCog(ParleyCog, name="Recorder"):
    """Commands and panels of recordings. What is recorded lives in `runtime.recordings` and does not notice a reload."""

    async def cog_load(self) -> None:
        """Attach, and take up the panels and reports that wait."""
        await super().cog_load()
        self.recordings = self.runtime.recordings
        self._places = self.runtime.recording_places
        self._monitored = AutoRecorder(self.runtime, self._begin_automatically)
        self.close_on_unload(self._monitored.close)
        self.until_unload(self._places.begin_with(self._begin))
        for event in (RecordingRendered, RecordingFailed):
            self.subscribe(event, self._on_finished)
        self.subscribe(RecordingStopped, self._on_stopped)
        self.subscribe(SessionMoved, self._on_moved)
        self.take_presses(OWNER, self.pressed)
        self.take_spoken("record", self._told_to_record)
        self.take_spoken("stop_recording", self._told_to_stop)
        self.tasks.start(self._take_up(), "take up")

    # /voice record ----------------------------------------------------------------------------------------------------

    @subcommand("voice", "record", "Record everybody in the voice channel, each on a track of their own.")
    @app_commands.describe(action="What to do; start by default", text="The text of a note")
    async def record(
        self,
        interaction: discord.Interaction,
        action: Action = "start",
        text: app_commands.Range[str, 1, 200] | None = None,
    ) -> None:
        """Start, stop, pause, go on, or note."""
        self._require_right(interaction)
        if action == "start":
            await interaction.response.defer(ephemeral=True, thinking=True)
            await answer(interaction, await self._start(interaction))
            return
        if action == "note" and text is None:
            raise RecordingError(EMPTY_NOTE)
        await self._do(interaction, action, text)

    async def pressed(self, interaction: discord.Interaction, do: str) -> None:
        """A button of a panel was pressed."""
        try:
            await self._press(interaction, do)
        except Exception as error:  # noqa: BLE001 - shown as a sentence, and in the log with its cause
            await tell_error(interaction, error)

    async def _press(self, interaction: discord.Interaction, do: str) -> None:
        if do in ("refuse", "agree"):
            await self._decide(interaction, "out" if do == "refuse" else "in")
            return
        self._require_right(interaction)
        if do == "note":
            await interaction.response.send_modal(_note_form(self.recordings.required(_guild(interaction).id)))
        elif do.startswith(NOTE_FORM):
            live = self.recordings.required(_guild(interaction).id)
            if live.id != do.removeprefix(NOTE_FORM):
                raise RecordingError(OVER)
            await answer(interaction, _note(live, written(interaction, "text"), interaction))
        else:
            await self._do(interaction, do, None)

    def _require_right(self, interaction: discord.Interaction) -> None:
        channel = interaction.channel
        self._require_right_of(interaction.user, interaction.guild_id or 0, None if channel is None else channel.id)

    def _require_right_of(self, user: discord.User | discord.Member, guild_id: int, here: int | None = None) -> None:
        live, session = self.recordings.live(guild_id), self.runtime.voice.session(guild_id)
        require_recording_there(self.runtime.config.recording, user, session, live, here)

    async def _told_to_record(self, asked: SpokenCommand) -> str:
        """Somebody said so in the channel."""
        self._require_right_of(asked.member, asked.session.guild.id)
        await self._begin(asked.session, asked.session.prompt_channel, _named(asked.member))
        return RECORDING_ALOUD

    async def _told_to_stop(self, asked: SpokenCommand) -> str:
        self._require_right_of(asked.member, asked.session.guild.id)
        await self._stop(self.recordings.required(asked.session.guild.id), asked.member)
        return STOPPED_ALOUD

    async def _stop(self, live: LiveRecording, user: discord.abc.User) -> None:
        self._monitored.declined(live)
        by = _named(user)
        await self.recordings.stop(live.record.guild_id, STOPPED_BY.format(name=by.name), by)

    async def _do(self, interaction: discord.Interaction, action: str, text: str | None) -> None:
        live = self.recordings.required(_guild(interaction).id)
        if action == "note":
            await answer(interaction, _note(live, text or "", interaction))
        elif action == "stop":
            await interaction.response.defer(ephemeral=True, thinking=True)
            await self._stop(live, interaction.user)
            await answer(interaction, STOPPED)
        else:
            if action == "pause":
                by = _named(interaction.user)
                live.recorder.pause(PAUSED_BY.format(name=by.name), by)
            else:
                live.recorder.resume()
            self._show(live.id)
            await answer(interaction, PAUSED if live.paused else RESUMED)

    async def _start(self, interaction: discord.Interaction) -> str:
        guild_id = _guild(interaction).id
        here = interaction.channel if isinstance(interaction.channel, discord.abc.Messageable) else None
        by = _named(interaction.user)
        session = self.runtime.voice.session(guild_id)
        if session is not None:
            await self._begin(session, here, by)
            return STARTED.format(channel=session.channel.mention)
        voice = interaction.user.voice if isinstance(interaction.user, discord.Member) else None
        if voice is None or voice.channel is None:
            raise RecordingError(NOT_IN_VOICE)
        session = await self.runtime.voice.join(voice.channel, prompt_channel=here, started_by=interaction.user.id)
        try:
            await self._begin(session, here, by)
        except ParleyError:
            await self.runtime.voice.leave(guild_id)
            raise
        return STARTED.format(channel=session.channel.mention)

    async def _begin(
        self, session: VoiceSession, here: discord.abc.Messageable | None, by: Named | None, *, automatic: bool = False
    ) -> None:
        """Record a session, announced: without an announcement there is no recording."""
        channel = session.channel
        here = here or channel
        live = await record_session(
            self.recordings, session, started_by=by, report_channel_id=getattr(here, "id", None), automatic=automatic
        )
        self._places.announced[session.guild.id] = channel.id  # a move meanwhile is announced by itself, once
        panel = await _send(here, words.live_text(live, self.runtime.clock.monotonic()), self._panel_view(live))
        told = await self._announce(channel, words.ANNOUNCED, channel.members)
        if panel is None and told is None:
            self._places.announced.pop(session.guild.id, None)
            await self.recordings.discard(session.guild.id, UNANNOUNCED)
            raise RecordingError(UNANNOUNCED)
        if panel is not None:
            self._places.panels[live.id] = (panel.channel.id, panel.id)
            self._show(live.id)
        if self._places.announced.get(session.guild.id) == channel.id:
            await self._mark(channel)

    async def _begin_automatically(self, session: VoiceSession) -> None:
        await self._begin(session, None, None, automatic=True)

    async def _mark(self, channel: VoiceRoom) -> None:
        """Show that this channel is being recorded, and the one before no longer."""
        before = self.bot.get_channel(self._places.announced.get(channel.guild.id, 0))
        self._places.announced[channel.guild.id] = channel.id
        await mark(channel, before if isinstance(before, VoiceRoom) else None)

    async def _unmark(self, guild: discord.Guild) -> None:
        channel = self.bot.get_channel(self._places.announced.pop(guild.id, 0))
        await unmark(guild, channel if isinstance(channel, VoiceRoom) else None)

    async def _announce(
        self, channel: VoiceRoom, sentences: dict[str, str], people: Sequence[discord.Member]
    ) -> discord.Message | None:
        mode = self.recordings.consent.mode
        if mode not in sentences:
            return None
        asked = [person for person in people if not person.bot and self.recordings.consent.decision(person.id) is None]
        text = sentences[mode].format(people=" ".join(person.mention for person in asked[:50]))
        buttons = ("agree", "refuse") if mode == "opt_in" else ("refuse",)
        pings = NO_PINGS if mode == "announce" else discord.AllowedMentions(users=True)
        return await _send(channel, text, panel_buttons(*buttons), pings=pings)

    # Panels and reports -----------------------------------------------------------------------------------------------

    def _panel_view(self, live: LiveRecording) -> discord.ui.View:
        agree = ("agree",) if self.recordings.consent.mode == "opt_in" else ()
        return panel_buttons("stop", "resume" if live.paused else "pause", "note", *agree, "refuse")

    def _show(self, recording_id: str) -> None:
        self.tasks.start(self._keep_panel(recording_id), f"panel {recording_id}", replace=True)

    async def _keep_panel(self, recording_id: str) -> None:
        """Keep a recording's panel up to date until its report takes the place."""
        shown = ""
        record = self.recordings.archive.find(recording_id)
        while record is not None:
            live = self.recordings.live(record.guild_id)
            progress = self.recordings.finisher.progress(recording_id)
            if live is not None and live.id == recording_id:
                text, view = words.live_text(live, self.runtime.clock.monotonic()), self._panel_view(live)
            elif progress is not None:
                record = self.recordings.archive.find(recording_id) or record
                text, view = words.rendering_text(record, progress), None
            else:
                return
            if text != shown:
                await self._edit_panel(recording_id, text, view)
                shown = text
            await asyncio.sleep(PANEL_S if progress is None else RENDERING_S)

    async def _edit_panel(self, recording_id: str, text: str, view: discord.ui.View | None) -> None:
        place = self._places.panels.get(recording_id)
        if place is None:
            return
        message = self.bot.get_partial_messageable(place[0]).get_partial_message(place[1])
        try:
            await message.edit(content=text, view=view, allowed_mentions=NO_PINGS)
        except discord.HTTPException as error:
            _log.info("the panel of recording %s is gone: %s", recording_id, error)
            self._places.panels.pop(recording_id, None)

    async def _on_stopped(self, event: RecordingStopped) -> None:
        guild = self.bot.get_guild(event.guild_id)
        self._show(event.recording_id)
        if guild is not None and self.recordings.live(guild.id) is None:
            await self._unmark(guild)

    async def _on_moved(self, event: SessionMoved) -> None:
        await self._follow(event.guild_id)

    async def _follow(self, guild_id: int) -> None:
        """Tell those who are recorded from now on; where that is not possible, the recording ends."""
        live, session = self.recordings.live(guild_id), self.runtime.voice.session(guild_id)
        if live is None or session is None or live.session_id != session.id:
            return
        channel = session.channel
        if channel.id == self._places.announced.get(guild_id):
            return
        if await self._announce(channel, words.ANNOUNCED, channel.members) is None:
            await self.recordings.stop(guild_id, UNANNOUNCED_THERE)
        else:
            await self._mark(channel)

    async def _on_finished(self, event: RecordingRendered | RecordingFailed) -> None:
        del event
        for record, metadata in self.recordings.finisher.reports():
            self.tasks.cancel(f"panel {record.id}")
            await self._report(record, metadata)

    async def _report(self, record: RecordingRecord, metadata: Metadata | None) -> None:
        """Tell where a recording was started how it ended, with its picture."""
        if metadata is None:
            text = words.NO_ROOM if self.recordings.finisher.room.waits(record.id) else words.FAILED
        else:
            text = words.report_text(record, metadata)
        await self._edit_panel(record.id, words.over_text(record), None)
        self.tasks.start(self._show_transcript(record), f"transcript {record.id}", replace=True)
        picture = None
        if metadata is not None and metadata.files.timeline is not None:
            picture = file_in(self.recordings.archive.folder(record), metadata.files.timeline)
        if not await send_report(self.bot, self.runtime.config.recording, record, text, picture):
            _log.warning("recording %s: nobody could be told how it ended", record.id)

    async def _show_transcript(self, record: RecordingRecord) -> None:
        await show_transcript(self.runtime.transcripts, record, lambda text: self._edit_panel(record.id, text, None))
        self._places.panels.pop(record.id, None)

    async def _take_up(self) -> None:
        """What waits for somebody who tells and shows: reports, panels, moves, marks of a crash, monitored channels."""
        await self.bot.wait_until_ready()
        await self._on_finished(RecordingRendered(0, "", 0, ""))
        for recording_id in list(self._places.panels):
            self._show(recording_id)
        for guild in self.bot.guilds:
            if self.recordings.live(guild.id) is None:
                await self._unmark(guild)
            await self._follow(guild.id)
        self._monitored.look_everywhere()

    # People and monitored channels ------------------------------------------------------------------------------------

    @commands.Cog.listener()
    async def on_voice_state_update(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        """Ask newcomers whether they mind; start and stop monitored channels."""
        if before.channel == after.channel or member.bot:
            return
        for channel in (before.channel, after.channel):
            if channel is not None:
                self._monitored.look(channel.id)
        live = self.recordings.live(member.guild.id)
        if live is None or after.channel is None:
            return
        session = self.runtime.voice.session(member.guild.id)
        asked = self.recordings.consent.decision(member.id) is not None
        if session is not None and session.channel.id == after.channel.id and not asked:
            await self._announce(after.channel, words.NEWCOMER, [member])

    async def _decide(self, interaction: discord.Interaction, decision: Literal["in", "out"]) -> None:
        # the refusal holds at once; what follows on disk may take longer than Discord waits for an answer
        self.recordings.consent.decide(interaction.user.id, decision)
        await interaction.response.defer(ephemeral=True, thinking=True)
        settled = await self.recordings.decide(interaction.user.id, decision)
        agreed = AGREED.format(kept=settled.kept).strip()
        await answer(interaction, agreed if decision == "in" else decided_text(decision, ("recorded",), settled))


def _note(live: LiveRecording, text: str, interaction: discord.Interaction) -> str:
    return NOTED.format(at=words.clock(live.note(text, _named(interaction.user)).at_s))


def _named(person: discord.abc.User) -> Named:
    return Named(id=str(person.id), name=person.display_name)


def _guild(interaction: discord.Interaction) -> discord.Guild:
    if interaction.guild is None:
        raise RecordingError("This works in a server only.")
    return interaction.guild


async def _send(
    channel: discord.abc.Messageable,
    text: str,
    view: discord.ui.View | None = None,
    *,
    pings: discord.AllowedMentions = NO_PINGS,
    files: Sequence[discord.File] = (),
) -> discord.Message | None:
    """Send, or say in the log why it was not possible."""
    options: dict[str, Any] = {"view": view} if view is not None else {}
    try:
        return await channel.send(text, files=files, allowed_mentions=pings, **options)
    except discord.HTTPException as error:
        _log.warning("a message about a recording was not sent: %s", error)
        return None


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(RecorderCog(bot))
