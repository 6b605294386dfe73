"""What somebody wants done at a time is checked whole before it is kept: words, files, pictures, the right to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import aiohttp
import discord

from core.bot.schedule_acts import KINDS
from core.bot.schedule_rights import require_manager, require_place
from core.bot.schedule_words import added
from core.errors import AudioError, ScheduleError
from core.names import plain, term
from core.schedule.pictures import FULL as PICTURES_FULL
from core.schedule.wording import length
from core.studio.media_type import sniff

if TYPE_CHECKING:
    from core.bot.runtime import Runtime
    from core.store.schedules import Late, Schedule

What = Literal["say", "ask", "play", "picture", "record"]

MB = 1_000_000
FETCH_S = 60.0
ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
NEEDS = {
    "say": "What shall I say? Give it as `text`.",
    "ask": "What shall I ask the model? Give it as `text`.",
    "play": "Which file shall I play? Pick one of the sounds folder as `file`.",
    "picture": "Which picture shall I post? Upload it as `picture`.",
}
TAKES = {"say": ("text",), "ask": ("text",), "play": ("file",), "picture": ("picture", "text"), "record": ()}
NOT_WITH = "`{option}` does not go with `what:{what}`. {takes}"
TAKES_ONLY = "That takes {options}."
TAKES_NOTHING = "That takes only a voice channel, as `channel`."
NO_MODEL = "I have no language model to ask; add [model.routes.default] to config.toml."
NO_FILE = "The sounds folder has no such file. {known}"
TOO_LARGE = "That picture is too large ({size:.1f} MB); I take up to {most:g} MB."
NO_PICTURE = "That file is no picture that Discord shows: I take PNG, JPEG, GIF and WebP."
NOT_FETCHED = "Discord did not hand over the picture. Please upload it once more."


async def add_schedule(
    runtime: Runtime,
    interaction: discord.Interaction,
    when: str,
    what: What,
    *,
    options: dict[str, Any],
    channel: object,
    late: Late | None,
    grace_min: int | None,
) -> str:
    """Add a schedule for somebody; gives what to say to them.

    Raises:
        ParleyError: They may not, or something is missing, wrong or too much; nothing is kept then.
    """
    member = require_manager(interaction.user)
    guild = member.guild
    place = require_place(runtime.config.recording, member, what, channel or interaction.channel)
    _require_options(what, options)
    understood = await runtime.schedules.understand(when, guild.id)
    runtime.schedules.require_room(guild.id)
    content = await _content(runtime, guild.id, what, options)
    try:
        schedule = await runtime.schedules.add(
            what,
            understood.rule.text,
            content,
            wording=" ".join(when.split()),
            guild_id=guild.id,
            channel_id=place.id,
            added_by=member.id,
            late=late,
            grace_s=None if grace_min is None else grace_min * 60,
        )
    except BaseException:
        runtime.schedule_pictures.drop(str(content.get("picture", "")))
        raise
    return added(schedule, runtime.schedules, understood.note, length(schedule.grace_s))


def _require_options(what: What, options: dict[str, Any]) -> None:
    """Refuse what is missing, and what would be left out without a word."""
    takes = TAKES[what]
    for option, value in options.items():
        if value is not None and option not in takes:
            allowed = TAKES_ONLY.format(options=" and ".join(f"`{each}`" for each in takes)) if takes else TAKES_NOTHING
            raise ScheduleError(NOT_WITH.format(option=option, what=what, takes=allowed))
    needed = options.get(takes[0]) if takes else ""
    if takes and (needed is None or (isinstance(needed, str) and not plain(needed))):  # blanks alone cannot be sent
        raise ScheduleError(NEEDS[what])


async def _content(runtime: Runtime, guild_id: int, what: What, options: dict[str, Any]) -> dict[str, Any]:
    """What a schedule keeps of what was given."""
    if what == "ask" and not runtime.models.routes:
        raise ScheduleError(NO_MODEL)
    if what == "play":
        names = await runtime.music.folder.names()
        if options["file"] not in names:
            known = f"There are: {', '.join(term(each) for each in names[:10])}." if names else "The folder is empty."
            raise AudioError(NO_FILE.format(known=known))
        return {"file": options["file"]}
    if what == "picture":
        return await _picture(runtime, guild_id, options["picture"], options.get("text"))
    return {"text": options["text"]} if what in ("say", "ask") else {}


async def _picture(runtime: Runtime, guild_id: int, upload: discord.Attachment, text: str | None) -> dict[str, Any]:
    section = runtime.config.schedule
    if upload.size > section.picture_mb * MB:
        raise ScheduleError(TOO_LARGE.format(size=upload.size / MB, most=section.picture_mb))
    held = sum(int(each.what.get("bytes", 0)) for each in runtime.schedules.of(guild_id) if each.state != "over")
    if held + upload.size > section.server_mb * MB:
        raise ScheduleError(PICTURES_FULL.format(size=held / MB, most=section.server_mb))
    try:
        async with asyncio.timeout(FETCH_S):
            data = await upload.read()
    except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
        raise ScheduleError(NOT_FETCHED) from error
    ending = ENDINGS.get(sniff(data) or "")
    if len(data) > section.picture_mb * MB:
        raise ScheduleError(TOO_LARGE.format(size=len(data) / MB, most=section.picture_mb))
    if ending is None:
        raise ScheduleError(NO_PICTURE)
    name = await runtime.schedule_pictures.keep(data, ending)
    return {"picture": name, "bytes": len(data), **({"text": text} if text else {})}


def chosen(runtime: Runtime, guild_id: int, text: str) -> Schedule:
    """The schedule that somebody names, by its number or from the suggestions.

    Raises:
        ScheduleError: This server has none of that number.
    """
    number = text.strip().lstrip("#").split(" ")[0]
    found = runtime.schedules.get(int(number)) if number.isascii() and number.isdigit() and len(number) < 10 else None
    if found is None or found.guild_id != guild_id or found.kind not in KINDS:
        numbers = ", ".join(f"#{each.id}" for each in runtime.schedules.of(guild_id, KINDS)[:10])
        known = f"There are: {numbers}." if numbers else "Nothing is scheduled here."
        raise ScheduleError(f"There is no schedule of that number here. {known}")
    return found
