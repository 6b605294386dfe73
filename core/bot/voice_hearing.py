"""Which voice sessions hear: from their start if the bot answers there, or when somebody asks for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.bot.hearing_session import HearingSession
from core.errors import HearingError
from core.events import PersonLeft, SessionEnded, SessionStarted
from core.tasks import Tasks

if TYPE_CHECKING:
    from core.bot.hearing_session import HearingParts
    from core.voice.service import VoiceService
    from core.voice.session import VoiceSession

_log = logging.getLogger(__name__)

LISTENING = (
    "I listen here: {how} What is said becomes text for that; no sound is kept. Who does not want to be heard by me types "
    "`/privacy opt-out what:heard`; `/voice listen on:False` ends it for all."
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
        self._tasks = Tasks("voice hearing")
        hub = parts.hub
        hub.subscribe(SessionStarted, self._started, owner=self)
        hub.subscribe(SessionEnded, self._ended, owner=self)
        hub.subscribe(PersonLeft, self._left, owner=self)

    def hears(self, session: VoiceSession) -> bool:
        """Whether a session is listened to."""
        return session.id in self._sessions

    async def start(self, session: VoiceSession) -> None:
        """Listen to a session from now on, and tell everybody there.

        Raises:
            HearingError: It is switched off, or there is no recogniser; says why, and what to do.
        """
        if session.id in self._sessions:
            return
        hearing = self._sessions[session.id] = HearingSession(self._parts, session)
        try:
            await hearing.open()
        except BaseException:
            self._sessions.pop(session.id, None)
            await hearing.close()
            raise
        if session.ended.is_set():
            await self.stop(session)
            return
        section = self._parts.section
        await session.notice(LISTENING.format(how=HOW[section.answer].format(name=self._parts.intake.wake_names[0])))

    async def stop(self, session: VoiceSession) -> bool:
        """Listen to a session no more; gives whether it was listened to."""
        hearing = self._sessions.pop(session.id, None)
        if hearing is not None:
            await hearing.close()
        return hearing is not None

    async def close(self) -> None:
        """Listen to nobody any more."""
        self._parts.hub.drop(self)
        await self._tasks.cancel_all()
        for hearing in list(self._sessions.values()):
            await self.stop(hearing.session)

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
        hearing = self._sessions.pop(event.session_id, None)
        if hearing is not None:
            await hearing.close()

    def _left(self, event: PersonLeft) -> None:
        for hearing in self._sessions.values():
            if hearing.session.channel.id == event.channel_id:
                hearing.left(event.user_id)
