"""Conversations: prompts wait in line, become turns, and are remembered as they were heard."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from core.character import Character
from core.conversation import prompt_messages, reply
from core.conversation.advice import Advice, unless_silent
from core.conversation.advisers import Advisers
from core.conversation.announcer import Announcer
from core.conversation.backlog import Backlog
from core.conversation.foresight import Foresight
from core.conversation.memory import ConversationMemory
from core.conversation.outcomes import BROKEN, KEYLESS, SOUNDLESS, ended, text_only, unread, unsaid
from core.conversation.people import TurnsOfPeople
from core.conversation.text_sink import Unwritten
from core.conversation.turn import Prompt, Timings, Turn
from core.conversation.turn_queue import TurnQueues, Work
from core.errors import ParleyError
from core.events import TurnStarted
from core.llm.models import DEFAULT
from core.speech.speakable import is_sayable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from core.character import Mood, Voice
    from core.clock import Clock
    from core.config.prompt import PromptSection
    from core.conversation.advisers import Adviser
    from core.conversation.text_sink import TextSink
    from core.conversation.voice_preferences import VoicePreferences
    from core.handles import Handle
    from core.hub import Hub
    from core.llm.messages import ChatMessage, ModelRequest
    from core.llm.models import Models
    from core.store.history import HistoryRepository
    from core.store.settings import SettingsRepository
    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

KEPT_TURNS = 50

Failure = Callable[[str], str]  # what to say when the voice fails, for a reason


class Conversation:
    """Answers prompts by turns, spoken and written, and remembers them. One queue a voice session, or a text channel outside of one."""

    def __init__(
        self,
        section: PromptSection,
        *,
        hub: Hub,
        clock: Clock,
        models: Models,
        settings: SettingsRepository,
        history: HistoryRepository,
        voices: VoicePreferences,
    ) -> None:
        """Nothing is under way yet.

        Args:
            section: `[prompt]`.
            hub: Told of turns.
            clock: Time.
            models: Who is asked; without a route, prompts are read aloud.
            settings: Servers' personas and the names that people are called by.
            history: Where what was said is kept.
            voices: The voice that each person chose.
        """
        self._section = section
        self._hub = hub
        self._clock = clock
        self._models = models
        self._settings = settings
        self._voices = voices
        self._queues = TurnQueues(section.queue_limit, self._leave_line)
        self.aloud = Announcer(clock, names=section.read_names, same_speaker_s=section.same_speaker_s)
        self._backlog = Backlog(section.read_backlog, section.queue_limit)
        self.character = Character("", section.name)  # the bot itself: who answers if nobody else is named
        self.mood: Mood | None = None  # set by other code: the bot's own, at the moment of the answer
        self.advisers = Advisers()
        self.foresight = Foresight()
        self.recent: deque[Turn] = deque(maxlen=KEPT_TURNS)
        self.memory = ConversationMemory(history, clock)
        self.people = TurnsOfPeople(self._queues, self.recent, self.memory, self.aloud)
        self._told: dict[int, str] = {}  # by guild, what was last said of a voice that fails since

    @property
    def has_model(self) -> bool:
        """Whether a model answers prompts; without a model they are read aloud."""
        return bool(self._models.routes)

    @property
    def busy(self) -> bool:
        """Whether any turn is under way or waits."""
        return bool(self._queues)

    def waiting(self, session: VoiceSession) -> int:
        """Turns of a session that wait behind the current one."""
        return max(len(self._queues.of(session.guild.id)) - 1, 0)

    async def submit(
        self,
        prompt: Prompt,
        sink: TextSink,
        *,
        session: VoiceSession | None = None,
        put_off: Callable[[], Awaitable[bool]] | None = None,
        renew: Callable[[], Prompt | None] | None = None,
        character: Character | None = None,
        interruptible: bool = True,
    ) -> Turn:
        """Put a prompt in line for the model; the turn is carried out in the background.

        Args:
            prompt: What was written or said.
            sink: Where the written reply goes.
            session: The voice session that speaks the reply; None for text only.
            put_off: Asked when the turn comes and nobody speaks it: it may have waited until after the beginning of a
                session. Returns whether somebody else keeps the prompt; the turn is then over, and “silent”.
            renew: Asked when the turn comes: the prompt as it is by then; None if it was deleted, and is not answered.
            character: Who answers; the bot itself by default.
            interruptible: Whether somebody who speaks into the reply may pause or stop it.

        Raises:
            ParleyError: Too many prompts wait.
        """
        turn = self._turn(prompt, sink, character, interruptible=interruptible)
        turn.put_off, turn.renew = put_off, renew
        turn.exchange = self.memory.begin(prompt.conversation_id, prompt.authors)
        try:
            return self._enqueue(turn, session, self._answer, advised=True)
        except ParleyError:
            self.memory.end(turn.exchange)
            raise

    async def read_aloud(
        self, prompt: Prompt, session: VoiceSession, *, renew: Callable[[], Prompt | None] | None = None
    ) -> Turn | None:
        """Put a message in line to be read, in the order of the calls; None if there is nothing in it that can be said.

        `renew` is asked when its turn comes, as for `submit`. How a session catches up is `[prompt] read_backlog`; that it
        has to is said once.
        """
        if not self.aloud.has_words(prompt):
            return None
        turn = self._turn(prompt, Unwritten())
        turn.renew, turn.aloud = renew, True
        turn = self._enqueue(turn, session, self._read)
        if (told := self._backlog.grew(session.guild.id, self._queues.of(session.guild.id))) is not None:
            await session.notice(told)
        return turn

    async def _read(self, turn: Turn, session: VoiceSession | None) -> None:
        """Read a message, if the session is still there."""
        wanted = await self._settings.person_voice(turn.prompt.author_id)
        words = self.aloud.words(turn.prompt, wanted.nickname) if session is not None else ""
        if not words:
            turn.outcome = "silent"
            return
        await self._voiced(turn, session, _once(words), unread)

    def say(
        self,
        session: VoiceSession,
        text: str,
        *,
        author_id: int = 0,
        character: Character | None = None,
        interruptible: bool = True,
    ) -> Turn:
        """Put a text in line to be said as it is: in the voice of the character, or that `author_id` chose.

        Should the voice fail, the text is written into the prompt channel.

        Raises:
            ParleyError: There is nothing in it to be said, or too much waits already.
        """
        if not is_sayable(text):
            raise ParleyError(SOUNDLESS)
        prompt = Prompt(session.channel.id, session.guild.id, session.channel.id, author_id, "", text)
        turn = self._turn(prompt, Unwritten(), character, interruptible=interruptible)

        async def recite(turn: Turn, session: VoiceSession | None) -> None:
            await self._voiced(turn, session, _once(text), lambda reason: unsaid(text, reason))

        return self._enqueue(turn, session, recite)

    def advise_with(self, adviser: Adviser) -> Handle:
        """Ask `adviser` about each turn that a model answers, until the handle is ended."""
        return self.advisers.add(adviser)

    def speaking(self, session: VoiceSession) -> Turn | None:
        """The turn of a session that is under way, for whoever pauses, resumes or stops it."""
        return next(iter(self._queues.of(session.guild.id)), None)

    def stop(self, session: VoiceSession, *, everything: bool = True) -> int:
        """Cut what is being said; with `everything`, drop what waits too. Returns how many turns that were."""
        self.foresight.drop(session.guild.id)
        turns = self._queues.of(session.guild.id)
        chosen = turns if everything else turns[:1]
        for turn in chosen:
            turn.stop()
        return len(chosen)

    async def finished(self, turn: Turn) -> None:
        """Wait until a turn is over, however it ended."""
        if turn.task is not None:
            await asyncio.wait([turn.task])

    async def close(self) -> None:
        """Stop every turn, and take none up any more."""
        await self.foresight.close()
        await self._queues.close()

    # One turn ---------------------------------------------------------------------------------------------------------

    def _turn(
        self, prompt: Prompt, sink: TextSink, character: Character | None = None, *, interruptible: bool = True
    ) -> Turn:
        timings = Timings(self._clock.monotonic())
        return Turn(prompt, sink, timings, character=character or self.character, interruptible=interruptible)

    def _enqueue(self, turn: Turn, session: VoiceSession | None, work: Work, *, advised: bool = False) -> Turn:
        async def carry(turn: Turn, session: VoiceSession | None) -> None:
            if advised:
                await self._take_advice(turn)
            await self._carry(turn, session, work)

        self._queues.put(turn, session, carry)
        return turn

    def _leave_line(self, key: int, left: Sequence[Turn], turn: Turn) -> None:
        self._backlog.shrank(key, left)
        if turn.exchange is None:
            return
        self.memory.end(turn.exchange)
        for clean in turn.exchange.cleaners:
            turn.scrub(clean)
        if turn.exchange.forgotten and turn in self.recent:
            self.recent.remove(turn)

    async def _carry(self, turn: Turn, session: VoiceSession | None, work: Work) -> None:
        """Run one turn, tell its author what failed, and publish how it ended."""
        prompt = turn.prompt
        self.recent.append(turn)
        voiced = session is not None
        self._hub.publish(
            TurnStarted(prompt.guild_id or 0, turn.id, prompt.channel_id, prompt.author_id, voiced, turn.answering)
        )
        try:
            await work(turn, session)
        except ParleyError as error:
            turn.outcome = "failed"
            _log.warning("turn %s failed: %s", turn.id, error.sentence, exc_info=error.__cause__)
            await turn.sink.finish(reply.told(turn, error.sentence))
        except asyncio.CancelledError:
            turn.outcome = "stopped"
            await turn.sink.finish(turn.reply_text)
            raise
        except Exception:  # noqa: BLE001 - a fault in one turn must not end the queue; the log has the cause
            turn.outcome = "failed"
            _log.exception("turn %s failed", turn.id)
            await turn.sink.finish(reply.told(turn, BROKEN))
        finally:
            self._hub.publish(ended(turn))

    async def _take_advice(self, turn: Turn) -> None:
        """Let others say who answers, and how; a turn that was given a character keeps it."""
        turn.advice = await self.advisers.ask(turn)
        if not turn.answering and turn.advice.character is not None:
            turn.character = turn.advice.character
        turn.sink = turn.advice.sink or turn.sink

    async def beside(self, prompt: Prompt, instruction: str) -> tuple[list[ChatMessage], Advice]:
        """What a model is told of a talk in which nobody asked the bot: who it is, what others advise, what was said.

        Nothing is put in line, asked or remembered. `instruction` comes last of what the model is told of itself.
        """
        turn = self._turn(prompt, Unwritten())
        await self._take_advice(turn)
        return await self._messages_of(turn, instruction), turn.advice or Advice()

    async def _messages_of(self, turn: Turn, instruction: str = "") -> list[ChatMessage]:
        """The messages of a turn's prompt; whose words are in them is noted on it."""
        prompt, character = turn.prompt, turn.character or self.character
        history = await self.memory.recall(prompt.conversation_id, self._section.history_messages)
        turn.read = prompt_messages.people(history, prompt)
        advice, mood = turn.advice or Advice(), self._mood(turn)
        persona = [await self._persona(prompt, character), mood.told if mood else "", advice.told, instruction]
        return prompt_messages.messages(
            "\n".join(part for part in persona if part), history, prompt, character_id=character.id
        )

    async def _asked(self, turn: Turn) -> tuple[ModelRequest, AsyncGenerator[str]]:
        """What exactly the model is asked for a turn, and its answer, to be read."""
        advice, character = turn.advice or Advice(), turn.character or self.character
        told = await self._messages_of(turn)
        # A session that needs the machine has chosen a route for everybody.
        route = (character.route or advice.route) if self._models.current == DEFAULT else None
        turn.request = self._models.request(told, route=route, temperature=advice.temperature)
        source = self._models.stream(told, route=route, temperature=advice.temperature, names=(character.name,))
        return turn.request, source

    def foresee(self, prompt: Prompt, session: VoiceSession) -> None:
        """Ask the model what somebody who may be finished would be answered; `foresight.drop` throws it away."""

        async def ask() -> tuple[ModelRequest, AsyncGenerator[str]]:
            turn = self._turn(prompt, Unwritten())
            await self._take_advice(turn)
            return await self._asked(turn)

        self.foresight.begin(session.guild.id, ask)

    async def _answer(self, turn: Turn, session: VoiceSession | None) -> None:
        """Ask the model, speak and write its answer, remember what was heard."""
        advice, (request, source) = turn.advice or Advice(), await self._asked(turn)
        if session is not None:
            source = self.foresight.take(session.guild.id, request) or source
        try:
            answer = await unless_silent(source) if advice.may_stay_silent else source
            if answer is None:
                turn.outcome = "silent"
                await turn.sink.finish("")
            else:
                await self._voiced(turn, session, answer, text_only)
        finally:
            if turn.exchange is not None:
                lines = prompt_messages.lines(turn, turn.exchange.asked_at)
                await asyncio.shield(self.memory.keep(turn.exchange, lines))

    def _mood(self, turn: Turn) -> Mood | None:
        """The character's mood; the bot's own is as it is now."""
        own = turn.character.mood if turn.character is not None else None
        return own or (None if turn.answering else self.mood)

    async def _voice(self, turn: Turn, session: VoiceSession) -> Voice:
        """The character's voice, or that of whoever asked; quicker if much waits to be read."""
        chosen = turn.character.voice if turn.character is not None else None
        voice = chosen or await self._voices.voice(turn.prompt.author_id)
        return self._backlog.hurried(voice, turn, self.waiting(session))

    async def _voiced(
        self, turn: Turn, session: VoiceSession | None, source: AsyncIterator[str], failure: Failure
    ) -> None:
        if session is None:
            await reply.run(turn, source, self._clock)
            return
        failed = await reply.run(
            turn,
            source,
            self._clock,
            speaker=session.speaker,
            player=session.player,
            voice=await self._voice(turn, session),
            names=session.names,
            mood=self._mood(turn),
        )
        if session.silent and turn.outcome == "stopped":
            turn.outcome = "text"
            await self._tell_failure(session, failure(KEYLESS))
        elif failed is None:
            self._told.pop(session.guild.id, None)
        elif not session.ended.is_set():
            await self._tell_failure(session, failure(failed.sentence.rstrip(".")))

    async def _tell_failure(self, session: VoiceSession, told: str) -> None:
        """Say that the voice failed; the same is not said again for every message that is not read meanwhile."""
        if self._told.get(session.guild.id) != told:
            self._told[session.guild.id] = told
            await session.notice(told)

    async def _persona(self, prompt: Prompt, character: Character) -> str:
        if character.instruction:
            return character.instruction
        kept = await self._settings.guild(prompt.guild_id) if prompt.guild_id is not None else None
        return (kept.persona if kept is not None else None) or self._section.persona


async def _once(text: str) -> AsyncGenerator[str]:
    yield text
