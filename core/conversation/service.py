"""Conversations: prompts wait in line, become turns, and are remembered as they were heard."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from core.conversation import prompt_messages as memory
from core.conversation import reply
from core.conversation.announcer import Announcer
from core.conversation.backlog import MOST_READ, Backlog
from core.conversation.turn import Prompt, TextSink, Timings, Turn
from core.conversation.written import Written
from core.errors import ParleyError, StoreError
from core.events import TurnEnded, TurnStarted
from core.speech.speakable import is_sayable
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from core.clock import Clock
    from core.config.prompt import PromptSection
    from core.conversation.voice_preferences import VoicePreferences
    from core.hub import Hub
    from core.llm.models import Models
    from core.speech.mood import Mood
    from core.store.history import HistoryEntry, HistoryRepository
    from core.store.settings import SettingsRepository
    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

KEYLESS = "this channel's end-to-end keys are not agreed on"
FULL = "{count} prompts are waiting already. Please let me answer those first, or use `/voice stop`."
VOICE_FAILED = "My voice failed ({reason}), so this one is text only."
UNREAD = "My voice failed ({reason}), so nothing is read aloud until it works again."
UNSAID = "My voice failed ({reason}). What I could not say: {text}"
SOUNDLESS = "There is nothing in that text that I could say."
UNSAID_CHARACTERS = 1500  # shown of it
BROKEN = "Something went wrong on my side; the log has the details. Please ask again."
CLOSING = "I am just being stopped. Please ask again when I am back."
KEPT_TURNS = 50

Failure = Callable[[str], str]  # what to say when the voice fails, for a reason
Work = Callable[["Turn", "VoiceSession | None"], Awaitable[None]]


class _Queue:
    """The turns of one conversation: the first is under way, the others wait for the lock in order."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.lock = asyncio.Lock()


class Conversation:
    """Takes prompts, gives replies, remembers. One queue a voice session, or a text channel outside of one."""

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
        self._history = history
        self._voices = voices
        self._queues: dict[int, _Queue] = {}
        self._tasks = Tasks("conversation")
        self.aloud = Announcer(clock, names=section.read_names, same_speaker_s=section.same_speaker_s)
        self.written = Written()  # kept here: a reloaded cog goes on with what waits
        self._backlog = Backlog(section.read_backlog, section.queue_limit)
        self.mood: Mood | None = None  # set by other code: colours the voice, and is told to the model
        self.recent: deque[Turn] = deque(maxlen=KEPT_TURNS)
        self._told: dict[int, str] = {}  # by guild, what was last said of a voice that fails since
        self._closed = False

    @property
    def has_model(self) -> bool:
        """Whether prompts are answered; without a model they are read aloud."""
        return bool(self._models.routes)

    @property
    def busy(self) -> bool:
        """Whether any turn is under way or waits."""
        return bool(self._queues)

    def waiting(self, session: VoiceSession) -> int:
        """Turns of a session that wait behind the current one."""
        queue = self._queues.get(session.guild.id)
        return max(len(queue.turns) - 1, 0) if queue else 0

    async def submit(
        self,
        prompt: Prompt,
        sink: TextSink,
        *,
        session: VoiceSession | None = None,
        put_off: Callable[[], Awaitable[bool]] | None = None,
        renew: Callable[[], Prompt | None] | None = None,
    ) -> Turn:
        """Put a prompt in line for the model; the turn is carried out in the background.

        Args:
            prompt: What was written or said.
            sink: Where the written reply goes.
            session: The voice session that speaks the reply; None for text only.
            put_off: Asked when the turn comes and nobody speaks it: it may have waited until after the beginning of a
                session. Gives whether somebody else keeps the prompt; the turn is then over, and “silent”.
            renew: Asked when the turn comes: the prompt as it is by then; None if it was deleted, and is not answered.

        Raises:
            ParleyError: Too many prompts wait.
        """
        turn = Turn(prompt, sink, Timings(self._clock.monotonic()), put_off=put_off, renew=renew)
        return self._enqueue(turn, session, self._answer)

    async def read_aloud(
        self, prompt: Prompt, session: VoiceSession, *, renew: Callable[[], Prompt | None] | None = None
    ) -> Turn | None:
        """Put a message in line to be read, in the order of the calls; None if there is nothing in it that can be said.

        `renew` is asked when its turn comes, as for `submit`. How a session catches up is `[prompt] read_backlog`; that it
        has to is said once.
        """
        if not self.aloud.has_words(prompt):
            return None
        turn = Turn(prompt, Unwritten(), Timings(self._clock.monotonic()), renew=renew, aloud=True)
        turn = self._enqueue(turn, session, self._read)
        if (told := self._backlog.grew(session.guild.id, self._queues[session.guild.id].turns)) is not None:
            await session.notice(told)
        return turn

    async def _read(self, turn: Turn, session: VoiceSession | None) -> None:
        """Read a message, if the session is still there."""
        wanted = await self._settings.person_voice(turn.prompt.author_id)
        words = self.aloud.words(turn.prompt, wanted.nickname) if session is not None else ""
        if not words:
            turn.outcome = "silent"
            return
        await self._voiced(turn, session, _once(words), _unread)

    def say(self, session: VoiceSession, text: str, *, author_id: int = 0) -> Turn:
        """Put a text in line to be said as it is, in the voice of `author_id` if they chose one.

        Should the voice fail, the text is written into the prompt channel.

        Raises:
            ParleyError: There is nothing in it to be said, or too much waits already.
        """
        if not is_sayable(text):
            raise ParleyError(SOUNDLESS)
        shown = text if len(text) <= UNSAID_CHARACTERS else f"{text[:UNSAID_CHARACTERS]}…"
        return self._recite(session, text, author_id, lambda reason: UNSAID.format(reason=reason, text=shown))

    def _recite(self, session: VoiceSession, text: str, author_id: int, failure: Failure) -> Turn:
        prompt = Prompt(session.channel.id, session.guild.id, session.channel.id, author_id, "", text)
        turn = Turn(prompt, Unwritten(), Timings(self._clock.monotonic()))

        async def recite(turn: Turn, session: VoiceSession | None) -> None:
            await self._voiced(turn, session, _once(text), failure)

        return self._enqueue(turn, session, recite)

    def stop(self, session: VoiceSession, *, everything: bool = True) -> int:
        """Cut what is being said; with `everything`, drop what waits too. Gives how many turns that were."""
        queue = self._queues.get(session.guild.id)
        turns = list(queue.turns) if queue else []
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
        self._closed = True
        for queue in self._queues.values():
            for turn in queue.turns:
                turn.stop()
        await self._tasks.cancel_all()

    # One turn ---------------------------------------------------------------------------------------------------------

    def _enqueue(self, turn: Turn, session: VoiceSession | None, work: Work) -> Turn:
        if self._closed:
            raise ParleyError(CLOSING)
        key = session.guild.id if session else turn.prompt.conversation_id
        queue = self._queues.setdefault(key, _Queue())
        if len(queue.turns) > (MOST_READ if turn.aloud else self._section.queue_limit):
            raise ParleyError(FULL.format(count=len(queue.turns) - 1))
        queue.turns.append(turn)
        turn.task = self._tasks.start(self._in_line(queue, turn, session, work), f"turn {turn.id}")
        # Not at the end of the task's own code: a task that is cancelled before it began never runs any of it.
        turn.task.add_done_callback(lambda _: self._leave_line(queue, key, turn))
        return turn

    async def _in_line(self, queue: _Queue, turn: Turn, session: VoiceSession | None, work: Work) -> None:
        async with queue.lock:
            if session is not None and session.ended.is_set():
                session = None
            if session is None and turn.put_off is not None and await turn.put_off():
                turn.outcome = "silent"
                return
            renewed = turn.prompt if turn.renew is None else turn.renew()
            if renewed is None:  # it was deleted while it waited
                turn.outcome = "silent"
                return
            turn.prompt = renewed
            await self._carry(turn, session, work)

    def _leave_line(self, queue: _Queue, key: int, turn: Turn) -> None:
        queue.turns.remove(turn)
        self._backlog.shrank(key, queue.turns)
        if not queue.turns and self._queues.get(key) is queue:
            del self._queues[key]

    async def _carry(self, turn: Turn, session: VoiceSession | None, work: Work) -> None:
        """Run one turn, tell its author what failed, and publish how it ended."""
        prompt = turn.prompt
        guild_id = prompt.guild_id or 0
        self.recent.append(turn)
        self._hub.publish(TurnStarted(guild_id, turn.id, prompt.channel_id, prompt.author_id, session is not None))
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
            self._hub.publish(
                TurnEnded(
                    guild_id, turn.id, prompt.channel_id, turn.outcome or "failed", turn.reply_text, turn.heard_text
                )
            )

    async def _answer(self, turn: Turn, session: VoiceSession | None) -> None:
        """Ask the model, speak and write its answer, remember what was heard."""
        prompt = turn.prompt
        history = await self._recalled(prompt)
        persona = "\n".join(part for part in (await self._persona(prompt), self.mood.told if self.mood else "") if part)
        source = self._models.stream(memory.messages(persona, history, prompt))
        try:
            await self._voiced(turn, session, source, _text_only)
        finally:
            await asyncio.shield(self._remember(turn))

    async def _voiced(
        self, turn: Turn, session: VoiceSession | None, source: AsyncIterator[str], failure: Failure
    ) -> None:
        if session is None:
            await reply.run(turn, source, self._clock)
            return
        waiting = self.waiting(session)
        failed = await reply.run(
            turn,
            source,
            self._clock,
            speaker=session.speaker,
            player=session.player,
            voice=self._backlog.hurried(await self._voices.voice(turn.prompt.author_id), turn, waiting),
            names=session.names,
            mood=self.mood,
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

    async def _persona(self, prompt: Prompt) -> str:
        if prompt.guild_id is None:
            return self._section.persona
        settings = await self._settings.guild(prompt.guild_id)
        return settings.persona or self._section.persona

    async def _recalled(self, prompt: Prompt) -> Sequence[HistoryEntry]:
        try:
            return await self._history.newest(prompt.conversation_id, self._section.history_messages)
        except StoreError:  # an answer without a memory is better than none
            _log.exception("what was said before cannot be recalled")
            return ()

    async def _remember(self, turn: Turn) -> None:
        try:
            await self._history.add(turn.prompt.conversation_id, *memory.lines(turn, self._clock.now()))
        except StoreError:  # the answer was given; that it will be forgotten is for the log
            _log.exception("turn %s is not remembered", turn.id)


class Unwritten:
    """A sink for what is only said."""

    async def update(self, text: str) -> None:
        """Show nothing."""

    async def finish(self, text: str) -> None:
        """Show nothing."""


def _text_only(reason: str) -> str:
    return VOICE_FAILED.format(reason=reason)


def _unread(reason: str) -> str:
    return UNREAD.format(reason=reason)


async def _once(text: str) -> AsyncGenerator[str]:
    yield text
