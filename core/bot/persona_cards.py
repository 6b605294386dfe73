"""Cards that people send: read away from this process, shown before they are used, kept when somebody says so; and handed out."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import discord

from core.bot.interactions import BUTTONS
from core.errors import ParleyError, PersonaError, WorkerDied, WorkerOverdue, WorkerOverMemory
from core.machine.lane import Owner
from core.names import shown, shown_text
from core.persona import imports
from core.persona.cards import TOO_LARGE, read_card, write_card
from core.persona.portraits import PictureLimits, carded, portrait

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.clock import Clock
    from core.config.persona import PersonaSection
    from core.machine.lane import Lane
    from core.persona.cards import ReadCard
    from core.persona.sheet import Sheet
    from core.persona.shelf import Shelf

_log = logging.getLogger(__name__)

R = TypeVar("R")

MIB = 2**20
WAITS_S = 900.0
MOST_WAITING = 20  # previews that wait for a yes; the oldest goes
BUTTON_OWNER = "persona"

GONE = "The card could not be fetched from Discord. Please send it again."
TOO_MUCH_WORK = "That file takes too much time or memory to read. Please send a smaller one."
TORE_DOWN = "I could not read that file: what I open cards with was ended by it. Please send another one."
OVER = "That preview is over. Please import the card again."
PREVIEW = "This is **{name}**. Nothing is kept or used before you say so.\n{text}"
LEFT_OUT = "Of the card: {notes}."
NO_PICTURE = "its picture is left out: {reason}"

ExportKind = Literal["png", "v3", "v2"]


@dataclass(frozen=True, slots=True)
class Preview:
    """A card that was read and waits for a yes."""

    token: str
    guild_id: int
    user_id: int
    card: ReadCard
    picture: bytes | None
    notes: tuple[str, ...]
    at_s: float


class CardDesk:
    """Reads cards that people send, and keeps them once they say so."""

    def __init__(self, section: PersonaSection, shelf: Shelf, lane: Lane, clock: Clock) -> None:
        """Nothing waits yet.

        Args:
            section: `[persona]`.
            shelf: Where kept ones stand.
            lane: Where strangers' files are opened.
            clock: Time.
        """
        self._section = section
        self._shelf = shelf
        self._lane = lane
        self._clock = clock
        self._waiting: dict[str, Preview] = {}

    async def read(self, upload: discord.Attachment, guild_id: int, user_id: int) -> Preview:
        """What is on a card; it waits for a quarter of an hour. Of each person one waits.

        Raises:
            PersonaError: It is no card, is damaged, or is too large.
            WorkersBusy: Too much is being read already.
        """
        limit = self._section.max_card_mb
        if upload.size > limit * MIB:
            raise PersonaError(TOO_LARGE.format(size=upload.size / MIB, limit=limit))
        try:
            data = await upload.read()
        except discord.HTTPException as error:
            raise PersonaError(GONE) from error
        owner = Owner(guild_id, user_id)
        try:
            card = await self._run(owner, read_card, data, limit, "card")
        except PersonaError as error:  # what is wrong is told in words of the card's
            raise PersonaError(shown_text(error.sentence, 600)) from error
        picture, notes = None, list(card.notes)
        if card.has_picture:
            try:
                picture = await self._run(owner, portrait, data, self._limits)
            except ParleyError as error:
                notes.append(NO_PICTURE.format(reason=error.sentence.rstrip(".")))
        now_s = self._clock.monotonic()
        preview = Preview(secrets.token_hex(8), guild_id, user_id, card, picture, tuple(notes), now_s)
        fresh = [each for each in self._waiting.values() if each.user_id != user_id and now_s - each.at_s < WAITS_S]
        self._waiting = {each.token: each for each in (*fresh[1 - MOST_WAITING :], preview)}
        return preview

    async def keep(self, token: str, guild_id: int, user_id: int) -> Sheet:
        """Keep a card that waits, for the server that it was sent on.

        Raises:
            PersonaError: It waits no more, or cannot be kept; then it waits on.
        """
        preview = self._find(token, guild_id, user_id)
        folder = self._shelf.imported(guild_id)
        id_ = await imports.keep(folder, preview.card.table, preview.picture, self._section.max_imported)
        self._waiting.pop(token, None)
        await self._shelf.look(guild_id)
        return self._shelf.named(id_, guild_id)

    def drop(self, token: str, guild_id: int, user_id: int) -> None:
        """Let a card go.

        Raises:
            PersonaError: It waits no more.
        """
        self._waiting.pop(self._find(token, guild_id, user_id).token)

    async def export(self, sheet: Sheet, kind: ExportKind, owner: Owner) -> discord.File:
        """A character as a card: JSON of one version, or a picture with both in it.

        Raises:
            ParleyError: It cannot be made.
        """
        import io

        name = re.sub(r"[^a-z0-9]+", "-", sheet.id.lower()).strip("-")[:40] or "character"
        if kind != "png":
            return discord.File(io.BytesIO(write_card(sheet, kind)), filename=f"{name}.json")
        cards = {"ccv3": write_card(sheet, "v3"), "chara": write_card(sheet, "v2")}
        picture = await self._run(owner, carded, await asyncio.to_thread(self._picture, sheet), cards, self._limits)
        return discord.File(io.BytesIO(picture), filename=f"{name}.png")

    @property
    def _limits(self) -> PictureLimits:
        avatars = self._section.avatars
        return PictureLimits(avatars.max_file_mb, avatars.max_megapixels, avatars.side_px)

    def _picture(self, sheet: Sheet) -> bytes | None:
        """Runs in a thread."""
        try:
            if sheet.picture is None or sheet.picture.stat().st_size > self._section.avatars.max_file_mb * MIB:
                return None
            return sheet.picture.read_bytes()
        except OSError as error:
            _log.info("the picture of %r cannot be read: %s", sheet.id, error.strerror)
            return None

    async def _run(self, owner: Owner, function: Callable[..., R], *args: Any) -> R:
        try:
            return await self._lane.run(function, *args, owner=owner)
        except (WorkerOverdue, WorkerOverMemory) as error:
            raise PersonaError(TOO_MUCH_WORK) from error
        except WorkerDied as error:
            raise PersonaError(TORE_DOWN) from error

    def _find(self, token: str, guild_id: int, user_id: int) -> Preview:
        found = self._waiting.get(token)
        if found is None or (found.guild_id, found.user_id) != (guild_id, user_id):
            raise PersonaError(OVER)
        if self._clock.monotonic() - found.at_s >= WAITS_S:
            raise PersonaError(OVER)
        return found


def preview_text(preview: Preview) -> str:
    """A card that waits, as whoever sent it reads it."""
    table = preview.card.table
    parts = [
        shown_text(text.strip(), 500)
        for text in (table.description, table.personality, table.scenario, table.greeting)
        if text.strip()
    ]
    notes = [LEFT_OUT.format(notes=shown("; ".join(preview.notes), 600))] if preview.notes else []
    return PREVIEW.format(name=shown(table.name), text="\n".join([*parts[:3], *notes]))


def preview_buttons(token: str) -> discord.ui.View:
    """Keep it, keep and use it, or let it go; the runtime hears them by their ids."""
    view = discord.ui.View(timeout=None)
    styles = discord.ButtonStyle
    for what, label, style in (
        ("keep", "Keep", styles.secondary),
        ("use", "Keep and use", styles.success),
        ("drop", "Let it go", styles.danger),
    ):
        view.add_item(discord.ui.Button(label=label, style=style, custom_id=f"{BUTTONS}{BUTTON_OWNER}:{what}:{token}"))
    view.stop()
    return view
