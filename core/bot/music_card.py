"""The card that shows what plays: title, picture, who asked, a bar that moves, and buttons."""

from __future__ import annotations

import asyncio
import io
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
import discord

from core.bot.interactions import BUTTONS
from core.bot.music_words import LOOPS, bar, called
from core.bot.replies import NO_PINGS
from core.names import shown
from core.tasks import Tasks

if TYPE_CHECKING:
    from core.clock import Clock
    from core.music.deck import Deck
    from core.music.track import Track
    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

OWNER = "music"  # of the buttons
EDIT_S = 5.0  # between two edits, at least
PICTURE = "cover.jpg"
OVER = "The queue is empty."
UNREACHABLE = (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError)


@dataclass(slots=True, eq=False)
class _Card:
    """The card of one session."""

    session: VoiceSession
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    anew: bool = False  # whether it is to stand at the end of the channel
    message: discord.Message | None = None
    shown: str = ""
    track: Track | None = None
    picture: bytes | None = None

    @property
    def deck(self) -> Deck:
        return self.session.media


class MusicCards:
    """Cards of every session in which somebody asked for music with `/music`. They outlive reloads of the cog."""

    def __init__(self, clock: Clock, *, enabled: bool) -> None:
        """None is shown yet."""
        self._clock = clock
        self._enabled = enabled
        self._cards: dict[str, _Card] = {}
        self._tasks = Tasks("music cards")

    def show(self, session: VoiceSession, *, anew: bool = False) -> None:
        """Show what plays in a session from now on; `anew` puts it at the end of the channel."""
        if not self._enabled:
            return
        card = self._cards.get(session.id)
        if card is None:
            card = self._cards[session.id] = _Card(session)
            session.media.watchers.append(card.changed.set)
            self._tasks.start(self._keep(card), f"card {session.id}")
        card.anew = card.anew or anew
        card.changed.set()

    async def ended(self, session_id: str) -> None:
        """A session is over: its card says so."""
        card = self._cards.pop(session_id, None)
        if card is not None:
            self._tasks.cancel(f"card {session_id}")
            await self._finish(card)

    async def close(self) -> None:
        """Leave the cards as they are."""
        await self._tasks.cancel_all()

    # One card ---------------------------------------------------------------------------------------------------------

    async def _keep(self, card: _Card) -> None:
        """Bring the card up to date when something changes, and while it plays; at most once in five seconds."""
        while True:
            await self._wait(card)
            card.changed.clear()
            try:
                await self._update(card)
            except UNREACHABLE as error:
                _log.info("the card of session %s could not be shown: %s", card.session.id, error)
                card.message = None
            await self._clock.sleep(EDIT_S)

    async def _wait(self, card: _Card) -> None:
        if card.deck.now is None or card.deck.paused:
            await card.changed.wait()

    async def _update(self, card: _Card) -> None:
        track = card.deck.now
        if track is None:
            await self._finish(card)
            return
        wanted = describe(card.deck, track)
        moved = card.anew or (track is not card.track and not self._is_last(card))
        if moved and card.message is not None:
            await self._remove(card)
        pictured = track.facts.picture is not card.picture or card.message is None
        if card.message is not None and wanted == card.shown and not pictured:
            return
        embed, view = _embed(card.deck, track), _buttons(card.deck)
        files = [_file(track)] if track.facts.picture else []
        if card.message is None:
            channel = card.session.prompt_channel
            if channel is None:
                return
            card.message = await channel.send(
                embed=embed, view=view, files=files, silent=True, allowed_mentions=NO_PINGS
            )
        elif pictured:
            card.message = await card.message.edit(embed=embed, view=view, attachments=files)
        else:
            card.message = await card.message.edit(embed=embed, view=view)
        card.anew, card.track, card.shown, card.picture = False, track, wanted, track.facts.picture

    def _is_last(self, card: _Card) -> bool:
        message = card.message
        return message is not None and getattr(message.channel, "last_message_id", None) == message.id

    async def _finish(self, card: _Card) -> None:
        """Nothing plays any more: the card goes without buttons."""
        message, card.message, card.track, card.shown = card.message, None, None, ""
        if message is None:
            return
        try:
            await message.edit(embed=discord.Embed(description=OVER), view=None, attachments=[])
        except UNREACHABLE as error:
            _log.info("the card of session %s could not be ended: %s", card.session.id, error)

    async def _remove(self, card: _Card) -> None:
        message, card.message = card.message, None
        if message is not None:
            try:
                await message.delete()
            except UNREACHABLE as error:
                _log.info("the card of session %s could not be taken away: %s", card.session.id, error)


def describe(deck: Deck, track: Track) -> str:
    """What the card says, as one text."""
    live = getattr(track.source, "title", "")
    trouble = getattr(track.source, "trouble", "")
    lines = [called(track), *([f"🎵 {shown(live, 150)}"] if live else []), bar(deck)]
    tail = [f"Asked for by <@{track.by}>"] if track.by else []
    waiting = len(deck.tracks) - 1
    tail += [f"{waiting} waiting"] if waiting else []
    tail += [f"loop: {deck.queue.loop} {LOOPS[deck.queue.loop]}"] if deck.queue.loop != "off" else []
    lines += [" · ".join(tail)] if tail else []
    lines += [f"⚠️ {shown(trouble, 200)}"] if trouble else []
    return "\n".join(lines)


def _embed(deck: Deck, track: Track) -> discord.Embed:
    embed = discord.Embed(description=describe(deck, track), colour=discord.Colour.blurple())
    if track.facts.picture:
        embed.set_thumbnail(url=f"attachment://{PICTURE}")
    return embed


def _file(track: Track) -> discord.File:
    return discord.File(io.BytesIO(track.facts.picture or b""), PICTURE)


def _buttons(deck: Deck) -> discord.ui.View:
    """Buttons that the runtime listens to, by their ids: so they outlive reloads and restarts."""
    view = discord.ui.View(timeout=None)
    secondary, danger = discord.ButtonStyle.secondary, discord.ButtonStyle.danger
    for what, label, style in (
        ("pause", "Go on" if deck.paused else "Pause", secondary),
        ("skip", "Skip", secondary),
        ("loop", f"Loop: {deck.queue.loop}", secondary),
        ("stop", "Stop", danger),
    ):
        view.add_item(discord.ui.Button(label=label, style=style, custom_id=f"{BUTTONS}{OWNER}:{what}"))
    view.stop()
    return view
