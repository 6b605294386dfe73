"""Packets as Discord's voice server sends them, built with the loopback's transport and real DAVE groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from bench._offline import dave_group
from core.voice.receive.receiver import Receiver
from loopback.voice.rtp import OPUS_PAYLOAD_TYPE, RtpPacket, header_and_body
from loopback.voice.transport import MODES

if TYPE_CHECKING:
    import davey

    from core.audio.frames import OpusFrame

AES, XCHACHA = "aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"
BOT, ANNA, BEN = 1, 2, 3
ANNAS, BENS = 5002, 5003  # SSRCs


@dataclass
class Link:
    """What the receiver reads of a connection."""

    mode: str = AES
    secret_key: list[int] = field(default_factory=lambda: list(range(32)))
    dave_session: davey.DaveSession | None = None
    dave_protocol_version: int = 0
    transition_at_s: float = -100.0


class Desk:
    """A receiver, the server's side of its transport, and what came out."""

    def __init__(self) -> None:
        self.link = Link()
        self.recoveries = 0
        self.receiver = Receiver(self.link, self._recover)
        self.frames: list[OpusFrame] = []
        self.receiver.subscribe(self.frames.append, owner=self)
        self.sessions: dict[int, davey.DaveSession] = {}
        self.now_s = 50.0
        self.rekey(self.link.secret_key)

    def rekey(self, key: list[int], mode: str = AES) -> None:
        self.link.secret_key, self.link.mode = key, mode
        self.transport = MODES[mode](bytes(key))

    def encrypt_end_to_end(self, *people: int) -> None:
        """Put the bot and these people into a DAVE group."""
        self.sessions = dave_group([BOT, *people])
        self.link.dave_session, self.link.dave_protocol_version = self.sessions[BOT], 1

    def datagram(
        self,
        payload: bytes,
        *,
        sequence: int = 1,
        timestamp: int = 960,
        ssrc: int = ANNAS,
        kind: int = OPUS_PAYLOAD_TYPE,
        extension: bytes = b"",
        padding: int = 0,
    ) -> bytes:
        packet = RtpPacket(kind, False, sequence, timestamp, ssrc, payload)
        return self.transport.seal(*header_and_body(packet, extension=extension, padding=padding))

    def hear(self, payload: bytes, **options: object) -> None:
        """Let a datagram arrive."""
        self.feed(self.datagram(payload, **options))

    def feed(self, datagram: bytes) -> None:
        self.receiver.feed(datagram, self.now_s)

    @property
    def payloads(self) -> list[bytes]:
        return [frame.payload for frame in self.frames]

    def _recover(self) -> None:
        self.recoveries += 1


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.receiver.announce(ANNAS, ANNA)
    return desk
