"""Which voice sessions hear: from their start if the bot answers there, or when somebody asks for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.bot.hearing_session import HearingSession
from core.errors import HearingError
from core.events import PersonJoined, PersonLeft, SessionEnded, SessionStarted
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.bot.hearing_session import HearingParts
    from core.hearing.hearing import Notice
    from core.voice.service import VoiceService
    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

LISTENING = (
    "I listen here: {how} What is said becomes text for that; no sound is kept. Who does not want to be heard by me types "
    "`/privacy opt-out what:heard`; `/voice listen on:False` ends it for all."
)
NEWCOMER = (
    "{person} I listen here: what is said becomes text; no sound is kept for that. Who does not want to be heard by me types "
    "`/privacy opt-out what:heard`."
)
HOW = {
    "addressed": "say “{name}” and I answer aloud; who is alone with me need not.",
    "alone": "who is alone with me is answered aloud.",
    "always": "I answer aloud.",
    "never": "nobody is answered.",
}
DEAF = "I hear nobody here and answer only what is typed. {why}"


class VoiceHearing:
    """Opens and closes the hearing of sessions. Lives on the runtime."""

    def __init__(self, parts: HearingParts, voice: VoiceService) -> None:
        self._parts = parts
        self._voice = voice
        self._sessions: dict[str, HearingSession] = {}
        self._watched: set[str] = set()
        self._tasks = Tasks("voice hearing")
        hub = parts.hub
        hub.subscribe(SessionStarted, self._started, owner=self)
        hub.subscribe(SessionEnded, self._ended, owner=self)
        hub.subscribe(PersonLeft, self._left, owner=self)
        hub.subscribe(PersonJoined, self._joined, owner=self)

    def hears(self, session: VoiceSession) -> bool:
        """Whether a session is listened to, to be answered."""
        hearing = self._sessions.get(session.id)
        return hearing is not None and hearing.answers

    async def start(self, session: VoiceSession) -> None:
        """Listen to a session from now on, and tell everybody there.

        Raises:
            HearingError: It is switched off, or there is no recogniser; says why, and what to do.
        """
        if self.hears(session):
            return
        hearing = await self._open(session, answers=True)
        if hearing is None:
            return
        hearing.answers = True
        section = self._parts.section
        await session.notice(LISTENING.format(how=HOW[section.answer].format(name=self._parts.intake.wake_names[0])))

    async def stop(self, session: VoiceSession) -> bool:
        """Answer nothing of what is said in a session any more; gives whether it was listened to for that."""
        hearing = self._sessions.get(session.id)
        if hearing is None or not hearing.answers:
            return False
        if session.id in self._watched:
            await hearing.answer_no_more()
        else:
            await self._shut(session.id)
        return True

    async def open_recogniser(self) -> None:
        """See that there is one.

        Raises:
            HearingError: There is none; says why, and what to do.
        """
        await self._parts.hearing.open()

    async def watch(self, session: VoiceSession, watcher: Callable[[Notice], None]) -> None:
        """Listen to a session, answered or not, and tell `watcher` what is heard, until `unwatch`.

        Raises:
            HearingError: There is no recogniser.
        """
        self._watched.add(session.id)
        try:
            hearing = await self._open(session, answers=False)
        except BaseException:
            self._watched.discard(session.id)
            raise
        if hearing is not None:
            hearing.watch(watcher)

    async def unwatch(self, session: VoiceSession) -> None:
        """Tell nobody any more; who is not answered is not listened to either."""
        self._watched.discard(session.id)
        hearing = self._sessions.get(session.id)
        if hearing is None:
            return
        hearing.watch(None)
        if not hearing.answers:
            await self._shut(session.id)

    async def _open(self, session: VoiceSession, *, answers: bool) -> HearingSession | None:
        """The hearing of a session, begun if it is not there yet; None if the session ended meanwhile."""
        hearing = self._sessions.get(session.id)
        if hearing is None:
            hearing = self._sessions[session.id] = HearingSession(self._parts, session, answers=answers)
            try:
                await hearing.open()
            except BaseException:
                self._sessions.pop(session.id, None)
                await hearing.close()
                raise
        if session.ended.is_set():
            await self._shut(session.id)
            return None
        return hearing

    async def _shut(self, session_id: str) -> None:
        hearing = self._sessions.pop(session_id, None)
        if hearing is not None:
            await hearing.close()

    async def close(self) -> None:
        """Listen to nobody any more."""
        self._parts.hub.drop(self)
        await self._tasks.cancel_all()
        for session_id in list(self._sessions):
            await self._shut(session_id)

    def _started(self, event: SessionStarted) -> None:
        section, session = self._parts.section, self._voice.session(event.guild_id)
        wanted = section.engine != "off" and section.answer != "never" and self._parts.conversation.has_model
        if session is not None and wanted:
            self._tasks.start(self._begin(session))  # a model may take a while to open; nothing waits for it

    async def _begin(self, session: VoiceSession) -> None:
        try:
            await self.start(session)
        except HearingError as error:
            _log.warning("session %s hears nobody: %s", session.id, error.sentence, exc_info=error.__cause__)
            await session.notice(DEAF.format(why=error.sentence))

    async def _ended(self, event: SessionEnded) -> None:
        self._watched.discard(event.session_id)
        await self._shut(event.session_id)

    async def _joined(self, event: PersonJoined) -> None:
        """Tell newcomers that they are listened to, once; who refused is not."""
        for hearing in list(self._sessions.values()):
            session = hearing.session
            member = session.guild.get_member(event.user_id)
            if session.channel.id != event.channel_id or member is None or member.bot:
                continue
            if event.user_id not in hearing.told and not self._parts.consent.refused("heard", event.user_id):
                hearing.told.add(event.user_id)
                await session.notice(NEWCOMER.format(person=member.mention))

    def _left(self, event: PersonLeft) -> None:
        for hearing in self._sessions.values():
            if hearing.session.channel.id == event.channel_id:
                hearing.left(event.user_id)
