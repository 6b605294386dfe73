"""Music and the people around it: it gives way to who speaks, and waits while nobody is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.events import PersonJoined, PersonLeft, SessionEnded, SessionMoved, SpeakingStarted, SpeakingStopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.config.music import MusicSection
    from core.events import GuildEvent
    from core.hub import Hub
    from core.voice.service import VoiceService
    from core.voice.session import VoiceSession


class MusicCompany:
    """Watches every session."""

    def __init__(
        self, section: MusicSection, voice: VoiceService, hub: Hub, hears: Callable[[VoiceSession], bool]
    ) -> None:
        """Watch from now on.

        Args:
            section: `[music]`.
            voice: The sessions.
            hub: Tells who speaks, comes and goes.
            hears: Whether people are listened to in a session: where they are not, nothing depends on their speech.
        """
        self._section = section
        self._voice = voice
        self._hub = hub
        self._hears = hears
        self._speaking: dict[str, set[int]] = {}
        self._waits: set[str] = set()  # sessions whose music waits for somebody to come
        for event in (SpeakingStarted, SpeakingStopped):
            hub.subscribe(event, self._spoke, owner=self)
        for event in (PersonJoined, PersonLeft, SessionMoved):
            hub.subscribe(event, self._came_or_went, owner=self)
        hub.subscribe(SessionEnded, self._ended, owner=self)

    def close(self) -> None:
        """Watch no more."""
        self._hub.drop(self)

    def _spoke(self, event: SpeakingStarted | SpeakingStopped) -> None:
        session = self._voice.session(event.guild_id)
        if session is None or not self._section.duck_for_people:
            return
        speaking = self._speaking.setdefault(session.id, set())
        if isinstance(event, SpeakingStarted) and self._hears(session):
            speaking.add(event.user_id)
        else:
            speaking.discard(event.user_id)
        session.player.duck_media(on=bool(speaking))

    def _came_or_went(self, event: GuildEvent) -> None:
        session = self._voice.session(event.guild_id)
        if session is None or not self._section.pause_when_alone:
            return
        deck = session.media
        if any(not member.bot for member in session.channel.members):
            if session.id in self._waits:
                self._waits.discard(session.id)
                deck.resume()
        elif deck.pause():
            self._waits.add(session.id)

    def _ended(self, event: SessionEnded) -> None:
        self._speaking.pop(event.session_id, None)
        self._waits.discard(event.session_id)
