"""What a person heard: every voice packet, opened, decrypted and decoded off the event loop, kept with its time."""

from __future__ import annotations

import asyncio
import itertools
import logging
import queue
import threading
import time
import wave
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import davey
import numpy as np
from discord import opus

from loopback.voice import rtp
from loopback.voice.transport import MODES, TransportError
from loopback.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from discord.voice_state import VoiceConnectionState

    from loopback.voice.transport import Transport

_log = logging.getLogger(__name__)

RATE_HZ = 48_000
FRAME_SAMPLES = 960
_DAVE_MARKER = b"\xfa\xfa"
_HELD_PACKETS = 100
_VOICED_RMS = 100.0
"""About -50 dBFS: above the noise of an encoder fed with silence."""
_REANCHOR_SAMPLES = RATE_HZ // 5


@dataclass(frozen=True, slots=True)
class HeardFrame:
    """20 ms of one person."""

    arrival_s: float
    """`time.monotonic()` when the datagram was read."""
    rtp_timestamp: int
    sequence: int
    encrypted: bool
    """End to end, by DAVE."""
    silence: bool
    """The three-byte silence frame, which DAVE leaves alone."""
    voiced: bool
    pcm: bytes
    """s16le stereo, 960 samples a channel."""


@dataclass(slots=True)
class _Stream:
    """One SSRC."""

    user_id: int
    decoder: opus.Decoder = field(default_factory=opus.Decoder)
    first: int = -1
    highest: int = -1
    """Sequence number, extended past 16 bits."""
    seen: set[int] = field(default_factory=set)

    def extend(self, sequence: int) -> int:
        """The sequence number without wrap."""
        if self.highest < 0:
            self.first = self.highest = sequence
            return sequence
        step = (sequence - self.highest + 0x8000 & 0xFFFF) - 0x8000
        extended = self.highest + step
        self.highest = max(self.highest, extended)
        return extended


class Ears:
    """Hears one voice connection of discord.py: a thread of its own opens and decodes what `receive` is given."""

    def __init__(self, connection: VoiceConnectionState, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._loop = loop
        self._lock = threading.Lock()
        self._frames: dict[int, list[HeardFrame]] = defaultdict(list)
        self._users: dict[int, int] = {}
        self._streams: dict[int, _Stream] = {}
        self._held: dict[int, list[tuple[float, rtp.RtpPacket]]] = {}
        self._waiters: list[tuple[int | None, asyncio.Future[HeardFrame]]] = []
        self._transport: tuple[str, bytes, Transport] | None = None
        self._arrivals: queue.SimpleQueue[tuple[float, bytes] | tuple[int, int] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._listen, name="ears", daemon=True)
        self._thread.start()
        self.dave_frames = 0
        self.plain_frames = 0
        """Frames without end-to-end encryption that should have had it; silence frames are not among them."""
        self.silence_frames = 0
        self.undecryptable = 0
        self.duplicates = 0
        self.video_packets = 0
        self.video_frames = 0
        """Video packets that DAVE could decrypt."""
        self.malformed = 0

    # what was heard

    def heard(self, user_id: int) -> list[HeardFrame]:
        """Every frame of a person, in order of arrival."""
        with self._lock:
            return list(self._frames.get(user_id, ()))

    @property
    def speakers(self) -> list[int]:
        """Everybody of whom anything voiced was heard."""
        with self._lock:
            return [user_id for user_id, frames in self._frames.items() if any(frame.voiced for frame in frames)]

    def lost(self, user_id: int) -> int:
        """Packets of a person that should lie between those that came."""
        with self._lock:
            streams = [stream for stream in self._streams.values() if stream.user_id == user_id and stream.seen]
            return sum(stream.highest - stream.first + 1 - len(stream.seen) for stream in streams)

    def max_gap_ms(self, user_id: int) -> float:
        """The longest time between two frames of one talk-spurt; 0.0 if there are none. A silence frame ends a spurt."""
        frames = self.heard(user_id)
        gaps = [b.arrival_s - a.arrival_s for a, b in itertools.pairwise(frames) if not a.silence]
        return max(gaps, default=0.0) * 1000

    def pcm(self, user_id: int, *, origin_s: float | None = None) -> np.ndarray:
        """A person's track, int16, shape (n, 2): RTP clock within a spurt, arrival between spurts.

        It begins at `origin_s` (monotonic) or with the first frame.
        """
        frames = self.heard(user_id)
        if not frames:
            return np.zeros((0, 2), np.int16)
        origin = frames[0].arrival_s if origin_s is None else origin_s
        places = _places(frames, origin)
        track = np.zeros((max(places) + FRAME_SAMPLES, 2), np.int16)
        for place, frame in zip(places, frames, strict=True):
            if place >= 0:
                track[place : place + FRAME_SAMPLES] = np.frombuffer(frame.pcm, np.int16).reshape(-1, 2)
        return track

    def mix(self, user_ids: Iterable[int] | None = None) -> np.ndarray:
        """Everybody (or some) together on one clock, int16, shape (n, 2), clipped."""
        with self._lock:
            chosen = [user for user in (user_ids or self._frames) if self._frames.get(user)]
            origin = min((self._frames[user][0].arrival_s for user in chosen), default=0.0)
        tracks = [self.pcm(user, origin_s=origin) for user in chosen]
        total = np.zeros((max((len(track) for track in tracks), default=0), 2), np.int32)
        for track in tracks:
            total[: len(track)] += track
        return total.clip(-32768, 32767).astype(np.int16)

    def write_wav(self, path: Path, user_ids: Iterable[int] | None = None) -> None:
        """Writes `mix` as 48 kHz stereo (blocking: call it on a thread)."""
        with wave.open(str(path), "wb") as out:
            out.setnchannels(2)
            out.setsampwidth(2)
            out.setframerate(RATE_HZ)
            out.writeframes(self.mix(user_ids).tobytes())

    def forget(self) -> None:
        """Lets go of every frame; the counters stay."""
        with self._lock:
            self._frames.clear()

    async def wait_for_voice(self, user_id: int | None = None, timeout: float = PATIENCE_S) -> HeardFrame:
        """The first voiced frame after this call, of one person or of anybody. Raises `TimeoutError`."""
        future: asyncio.Future[HeardFrame] = self._loop.create_future()
        entry = user_id, future
        with self._lock:
            self._waiters.append(entry)
        try:
            return await asyncio.wait_for(future, timeout)
        finally:
            with self._lock:
                if entry in self._waiters:
                    self._waiters.remove(entry)

    # what arrives

    def know(self, ssrc: int, user_id: int) -> None:
        """Ops 5 and 12: an SSRC belongs to a user. What was held for it is heard now."""
        self._arrivals.put((ssrc, user_id))

    def receive(self, datagram: bytes) -> None:
        """One datagram, from whichever thread reads the socket."""
        self._arrivals.put((time.monotonic(), datagram))

    def close(self) -> None:
        """Ends the thread once it is through with what arrived; what was heard stays."""
        self._arrivals.put(None)

    def _listen(self) -> None:
        while (arrival := self._arrivals.get()) is not None:
            first, second = arrival
            if isinstance(second, bytes):
                self._receive(first, second)
            else:
                self._know(int(first), second)

    def _know(self, ssrc: int, user_id: int) -> None:
        with self._lock:
            if self._users.get(ssrc) == user_id:
                return
            self._users[ssrc] = user_id
            self._streams.pop(ssrc, None)
            for arrival_s, packet in self._held.pop(ssrc, []):
                self._hear(packet, arrival_s)

    def _receive(self, arrival_s: float, datagram: bytes) -> None:
        if len(datagram) < 13 or rtp.is_rtcp(datagram) or datagram[0] & 0xC0 != 0x80:
            return
        transport = self._current_transport()
        if transport is None:
            return
        try:
            packet = rtp.open_packet(datagram, transport)
        except (rtp.RtpError, TransportError):
            self.malformed += 1
            return
        with self._lock:
            if packet.payload_type != rtp.OPUS_PAYLOAD_TYPE:
                self._watch(packet)
            elif packet.ssrc in self._users:
                self._hear(packet, arrival_s)
            else:
                held = self._held.setdefault(packet.ssrc, [])
                if len(held) < _HELD_PACKETS:
                    held.append((arrival_s, packet))

    def _current_transport(self) -> Transport | None:
        mode, key = self._connection.mode, self._connection.secret_key
        if not mode or not key:
            return None
        key = bytes(key)
        if self._transport is None or self._transport[:2] != (mode, key):
            self._transport = mode, key, MODES[mode](key)
        return self._transport[2]

    def _watch(self, packet: rtp.RtpPacket) -> None:
        self.video_packets += 1
        session = self._connection.dave_session
        user_id = self._users.get(packet.ssrc)
        if session is not None and user_id is not None and packet.payload.endswith(_DAVE_MARKER):
            try:
                session.decrypt(user_id, davey.MediaType.video, packet.payload)
                self.video_frames += 1
            except ValueError as error:
                _log.debug("a video frame of %d was not decrypted: %s", user_id, error)

    def _hear(self, packet: rtp.RtpPacket, arrival_s: float) -> None:
        user_id = self._users[packet.ssrc]
        stream = self._streams.get(packet.ssrc)
        if stream is None:
            stream = self._streams[packet.ssrc] = _Stream(user_id)
        sequence = stream.extend(packet.sequence)
        if sequence in stream.seen:
            self.duplicates += 1
            return
        stream.seen.add(sequence)
        payload, encrypted = self._decrypt(user_id, packet.payload)
        if payload is None:
            return
        try:
            pcm = stream.decoder.decode(payload, fec=False)
        except opus.OpusError as error:
            _log.debug("a frame of %d is no Opus: %s", user_id, error)
            self.malformed += 1
            return
        silence = payload == rtp.SILENCE
        samples = np.frombuffer(pcm, np.int16).astype(np.float32)
        voiced = not silence and bool(np.sqrt(np.mean(samples * samples)) > _VOICED_RMS)
        frame = HeardFrame(arrival_s, packet.timestamp, packet.sequence, encrypted, silence, voiced, pcm)
        self._frames[user_id].append(frame)
        if voiced:
            self._announce(user_id, frame)

    def _decrypt(self, user_id: int, payload: bytes) -> tuple[bytes | None, bool]:
        """The Opus frame (None if it cannot be had) and whether DAVE protected it."""
        if payload == rtp.SILENCE:
            self.silence_frames += 1
            return payload, False
        session = self._connection.dave_session
        if session is None or not payload.endswith(_DAVE_MARKER):
            self.plain_frames += 1
            return payload, False
        try:
            opened = session.decrypt(user_id, davey.MediaType.audio, payload)
        except ValueError as error:
            _log.debug("a frame of %d was not decrypted: %s", user_id, error)
            self.undecryptable += 1
            return None, True
        self.dave_frames += 1
        return opened, True

    def _announce(self, user_id: int, frame: HeardFrame) -> None:
        for entry in [entry for entry in self._waiters if entry[0] in (None, user_id)]:
            self._waiters.remove(entry)
            self._loop.call_soon_threadsafe(_settle, entry[1], frame)


def _settle(future: asyncio.Future[HeardFrame], frame: HeardFrame) -> None:
    if not future.done():
        future.set_result(frame)


def _places(frames: list[HeardFrame], origin_s: float) -> list[int]:
    """The sample position of each frame."""
    places: list[int] = []
    anchor_place = anchor_timestamp = 0
    for frame in frames:
        by_arrival = round((frame.arrival_s - origin_s) * RATE_HZ)
        step = (frame.rtp_timestamp - anchor_timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        by_clock = anchor_place + step
        if not places or abs(by_clock - by_arrival) > _REANCHOR_SAMPLES:
            anchor_place = by_clock = max(by_arrival, places[-1] if places else 0)
            anchor_timestamp = frame.rtp_timestamp
        places.append(by_clock)
    return places
