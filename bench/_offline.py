"""Voice clients whose connection is a bare UDP socket: real packets, real encryption, no server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import davey
import discord
from discord.voice_state import ConnectionFlowState

from loopback.voice.mls import ExternalSender, vector

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

CHANNEL_ID = 99
KEY = list(range(32))

V = TypeVar("V", bound=discord.VoiceClient)


def dave_group(user_ids: Sequence[int]) -> dict[int, davey.DaveSession]:
    """One DAVE session a user, all in one group at epoch 1."""
    sender = ExternalSender(CHANNEL_ID)
    sessions = {user_id: davey.DaveSession(1, user_id, CHANNEL_ID) for user_id in user_ids}
    for session in sessions.values():
        session.set_external_sender(sender.package())
    first, *others = sessions.values()
    adds = b"".join(_add(sender, session) for session in others)
    result = first.process_proposals(davey.ProposalsOperationType.append, vector(adds))
    if result is None or result.welcome is None:
        raise RuntimeError("davey made no commit")
    first.process_commit(result.commit)
    for session in others:
        session.process_welcome(result.welcome)
    return sessions


def _add(sender: ExternalSender, session: davey.DaveSession) -> bytes:
    from loopback.voice.mls import read_key_package

    return sender.add(0, read_key_package(session.get_serialized_key_package())).message


def offline_client(kind: type[V], loop: asyncio.AbstractEventLoop, port: int, mode: str, user_id: int = 1) -> V:
    """A client of `kind` that believes to be connected to 127.0.0.1:port."""
    bot = discord.Client(intents=discord.Intents.none())
    bot.loop = loop
    bot._connection.loop = loop
    guild = SimpleNamespace(id=1, me=SimpleNamespace(id=user_id), get_member=lambda _id: None)
    channel: Any = SimpleNamespace(id=CHANNEL_ID, guild=guild, _get_voice_client_key=lambda: (1, "guild_id"))
    client = kind(bot, channel)
    state: Any = client._connection
    state._create_socket()  # with the buffer that each gives its own
    state.socket.connect(("127.0.0.1", port))
    state.secret_key, state.mode, state.ssrc = KEY, mode, 4711
    state.ws = SimpleNamespace(speak=_say_nothing)
    state.state = ConnectionFlowState.connected
    return client


async def _say_nothing(_state: object) -> None:
    """Op 5 has nobody to go to."""


def hang_up(client: discord.VoiceClient) -> None:
    """Close what `offline_client` opened."""
    state: Any = client._connection
    state._socket_reader.stop()
    client.cleanup()
    state.socket.close()
