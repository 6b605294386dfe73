"""TranscriptsCog: what was said on recordings, handed out, searched, summed up, and told apart by voice."""

from __future__ import annotations

import asyncio
import io
import logging
from typing import TYPE_CHECKING, Literal

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

import discord
from discord import app_commands

from core.bot import recording_messages as words
from core.bot import transcript_files as files
from core.bot.cog import ParleyCog, subcommand
from core.bot.recording_rights import RecordingRights
from core.bot.replies import NO_PINGS, answer, tell_error
from core.bot.transcript_search import SINCE, page_text, page_view
from core.discord_limits import CHOICES, MESSAGE_LIMIT
from core.errors import HearingError, RecordingError
from core.names import shown, shown_text
from core.recording.names import dated_name

if TYPE_CHECKING:
    from discord.ext import commands

    from core.store.recordings import RecordingRecord

_log = logging.getLogger(__name__)

SO_FAR = "It still runs: this is what I heard so far."
NOTHING_YET = "It still runs, and I have understood nothing so far. I hear people where `/voice listen` or captions are on, or always with `[hearing.transcripts] live`."
MAKING = "I am writing it down: {share:.0%} of the sound is done. Please ask again in a moment."
BEGUN = "There is no transcript of it yet; I am writing one now. Please ask again in a moment."
NOT_ON_IT = "That person said nothing on that recording that I understood."
TOO_LARGE = "The transcript is too large to send here: {size}, and a message takes {limit}."
BOTH = "To name a voice, say which one and what it is called: `voice:` and `name:`."
VOICES = "In the transcript they are called: {names}."
OWNER = "transcripts"  # of the buttons
ASK_S = 2.0

Format = Literal["txt", "srt", "vtt", "json"]


class TranscriptsCog(ParleyCog, name="Transcripts"):
    """Commands about what was said on past recordings."""

    needed_intents = ()

    async def cog_load(self) -> None:
        """Attach, and listen to buttons."""
        await super().cog_load()
        self.take_presses(OWNER, self.pressed)

    # Choices, from memory -------------------------------------------------------------------------------------------

    async def _choices(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete recordings, for who may see them."""
        found = [(words.choice(record), record.id) for record in self._rights.visible(interaction.user)]
        text = partial.casefold()
        fits = [(name, value) for name, value in found if text in name.casefold() or text in value]
        return [app_commands.Choice(name=name, value=value) for name, value in fits[:CHOICES]]

    async def _times(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete times."""
        del interaction
        return [app_commands.Choice(name=each, value=each) for each in SINCE if partial.casefold() in each]

    # Commands -------------------------------------------------------------------------------------------------------

    @subcommand("recordings", "transcript", "Get what was said on a recording as text or subtitles.")
    @app_commands.describe(recording="Which one", format="Plain text by default", person="One person's words alone")
    @app_commands.autocomplete(recording=_choices)
    async def transcript(
        self,
        interaction: discord.Interaction,
        recording: str,
        format: Format = "txt",
        person: discord.User | None = None,
    ) -> None:
        """Send a transcript, or begin to make it."""
        record = self._rights.record(interaction.user, recording)
        await interaction.response.defer(ephemeral=True, thinking=True)
        live = self.runtime.recordings.live(record.guild_id)
        if live is not None and live.id == record.id:
            await self._send_live(interaction, record, format, person)
            return
        if not await self._is_there(record):
            await answer(interaction, await self._make(record))
            return
        archive = self.runtime.recordings.archive
        async with archive.reading(record.id) as (record, metadata):
            folder = archive.folder(record)
            user_id = None if person is None else person.id
            path = await asyncio.to_thread(files.find, folder, metadata, format, user_id)
            if path is None:
                raise RecordingError(NOT_ON_IT)
            size, limit = (await asyncio.to_thread(path.stat)).st_size, interaction.filesize_limit
            if size > limit:
                raise RecordingError(TOO_LARGE.format(size=words.size(size), limit=words.size(limit)))
            name = f"{dated_name(metadata.started_at, metadata.channel.name)}_{path.name}"
            file = await asyncio.to_thread(discord.File, path, name)
            await self._rights.still(interaction.user, [record])
            await interaction.followup.send(file=file, ephemeral=True, allowed_mentions=NO_PINGS)

    @subcommand("recordings", "search", "Find what was said on the recordings that you may see.")
    @app_commands.describe(
        words='All of them; "in quotes" one behind the other, begin* beginnings',
        person="Said by this person alone",
        since="A day as 2026-11-25, or how long ago",
    )
    @app_commands.autocomplete(since=_times)
    async def search(
        self,
        interaction: discord.Interaction,
        words: app_commands.Range[str, 1, 200],
        person: discord.User | None = None,
        since: app_commands.Range[str, 1, 40] | None = None,
    ) -> None:
        """Show the first page of what is found."""
        records = self._rights.listed(interaction.user)
        searches = self.runtime.transcripts.searches
        user_id = None if person is None else person.id
        key, search = searches.begin(interaction.user.id, interaction.guild_id or 0, words, user_id, since)
        await interaction.response.defer(ephemeral=True, thinking=True)
        page = await searches.page(search, records, 0)
        text = page_text(search, page)
        if page.last:
            view = page_view(OWNER, key, page)
            await interaction.followup.send(text, view=view, ephemeral=True, allowed_mentions=NO_PINGS)
        else:
            await interaction.followup.send(text, ephemeral=True, allowed_mentions=NO_PINGS)

    @subcommand("recordings", "summary", "Get minutes of a recording: topics, decisions, open tasks.")
    @app_commands.describe(recording="Which one")
    @app_commands.autocomplete(recording=_choices)
    async def summary(self, interaction: discord.Interaction, recording: str) -> None:
        """Send minutes; the model writes them if they are not there."""
        record = self._rights.record(interaction.user, recording)
        await interaction.response.defer(ephemeral=True, thinking=True)
        text = await self.runtime.minutes.of(record)
        await self._rights.still(interaction.user, [record])
        ticket = self.runtime.recordings.archive.locks.ticket([record.id])
        async with self.runtime.recordings.archive.locks.sending(ticket):
            await answer(interaction, shown_text(text, MESSAGE_LIMIT - 100))

    @subcommand("recordings", "speakers", "Tell several people behind one microphone apart, or name one of them.")
    @app_commands.describe(
        recording="Which one",
        person="Behind whose microphone they are",
        count="How many, if you know",
        voice="Name this one",
        name="What it is called",
    )
    @app_commands.autocomplete(recording=_choices)
    async def speakers(
        self,
        interaction: discord.Interaction,
        recording: str,
        person: discord.User,
        count: app_commands.Range[int, 1, 20] | None = None,
        voice: app_commands.Range[int, 1, 20] | None = None,
        name: app_commands.Range[str, 1, 40] | None = None,
    ) -> None:
        """Split what a person said by voices, or name a voice."""
        record = self._rights.record(interaction.user, recording)
        if (voice is None) != (name is None):
            raise RecordingError(BOTH)
        await interaction.response.defer(ephemeral=True, thinking=True)
        voices = self.runtime.transcripts.voices
        if voice is not None and name is not None:
            called = await voices.name(record, person.id, voice, name)
        else:
            called = await voices.split(record, person.id, count)
        await answer(interaction, VOICES.format(names=", ".join(shown(each, 60) for each in called)))

    async def pressed(self, interaction: discord.Interaction, what: str) -> None:
        """Somebody turns a page."""
        try:
            _, key, number = what.split("-")
            searches = self.runtime.transcripts.searches
            search = searches.find(key, interaction.user.id)
            records = self._rights.listed(interaction.user)  # what they may see now, not what they could see before
            page = await searches.page(search, records, int(number))
            view = page_view(OWNER, key, page)
            await interaction.response.edit_message(
                content=page_text(search, page), view=view, allowed_mentions=NO_PINGS
            )
        except Exception as error:  # noqa: BLE001 - shown as a sentence, and in the log with its cause
            await tell_error(interaction, error)

    # Within ---------------------------------------------------------------------------------------------------------

    async def _send_live(
        self, interaction: discord.Interaction, record: RecordingRecord, format: Format, person: discord.User | None
    ) -> None:
        """Send what was heard so far of a recording that runs.

        Raises:
            RecordingError: Nothing was, or they may not see it any more.
        """
        document = self.runtime.live_transcripts.document(record.id)
        if document is not None and person is not None:
            document.segments = [said for said in document.segments if said.speaker.split(".")[0] == str(person.id)]
        if document is None or not document.segments:
            raise RecordingError(NOTHING_YET)
        text = await asyncio.to_thread(files.as_text, document, format)
        await self._rights.still(interaction.user, [record])
        file = discord.File(io.BytesIO(text.encode()), f"transcript_so_far.{format}")
        await interaction.followup.send(SO_FAR, file=file, ephemeral=True, allowed_mentions=NO_PINGS)

    @property
    def _rights(self) -> RecordingRights:
        return RecordingRights(self.runtime.config.recording, self.runtime.recordings.archive)

    async def _is_there(self, record: RecordingRecord) -> bool:
        """Whether there is a transcript and no other is being made."""
        if self.runtime.transcripts.progress(record.id) is not None:
            return False
        metadata = await self.runtime.recordings.archive.details(record.id)
        return any(each.format == files.DOCUMENT for each in metadata.transcripts)

    async def _make(self, record: RecordingRecord) -> str:
        """Begin to make a transcript, and say how it goes; short ones are there at once."""
        transcripts = self.runtime.transcripts
        running = transcripts.progress(record.id)
        if running is not None:
            return MAKING.format(share=running)
        transcripts.request(record)
        try:
            async with asyncio.timeout(ASK_S):
                await transcripts.wait(record.id)
        except TimeoutError:
            return BEGUN
        problem = transcripts.problem(record.id)
        if problem:
            raise HearingError(problem)
        return BEGUN if await self._is_there(record) else NOT_ON_IT


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(TranscriptsCog(bot))
