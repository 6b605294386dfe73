"""A voice client that lasts as long as its session: discord.py may lose the connection, but not give it up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, cast

import discord
from discord.voice_state import ConnectionFlowState

from core.voice.connection.changes import ConnectionChange, ConnectionOver
from core.voice.connection.client import ParleyVoiceClient
from core.voice.connection.state import ParleyConnectionState

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from discord.types.voice import GuildVoiceState, VoiceServerUpdate

    from core.voice.checks import VoiceRoom

_log = logging.getLogger(__name__)

HANG_UP_S = 3.0  # how long Discord may take to confirm that we left
CANCEL_AGAIN_S = 0.5
HANDOVER_S = 2.0  # Discord asked us to another voice server: a gap this short is no interruption


class PersistentVoiceClient(ParleyVoiceClient):
    """Made by `open`, ended by `hang_up`; in between `player` and `receiver` stay the same through every reconnect.

    `removed` tells that somebody took the bot out of the channel, `over` that this client can no longer be used.
    """

    def __init__(self, client: discord.Client, channel: discord.abc.Connectable) -> None:
        self.over = False
        super().__init__(client, channel)

    @classmethod
    async def open(cls, bot: discord.Client, channel: VoiceRoom, *, timeout_s: float) -> PersistentVoiceClient:
        """Join a channel; when that fails or is cancelled, nothing of it is left.

        Raises:
            TimeoutError: Discord did not answer in time.
            discord.DiscordException: It refused.
            OSError: The voice server cannot be reached.
            aiohttp.ClientError: The same.
        """
        client = cls(bot, channel)
        client.register(channel)
        try:
            with _sense():
                await client.connect(timeout=timeout_s, reconnect=True)
        except BaseException:
            await asyncio.shield(client.hang_up())
            raise
        client.lasting.kept = True
        return client

    @property
    def lasting(self) -> LastingConnectionState:
        """The state of the connection."""
        return cast("LastingConnectionState", self._connection)

    @property
    def removed(self) -> bool:
        """Whether somebody took the bot out of the channel."""
        return self.lasting.removed

    def watch(self, changed: Callable[[ConnectionChange], None]) -> None:
        """Call `changed` with every change from now on, and with what has changed since the bot joined."""
        self.lasting.changed = changed
        self.lasting.tell_now()
        if self.removed or self.over:
            changed(ConnectionOver())

    def create_connection_state(self) -> LastingConnectionState:
        """Called by discord.py's constructor."""
        return LastingConnectionState(self)

    def register(self, channel: VoiceRoom) -> None:
        """Let discord.py hand Discord's news of this guild to us; a new gateway session forgets its voice clients."""
        self.channel = channel
        state = self.client._connection  # pyright: ignore[reportPrivateUsage] - as `Connectable.connect` does
        state._add_voice_client(channel.guild.id, self)  # pyright: ignore[reportPrivateUsage] - the same

    async def come_back(self, channel: VoiceRoom) -> None:
        """Leave whatever is left of the connection and connect anew.

        Raises:
            TimeoutError: Discord did not answer in time.
            discord.DiscordException: It refused.
            OSError: The voice server or Discord cannot be reached.
            aiohttp.ClientError: The same.
        """
        self.register(channel)
        with _sense():
            await self.lasting.begin_anew()

    async def hang_up(self) -> None:
        """Leave the channel and let go of everything, whatever the state of the connection; never takes long."""
        if self.over:
            return
        state = self.lasting
        state.kept = False
        guild = self.client.get_guild(self.guild.id)  # ours may be of an earlier gateway session, or gone
        inside = not state.removed and guild is not None and guild.me.voice is not None
        limit = asyncio.timeout(HANG_UP_S)
        try:
            with contextlib.suppress(TimeoutError):  # discord.py takes some cancellations for the answer it waits for
                async with limit:
                    await state.stop_trying()
                    await state.disconnect(force=True, wait=inside)
        finally:
            self.cleanup()
        if limit.expired():
            _log.warning("Discord did not confirm that the bot left channel %d", self.channel.id)

    def cleanup(self) -> None:
        """Called by discord.py when the connection is over for good; a second call must not hurt a newer client."""
        if not self.over:
            self.over = True
            super().cleanup()
            self.lasting.changed(ConnectionOver())

    def look_around(self) -> None:
        """Note whether anybody else is in the channel; called on the event loop."""
        self.accompanied = any(user_id != self.user.id for user_id in self.channel.voice_states)


class LastingConnectionState(ParleyConnectionState):
    """discord.py's connection, kept while its session wants it.

    discord.py leaves the channel for good after some close codes, stops trying after some errors, and goes on trying after
    it was told to leave. `kept` forbids the first, `idle` shows the second, `stop_trying` ends the third.
    """

    def __init__(self, voice_client: PersistentVoiceClient) -> None:
        self.kept = False
        self.removed = False
        self._asked_over_s = float("-inf")
        self._leaving = False
        super().__init__(voice_client)

    @property
    def idle(self) -> bool:
        """Whether discord.py neither listens to the voice gateway nor tries to reach it."""
        return all(task.done() for task in self._attempts())

    def tell_now(self) -> None:
        """Tell how the connection is, to somebody who has just begun to listen and takes it to be up."""
        self._told = (True, True)
        self.look_at_link()

    def look_at_link(self) -> None:
        """Tell whether sound can be sent, if that is news."""
        if self.is_connected():
            self._leaving = False  # whatever confirmation was to come has come before this, or never will
        super().look_at_link()

    def _grace_s(self) -> float:
        """Discord may just have asked us to another voice server, as it does for every move."""
        return max(super()._grace_s(), self._asked_over_s + HANDOVER_S - time.monotonic())

    async def voice_state_update(self, data: GuildVoiceState) -> None:
        """Tell our own leaving, which discord.py does between two attempts, from being thrown out."""
        if cast("str | None", data["channel_id"]) is None:
            if not self._leaving:
                self.removed = True
                self.changed(ConnectionOver())
                self._expecting_disconnect = False  # it may wait for a confirmation that never came
            self._leaving = False
        await super().voice_state_update(data)

    async def voice_server_update(self, data: VoiceServerUpdate) -> None:
        """Note that the gap to come is Discord's wish."""
        if self.state is ConnectionFlowState.connected:  # the old server may have hung up a moment ago
            self._asked_over_s = time.monotonic()
        await super().voice_server_update(data)

    async def disconnect(self, *, force: bool = True, cleanup: bool = True, wait: bool = False) -> None:
        """Leave; for good only if nobody keeps the connection any more, or if we were thrown out."""
        await super().disconnect(force=force, cleanup=cleanup and (self.removed or not self.kept), wait=wait)

    async def stop_trying(self) -> None:
        """End discord.py's own attempts: it would come back into a channel that we have left."""
        for task in self._attempts():
            while not task.done():
                task.cancel()  # once may not do: before 3.12 `wait_for` forgets it when its answer comes that moment
                await asyncio.wait([task], timeout=CANCEL_AGAIN_S)
            if not task.cancelled() and (error := task.exception()) is not None:
                _log.info("discord.py had stopped trying to reach the voice server: %r", error)
        self._runner = self._connector = None

    async def begin_anew(self) -> None:
        """Leave, then connect as for the first time."""
        await self.stop_trying()
        await self.disconnect(cleanup=False)
        await self.connect(
            reconnect=True, timeout=self.timeout, self_deaf=self.self_deaf, self_mute=self.self_mute, resume=False
        )

    def _attempts(self) -> list[asyncio.Task[object]]:
        state: Any = self  # discord.py leaves open what its tasks give
        runner, connector = state._runner, state._connector
        return [task for task in (runner, connector) if task is not None]

    async def _voice_disconnect(self) -> None:
        self._leaving = True
        await super()._voice_disconnect()


@contextlib.contextmanager
def _sense() -> Generator[None]:
    """Make one kind of error of the many that discord.py raises when a voice server does not keep to the protocol."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise discord.ClientException("the voice server's handshake makes no sense") from error
