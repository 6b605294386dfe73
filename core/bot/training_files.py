"""Files of the trainer on their way in and out of Discord: data sets and notes to a person, examples and sounds from one."""

from __future__ import annotations

import asyncio
import io
import logging
from typing import TYPE_CHECKING

import aiohttp
import discord

from core.bot.replies import NO_PINGS
from core.errors import AudioError, HearingError, TrainingError
from core.hearing.sound_file import text_of
from core.machine.lane import Owner
from core.training.handing_out import TOO_LARGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.bot.runtime import Runtime
    from core.store.training_values import TrainingSet
    from core.training.checks import Format

_log = logging.getLogger(__name__)

FETCH_S = 60.0
MOST_NAMES = 2000  # of members that are looked for in texts
NOT_SENT = "The file is made, but Discord did not take it. Please try again."
NOT_FETCHED = "Discord did not hand over the file. Please send it once more."
FILE_TOO_LARGE = "That file has {size:.1f} MB; I read at most {most:g} MB."
NO_HEARING = "I hear nothing here: without a recogniser ([hearing] engine) a sound file is no training prompt."
REFUSED = "You asked not to be heard, so I do not listen to that. `/privacy opt-in` takes that back."
NO_WORDS = "I understood no words in that."
NEEDS_ANSWER = "To a sound file belongs the answer that it should have: give it as `answer`."
NO_INSTRUCTION = "No instruction was ever set here."
INSTRUCTION = "instruction"  # what `/trainer file` sends beside data sets
SOUNDS = (".ogg", ".mp3", ".wav", ".flac", ".m4a", ".opus", ".webm", ".aac")


def names_of(guild: discord.Guild, *more: discord.abc.User) -> dict[int, tuple[str, ...]]:
    """The names that people of a server go by now, as far as they are known, and those of others; taken out of texts."""
    members = [member for member in (*guild.members[:MOST_NAMES], *more) if not member.bot]
    return {
        member.id: tuple(dict.fromkeys(filter(None, (member.name, member.display_name, member.global_name))))
        for member in members
    }


class TrainingFiles:
    """What `/trainer export`, `file` and `import` do."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def export(
        self,
        interaction: discord.Interaction,
        guild: discord.Guild,
        name: str,
        form: Format,
        *,
        share: float | None,
        seed: int | None,
    ) -> None:
        """Send a data set to whoever asked, to be seen by them alone.

        Raises:
            TrainingError: It may not go out, or does not fit.
        """
        training, user_id = self._runtime.training, interaction.user.id
        kept = await training.data_sets.find(guild.id, name)
        limit = interaction.filesize_limit
        handed = await training.handing_out.files(
            kept,
            form,
            Owner(guild.id, user_id),
            names=names_of(guild, interaction.user),
            limit_bytes=limit,
            share=share,
            seed=seed,
        )
        note = await training.handing_out.handed(kept, form, user_id, handed.people)
        if not await self._send(interaction, handed.told, handed.files):
            await training.handing_out.not_handed(note)
            raise TrainingError(NOT_SENT)

    async def send_instruction(self, interaction: discord.Interaction, guild: discord.Guild) -> None:
        """Send every version of the instruction.

        Raises:
            TrainingError: There is none, or it is too large.
        """
        data, limit = (await self._instruction(guild)).encode("utf-8", "replace"), interaction.filesize_limit
        if len(data) > limit:
            raise TrainingError(TOO_LARGE.format(name="It", size=len(data) / 1e6, limit=limit / 1e6))
        if not await self._send(interaction, "", {f"{INSTRUCTION}.txt": data}):
            raise TrainingError(NOT_SENT)

    async def _instruction(self, guild: discord.Guild) -> str:
        versions = await self._runtime.training.instructions.versions(guild.id)
        if not versions:
            raise TrainingError(NO_INSTRUCTION)
        parts: list[str] = []
        for each in versions:
            undone = f", taken back {each.withdrawn_at:%Y-%m-%d %H:%M} UTC" if each.withdrawn_at else ""
            parts.append(f"# Version {each.version}, {each.at:%Y-%m-%d %H:%M} UTC{undone}\n{each.text or '(none)'}\n")
        return "\n".join(parts)

    async def _send(self, interaction: discord.Interaction, text: str, files: Mapping[str, bytes]) -> bool:
        sent = [discord.File(io.BytesIO(data), filename=name) for name, data in files.items()]
        try:
            await interaction.followup.send(text, files=sent, ephemeral=True, allowed_mentions=NO_PINGS)
        except discord.HTTPException as error:
            _log.warning("a data set was not sent: %s", error)
            return False
        return True

    # Coming in --------------------------------------------------------------------------------------------------------

    async def take(
        self,
        interaction: discord.Interaction,
        guild: discord.Guild,
        name: str | None,
        upload: discord.Attachment,
        answer: str | None,
    ) -> tuple[TrainingSet, int]:
        """Add a file's examples, or what somebody says in it with its answer, to a data set; returns it, and how many.

        Without a name it is a new one, called like the file, which is made once the file has been read.

        Raises:
            ParleyError: Nothing of it was read; the sentence says why.
        """
        sets, importing, user = self._runtime.training.data_sets, self._runtime.training.importing, interaction.user
        owner = Owner(guild.id, user.id)
        if name is not None:
            await sets.find(guild.id, name)
        if is_sound(upload):
            if answer is None:
                raise TrainingError(NEEDS_ANSWER)
            asked = await self._heard(upload, owner)
            kept = await sets.for_import(guild.id, name, upload.filename, user.id)
            await importing.add_spoken(kept, asked, answer, owner, user.display_name)
            return kept, 1
        if upload.size > importing.most_bytes:
            raise TrainingError(FILE_TOO_LARGE.format(size=upload.size / 1e6, most=importing.most_bytes / 1e6))
        found = await importing.read(await fetched(upload), owner)
        await sets.require_room(guild.id, len(found))
        kept = await sets.for_import(guild.id, name, upload.filename, user.id)
        await importing.add(kept, found, upload.filename, owner)
        return kept, len(found)

    async def _heard(self, upload: discord.Attachment, owner: Owner) -> str:
        runtime, section = self._runtime, self._runtime.config.hearing
        if runtime.transcriber is None:
            raise HearingError(NO_HEARING)
        if runtime.privacy.consent.refused("heard", owner.user_id):
            raise HearingError(REFUSED)
        most = int(runtime.config.voice.upload_limit_mb * 1e6)
        if upload.size > most:
            raise AudioError(FILE_TOO_LARGE.format(size=upload.size / 1e6, most=most / 1e6))
        data = await fetched(upload)
        await runtime.transcriber.open()
        heard = await text_of(
            data,
            runtime.transcriber,
            runtime.workers.strangers,
            max_bytes=most,
            max_s=section.max_attachment_s,
            owner=owner,
        )
        if not heard.text.strip():
            raise HearingError(NO_WORDS)
        return heard.text


def is_sound(upload: discord.Attachment) -> bool:
    """Whether a file is sound, by what Discord or its name says; what it is, its bytes tell later."""
    return (upload.content_type or "").startswith(("audio/", "video/")) or upload.filename.lower().endswith(SOUNDS)


async def fetched(upload: discord.Attachment) -> bytes:
    """The bytes of a file.

    Raises:
        TrainingError: Discord does not hand it over.
    """
    try:
        async with asyncio.timeout(FETCH_S):
            return await upload.read()
    except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
        raise TrainingError(NOT_FETCHED) from error
