"""Tells the voice server who enters and leaves, and the gateway sessions where the voice server is."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loopback.gateway.gateway import Gateway
    from loopback.voice.server import VoiceServer
    from loopback.world.events import Audience
    from loopback.world.guilds import VoiceState
    from loopback.world.world import World

_log = logging.getLogger(__name__)

DISCONNECTED = 4014
HANDOVER_S = 0.05


class VoiceBridge:
    """Follows voice states one after another, so that a move is always: out of the old room, into the new."""

    def __init__(self, world: World, gateway: Gateway, voice: VoiceServer) -> None:
        self._gateway = gateway
        self._voice = voice
        self._changes: asyncio.Queue[tuple[VoiceState | None, VoiceState]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        world.voice.watch(lambda before, after: self._changes.put_nowait((before, after)))
        world.on_event(self._hear)

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._follow(), name="voice-bridge")

    async def close(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            before, after = await self._changes.get()
            try:
                await self._apply(before, after)
            except (OSError, RuntimeError, ValueError):
                _log.exception("voice server did not follow %s", after)

    async def _apply(self, before: VoiceState | None, after: VoiceState) -> None:
        guild_id, user_id = after.guild.id, after.member.user.id
        if before is not None and not _asks_again(before, after):
            await self._voice.remove(guild_id=guild_id, user_id=user_id, close_code=DISCONNECTED)
            if after.channel is not None:
                # Gateway and voice server are different machines at Discord. When both are heard in the very same moment,
                # discord.py 2.7 misses where to go.
                await asyncio.sleep(HANDOVER_S)
        if after.channel is None:
            return
        token = self._voice.admit(
            guild_id=guild_id, channel_id=after.channel.id, user_id=user_id, session_id=after.session_id
        )
        place = {"token": token, "guild_id": str(guild_id), "endpoint": self._voice.endpoint}
        self._gateway.dispatch_to_session(after.session_id, "VOICE_SERVER_UPDATE", place)

    def _hear(self, name: str, data: dict[str, Any], audience: Audience) -> None:
        if name == "VOICE_STATE_UPDATE" and audience.guild_id is not None and data["channel_id"] is not None:
            muted = data["mute"] or data["suppress"]
            self._voice.set_muted(guild_id=audience.guild_id, user_id=int(data["user_id"]), muted=muted)


def _asks_again(before: VoiceState, after: VoiceState) -> bool:
    """Whether a client only wants to be told once more where the voice server is: its stay there goes on."""
    return before.channel is after.channel and before.session_id == after.session_id
