"""Hearing, opened once for all sessions: utterances become text by one shared recogniser, and events tell everybody."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from core.errors import HearingError
from core.events import SpeechBegan, UtteranceEnded, WordsHeard
from core.hearing.listener import HeardRoom, Listener, RoomEar
from core.hearing.text import Transcription
from core.hearing.transcriber import NO_BIAS, Bias, Superseded
from core.hearing.utterance_finder import Began, Dropped, Ended, Finding, Look, WentOn
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from core.clock import Clock
    from core.config.hearing import HearingSection
    from core.hearing.transcriber import Purpose, Transcriber
    from core.hearing.utterance import Utterance
    from core.hub import Hub

_log = logging.getLogger(__name__)

NOTHING = Transcription((), "", "", "")
LEAST_SPEECH_S = 0.2  # of an utterance that is worth a recogniser's time
GIVEN_UP = "Hearing was stopped before that was understood."
FAULT = "Something went wrong with hearing; the log has the details."
OFF = "Hearing is switched off: `[hearing] engine` is “off” in the configuration."


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance's text; `final` is False for what may still change."""

    utterance: Utterance
    transcription: Transcription
    final: bool
    took_s: float = 0.0  # by the recogniser, its queue included
    silent: bool = False  # not final, and its person has fallen silent and may be finished


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """The recogniser failed with an utterance."""

    utterance: Utterance
    error: HearingError


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Somebody may not be heard any more; an utterance of theirs is not given."""

    user_id: int


Notice = Began | WentOn | Ended | Heard | NotUnderstood | Forgotten
_Outcome = tuple[Transcription, float] | HearingError


class HearingFollower(Protocol):
    """Who follows what is heard in all sessions. Called on the loop; must not wait."""

    def heard(self, guild_id: int, heard: Heard) -> None:
        """Somebody said something, and may be heard still."""
        ...

    def listening_changed(self, guild_id: int) -> None:
        """Somebody began or ceased to listen in a guild."""
        ...


class HeardSession:
    """One session that is listened to. `tell` gets everything, in order for each person, on the event loop.

    Args:
        hearing: Whose it is.
        room: What is listened to.
        tell: Called with every notice; must not wait.
        bias: The names to listen for, asked for every utterance.
        language: The language that a person speaks, if they said so.
        captions: Whether nobody waits for an answer: others go first, and times of words are wanted.
    """

    def __init__(
        self,
        hearing: Hearing,
        room: HeardRoom,
        tell: Callable[[Notice], None],
        bias: Callable[[], Bias],
        language: Callable[[int], str | None],
        *,
        captions: bool = False,
    ) -> None:
        self.guild_id = room.guild_id
        self._captions = captions
        self._hearing = hearing
        self._room = room
        self._tell = tell
        self._bias = bias
        self._language = language
        self.foresees = False  # whether what somebody said who may be finished is told before it is final
        self._wants: dict[Hashable, tuple[float, Purpose]] = {}
        self._looks: dict[int, tuple[str, asyncio.Task[_Outcome]]] = {}  # by person: the piece, and its text
        self._tasks = Tasks("hearing")
        self._closed = False
        loop = asyncio.get_running_loop()

        def found(findings: list[Finding]) -> None:
            try:
                loop.call_soon_threadsafe(self._take, findings)
            except RuntimeError:  # the loop has closed: nobody hears any more
                _log.debug("%d findings came too late", len(findings))

        self.ear: RoomEar = hearing.listener.open(room, found)

    def show(self, owner: Hashable, every_s: float, purpose: Purpose = "captions") -> None:
        """Have what is being said recognised while it is said, every so often, until `hide`; told as not final."""
        self._wants[owner] = (every_s, purpose)
        self._look_as_wanted()

    def hide(self, owner: Hashable) -> None:
        """Nobody needs that any more."""
        self._wants.pop(owner, None)
        self._look_as_wanted()

    def leave(self, user_id: int) -> None:
        """Somebody left: what they said so far counts."""
        self.ear.leave(user_id)

    async def close(self) -> None:
        """Listen no more; what is being recognised is given up."""
        if self._closed:
            return
        self._closed = True
        self._hearing.listener.shut(self.ear)
        self._hearing.gone(self)
        await self._tasks.cancel_all()

    def _look_as_wanted(self) -> None:
        self.ear.look_every_s = min((every_s for every_s, _ in self._wants.values()), default=None)

    # What the listener found ------------------------------------------------------------------------------------------

    def _take(self, findings: list[Finding]) -> None:
        if self._closed:
            return
        for finding in findings:
            match finding:
                case Began():
                    room, at_s = self._room, finding.at_s
                    event = SpeechBegan(room.guild_id, finding.utterance_id, room.channel_id(), finding.user_id, at_s)
                    self._hearing.hub.publish(event)
                    self._tell(finding)
                case Look():
                    self._look(finding.utterance, silent=finding.silent)
                case WentOn():
                    self._give_up(finding.user_id)
                    self._tell(finding)
                case Ended():
                    self._ended(finding)
                case Dropped():
                    self._give_up(finding.user_id)
                    self._tell(Forgotten(finding.user_id))

    def _look(self, utterance: Utterance, *, silent: bool) -> None:
        """Recognise what there is: when somebody may be finished, or when somebody wants to see it."""
        if utterance.speech_s < LEAST_SPEECH_S:
            return
        if silent:
            task = self._tasks.start(self._understand(utterance, "live"))
            self._looks[utterance.user_id] = (utterance.key, task)
            if self._wants or self.foresees:
                self._tasks.start(self._tell_look(utterance, task, silent=True))
            return
        purpose: Purpose = "live" if any(wanted == "live" for _, wanted in self._wants.values()) else "captions"
        self._tasks.start(self._tell_look(utterance, self._tasks.start(self._understand(utterance, purpose))))

    async def _tell_look(self, utterance: Utterance, task: asyncio.Task[_Outcome], *, silent: bool = False) -> None:
        """Tell a look's text; one that failed, was overtaken or given up says nothing."""
        await asyncio.wait([task])
        outcome = None if task.cancelled() else task.result()
        if isinstance(outcome, tuple):
            self._tell_heard(Heard(utterance, outcome[0], final=False, took_s=outcome[1], silent=silent))

    def _give_up(self, user_id: int) -> None:
        """A look that is worth nothing any more stops costing."""
        _, task = self._looks.pop(user_id, ("", None))
        if task is not None:
            task.cancel()

    def _ended(self, ended: Ended) -> None:
        utterance, room = ended.utterance, self._room
        event = UtteranceEnded(
            room.guild_id,
            utterance.id,
            utterance.channel_id,
            utterance.user_id,
            utterance.started_at,
            utterance.duration_s,
        )
        self._hearing.hub.publish(event)
        self._tell(ended)
        key, task = self._looks.pop(utterance.user_id, ("", None))
        if task is not None and key != utterance.key:
            task.cancel()
            task = None
        if task is None and utterance.speech_s >= LEAST_SPEECH_S:
            task = self._tasks.start(self._understand(utterance, "live"))
        self._tasks.start(self._finish(utterance, task))

    async def _finish(self, utterance: Utterance, task: asyncio.Task[_Outcome] | None) -> None:
        """Tell an utterance's text once it is known."""
        if task is None:
            self._tell_heard(Heard(utterance, NOTHING, final=True))
            return
        await asyncio.wait([task])
        outcome = HearingError(GIVEN_UP) if task.cancelled() else task.result()
        if isinstance(outcome, HearingError):
            self._tell(NotUnderstood(utterance, outcome))
        else:
            self._tell_heard(Heard(utterance, outcome[0], final=True, took_s=outcome[1]))

    def _tell_heard(self, heard: Heard) -> None:
        utterance, text = heard.utterance, heard.transcription.text
        if self._closed or not self._room.allows(utterance.user_id):
            self._tell(Forgotten(utterance.user_id))
            return
        if text:
            self._hearing.hub.publish(
                WordsHeard(
                    self._room.guild_id,
                    utterance.id,
                    utterance.channel_id,
                    utterance.user_id,
                    text,
                    heard.final,
                    utterance.started_at,
                    heard.transcription.language,
                )
            )
            for follower in tuple(self._hearing.followers):
                follower.heard(self._room.guild_id, heard)
        self._tell(heard)

    async def _understand(self, utterance: Utterance, purpose: Purpose) -> _Outcome:
        begun_s = self._hearing.clock.monotonic()
        try:
            understood = await self._hearing.transcriber.transcribe(
                utterance.samples,
                language=self._language(utterance.user_id),
                bias=self._bias(),
                words=self._captions,
                purpose="captions" if self._captions else purpose,
                replaces=utterance.key,
            )
            return understood, self._hearing.clock.monotonic() - begun_s
        except Superseded as overtaken:
            return overtaken
        except HearingError as error:
            _log.warning("an utterance was not understood: %s", error.sentence, exc_info=error)
            return error
        except Exception as error:  # noqa: BLE001 - whoever spoke must be told all the same; the log has the cause
            _log.exception("an utterance was not understood")
            fault = HearingError(FAULT)
            fault.__cause__ = error
            return fault


class Hearing:
    """Opened by the runtime, lives as long as it does; the recogniser is opened with the first session that hears.

    Args:
        section: `[hearing]`.
        transcriber: The recogniser, which others may use as well; whoever made it closes it. None if hearing is off.
        hub: Where events go.
        clock: Time.
    """

    def __init__(self, section: HearingSection, transcriber: Transcriber | None, hub: Hub, clock: Clock) -> None:
        self.hub = hub
        self.clock = clock
        self.listener = Listener(clock, end_s=section.end_of_turn_s)
        self._transcriber = transcriber
        self._opened = False
        self._opening = asyncio.Lock()
        self._sessions: list[HeardSession] = []
        self.followers: list[HearingFollower] = []

    @property
    def transcriber(self) -> Transcriber:
        """The shared recogniser.

        Raises:
            HearingError: Hearing is off.
        """
        if self._transcriber is None:
            raise HearingError(OFF)
        return self._transcriber

    @property
    def sessions(self) -> tuple[HeardSession, ...]:
        """What is listened to."""
        return tuple(self._sessions)

    async def open(self) -> Transcriber:
        """Open the recogniser, once for all.

        Raises:
            HearingError: It is off, or not to be had; says why and what to do. The next call tries again.
        """
        async with self._opening:
            transcriber = self.transcriber
            if not self._opened:
                await transcriber.open()
                self._opened = True
            return transcriber

    async def listen(
        self,
        room: HeardRoom,
        tell: Callable[[Notice], None],
        *,
        bias: Callable[[], Bias] = lambda: NO_BIAS,
        language: Callable[[int], str | None] = lambda _: None,
        captions: bool = False,
    ) -> HeardSession:
        """Hear a session from now on; see `HeardSession`.

        Raises:
            HearingError: There is no recogniser.
        """
        await self.open()
        session = HeardSession(self, room, tell, bias, language, captions=captions)
        self._sessions.append(session)
        self._changed(room.guild_id)
        return session

    def gone(self, session: HeardSession) -> None:
        """A session is not listened to any more."""
        if session in self._sessions:
            self._sessions.remove(session)
            self._changed(session.guild_id)

    def _changed(self, guild_id: int) -> None:
        for follower in tuple(self.followers):
            follower.listening_changed(guild_id)

    async def close(self) -> None:
        """Hear nobody any more."""
        for session in self.sessions:
            await session.close()
