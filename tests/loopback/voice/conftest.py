"""A running voice server, and clients let in without a main gateway."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from loopback.voice.certificates import Certificates
from loopback.voice.client import Invitation, VoiceClient
from loopback.voice.server import VoiceServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from loopback.voice.room import Room

GUILD, CHANNEL = 900, 901


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder: Path = tmp_path_factory.mktemp("certificates")
    return Certificates.create(folder)


@pytest.fixture
async def server(certificates: Certificates) -> AsyncIterator[VoiceServer]:
    server = VoiceServer(certificates)
    # Fewer surprises for tests that count: each of these has a test of its own.
    server.faults.padding_rate = 0.0
    server.faults.rtcp_interval_s = 0.0
    await server.start()
    yield server
    await server.close()


class House:
    """Lets clients in and out of a voice server."""

    def __init__(self, server: VoiceServer, certificates: Certificates) -> None:
        self.server = server
        self._tls = certificates.client_context()
        self._clients: list[VoiceClient] = []

    def invite(self, user_id: int, channel_id: int = CHANNEL) -> Invitation:
        session_id = f"session-{user_id}"
        token = self.server.admit(guild_id=GUILD, channel_id=channel_id, user_id=user_id, session_id=session_id)
        return Invitation(self.server.endpoint, token, session_id, GUILD, channel_id, user_id)

    def client(self, user_id: int, channel_id: int = CHANNEL, **options: object) -> VoiceClient:
        client = VoiceClient(self.invite(user_id, channel_id), self._tls, **options)
        self._clients.append(client)
        return client

    async def enter(self, user_id: int, channel_id: int = CHANNEL, **options: object) -> VoiceClient:
        client = self.client(user_id, channel_id, **options)
        await client.connect()
        return client

    def room(self, channel_id: int = CHANNEL) -> Room:
        room = self.server.room(channel_id)
        assert room is not None
        return room

    async def until(self, condition: Callable[[], bool], timeout: float = 30.0) -> None:
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110 - other threads make it true, and they set no event
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        for client in self._clients:
            await client.close()


@pytest.fixture
async def house(server: VoiceServer, certificates: Certificates) -> AsyncIterator[House]:
    house = House(server, certificates)
    yield house
    await house.close()
