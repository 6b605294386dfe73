"""One voice session that hears: what people say becomes prompts, and whoever speaks into the bot's voice is given way."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.bot.barge_in import LOOK_EVERY_S, BargeIn
from core.bot.heard_reply import HeardPlace, quoted
from core.bot.speculation import Speculation
from core.conversation.asked import Asked, Author
from core.conversation.turn import Prompt, PromptLine
from core.events import TurnEnded
from core.hearing.addressed import is_filler, with_name
from core.hearing.floor import Floor, line_of
from core.hearing.hearing import NOTHING, Heard, NotUnderstood
from core.hearing.listener import HeardRoom
from core.hearing.own_words import is_own
from core.hearing.transcriber import Bias
from core.hearing.turn_end import SentenceTurnDetector
from core.names import sayable, shown
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.bot.spoken_commands import SpokenCommands
    from core.clock import Clock
    from core.config.hearing import HearingSection
    from core.conversation.intake import Intake
    from core.conversation.service import Conversation
    from core.hearing.floor import SpokenLine, SpokenTurn
    from core.hearing.hearing import HeardSession, Hearing, Notice
    from core.hub import Hub
    from core.privacy.consent import Consent
    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

CAPTIONS_EVERY_S = 1.0
ECHO_S = 10.0  # how long what the bot said may come back out of somebody's loudspeakers
MISSED = "I did not understand what {name} said. {why}"


@dataclass(frozen=True, slots=True)
class HearingParts:
    """What hearing in voice sessions is made of."""

    section: HearingSection
    hearing: Hearing
    intake: Intake
    conversation: Conversation
    consent: Consent
    hub: Hub
    clock: Clock
    commands: SpokenCommands
    language: Callable[[int], str | None]  # that a person speaks


class HearingSession:
    """Made by `VoiceHearing.start`."""

    def __init__(self, parts: HearingParts, session: VoiceSession, *, answers: bool = True) -> None:
        """Takes whether what is said is answered; it may change."""
        section = parts.section
        self.session = session
        self.answers = answers
        self.told = {member.id for member in session.channel.members}  # that they are listened to
        self._watcher: Callable[[Notice], None] | None = None
        self._parts = parts
        self._bots: dict[int, bool] = {}  # who was seen here, also if they have left since
        self._said: deque[tuple[float, str]] = deque(maxlen=8)  # by the bot, and when it ended
        self._failing = False
        self._heard: HeardSession | None = None
        self._tasks = Tasks(f"hearing {session.id}")
        self.barge_in = BargeIn(
            lambda: parts.conversation.speaking(session),
            parts.clock,
            section.barge_in,
            watch=self._watch,
            is_own=self._is_own,
        )
        self._foresight = Speculation(
            self._foresee, lambda: parts.conversation.foresight.drop(session.guild.id), on=section.speculate
        )
        self._floor = Floor(
            self._spoken,
            parts.clock,
            SentenceTurnDetector(section.end_of_turn_s, section.max_wait_s),
            end_of_turn_s=section.end_of_turn_s,
            max_wait_s=section.max_wait_s,
            ignore=self._ignored,
        )

    async def open(self) -> None:
        """Begin to hear.

        Raises:
            HearingError: There is no recogniser.
        """
        session, parts = self.session, self._parts
        room = HeardRoom(session.guild.id, lambda: session.channel.id, session.receiver, self._allows)
        self._heard = await parts.hearing.listen(room, self._tell, bias=self._bias, language=parts.language)
        if self._watcher is not None:
            self.watch(self._watcher)
        self._heard.foresees = parts.section.speculate
        parts.hub.subscribe(TurnEnded, self._turn_ended, owner=self)

    async def close(self) -> None:
        """Hear no more."""
        self._parts.hub.drop(self)
        if self._heard is not None:
            await self._heard.close()
        await self._floor.close()
        self._foresight.over(used=False)
        await self.barge_in.close()
        await self._tasks.cancel_all()

    def watch(self, watcher: Callable[[Notice], None] | None) -> None:
        """Tell somebody what is heard, also while it is said; None ends that."""
        self._watcher = watcher
        if self._heard is None:
            return
        if watcher is not None:
            self._heard.show("captions", CAPTIONS_EVERY_S, "captions")
        else:
            self._heard.hide("captions")

    async def answer_no_more(self) -> None:
        """Listen on for whoever watches."""
        self.answers = False
        await self.barge_in.close()

    def left(self, user_id: int) -> None:
        """Somebody left the channel; what they said so far counts."""
        if self._heard is not None:
            self._heard.leave(user_id)

    # Asked by listening -----------------------------------------------------------------------------------------------

    def _allows(self, user_id: int) -> bool:
        """Whether somebody may be heard; called on the listener's thread."""
        guild = self.session.guild
        member = guild.get_member(user_id)
        if member is not None:
            self._bots[user_id] = member.bot
        if self._bots.get(user_id, True):  # a bot, or nobody knows
            return False
        return self._parts.consent.allows("heard", guild.id, user_id)

    def _bias(self) -> Bias:
        people = tuple(sayable(member.display_name, "") for member in self.session.channel.members if not member.bot)
        return Bias(tuple(name for name in people if name), self._parts.intake.wake_names[0])

    def _watch(self, on: bool) -> None:
        if self._heard is None:
            return
        if on:
            self._heard.show("barge-in", LOOK_EVERY_S, "live")
        else:
            self._heard.hide("barge-in")

    def _is_own(self, text: str) -> bool:
        """Whether a text is what the bot says, or said a moment ago."""
        since_s = self._parts.clock.monotonic() - ECHO_S
        turn = self._parts.conversation.speaking(self.session)
        said = [text for at_s, text in self._said if at_s >= since_s]
        return is_own(text, " ".join([*said, turn.heard_text if turn is not None else ""]))

    def _ignored(self, heard: Heard) -> bool:
        """What is nobody's turn: the bot's own words, and assent while it speaks."""
        text = heard.transcription.text
        return self._is_own(text) or (self.barge_in.began_into(heard.utterance.id) and is_filler(text))

    # What was heard ---------------------------------------------------------------------------------------------------

    def _tell(self, notice: Notice) -> None:
        if self._watcher is not None and not (isinstance(notice, Heard) and self._is_own(notice.transcription.text)):
            self._watcher(notice)
        if not self.answers:
            return
        if isinstance(notice, Heard):
            notice = self._commanded(notice)
        self.barge_in.tell(notice)
        self._floor.tell(notice)
        self._foresight.tell(notice)
        if isinstance(notice, NotUnderstood):
            self._not_understood(notice)
        elif isinstance(notice, Heard):
            self._failing = False

    def _commanded(self, heard: Heard) -> Heard:
        """Carry out what is a command; for whoever waits for words, nothing was said then."""
        utterance, understood = heard.utterance, heard.transcription
        if utterance.piece or utterance.goes_on or self._is_own(understood.text):
            return heard
        command = self._parts.commands.find(understood, self._parts.intake.wake_names)
        if command is None:
            return heard
        if heard.final:
            self._parts.commands.carry_out(self.session, utterance.user_id, command)
        return replace(heard, transcription=NOTHING)

    def _not_understood(self, notice: NotUnderstood) -> None:
        """Say it once: a recogniser that fails goes on failing for a while."""
        if self._failing:
            return
        self._failing = True
        told = MISSED.format(name=shown(self._name_of(notice.utterance.user_id)), why=notice.error.sentence)
        self._tasks.start(self.session.notice(told))

    def _turn_ended(self, event: TurnEnded) -> None:
        if event.guild_id == self.session.guild.id and event.heard_text:
            self._said.append((self._parts.clock.monotonic(), event.heard_text))

    def _spoken(self, turn: SpokenTurn) -> None:
        _log.info(
            "a turn was heard: ended %.3f, understood %.3f, decided %.3f, the recogniser took %.3f s",
            turn.ended_s,
            turn.understood_s,
            turn.decided_s,
            turn.recogniser_s,
        )
        self._foresight.over()
        if self.answers:
            self._tasks.start(self._take(turn.lines))

    def _foresee(self, heard: Heard) -> bool:
        """Ask the model what somebody would be answered who may be finished; gives whether it is asked."""
        utterance, conversation = heard.utterance, self._parts.conversation
        if self._floor.waits_for_others(utterance.user_id) or conversation.speaking(self.session) is not None:
            return False
        if not heard.transcription.text or self._ignored(heard):
            return False
        decision = self._parts.intake.decide(self._asked([line_of(heard)]))
        if decision.verdict != "answer" or decision.prompt is None or decision.session is not self.session:
            return False
        conversation.foresee(decision.prompt, self.session)
        return True

    async def _take(self, said: Sequence[SpokenLine]) -> None:
        """Hand what was said to the intake, which decides whether and how it is answered."""
        decision = await self._parts.intake.take(self._asked(said))
        if decision.verdict != "answer":
            self._parts.conversation.foresight.drop(self.session.guild.id)
            _log.debug("what was said in session %s is not answered: %s", self.session.id, decision.why)

    def _asked(self, said: Sequence[SpokenLine]) -> Asked:
        session = self.session
        lines = [self._line(line) for line in said]
        place_id = session.prompt_channel_id or session.channel.id
        prompt = Prompt.of_lines(lines, guild_id=session.guild.id, channel_id=place_id, conversation_id=place_id)
        people = [member for member in session.channel.members if not member.bot]
        return Asked(
            "heard",
            prompt,
            tuple(self._author(user_id) for user_id in dict.fromkeys(line.user_id for line in lines)),
            HeardPlace(session, self._parts.clock, quoted([(line.name, line.text) for line in lines])),
            alone=len(people) <= 1,
        )

    def _line(self, line: SpokenLine) -> PromptLine:
        text = with_name(line.text, line.hinted, self._parts.intake.wake_names)
        return PromptLine(line.user_id, self._name_of(line.user_id), text)

    def _author(self, user_id: int) -> Author:
        member = self.session.guild.get_member(user_id)
        roles = frozenset(role.id for role in member.roles) if member is not None else frozenset[int]()
        return Author(user_id, roles, member is not None and member.bot)

    def _name_of(self, user_id: int) -> str:
        member = self.session.guild.get_member(user_id)
        return member.display_name if member is not None else "somebody"
