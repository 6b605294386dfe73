"""A recording goes where its voice session goes: gaps where that breaks, the end where that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.events import (
    EncryptionChanged,
    PersonJoined,
    SessionEnded,
    SessionImpaired,
    SessionInterrupted,
    SessionMoved,
    SessionResumed,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from core.hub import Hub
    from core.recording.live_recording import LiveRecording


class SessionListener:
    """Listens to what voice sessions do, on behalf of the recordings under way."""

    def __init__(
        self,
        hub: Hub,
        live: Callable[[int], LiveRecording | None],
        end: Callable[[LiveRecording, str], Awaitable[None]],
        moved: Callable[[LiveRecording, int], Awaitable[None]],
        owner: object,
    ) -> None:
        """Begin; it ends when `owner` is dropped from the hub.

        Args:
            hub: Where sessions tell.
            live: The recording under way in a guild.
            end: Ends a recording, with a reason.
            moved: Takes note of another channel, by id, in which a recording goes on.
            owner: Of the subscriptions.
        """
        self._live, self._end, self._moved = live, end, moved
        hub.subscribe(PersonJoined, self._on_joined, owner=owner)
        hub.subscribe(SessionInterrupted, self._on_interrupted, owner=owner)
        hub.subscribe(SessionResumed, self._on_resumed, owner=owner)
        hub.subscribe(SessionImpaired, self._on_impaired, owner=owner)
        hub.subscribe(EncryptionChanged, self._on_encryption, owner=owner)
        hub.subscribe(SessionMoved, self._on_moved, owner=owner)
        hub.subscribe(SessionEnded, self._on_ended, owner=owner)

    def _of(self, guild_id: int, session_id: str) -> LiveRecording | None:
        live = self._live(guild_id)
        return live if live is not None and live.session_id == session_id else None

    def _on_joined(self, event: PersonJoined) -> None:
        live = self._live(event.guild_id)
        if live is not None:
            live.recorder.called.introduce(event.user_id, event.name)

    def _on_interrupted(self, event: SessionInterrupted) -> None:
        live = self._of(event.guild_id, event.session_id)
        if live is not None:
            live.recorder.log.gap_started(event.reason)

    def _on_resumed(self, event: SessionResumed) -> None:
        live = self._of(event.guild_id, event.session_id)
        if live is not None:
            live.recorder.log.gap_ended()

    def _on_impaired(self, event: SessionImpaired) -> None:
        live = self._of(event.guild_id, event.session_id)
        if live is not None:
            live.recorder.log.impaired(deafened=event.deafened, silenced=event.silenced)

    def _on_encryption(self, event: EncryptionChanged) -> None:
        live = self._of(event.guild_id, event.session_id)
        if live is not None and not (event.before and event.protocol_version):
            live.recorder.log.encryption_changed(off=event.weaker, at_s=event.at_s)

    async def _on_moved(self, event: SessionMoved) -> None:
        live = self._of(event.guild_id, event.session_id)
        if live is not None:
            await self._moved(live, event.channel_id)

    async def _on_ended(self, event: SessionEnded) -> None:
        live = self._of(event.guild_id, event.session_id)
        if live is not None:
            await self._end(live, event.reason)
