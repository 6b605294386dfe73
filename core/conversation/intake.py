"""Decides which prompts are answered, by whom, and when: one set of rules for what is written and for what is said."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from core.conversation.asked import Asked, Decision
from core.conversation.gather import Gather
from core.conversation.in_order import InOrder
from core.conversation.people import GatheredPrompts
from core.conversation.written import Written
from core.errors import ParleyError
from core.handles import Handle
from core.hearing.addressed import after_name, is_for_bot, names_it

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from core.clock import Clock
    from core.config.hearing import HearingSection
    from core.config.prompt import PromptSection
    from core.conversation.asked import SoundHearing
    from core.conversation.service import Conversation
    from core.conversation.turn import Prompt, Turn
    from core.store.settings import SettingsRepository
    from core.voice.service import VoiceService
    from core.voice.session import VoiceSession

    Answerer = Callable[[Any], Awaitable[None]]
    Claimed = Callable[[], Awaitable[bool]]
    Names = Callable[[int | None], Sequence[str]]

_log = logging.getLogger(__name__)

NO_MODEL = (
    "I have no language model, so I cannot answer. In a voice channel I read aloud what is written in the prompt channel: "
    "`/voice join`."
)
LOCKED_AGAIN = "Another session began before the answer did."
TEXT = "text"  # the feature that gives way to sessions: replies in other channels and direct messages
AGAIN_S = 60.0  # the same refusal is not said again in a channel within


async def _by_nobody() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Doors:
    """What a prompt has to pass while a voice session needs the machine.

    Args:
        allows: Whether a written message may be answered now; if not, it is kept, and answered later.
        locked: Whether messages of a server (None: direct ones) have to wait just now.
    """

    allows: Callable[[Any], Awaitable[bool]]
    locked: Callable[[int | None], bool]


class Intake:
    """Takes up prompts: asks whom they address and who asks, joins bursts, and hands them to the conversation."""

    def __init__(
        self,
        section: PromptSection,
        hearing: HearingSection,
        *,
        conversation: Conversation,
        voice: VoiceService,
        settings: SettingsRepository,
        doors: Doors,
        clock: Clock,
        sounds: SoundHearing | None = None,
    ) -> None:
        """Nothing is taken before `open`.

        Args:
            section: `[prompt]`.
            hearing: `[hearing]`, for what is said.
            conversation: Answers.
            voice: The sessions that speak.
            settings: Servers' prompt channels.
            doors: What has to wait during a session.
            clock: Time.
            sounds: Listens to sound that is sent along; without it, that cannot be heard.
        """
        self._section = section
        self._hearing = hearing
        self._conversation = conversation
        self._voice = voice
        self._settings = settings
        self._doors = doors
        self._clock = clock
        self._sounds = sounds
        self._in_order = InOrder()
        self._gather = Gather(self._deliver, clock, idle_s=section.gather_idle_s, max_s=section.gather_max_s)
        self._written = Written()
        self._channels: dict[int, int] = {}
        self._explained: set[int] = set()
        self._refused: dict[int, tuple[str, float]] = {}  # by channel, what was last said of a prompt, and when
        self._answerers: list[Answerer] = []
        self._names: list[Names] = []
        self._first_names: list[Names] = []
        self.people = GatheredPrompts(self._gather)

    async def open(self) -> None:
        """Read which channels are prompt channels.

        Raises:
            StoreError: They cannot be read.
        """
        self._channels = await self._settings.prompt_channels()

    async def flush(self) -> None:
        """Hand on what is being gathered, without waiting for more."""
        await self._gather.flush()

    async def close(self) -> None:
        """Hand on what is being gathered; what still comes is not waited with."""
        await self._gather.close()

    # Rules ------------------------------------------------------------------------------------------------------------

    @property
    def wake_names(self) -> tuple[str, ...]:
        """What the bot is called when it is spoken to."""
        return tuple(self._hearing.wake_names or [self._section.name])

    def may_ask(self, asked: Asked) -> list[int]:
        """Returns who of those who asked is answered at all: no bots, nobody who is blocked, and only certain roles if any are set."""
        roles = set(self._section.allow_roles)
        return [
            author.id
            for author in asked.authors
            if not author.is_bot
            and author.id not in self._section.block_users
            and (not roles or not roles.isdisjoint(author.role_ids))
        ]

    def addresses_me(self, asked: Asked) -> bool:
        """Whether the bot is spoken to: in a direct message, by a mention or reply, or by a name of its."""
        called = [name for names in self._names for name in names(asked.prompt.guild_id)]
        if asked.kind == "heard":
            lines = asked.prompt.spoken
            first = [name for names in self._first_names for name in names(asked.prompt.guild_id)]
            if self._hearing.answer == "addressed" and any(after_name(line.text, first) is not None for line in lines):
                return True
            return is_for_bot(lines, self._hearing.answer, (*self.wake_names, *called), alone=asked.alone)
        if asked.prompt.guild_id is None:
            return self._section.direct_messages
        return self._section.mentions and (asked.mentions_me or (bool(called) and names_it(asked.prompt.text, called)))

    def listens_to(self, asked: Asked) -> bool:
        """Whether everything that is written there is a prompt."""
        return asked.kind == "written" and self.listens_in(asked.prompt.guild_id, *asked.places)

    def listens_in(self, guild_id: int | None, *places: int) -> bool:
        """Whether everything that is written in a channel, or a thread's, is a prompt; sessions' prompt channels aside."""
        listened = {*self._section.channels, self._channels.get(guild_id or 0)}
        return any(place in listened for place in places)

    def taking_session(self, asked: Asked) -> VoiceSession | None:
        """The session that takes its prompts from where it was asked."""
        found = map(self._voice.session_of_prompt_channel, asked.places)
        return next((session for session in found if session is not None), None)

    def speaking_session(self, asked: Asked) -> VoiceSession | None:
        """The session that speaks the answer: whoever asked is in its voice channel. None: in text alone."""
        session = self._voice.session(asked.prompt.guild_id) if asked.prompt.guild_id else None
        if session is None or asked.prompt.author_id not in session.channel.voice_states:
            return None
        return session

    def refusal(self, asked: Asked) -> str:
        """Why something is no prompt at all; empty if it may be one."""
        if all(author.is_bot for author in asked.authors):
            return "by a bot"
        if not self.may_ask(asked):
            return "by nobody who may ask"
        addressed = self.addresses_me(asked)
        if asked.kind == "heard":
            return "" if addressed else "not said to the bot"
        if not addressed and self.taking_session(asked) is None and not self.listens_to(asked):
            return "not written to the bot"
        return "silent, and not to the bot" if asked.silent and not addressed else ""

    def decide(self, asked: Asked) -> Decision:
        """What is to be done with something that was written or said, and why."""
        if why := self.refusal(asked):
            return Decision("ignore", why)
        speaking = self.speaking_session(asked)
        prompt = self._words(asked)
        if not self._conversation.has_model:
            if asked.kind == "heard":
                return Decision("ignore", "heard, and there is no model")
            if self.taking_session(asked) is None and not (self.listens_to(asked) and speaking is not None):
                return Decision("explain" if self.addresses_me(asked) else "ignore", "there is no model")
        if not prompt.text and not prompt.attachments:
            return Decision("ignore", "nothing in it")
        if asked.kind == "heard" and speaking is None:
            return Decision("ignore", "nobody is there any more to answer aloud")
        verdict = "answer" if self._conversation.has_model else "read"
        return Decision(verdict, "", prompt, speaking)

    def _words(self, asked: Asked) -> Prompt:
        """What is asked: without those who may not ask, and with words for somebody who only called the bot."""
        prompt = asked.prompt.only(self.may_ask(asked))
        empty = not prompt.text and not prompt.attachments
        called = empty and asked.called and self._conversation.has_model and self.addresses_me(asked)
        return prompt.saying(asked.called) if called else prompt

    def call_by(self, names: Names) -> Handle:
        """Be called on a server (None: in direct messages) by `names(guild_id)` too, like a mention, until the handle is ended."""
        self._names.append(names)
        return Handle(lambda: self._names.remove(names), "names by which the bot is called")

    def speak_to(self, names: Names) -> Handle:
        """Be spoken to by a name that something said begins with, until the handle is ended; what is written is not."""
        self._first_names.append(names)
        return Handle(lambda: self._first_names.remove(names), "names that something said begins with")

    # Taking up --------------------------------------------------------------------------------------------------------

    async def take(self, asked: Asked, claimed: Claimed = _by_nobody) -> Decision:
        """Take up a prompt, or not; returns what was decided.

        Args:
            asked: What was written or said.
            claimed: Asked once it is known to be meant for the bot: whether somebody else answers it.
        """
        if why := self.refusal(asked):
            return Decision("ignore", why)
        if await claimed():
            return Decision("ignore", "claimed")
        decision = self.decide(asked)
        if decision.verdict == "explain" and asked.prompt.channel_id not in self._explained:
            self._explained.add(asked.prompt.channel_id)
            await asked.place.tell(NO_MODEL)
        if decision.prompt is None:
            return decision
        if await self._waits([asked]):
            return Decision("wait", "a voice session needs the machine")
        if asked.kind == "heard":  # what was said until everybody was silent is one prompt already
            await self._deliver([asked.asking(decision.prompt)])
            return decision
        self._written.add(asked.id)
        async with self._in_order.turn((asked.prompt.channel_id, asked.prompt.author_id)):
            taken = await self._listened(asked.asking(decision.prompt))
            if taken is None:
                self._drop([asked])
                return Decision("ignore", "its sound is no prompt")
        await self._gather.add(taken)
        return replace(decision, prompt=taken.prompt)

    async def _listened(self, asked: Asked) -> Asked | None:
        """A prompt with the words of what was sent along as sound; None if nothing is left of it."""
        if self._sounds is None or not self._sounds.has_sound(asked):
            return asked
        await asked.place.acknowledge()
        return await self._sounds.hear(asked, lambda: self._written.now(asked.id, asked) is not None)

    async def answer(self, asked: Asked) -> None:
        """Answer a message that waited for the end of a session, in text; return when the answer is out.

        Raises:
            ParleyError: It has to wait on: another session has begun, or too much is in line.
        """

        async def put_off() -> bool:
            return self._doors.locked(asked.prompt.guild_id)

        heard = await self._listened(asked.asking(self._words(asked)))
        if heard is None:
            return
        turn = await self._conversation.submit(heard.prompt, asked.place.sink(), put_off=put_off)
        await self._conversation.finished(turn)
        if turn.outcome == "silent":
            raise ParleyError(LOCKED_AGAIN)

    def typing(self, channel_id: int, user_id: int) -> None:
        """Wait longer for the rest: somebody is still typing."""
        self._gather.typing(channel_id, user_id)

    def watches(self, message_id: int) -> bool:
        """Whether a message waits for its turn, so that it matters if it is edited or deleted."""
        return self._written.watches(message_id)

    def changed(self, message_id: int, asked: Asked | None) -> None:
        """Note that a message was edited, or deleted (None): it is taken as it is when its turn comes."""
        self._written.changed(message_id, asked and asked.asking(self._words(asked)))

    def listen_to(self, guild_id: int, channel_id: int | None) -> None:
        """Have everything that is written in a channel be a prompt on that server; None: in no channel."""
        if channel_id is None:
            self._channels.pop(guild_id, None)
        else:
            self._channels[guild_id] = channel_id

    # Answering later --------------------------------------------------------------------------------------------------

    def answer_with(self, answerer: Answerer) -> Handle:
        """Have `answerer(message)` answer messages that waited for the end of a session, until the handle is ended."""
        self._answerers.append(answerer)
        return Handle(lambda: self._answerers.remove(answerer), "answers to messages that waited")

    @property
    def answerer(self) -> Answerer | None:
        """Who answers messages that waited; None while the cog that does is not loaded."""
        return self._answerers[-1] if self._answerers else None

    # One burst --------------------------------------------------------------------------------------------------------

    async def _deliver(self, burst: Sequence[Asked]) -> None:
        """A prompt is complete: put it in line, acknowledge it, or say why not."""
        last = burst[-1]
        try:
            turn = await self._begin(burst)
        except ParleyError as error:
            self._drop(burst)
            await self._refuse(last, error.sentence)
            return
        if turn is None or turn.task is None:
            self._drop(burst)
            return
        turn.task.add_done_callback(lambda _: self._drop(burst))
        await last.place.acknowledge()

    async def _begin(self, burst: Sequence[Asked]) -> Turn | None:
        """Put a burst in line; None if there is nothing left of it, or nothing to be said.

        Raises:
            ParleyError: Too much waits there already.
        """
        last = burst[-1]

        def renew() -> Prompt | None:
            return self._as_it_is_now(burst)

        prompt, session = renew(), self.speaking_session(last)
        if prompt is None:
            return None
        if self._conversation.has_model:
            return await self._conversation.submit(
                prompt, last.place.sink(), session=session, put_off=lambda: self._waits(burst), renew=renew
            )
        return await self._conversation.read_aloud(prompt, session, renew=renew) if session is not None else None

    async def _waits(self, burst: Sequence[Asked]) -> bool:
        """Whether a burst has to wait until the machine is free again; if so, its messages are kept."""
        last = burst[-1]
        if self.taking_session(last) is not None or self.speaking_session(last) is not None:
            return False
        if last.kind == "heard":  # the session is over, and there is no message to be answered later
            return True
        free = [asked for asked in burst if await self._doors.allows(asked.source)]
        if len(free) == len(burst):
            return False
        for asked in free:  # the session ended between two of them
            await self.take(asked)
        return True

    def _as_it_is_now(self, burst: Sequence[Asked]) -> Prompt | None:
        """What a burst says by now; None if nothing is left of it."""
        current = [self._written.now(asked.id, asked) if asked.id else asked for asked in burst]
        if self._sounds is not None:  # an edited message is as it came
            current = [asked and self._sounds.with_words(asked) for asked in current]
        prompts = [asked.prompt for asked in current if asked is not None]
        prompts = [prompt for prompt in prompts if prompt.text or prompt.attachments]
        joined = prompts[0] if prompts else None
        for later in prompts[1:]:
            joined = joined.joined(later) if joined else later
        return joined

    def _drop(self, burst: Sequence[Asked]) -> None:
        self._written.drop(asked.id for asked in burst)
        if self._sounds is not None:
            self._sounds.drop(asked.id for asked in burst)

    async def _refuse(self, asked: Asked, sentence: str) -> None:
        """Say why a prompt was not taken; the same is not said again in a channel for a while."""
        now_s, channel_id = self._clock.monotonic(), asked.prompt.channel_id
        kind = "".join(character for character in sentence if not character.isdigit())  # “8 wait” is “9 wait”
        before, at_s = self._refused.get(channel_id, ("", 0.0))
        if before != kind or now_s - at_s > AGAIN_S:
            self._refused[channel_id] = kind, now_s
            await asked.place.tell(sentence)
