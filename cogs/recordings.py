"""RecordingsCog: what was recorded, shown, handed out and deleted; and what each person has to say about it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import core

if getattr(core, "PARLEY", None) != "parley":
    raise ImportError(f"Parley's cogs need Parley's package “core”, but Python found another: {core.__file__}.")

import discord
from discord import app_commands

from core.privacy.words import USES, decided_text, deleted_text, said_text
from core.recording import words
from core.recording.encode import Quality
from core.recording_rights import RecordingRights
from core.slash import NO_PINGS, ParleyCog, answer
from core.store.decisions import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from discord.ext import commands

    from core.store.decisions import Decision, Kind

NONE_YET = "Nothing was recorded on this server yet."
DELETED = "Deleted, with all its files."
LIES_AT = "It is too large to send here ({size}). It lies at `{where}` where I run."
RULES = "By the rules here (`{mode}`) you are {heard}."
EVERYTHING = "everything"
MAX_FILES, CHOICES, LISTED = 10, 25, 15  # the first two are Discord's

Format = Literal["wav", "flac", "ogg", "mp3"]
Use = Literal["recorded", "heard", "observed", "trained on", "everything"]


class RecordingsCog(ParleyCog, name="Recordings"):
    """Commands about past recordings, and everybody's own data."""

    needed_intents = ()
    recordings = app_commands.Group(name="recordings", description="What was recorded here.", guild_only=True)
    privacy = app_commands.Group(name="privacy", description="What is recorded of you.")

    # /recordings ------------------------------------------------------------------------------------------------------

    async def _choices(self, interaction: discord.Interaction, partial: str) -> list[app_commands.Choice[str]]:
        """Complete recordings, from memory, for who may see them."""
        found = [(words.choice(record), record.id) for record in self._rights.visible(interaction.user)]
        text = partial.casefold()
        fits = [(name, value) for name, value in found if text in name.casefold() or text in value]
        return [app_commands.Choice(name=name, value=value) for name, value in fits[:CHOICES]]

    @recordings.command(name="list", description="Show what was recorded here.")
    async def list_recordings(self, interaction: discord.Interaction) -> None:
        """The newest recordings of this server that the caller may see."""
        records = self._rights.listed(interaction.user)
        lines = [words.list_line(record) for record in records[:LISTED]]
        if len(records) > LISTED:
            lines.append(f"and {len(records) - LISTED} more")
        await answer(interaction, "\n".join(lines) or NONE_YET)

    @recordings.command(name="get", description="Show a recording, with its files if they fit.")
    @app_commands.describe(recording="Which one")
    @app_commands.autocomplete(recording=_choices)
    async def get(self, interaction: discord.Interaction, recording: str) -> None:
        """Send what fits the upload limit, and say where the rest is."""
        record = self._rights.record(interaction.user, recording)
        await interaction.response.defer(ephemeral=True, thinking=True)
        metadata = await self.runtime.recordings.archive.details(record.id)
        folder = self.runtime.recordings.archive.folder(record)
        names = [metadata.files.timeline, metadata.files.session, *(person.track for person in metadata.people)]
        limit = _limit(interaction)
        files = await asyncio.to_thread(_fitting, [folder / name for name in names if name is not None], limit)
        text = words.finished_text(metadata, self._where(record.folder))
        await interaction.followup.send(text, files=files, ephemeral=True, allowed_mentions=NO_PINGS)

    @recordings.command(name="export", description="Hand out a recording as one file, in the quality you want.")
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
        """Pack it and send it, or say where it lies."""
        record = self._rights.record(interaction.user, recording)
        await interaction.response.defer(ephemeral=True, thinking=True)
        section = self.runtime.config.recording
        wanted = format or ("wav" if mono else None)
        quality = None
        if wanted is not None:
            quality = Quality(wanted, section.rate_hz, 1 if mono else section.channels, section.bitrate_kbps)
        packed = await self.runtime.recordings.archive.pack(
            record.id, quality=quality, user_id=None if person is None else person.id
        )
        await self._hand_out(interaction, packed)

    @recordings.command(name="delete", description="Delete a recording and all its files for good.")
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
        path, _ = await self.runtime.recordings.export_person(interaction.user.id)
        await self._hand_out(interaction, path)

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

    async def _hand_out(self, interaction: discord.Interaction, file: Path) -> None:
        size = (await asyncio.to_thread(file.stat)).st_size
        if size > _limit(interaction):
            where = self._where(f"{file.parent.name}/{file.name}")
            await answer(interaction, LIES_AT.format(size=words.size(size), where=where))
            return
        sent = await asyncio.to_thread(discord.File, file)
        await interaction.followup.send(file=sent, ephemeral=True, allowed_mentions=NO_PINGS)
        await asyncio.to_thread(file.unlink, missing_ok=True)


def _limit(interaction: discord.Interaction) -> int:
    """How many bytes an answer may carry."""
    return interaction.filesize_limit


def _fitting(paths: Sequence[Path], limit: int) -> list[discord.File]:
    """As many of the files as one message takes, in this order."""
    files: list[discord.File] = []
    for path in paths:
        size = path.stat().st_size if path.is_file() else limit + 1
        if size <= limit and len(files) < MAX_FILES:
            limit -= size
            files.append(discord.File(path))
    return files


async def setup(bot: commands.Bot) -> None:
    """Load the cog."""
    await bot.add_cog(RecordingsCog(bot))
