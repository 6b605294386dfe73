"""Arguments between the bot and its second self: a few lines, paced like people, that anybody and any session can stop."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from core.errors import ParleyError
from core.names import plain, shown
from core.persona.arguments_pace import TypingPace
from core.persona.arguments_score import Heat
from core.persona.arguments_words import line_of, messages, topic_of
from core.persona.occasions import Occasion, OccasionRefused
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    from core.character import Character
    from core.clock import Clock
    from core.config.persona import ArgumentsSection
    from core.persona.arguments_words import Message
    from core.persona.occasions import Occasions

    Ended = Callable[["Argument"], Coroutine[Any, Any, None]]

_log = logging.getLogger(__name__)

FEATURE = "persona_argument"  # how it takes part in the lockdown
TYPING_S = 8.0  # Discord shows somebody as typing for ten
CHANNELS_KEPT = 500  # whose heat is remembered

ALREADY = "We are arguing in {place} already; anybody ends it with `/persona stop`."
TOO_SOON = "We have argued just now. Ask again in {left_s:.0f} s."
STOPPED_BEFORE = "It was stopped before it began."
NO_TOPIC = "Give us something to argue about: there is nothing in that topic."

Outcome = Literal["said", "stopped", "refused", "failed"]


class Scene(Protocol):
    """Where two argue, as they see it."""

    async def prepare(self) -> None:
        """See to it that both can speak there. Raises `ParleyError` with the sentence that says why not."""
        ...

    async def typing(self) -> None:
        """Show for a few seconds that somebody types; failures are nobody's business."""
        ...

    async def say(self, speaker: Character, text: str) -> None:
        """Say a line. Raises `ParleyError` if it cannot be said."""
        ...

    async def tell(self, sentence: str) -> None:
        """Say why it ends before its end, if that is possible."""
        ...


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: the character, and who it is."""

    character: Character
    persona: str


@dataclass(slots=True, eq=False)
class Argument:
    """One argument on its way.

    Args:
        guild_id: The server.
        channel_id: The channel, or thread.
        topic: What it is about.
        sides: The two, in the order in which they speak.
        scene: Where they speak.
        person_id: Whose words the topic is.
        asked: Whether that person asked for it, or only provoked.
    """

    guild_id: int
    channel_id: int
    topic: str
    sides: tuple[Side, Side]
    scene: Scene
    person_id: int
    asked: bool = True
    said: list[tuple[Character, str]] = field(default_factory=list["tuple[Character, str]"])
    outcome: Outcome | None = None

    @property
    def occasion(self) -> Occasion:
        """What lockdown, budget and consent are asked about it."""
        return Occasion(FEATURE, self.guild_id, self.channel_id)


class Arguments:
    """Starts, carries and ends arguments: one a server at a time. Keeps how heated each channel is, in memory alone."""

    def __init__(
        self,
        section: ArgumentsSection,
        *,
        occasions: Occasions,
        clock: Clock,
        message: Message,
        ended: Ended | None = None,
    ) -> None:
        """Nobody argues yet.

        Args:
            section: `[persona.arguments]`.
            occasions: The gate for what the bot does by itself, and who asks the model.
            clock: Time.
            message: Makes a message for the model of a role and a text.
            ended: Awaited with each argument of which something was said.
        """
        self._section = section
        self._occasions = occasions
        self._clock = clock
        self._message = message
        self._ended = ended
        self._pace = TypingPace(section.characters_per_s, section.longest_pause_s)
        self._running: dict[int, Argument] = {}
        self._heats: dict[int, Heat] = {}
        self._rested: dict[int, float] = {}
        self._free_at_s: dict[int, float] = {}  # by server, when somebody may ask for one again
        self._tasks = Tasks("arguments")

    # Starting and stopping --------------------------------------------------------------------------------------------

    def running(self, guild_id: int) -> Argument | None:
        """The argument of a server, if there is one."""
        return self._running.get(guild_id)

    def refusal(self, occasion: Occasion) -> ParleyError | None:
        """Why nobody may argue there now; the model's tokens count as one line's."""
        return self._occasions.refusal(occasion, self._section.max_tokens)

    async def start(self, argument: Argument) -> asyncio.Task[None]:
        """Begin an argument; it goes on in the background.

        Raises:
            ParleyError: There is one on this server already, the topic is empty, the lockdown or the budget stands against
                it, or there is no way to speak there.
        """
        argument.topic = topic_of(argument.topic)
        if not any(character.isalnum() for character in argument.topic):
            raise ParleyError(NO_TOPIC)
        self._require_free(argument)
        refused = self.refusal(argument.occasion)
        if refused is not None:
            raise refused
        self._running[argument.guild_id] = argument  # before the first await: two at once are one too many
        try:
            await argument.scene.prepare()
        except BaseException:
            self._leave(argument)
            raise
        if self._running.get(argument.guild_id) is not argument:  # stopped while the webhook was made
            raise ParleyError(STOPPED_BEFORE)
        return self._tasks.start(self._carry(argument), f"argument {argument.guild_id}", replace=True)

    def stop(self, guild_id: int) -> bool:
        """End the argument of a server where it is; whether there was one."""
        argument = self._running.pop(guild_id, None)
        if argument is None:
            return False
        argument.outcome = "stopped"
        self._tasks.cancel(f"argument {guild_id}")
        return True

    def stop_all(self) -> int:
        """End every argument where it is; returns how many that were."""
        return sum(self.stop(guild_id) for guild_id in list(self._running))

    def channel_gone(self, channel_id: int) -> None:
        """End the argument of a channel that was deleted, and forget its heat."""
        self._heats.pop(channel_id, None)
        self._rested.pop(channel_id, None)
        for argument in [each for each in self._running.values() if each.channel_id == channel_id]:
            self.stop(argument.guild_id)

    def forget(self, user_id: int, *, asked: bool = True) -> None:
        """End arguments about what somebody said (with `asked`, also those that they asked for), and forget that they provoked."""
        for argument in list(self._running.values()):
            if argument.person_id == user_id and (asked or not argument.asked):
                self.stop(argument.guild_id)
        self._heats = {channel_id: heat.without(str(user_id)) for channel_id, heat in self._heats.items()}

    async def end_all(self) -> None:
        """End every argument, and wait until they are over and remembered."""
        self.stop_all()
        await self._tasks.settle()

    # Heat -------------------------------------------------------------------------------------------------------------

    def heard(self, channel_id: int, who: str, text: str) -> bool:
        """Note what somebody said to the bot, or what one of the two said; returns whether it is enough to start an argument.

        Args:
            channel_id: Where.
            who: A user's id, or a character's.
            text: What; a bounded part of it is looked at and nothing kept.
        """
        if not self._section.threshold:
            return False
        now_s, half_life_s = self._clock.monotonic(), self._section.half_life_s
        heat = self._heats.pop(channel_id, Heat()).after(who, text, now_s, half_life_s)
        if heat.score:
            self._heats[channel_id] = heat  # the newest last
        while len(self._heats) > CHANNELS_KEPT:
            del self._heats[next(iter(self._heats))]
        rested = self._rested.get(channel_id)
        if rested is not None and now_s - rested < self._section.rest_s:
            return False
        return heat.score >= self._section.threshold

    def heat(self, channel_id: int) -> float:
        """How heated a channel is now."""
        heat = self._heats.get(channel_id)
        return 0.0 if heat is None else heat.at(self._clock.monotonic(), self._section.half_life_s)

    def provoker(self, channel_id: int) -> str | None:
        """Who heated a channel most: a user's id or a character's; None if nobody did."""
        heat = self._heats.get(channel_id)
        return None if heat is None else heat.provoker

    def rest(self, channel_id: int) -> None:
        """Let no argument start by itself in a channel for a while, and let it cool down."""
        self._heats.pop(channel_id, None)
        self._rested.pop(channel_id, None)
        self._rested[channel_id] = self._clock.monotonic()
        while len(self._rested) > CHANNELS_KEPT:
            del self._rested[next(iter(self._rested))]

    # One argument -----------------------------------------------------------------------------------------------------

    async def _carry(self, argument: Argument) -> None:
        try:
            await self._exchange(argument)
            argument.outcome = "said"
        except OccasionRefused as refusal:
            argument.outcome = "refused"
            _log.info("an argument in %d ends: %s", argument.channel_id, refusal.sentence)
            if refusal.reason in ("budget", "model") and argument.asked:
                await argument.scene.tell(refusal.sentence)
        except ParleyError as error:
            argument.outcome = "failed"
            _log.warning("an argument in %d ends: %s", argument.channel_id, error.sentence, exc_info=error.__cause__)
            await argument.scene.tell(error.sentence)
        except asyncio.CancelledError:
            argument.outcome = "stopped"
            raise
        finally:
            self._leave(argument)
            self.rest(argument.channel_id)
            self._free_at_s[argument.guild_id] = self._clock.monotonic() + self._section.again_s
            if argument.said and self._ended is not None:
                await asyncio.shield(self._tasks.start(self._ended(argument)))

    async def _exchange(self, argument: Argument) -> None:
        """Let the two speak in turns."""
        heard = argument.topic
        for number in range(self._section.lines):
            side, other = argument.sides[number % 2], argument.sides[(number + 1) % 2]
            begun_s = self._clock.monotonic()
            await argument.scene.typing()
            line = await self._line(argument, side, other, last=number == self._section.lines - 1)
            if not plain(line):
                return
            await self._type(argument, self._pace.pause_s(heard, line, self._clock.monotonic() - begun_s))
            refused = self._occasions.refusal(argument.occasion)  # locked by hand on this server, while it was typed
            if refused is not None:
                raise refused
            await argument.scene.say(side.character, line)
            argument.said.append((side.character, line))
            heard = line

    async def _line(self, argument: Argument, side: Side, other: Side, *, last: bool) -> str:
        asked = messages(
            side.character,
            other.character,
            persona=side.persona,
            topic=argument.topic,
            said=argument.said,
            last=last,
            message=self._message,
        )
        answer = await self._occasions.ask(
            argument.occasion,
            asked,  # pyright: ignore[reportArgumentType] - what `message` makes is a message of the model's
            max_tokens=self._section.max_tokens,
            route=side.character.route,
        )
        return line_of(answer, _names(argument.sides))

    async def _type(self, argument: Argument, pause_s: float) -> None:
        while pause_s > 0:
            part_s = min(pause_s, TYPING_S)
            await self._clock.sleep(part_s)
            pause_s -= part_s
            if pause_s > 0:
                await argument.scene.typing()

    def _require_free(self, argument: Argument) -> None:
        running = self._running.get(argument.guild_id)
        if running is not None:
            raise ParleyError(ALREADY.format(place=f"<#{running.channel_id}>"))
        left_s = self._free_at_s.get(argument.guild_id, 0.0) - self._clock.monotonic()
        if argument.asked and left_s > 0:
            raise ParleyError(TOO_SOON.format(left_s=max(1.0, left_s)))

    def _leave(self, argument: Argument) -> None:
        if self._running.get(argument.guild_id) is argument:
            del self._running[argument.guild_id]


def _names(sides: Sequence[Side]) -> list[str]:
    return [side.character.name for side in sides]


def described(argument: Argument) -> str:
    """An argument as a sentence for people."""
    one, other = (shown(name) for name in _names(argument.sides))
    return f"{one} and {other} argue just now: {len(argument.said)} line(s) so far."
