"""`VoiceServer`: what the main gateway hands people over to when they enter a voice channel."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopback.voice.faults import VoiceFaults

if TYPE_CHECKING:
    from loopback.certificates import Certificates


@dataclass(frozen=True, slots=True)
class Admission:
    """The main gateway's word that this user, in this session, may enter this channel."""

    guild_id: int
    channel_id: int
    user_id: int
    session_id: str
    token: str


class VoiceServer:
    """One voice websocket and one UDP port for every voice channel."""

    def __init__(self, certificates: Certificates, *, host: str = "127.0.0.1") -> None:
        self._certificates = certificates
        self._host = host
        self._admissions: dict[tuple[int, int], Admission] = {}
        self.faults = VoiceFaults()
        self.endpoint = f"{host}:0"

    async def start(self) -> None:
        """Opens the ports; `endpoint` is known afterwards."""

    async def close(self) -> None:
        """Closes every connection and both ports."""

    def admit(self, *, guild_id: int, channel_id: int, user_id: int, session_id: str) -> str:
        """Lets a user in; returns the token for VOICE_SERVER_UPDATE. A second call replaces the first."""
        token = secrets.token_hex(8)
        self._admissions[guild_id, user_id] = Admission(guild_id, channel_id, user_id, session_id, token)
        return token

    async def remove(self, *, guild_id: int, user_id: int, close_code: int | None = 4014) -> None:
        """Takes a user out: closes the websocket with `close_code` (None: leaves it) and tells the room."""
        self._admissions.pop((guild_id, user_id), None)
