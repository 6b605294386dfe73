"""Watches how characters feel: by what is said to them, and by time. Whoever shows moods hears of each change."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from core.bot.persona_cast import DIRECT
from core.events import CharacterChosen, MoodChanged, TurnEnded
from core.names import plain
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from core.bot.persona_cast import Cast
    from core.clock import Clock
    from core.conversation.service import Conversation
    from core.hub import Hub
    from core.persona.mood_keeper import MoodKeeper
    from core.persona.sheet import MoodTable
    from core.privacy.consent import Consent

_log = logging.getLogger(__name__)

TICK_S = 30.0
AT_ONCE = 50  # servers that are looked at before others have their turn


class MoodWatch:
    """Publishes `MoodChanged`. What is said reaches a mood after the turn, never on the way of its answer."""

    def __init__(
        self,
        cast: Cast,
        moods: MoodKeeper,
        *,
        conversation: Conversation,
        consent: Consent,
        hub: Hub,
        clock: Clock,
        servers: Callable[[], Sequence[int]],
    ) -> None:
        """Nothing is watched before `begin`.

        Args:
            cast: Who the bot is where.
            moods: How they feel.
            conversation: Whose turns are looked at.
            consent: Who does not want to be observed.
            hub: Tells of turns; told of moods.
            clock: Time.
            servers: The servers that the bot is on.
        """
        self._cast = cast
        self._moods = moods
        self._conversation = conversation
        self._consent = consent
        self._hub = hub
        self._clock = clock
        self._servers = servers
        self._told: dict[int, tuple[str, str]] = {}
        self._tasks = Tasks("mood watch")

    def begin(self) -> None:
        """Watch, until `close`."""
        self._hub.subscribe(TurnEnded, self._said, owner=self)
        self._hub.subscribe(CharacterChosen, lambda event: self.look(event.guild_id), owner=self)
        self._tasks.start(self._tick(), "tick")

    def listeners(self) -> dict[str, Callable[..., Awaitable[None]]]:
        """What the runtime attaches to the bot, by discord.py's event name."""
        return {"on_ready": self._look_everywhere}

    async def close(self) -> None:
        """Watch no more."""
        self._hub.drop(self)
        await self._tasks.cancel_all()

    def mood(self, guild_id: int | None) -> MoodTable | None:
        """How the character of a server feels; None if there is none, or it has no moods."""
        place = guild_id or None
        sheet = self._cast.active(place)
        return self._moods.now(place, sheet) if sheet is not None else None

    def look(self, guild_id: int | None) -> None:
        """Tell of the mood of a server (None or 0: of direct messages) if it is another than before."""
        place = guild_id or DIRECT
        sheet = self._cast.active(place or None)
        mood = self._moods.now(place or None, sheet) if sheet is not None else None
        now = (sheet.id if sheet is not None else "", mood.name if mood is not None else "")
        if self._told.get(place, ("", "")) != now:
            self._told[place] = now
            self._hub.publish(MoodChanged(place, *now, mood.emoji if mood is not None else ""))

    def line(self) -> str | None:
        """The mood as the line under the bot's name says it; None says nothing.

        The line is the same on every server, so that only a bot on one server shows the mood of that.
        """
        servers = self._servers()
        mood = self.mood(servers[0] if len(servers) == 1 else None)
        return f"Feeling {plain(mood.name, 32)} {plain(mood.emoji, 16)}".strip() if mood is not None else None

    async def _said(self, event: TurnEnded) -> None:
        """Let what was said to a character move it. Who refused to be observed moves nothing."""
        turn = next((turn for turn in reversed(self._conversation.recent) if turn.id == event.turn_id), None)
        place = event.guild_id or None
        sheet = self._cast.played(event.character_id, place)  # whoever answered: also a second self
        if turn is None or turn.aloud or sheet is None:
            return
        words = [
            turn.prompt.said_by(user_id)
            for user_id in turn.prompt.authors
            if not self._consent.refused("observed", user_id)
        ]
        if self._moods.said(place, sheet, "\n".join(words)):
            self.look(place)

    async def _tick(self) -> None:
        while True:
            await self._look_everywhere()
            await self._clock.sleep(TICK_S)

    async def _look_everywhere(self) -> None:
        for number, guild_id in enumerate((DIRECT, *self._servers())):
            self.look(guild_id)
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
