"""From a datagram to a frame of a person: RTP, transport encryption, DAVE, subscribers."""

from __future__ import annotations

import logging
import struct
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.audio.frames import OPUS_SILENCE, OpusFrame
from core.audio.sequence import SequenceWindow
from core.fanout import Fanout
from core.voice.receive.dave import FrameDecryptor, Undecryptable, is_encrypted
from core.voice.receive.pending import UndecryptedFrames, UnmappedPackets
from core.voice.receive.stats import ReceiveStats, UserStats
from core.voice.receive.streams import ReceiveLink, Stream
from core.voice.receive.transport import AES256_GCM, AES_NONCE_REST, FORGED, OVERHEAD, opener

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.handles import Handle
    from core.voice.receive.missed import Missed
    from core.voice.receive.pending import Packet

_log = logging.getLogger(__name__)

OPUS_PAYLOAD_TYPE = 120
MOST_STREAMS = 1024
LEAVING_S = 2.0  # packets of somebody who left are on their way this long
IDENTIFIED_EVERY = 10  # packets of an unknown SSRC: every member's key is tried on one of them
KEY_MAY_COME = frozenset({"no_key", "no_decryptor", "no_session"})

_HEADER = struct.Struct(">BBHII")
_VERSION, _VERSION_2, _PADDING, _EXTENSION, _CSRC_COUNT = 0xC0, 0x80, 0x20, 0x10, 0x0F
_PREAMBLE_SIZE = 4
# Version 2, no padding, no contributing sources; with an extension as Discord's server sends it, or without; marked or not.
_USUAL_HEADER = struct.Struct(">HHII")
_EXTENDED, _PLAIN = (0x9078, 0x90F8), (0x8078, 0x80F8)
_USUAL = frozenset((*_EXTENDED, *_PLAIN))
_LEAST_USUAL = _HEADER.size + _PREAMBLE_SIZE + OVERHEAD


class Receiver:
    """Turns datagrams into `OpusFrame`s. One per voice connection object; it survives reconnects and moves.

    `feed` runs on the thread that reads the socket, and so do the subscribers: they must not block. Several subscribers cost
    one decryption. One that raises is logged and counted and stops nobody. `feed` itself never raises, whatever arrives.
    """

    def __init__(self, link: ReceiveLink, recover: Callable[[], None]) -> None:
        """Receive from `link`.

        Args:
            link: The live connection: key, mode, DAVE session.
            recover: Asks Discord for a new start of the DAVE group; called from the reading thread.
        """
        self._link = link
        self._users: dict[int, int] = {}
        self._dave = FrameDecryptor(link, recover)
        self._frames = Fanout[OpusFrame]("a frame")
        self._send = self._frames.send
        self._streams: dict[int, Stream] = {}
        self._heard: dict[int, UserStats] = {}
        self._unnamed = UnmappedPackets()
        self._leaving: dict[int, tuple[int, float]] = {}
        self._dropped: Counter[str] = Counter()
        self._delivered = 0
        self._key: object = None
        self._mode: object = None
        self._open: Callable[[bytes, int], bytes] | None = None
        self._decrypt: Callable[[bytes, bytes, bytes], bytes] | None = None  # with AES alone

    # Subscribers ------------------------------------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[OpusFrame], object], *, owner: object = None) -> Handle:
        """Call `callback` with every frame from now on, on the reading thread, until the handle or the owner ends."""
        return self._frames.subscribe(callback, owner=owner)

    def drop(self, owner: object) -> None:
        """End every subscription of `owner`. A frame that is being delivered may still arrive."""
        self._frames.drop(owner)

    @property
    def stats(self) -> ReceiveStats:
        """What happened so far."""
        lost: Counter[int] = Counter()
        for stream in list(self._streams.values()):
            if stream.user_id is not None:
                lost[stream.user_id] += stream.window.lost
        return ReceiveStats(
            delivered=self._delivered,
            dropped=dict(self._dropped),
            users={
                user_id: replace(heard, lost=heard.lost + lost[user_id], undecryptable=heard.undecryptable.copy())
                for user_id, heard in list(self._heard.items())
            },
            held=len(self._unnamed),
            recoveries=self._dave.recoveries,
            failed=self._frames.failed,
        )

    def undecryptable(self) -> dict[int, dict[str, int]]:
        """Frames that end-to-end decryption refused, by user id and cause, for a recording's metadata."""
        return {
            user_id: dict(heard.undecryptable) for user_id, heard in list(self._heard.items()) if heard.undecryptable
        }

    def missed(self, since_s: float = float("-inf")) -> dict[int, list[Missed]]:
        """When frames came that could not be had, by user id: stretches of one cause that end after `since_s`."""
        found = {user_id: heard.missed.since(since_s) for user_id, heard in list(self._heard.items())}
        return {user_id: stretches for user_id, stretches in found.items() if stretches}

    # What the voice gateway says --------------------------------------------------------------------------------------

    def announce(self, ssrc: int, user_id: int) -> None:
        """An SSRC is a user's. What was held for it comes with its next packet, or with `settle`."""
        self._users[ssrc] = user_id
        self._leaving.pop(ssrc, None)

    def leave(self, user_id: int, now_s: float) -> None:
        """A user is gone; packets still under way count as theirs for two seconds."""
        users = list(self._users.items())  # in one go: the reading thread may find an owner meanwhile
        for ssrc in [ssrc for ssrc, known in users if known == user_id]:
            self._leaving[ssrc] = (user_id, now_s + LEAVING_S)
            del self._users[ssrc]

    def regroup(self) -> None:
        """The DAVE group begins anew, or ends: who encrypted until now may send plain frames for a moment."""
        self._dave.regroup()

    def reset(self) -> None:
        """Another channel: SSRCs of before mean nothing any more."""
        if held := len(self._unnamed):
            self._dropped["unmapped"] += held
        for stream in list(self._streams.values()):
            stream.heard.lost += stream.window.lost
        self._users = {}
        self._streams = {}
        self._unnamed = UnmappedPackets()
        self._leaving = {}

    # The reading thread -----------------------------------------------------------------------------------------------

    def feed(self, datagram: bytes, arrival_s: float) -> None:
        """Take one datagram as it came from the socket; `arrival_s` is `time.monotonic` then.

        This is what the process does most. So the usual packet, the next one of a stream whose person is known, takes a
        short way; `_take` is the whole one, and does the same for every packet.
        """
        if len(datagram) > _LEAST_USUAL:
            kind, sequence, timestamp, ssrc = _USUAL_HEADER.unpack_from(datagram)
            stream, link, decrypt = self._streams.get(ssrc), self._link, self._decrypt
            if (
                stream is not None
                and decrypt is not None
                and link.secret_key is self._key
                and (user_id := stream.user_id) is not None
                and user_id == self._users.get(ssrc)
                and (sequence - stream.window.newest) & 0xFFFF == 1
                and kind in _USUAL
                and not stream.sealed.packets
                and stream.before is None
                and link.mode == self._mode
            ):
                try:
                    if kind in _EXTENDED:
                        body = decrypt(datagram[-4:] + AES_NONCE_REST, datagram[16:-4], datagram[:16])
                        payload = body[4 * (datagram[14] << 8 | datagram[15]) :]
                    else:
                        payload = decrypt(datagram[-4:] + AES_NONCE_REST, datagram[12:-4], datagram[:12])
                except FORGED:
                    self._dropped["forged"] += 1
                    return
                if payload:
                    stream.window.accept(sequence)
                    self._decrypt_and_deliver(ssrc, stream, user_id, (sequence, timestamp, arrival_s, payload))
                    return
        self._take(datagram, arrival_s)

    def _take(self, datagram: bytes, arrival_s: float) -> None:
        size = len(datagram)
        if size < _HEADER.size:
            self._dropped["short"] += 1
            return
        flags, kind, sequence, timestamp, ssrc = _HEADER.unpack_from(datagram)
        if flags & _VERSION != _VERSION_2:
            self._dropped["not_rtp"] += 1
            return
        if kind & 0x7F != OPUS_PAYLOAD_TYPE:
            self._dropped["other_payload"] += 1
            return
        payload = self._body(datagram, size, flags)
        if payload is None:
            return
        stream = self._streams.get(ssrc)
        if stream is None:
            stream = self._new_stream(ssrc, sequence)
        elif (refused := stream.window.accept(sequence)) is not None:
            if refused == "stale":
                stream.before = (sequence, timestamp, arrival_s, payload)
            self._dropped[refused] += 1
            return
        elif stream.before is not None:
            self._restarted(ssrc, stream, sequence)
        self._route(ssrc, stream, (sequence, timestamp, arrival_s, payload))

    def _new_stream(self, ssrc: int, sequence: int) -> Stream:
        if len(self._streams) >= MOST_STREAMS:  # nobody's go first, then the oldest: a server may make up any number
            nobodys = (known for known, stream in self._streams.items() if stream.user_id is None)
            gone = self._streams.pop(next(nobodys, next(iter(self._streams))))
            gone.heard.lost += gone.window.lost
        stream = self._streams[ssrc] = Stream(SequenceWindow(sequence), UserStats())
        return stream

    def settle(self, now_s: float) -> None:
        """Deliver what was held for an owner or a key that has come since; otherwise the stream's next packet does."""
        for ssrc in self._unnamed.named(self._users):
            if (stream := self._streams.get(ssrc)) is not None:
                self._release(ssrc, stream)
        for ssrc, stream in self._streams.items():
            if stream.sealed.packets:
                self._unseal(ssrc, stream, now_s)

    def _body(self, datagram: bytes, size: int, flags: int) -> bytes | None:
        """The decrypted payload without extension and padding, or None, counted."""
        clear = _HEADER.size + 4 * (flags & _CSRC_COUNT)
        skipped = 0
        if flags & _EXTENSION:
            if size < clear + _PREAMBLE_SIZE + OVERHEAD:
                self._dropped["bad_extension"] += 1
                return None
            skipped = 4 * (datagram[clear + 2] << 8 | datagram[clear + 3])
            clear += _PREAMBLE_SIZE
        link = self._link
        if link.secret_key is not self._key or link.mode != self._mode:
            self._rekey()
        if self._open is None or size < clear + OVERHEAD:
            self._dropped["no_key" if self._open is None else "short"] += 1
            return None
        try:
            body = self._open(datagram, clear)
        except FORGED:
            self._dropped["forged"] += 1
            return None
        end = len(body)
        if flags & _PADDING:
            padding = body[-1] if body else 0
            if not 0 < padding <= end - skipped:
                self._dropped["bad_padding"] += 1
                return None
            end -= padding
        if skipped > end:
            self._dropped["bad_extension"] += 1
            return None
        if skipped == end:
            self._dropped["empty"] += 1
            return None
        return body[skipped:end]

    def _rekey(self) -> None:
        link = self._link
        self._key, self._mode = link.secret_key, link.mode
        self._decrypt = None
        try:
            self._open = opener(link.mode, bytes(link.secret_key))
            if link.mode == AES256_GCM:
                self._decrypt = AESGCM(bytes(link.secret_key)).decrypt
        except (ValueError, TypeError) as error:  # before the session description there is neither mode nor key
            self._open = None
            _log.debug("no transport key yet: %s", error)

    def _restarted(self, ssrc: int, stream: Stream, sequence: int) -> None:
        """The packet that looked stale was the first of a sender that began anew: give it its place."""
        before, stream.before = stream.before, None
        if before is not None and (before[0] + 1) & 0xFFFF == sequence:
            self._dropped["stale"] -= 1
            self._route(ssrc, stream, before)

    def _route(self, ssrc: int, stream: Stream, packet: Packet) -> None:
        """Find out whose a packet is, decrypt and deliver it; or keep it until that can be done."""
        user_id = self._users.get(ssrc)
        if user_id is None:
            user_id = self._leaving_user(ssrc, packet[2])
            if user_id is None:
                self._await_owner(ssrc, stream, packet)
                return
        if self._unnamed and ssrc in self._unnamed:
            self._release(ssrc, stream)
        if user_id != stream.user_id:
            self._assign(stream, user_id)
        if stream.sealed.packets:  # first, since a frame cannot be opened after a later one of its key
            self._unseal(ssrc, stream, packet[2])
        self._decrypt_and_deliver(ssrc, stream, user_id, packet)

    def _decrypt_and_deliver(self, ssrc: int, stream: Stream, user_id: int, packet: Packet) -> None:
        sequence, timestamp, arrival_s, payload = packet
        heard = stream.heard
        if payload == OPUS_SILENCE:
            heard.silent += 1
        else:
            try:
                payload, plain = self._dave.open(user_id, payload, arrival_s)
            except Undecryptable as failure:
                cause = failure.args[0]
                stretch = heard.refuse(cause, arrival_s)
                if cause in KEY_MAY_COME:
                    stream.sealed.keep(packet, stretch)
                return
            if plain:
                heard.plain += 1
        heard.packets += 1
        self._delivered += 1
        self._send(OpusFrame(user_id, ssrc, timestamp, sequence, arrival_s, payload))

    def _deliver(self, ssrc: int, stream: Stream, user_id: int, packet: Packet, opus: bytes) -> None:
        stream.heard.packets += 1
        self._delivered += 1
        self._send(OpusFrame(user_id, ssrc, packet[1], packet[0], packet[2], opus))

    def _unseal(self, ssrc: int, stream: Stream, now_s: float) -> None:
        """Try the frames again whose key was missing: some clients use a new key before everybody has it."""
        user_id, heard, sealed = stream.user_id, stream.heard, stream.sealed
        sealed.forget(now_s)
        while sealed.packets and user_id is not None:
            packet, stretch = sealed.packets[0]
            try:
                opus = self._dave.decrypt(user_id, packet[3])
            except Undecryptable:
                return
            sealed.packets.popleft()
            heard.late_keyed += 1
            heard.admit(stretch)
            self._deliver(ssrc, stream, user_id, packet, opus)

    def _await_owner(self, ssrc: int, stream: Stream, packet: Packet) -> None:
        """Keep a packet until it is known whose it is.

        Discord names who begins to speak (op 5), not who was speaking when we came. Whose key opens a frame is its sender.
        """
        for other, gone in self._unnamed.hold(ssrc, packet):
            self._dropped["unmapped"] += 1
            # Nobody's yet: it is counted for its person when that is known.
            if gone[3] != OPUS_SILENCE and (lost := self._streams.get(other)) is not None and lost.user_id is None:
                lost.heard.refuse("unmapped", gone[2])
        if packet[0] % IDENTIFIED_EVERY:
            return
        oldest = next((held for held in self._unnamed.of(ssrc) if is_encrypted(held[3])), None)
        if oldest is None or (found := self._dave.owner_of(oldest[3])) is None:
            return
        user_id, opus = found
        self._users.setdefault(ssrc, user_id)
        self._assign(stream, user_id)
        for held in self._unnamed.take(ssrc):
            stream.heard.late_mapped += 1
            if held is oldest:  # opened already, which can be done once
                self._deliver(ssrc, stream, user_id, held, opus)
            else:
                self._route(ssrc, stream, held)

    def _leaving_user(self, ssrc: int, arrival_s: float) -> int | None:
        user_id, until_s = self._leaving.get(ssrc, (None, 0.0))
        return user_id if arrival_s < until_s else None

    def _release(self, ssrc: int, stream: Stream) -> None:
        for packet in self._unnamed.take(ssrc):
            stream.heard.late_mapped += 1
            self._route(ssrc, stream, packet)

    def _assign(self, stream: Stream, user_id: int) -> None:
        """Count a stream for the person it belongs to from now on."""
        heard = self._heard.setdefault(user_id, UserStats())
        if stream.user_id is None:
            heard.late_mapped += stream.heard.late_mapped
            heard.undecryptable.update(stream.heard.undecryptable)
            heard.missed.take_over(stream.heard.missed)
        stream.user_id, stream.heard, stream.sealed = user_id, heard, UndecryptedFrames()
