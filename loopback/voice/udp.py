"""The UDP relay: opens every packet a client sends and seals it anew for each listener in the channel.

It runs on a thread of its own, so that a busy event loop in this process never shows up as jitter. The websocket side
changes its tables by replacing them, which is safe under the interpreter lock.
"""

from __future__ import annotations

import heapq
import logging
import random
import select
import socket
import struct
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from loopback.voice import rtp
from loopback.voice.endpoint import Address, Endpoint, RelayCounters
from loopback.voice.member import MARKER
from loopback.voice.transport import TransportError

if TYPE_CHECKING:
    from loopback.voice.faults import Network, VoiceFaults

_log = logging.getLogger(__name__)

_DISCOVERY = struct.Struct(">HHI64sH")
_DISCOVERY_REQUEST, _DISCOVERY_ANSWER = 1, 2
_DISCOVERY_LATENCY_S = 0.02
_KEEP_ALIVE_SIZE = 8
_BUFFER_BYTES = 4 << 20
_BURST = 64
_IDLE_S = 0.1
_EXTENSION = bytes.fromhex("10ff9000")
"""One-byte elements: id 1 audio level (RFC 6464), id 9 one byte, then filler to the word."""
_GOODBYE_S = 1.5
"""RTCP goodbyes go on for this long: discord.py's socket reader stays with an old socket until a datagram wakes it."""
_RTCP_REPORT, _RTCP_BYE = 201, 203
_RTCP_HEADER = struct.Struct(">BBHI")


class UdpRelay:
    """One UDP port for all channels."""

    def __init__(self, host: str, faults: VoiceFaults) -> None:
        self._faults = faults
        self._random = random.Random(faults.seed)
        self._by_ssrc: dict[int, Endpoint] = {}
        self._by_address: dict[Address, Endpoint] = {}
        self._delayed: list[tuple[float, int, bytes, Endpoint]] = []
        self._order = 0
        self._departed: deque[tuple[float, Address, Endpoint]] = deque()
        self._closing = False
        self.counters = RelayCounters()
        self.capture: deque[tuple[int, bytes]] | None = None
        """Set to a deque to keep what clients were sent, as (user id, datagram)."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._run, name=f"voice-relay:{self.port}", daemon=True)

    def start(self) -> None:
        """Begins to relay."""
        self._thread.start()

    def close(self) -> None:
        """Stops the thread and frees the port (blocking, a few ms)."""
        self._closing = True
        if self._thread.is_alive():
            self._send(b"", (self.host, self.port))  # wakes the thread
            self._thread.join()
        self._socket.close()

    # used by the websocket side

    def add(self, endpoint: Endpoint) -> None:
        """Makes an endpoint known; it is heard once its address and transports are set."""
        self._by_ssrc = self._by_ssrc | {endpoint.ssrc: endpoint}
        endpoint.channel.add(endpoint)

    def discard(self, endpoint: Endpoint) -> None:
        """Forgets an endpoint."""
        endpoint.channel.discard(endpoint)
        if endpoint.address is not None and endpoint.downlink is not None:
            self._departed.append((time.monotonic() + _GOODBYE_S, endpoint.address, endpoint))
        endpoint.address = None
        self._by_ssrc = {ssrc: other for ssrc, other in self._by_ssrc.items() if other is not endpoint}
        self._by_address = {address: other for address, other in self._by_address.items() if other is not endpoint}

    def locate(self, endpoint: Endpoint, address: Address) -> None:
        """Sets where a client's datagrams come from and go to."""
        others = {known: other for known, other in self._by_address.items() if other is not endpoint}
        self._by_address = others | {address: endpoint}
        endpoint.address = address

    def send_raw(self, user_id: int, datagram: bytes) -> int:
        """Sends arbitrary bytes to every endpoint of a user, as if the network had; returns to how many."""
        targets = [endpoint for endpoint in self._by_ssrc.values() if endpoint.user_id == user_id and endpoint.address]
        for endpoint in targets:
            self._deliver(datagram, endpoint)
        return len(targets)

    # the thread

    def _run(self) -> None:
        while not self._closing:
            wait_s = _IDLE_S
            if self._delayed:
                wait_s = min(wait_s, max(0.0, self._delayed[0][0] - time.monotonic()))
            readable, _, _ = select.select([self._socket], [], [], wait_s)
            if readable:
                self._read_burst()
            if self._delayed:
                self._release()
            if self._faults.rtcp_interval_s > 0:
                self._report()

    def _read_burst(self) -> None:
        for _ in range(_BURST):
            try:
                datagram, address = self._socket.recvfrom(2048)
            except BlockingIOError:
                return
            except ConnectionResetError:
                # Windows reports here that an earlier datagram met a closed port.
                continue
            self._receive(datagram, address)

    def _receive(self, datagram: bytes, address: Address) -> None:
        if len(datagram) == _DISCOVERY.size and datagram[:2] == b"\x00\x01":
            self._discover(datagram, address)
            return
        endpoint = self._by_address.get(address)
        if endpoint is None:
            self.counters.foreign += 1
        elif len(datagram) == _KEEP_ALIVE_SIZE:
            self._send(datagram, address)
        elif endpoint.uplink is not None and not rtp.is_rtcp(datagram):
            try:
                if rtp.ssrc_of(datagram) - endpoint.ssrc not in (0, 1, 2):
                    self.counters.foreign += 1
                    return
                packet = rtp.open_packet(datagram, endpoint.uplink)
            except rtp.RtpError:
                self.counters.malformed += 1
            except TransportError:
                self.counters.forged += 1
            else:
                endpoint.received += 1
                if packet.payload_type == rtp.OPUS_PAYLOAD_TYPE and packet.payload != rtp.SILENCE:
                    sealed = packet.payload.endswith(MARKER)
                    (self.counters.sealed if sealed else self.counters.plain)[endpoint.user_id] += 1
                if not endpoint.muted:
                    self._forward(endpoint, packet)

    def _discover(self, datagram: bytes, address: Address) -> None:
        ssrc = _DISCOVERY.unpack(datagram)[2]
        endpoint = self._by_ssrc.get(ssrc)
        if endpoint is None:
            self.counters.foreign += 1
            return
        self.locate(endpoint, address)
        answer = _DISCOVERY.pack(_DISCOVERY_ANSWER, 70, ssrc, address[0].encode(), address[1])
        # discord.py begins to listen only after it has asked: an answer without any latency can come too early.
        self._later(_DISCOVERY_LATENCY_S, answer, endpoint)

    def _forward(self, sender: Endpoint, packet: rtp.RtpPacket) -> None:
        faults = self._faults
        extension, padding = b"", 0
        if packet.payload_type == rtp.OPUS_PAYLOAD_TYPE:
            if faults.header_extension:
                extension = _EXTENSION
            if faults.padding_rate and self._random.random() < faults.padding_rate:
                padding = self._random.randint(1, 255)
        header, body = rtp.header_and_body(packet, extension=extension, padding=padding)
        clean = faults.network.clean and not faults.network_for
        only = sender.channel.listeners_only
        for receiver in sender.channel.endpoints:
            if receiver is sender or receiver.downlink is None or (only is not None and receiver.user_id not in only):
                continue
            if clean:
                self._deliver(receiver.downlink.seal(header, body), receiver)
            else:
                datagram = receiver.downlink.seal(header, body)
                self._suffer(datagram, receiver, sender, faults.network_to(receiver.user_id))

    def _suffer(self, datagram: bytes, receiver: Endpoint, sender: Endpoint, network: Network) -> None:
        if network.only_from is not None and sender.user_id not in network.only_from:
            self._deliver(datagram, receiver)
            return
        chance = self._random.random
        if chance() < network.loss:
            receiver.lost[rtp.ssrc_of(datagram)] += 1
            return
        copies = 1
        if chance() < network.duplicate:
            receiver.duplicated[rtp.ssrc_of(datagram)] += 1
            copies = 2
        for _ in range(copies):
            delay_s = network.delay_s
            if network.jitter_s:
                delay_s += self._random.gauss(0.0, network.jitter_s)
            if chance() < network.reorder:
                delay_s += network.reorder_s
            if delay_s > 0:
                self._later(delay_s, datagram, receiver)
            else:
                self._deliver(datagram, receiver)

    def _report(self) -> None:
        now = time.monotonic()
        for endpoint in self._by_ssrc.values():
            if endpoint.downlink is not None and endpoint.report_due_s <= now:
                endpoint.report_due_s = now + self._faults.rtcp_interval_s
                header = _RTCP_HEADER.pack(0x81, _RTCP_REPORT, 7, endpoint.ssrc)
                self._deliver(endpoint.downlink.seal(header, bytes(24)), endpoint)
        for _ in range(len(self._departed)):
            until, address, endpoint = self._departed.popleft()
            if until > now and endpoint.downlink is not None and address not in self._by_address:
                self._send(endpoint.downlink.seal(_RTCP_HEADER.pack(0x81, _RTCP_BYE, 1, endpoint.ssrc), b""), address)
                self._departed.append((until, address, endpoint))

    def _later(self, delay_s: float, datagram: bytes, receiver: Endpoint) -> None:
        self._order += 1
        heapq.heappush(self._delayed, (time.monotonic() + delay_s, self._order, datagram, receiver))

    def _release(self) -> None:
        now = time.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            _, _, datagram, receiver = heapq.heappop(self._delayed)
            if datagram[0] & 0xC0:
                self._deliver(datagram, receiver)
            elif receiver.address is not None:
                self._send(datagram, receiver.address)

    def _deliver(self, datagram: bytes, receiver: Endpoint) -> None:
        address = receiver.address
        if address is None:
            return
        receiver.relayed += 1
        if self.capture is not None:
            self.capture.append((receiver.user_id, datagram))
        self._send(datagram, address)

    def _send(self, datagram: bytes, address: Address) -> None:
        try:
            self._socket.sendto(datagram, address)
        except OSError as error:
            self.counters.unsent += 1
            _log.debug("a datagram to %s was not sent: %s", address, error)
