"""RecordingsCog: what was recorded, shown, handed out and deleted; and what each person has to say about it."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Literal

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

import discord
from discord import app_commands

from core.audio.encode import Quality
from core.bot import recording_messages as words
from core.bot.checks import owns
from core.bot.cog import ParleyCog, subcommand
from core.bot.handing_out import Handout
from core.bot.interactions import BUTTONS
from core.bot.recording_rights import RecordingRights
from core.bot.replies import NO_PINGS, answer, tell_error
from core.discord_limits import CHOICES, FILES
from core.errors import ParleyError, RecordingError
from core.privacy.words import USES, decided_text, deleted_text, said_text
from core.recording.files import file_in
from core.recording.names import dated_name
from core.recording.offers import find_offer, work_s
from core.store.decisions import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from discord.ext import commands

    from core.recording.exports import Export
    from core.recording.metadata import Metadata
    from core.store.decisions import Decision, Kind
    from core.store.recordings import RecordingRecord

_log = logging.getLogger(__name__)

NONE_YET = "Nothing was recorded on this server yet."
DELETED = "Deleted, with all its files."
LIES_AT = "-# You run me: it lies at `{where}`."
TOO_MANY = "{count} of its files do not fit into a message here ({limit})."
TOO_LARGE = "It is too large to send here: {size}, and a message takes {limit}."
OFFER = "`/recordings export recording:{id} format:{format}` gives one file of at most {size}, which fits."
OFFER_PERSON = (
    "`/recordings export recording:{id} format:{format} person:` gives one person's track, at most {size}, which fits."
)
NOTHING_FITS = "No format makes it small enough; who runs me can get it where I run."
ASK_OWNER = "Who runs me can get it where I run."
NOT_KEPT = "That file is not there any more, or is somebody else's. Please ask for it again."
FETCH = "fetch-"
OWNER = "recordings"  # of the buttons
RULES = "By the rules here (`{mode}`) you are {heard}."
EVERYTHING = "everything"
LISTED = 15

Format = Literal["wav", "flac", "ogg", "mp3"]
Use = Literal["recorded", "heard", "observed", "trained on", "everything"]


class RecordingsCog(ParleyCog, name="Recordings"):
    """Commands about past recordings, and everybody's own data."""

    needed_intents = ()
    privacy = app_commands.Group(name="privacy", description="What is recorded of you.")

    async def cog_load(self) -> None:
        """Attach, and listen to buttons."""
        await super().cog_load()
        self.take_presses(OWNER, self.pressed)

    # /recordings ------------------------------------------------------------------------------------------------------

    async def _choices(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete recordings, from memory, for who may see them."""
        found = [(words.choice(record), record.id) for record in self._rights.visible(interaction.user)]
        text = partial.casefold()
        fits = [(name, value) for name, value in found if text in name.casefold() or text in value]
        return [app_commands.Choice(name=name, value=value) for name, value in fits[:CHOICES]]

    @subcommand("recordings", "list", "Show what was recorded here.")
    async def list_recordings(self, interaction: discord.Interaction) -> None:
        """The newest recordings of this server that the caller may see."""
        records = self._rights.listed(interaction.user)
        lines = [words.list_line(record) for record in records[:LISTED]]
        if len(records) > LISTED:
            lines.append(f"and {len(records) - LISTED} more")
        await answer(interaction, "\n".join(lines) or NONE_YET)

    @subcommand("recordings", "get", "Show a recording, with its files if they fit.")
    @app_commands.describe(recording="Which one")
    @app_commands.autocomplete(recording=_choices)
    async def get(self, interaction: discord.Interaction, recording: str) -> None:
        """Send what fits the upload limit, and say how to get the rest."""
        record = self._rights.record(interaction.user, recording)
        archive = self.runtime.recordings.archive
        await interaction.response.defer(ephemeral=True, thinking=True)
        async with archive.reading(record.id) as (record, metadata):
            folder = archive.folder(record)
            files, left = [], []
            if record.state == "finished":
                files, left = await asyncio.to_thread(_fitting, folder, metadata, interaction.filesize_limit)
            lines = [words.finished_text(metadata)]
            if left:
                lines.append(TOO_MANY.format(count=len(left), limit=words.size(interaction.filesize_limit)))
                lines.append(self._offer(metadata, interaction.filesize_limit))
            if await owns(interaction):
                lines.append(LIES_AT.format(where=self._where(record.folder)))
            await self._rights.still(interaction.user, [record])
            await interaction.followup.send("\n".join(lines), files=files, ephemeral=True, allowed_mentions=NO_PINGS)

    @subcommand("recordings", "export", "Hand out a recording as one file, in the quality you want.")
    @app_commands.describe(
        recording="Which one",
        format="As recorded by default",
        person="One person's track alone",
        mono="One channel instead of two",
    )
    @app_commands.autocomplete(recording=_choices)
    async def export(
        self,
        interaction: discord.Interaction,
        recording: str,
        format: Format | None = None,
        person: discord.User | None = None,
        mono: bool = False,
    ) -> None:
        """Pack it and send it, or say what would fit."""
        record = self._rights.record(interaction.user, recording)
        await interaction.response.defer(ephemeral=True, thinking=True)
        section, archive = self.runtime.config.recording, self.runtime.recordings.archive
        metadata = await archive.details(record.id)
        wanted = format or (metadata.audio.format if mono else None)
        quality = None
        if wanted is not None:
            quality = Quality(wanted, section.rate_hz, 1 if mono else section.channels, section.bitrate_kbps)
        alone = None if person is None else metadata.person(person.id)
        files = 1 if person is not None else len(metadata.people) + 1
        handout = Handout(interaction)
        async with handout.shown(0 if quality is None else work_s(metadata, files, os.cpu_count() or 1)):
            making = archive.export(
                record.id,
                quality=quality,
                user_id=None if person is None else person.id,
                person="" if alone is None else alone.name,
                progressed=handout.progressed,
            )
            await self._hand_out(interaction, handout, making, [record], metadata)

    @subcommand("recordings", "delete", "Delete a recording and all its files for good.")
    @app_commands.describe(recording="Which one")
    @app_commands.autocomplete(recording=_choices)
    async def delete(self, interaction: discord.Interaction, recording: str) -> None:
        """Delete one recording."""
        record = self._rights.record(interaction.user, recording)
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.runtime.recordings.archive.delete(record.id)
        await answer(interaction, DELETED)

    # /privacy ---------------------------------------------------------------------------------------------------------

    @privacy.command(name="status", description="What you decided, whether you are recorded, and what is kept of you.")
    async def privacy_status(self, interaction: discord.Interaction) -> None:
        """What holds for the caller."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        consent, user_id = self.runtime.privacy.consent, interaction.user.id
        recorded = "recorded" if self.runtime.recordings.consent.allows(user_id) else "not recorded"
        rules = RULES.format(mode=self.runtime.recordings.consent.mode, heard=recorded)
        others: list[Kind] = [kind for kind in KINDS[1:] if consent.decision(kind, user_id) is not None]
        lines = [f"{said_text(consent, 'recorded', user_id)} {rules}"]
        lines += [said_text(consent, kind, user_id) for kind in others]
        await answer(interaction, "\n".join([*lines, *await self.runtime.privacy.describe_person(user_id)]))

    @privacy.command(name="opt-out", description="Never be recorded; what a running recording has of you is deleted.")
    @app_commands.describe(what="Refuse something else, or everything; recorded by default")
    async def opt_out(self, interaction: discord.Interaction, what: Use = "recorded") -> None:
        """Refuse, everywhere, until taken back."""
        await self._decide(interaction, "out", what)

    @privacy.command(name="opt-in", description="Agree to be recorded.")
    @app_commands.describe(what="Agree to something else, or everything; recorded by default")
    async def opt_in(self, interaction: discord.Interaction, what: Use = "recorded") -> None:
        """Agree, everywhere, until taken back."""
        await self._decide(interaction, "in", what)

    @privacy.command(name="export", description="Get everything that is kept of you.")
    async def privacy_export(self, interaction: discord.Interaction) -> None:
        """One archive with the caller's tracks and data."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        handout = Handout(interaction)
        making = self.runtime.recordings.exported_person(interaction.user.id)
        async with handout.shown(0):
            await self._hand_out(interaction, handout, making, [], None)

    @privacy.command(name="delete", description="Delete everything that is kept of you, from every recording too.")
    async def privacy_delete(self, interaction: discord.Interaction) -> None:
        """Take the caller out of everything."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        user = interaction.user
        names = {user.name, user.display_name, *([user.global_name] if user.global_name else [])}
        deletion = await self.runtime.privacy.delete_person(user.id, names)
        await answer(interaction, deleted_text(deletion))

    async def _decide(self, interaction: discord.Interaction, decision: Decision, what: Use) -> None:
        kinds: tuple[Kind, ...] = tuple(kind for kind in KINDS if what in (USES[kind], EVERYTHING))
        for kind in kinds:  # it holds at once; what follows on disk may take longer than Discord waits for an answer
            self.runtime.privacy.consent.decide(kind, interaction.user.id, decision)
        await interaction.response.defer(ephemeral=True, thinking=True)
        settled = await self.runtime.privacy.decide(interaction.user.id, decision, kinds)
        await answer(interaction, decided_text(decision, kinds, settled))

    # Within -----------------------------------------------------------------------------------------------------------

    @property
    def _rights(self) -> RecordingRights:
        return RecordingRights(self.runtime.config.recording, self.runtime.recordings.archive)

    def _where(self, below: str) -> str:
        """A place as people who run the bot know it: from the folder that the configuration names."""
        return f"{self.runtime.config.recording.folder}/{below}"

    def _offer(self, metadata: Metadata, limit: int) -> str:
        """Which export would fit."""
        offer = find_offer(metadata, self.runtime.config.recording.bitrate_kbps, limit)
        if offer is None:
            return NOTHING_FITS
        sentence = OFFER_PERSON if offer.person else OFFER
        return sentence.format(id=metadata.id, format=offer.format, size=words.size(offer.bytes))

    async def _hand_out(
        self,
        interaction: discord.Interaction,
        handout: Handout,
        making: AbstractAsyncContextManager[Export],
        records: Sequence[RecordingRecord],
        metadata: Metadata | None,
    ) -> None:
        """Make an export and bring it to who asked; what they may, and what it is made of, is asked again then."""
        try:
            async with making as export:
                size = (await asyncio.to_thread(export.path.stat)).st_size
                if size > interaction.filesize_limit:
                    await self._say_too_large(interaction, handout, export, size, metadata)
                    return
                if records:
                    await self._rights.still(interaction.user, records)
                archive = self.runtime.recordings.archive
                async with archive.locks.sending(export.ticket):
                    sent = await handout.send(export.path)
                if not sent:
                    key = await asyncio.to_thread(archive.exports.keep, export, interaction.user.id)
                    await handout.offer(fetch_view(key))
        except ParleyError as error:
            if not handout.over:
                raise
            _log.info("an export came to nothing: %s", error.sentence, exc_info=error.__cause__)
            await handout.say(error.sentence)

    async def _say_too_large(
        self,
        interaction: discord.Interaction,
        handout: Handout,
        export: Export,
        size: int,
        metadata: Metadata | None,
    ) -> None:
        limit = interaction.filesize_limit
        lines = [TOO_LARGE.format(size=words.size(size), limit=words.size(limit))]
        if metadata is not None:
            lines.append(self._offer(metadata, limit))
        if await owns(interaction):
            await asyncio.to_thread(self.runtime.recordings.archive.exports.keep, export)
            place = f"{export.folder.parent.name}/{export.folder.name}/{export.path.name}"
            lines.append(LIES_AT.format(where=self._where(place)))
        elif metadata is None:
            lines.append(ASK_OWNER)
        await handout.say("\n".join(lines))

    async def pressed(self, interaction: discord.Interaction, what: str) -> None:
        """Somebody fetches an export that could not be sent to them."""
        try:
            await self._fetch(interaction, what.removeprefix(FETCH))
        except Exception as error:  # noqa: BLE001 - shown as a sentence, and in the log with its cause
            await tell_error(interaction, error)

    async def _fetch(self, interaction: discord.Interaction, key: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        archive = self.runtime.recordings.archive
        kept = await asyncio.to_thread(archive.exports.find, key, interaction.user.id)
        if kept is None:
            raise RecordingError(NOT_KEPT)
        ticket = archive.locks.ticket(kept.recording_ids)
        if not kept.own:
            records = [self._rights.record(interaction.user, each) for each in kept.recording_ids]
            await self._rights.still(interaction.user, records)
        async with archive.locks.sending(ticket):
            if not await Handout(interaction).send(kept.path):
                raise RecordingError(NOT_KEPT)
        await asyncio.to_thread(archive.exports.remove, key)


def fetch_view(key: str) -> discord.ui.View:
    """The button that fetches a kept export; the runtime listens to it by its id."""
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(label="Get it", custom_id=f"{BUTTONS}{OWNER}:{FETCH}{key}"))
    view.stop()
    return view


def _fitting(folder: Path, metadata: Metadata, limit: int) -> tuple[list[discord.File], list[str]]:
    """As many of a recording's files as one message takes, under names that tell evenings apart; and what is left."""
    names = [metadata.files.timeline, metadata.files.session, *(person.track for person in metadata.people)]
    files: list[discord.File] = []
    left: list[str] = []
    dated = dated_name(metadata.started_at, metadata.channel.name)
    for path in [file_in(folder, name) for name in names if name is not None]:
        if path is None:
            continue
        size = path.stat().st_size
        if size <= limit and len(files) < FILES:
            limit -= size
            files.append(discord.File(path, filename=f"{dated}_{path.name}"))
        else:
            left.append(path.name)
    return files, left


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(RecordingsCog(bot))
