"""When a datagram arrived: by the kernel where it says so, so that a busy interpreter does not move anybody's track."""

from __future__ import annotations

import logging
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

DATAGRAM_BYTES = 2048
OLDEST_S = 2.0  # a timestamp further back than this is not believed: the wall clock was set

_SO_TIMESTAMPNS = 35  # Linux, socket(7); Python has no name for it
_TIMESPEC = struct.Struct("=qq")
_CONTROL_BYTES = socket.CMSG_SPACE(_TIMESPEC.size) if hasattr(socket, "CMSG_SPACE") else 0


def reader_of(voice: socket.socket) -> Callable[[float], tuple[bytes, float]]:
    """A function that reads a datagram of a non-blocking socket and says when it came, on the clock of `time.monotonic`.

    Its argument is `wall_offset_s()`, taken once for a burst. It raises what `recv` raises.
    """
    if sys.platform == "linux":
        try:
            voice.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        except OSError as error:
            _log.debug("no kernel timestamps: %s", error)
        else:
            return _by_kernel(voice)
    receive = voice.recv
    return lambda _offset_s: (receive(DATAGRAM_BYTES), time.monotonic())


def wall_offset_s() -> float:
    """What to add to wall-clock time to get `time.monotonic`."""
    return time.monotonic() - time.time()


def _by_kernel(voice: socket.socket) -> Callable[[float], tuple[bytes, float]]:
    receive, unpack = voice.recvmsg, _TIMESPEC.unpack

    def read(offset_s: float) -> tuple[bytes, float]:
        datagram, control, _, _ = receive(DATAGRAM_BYTES, _CONTROL_BYTES)
        now_s = time.monotonic()
        if len(control) != 1 or len(control[0][2]) != _TIMESPEC.size:
            return datagram, now_s
        seconds, nanoseconds = unpack(control[0][2])
        arrival_s = seconds + nanoseconds * 1e-9 + offset_s
        return datagram, arrival_s if now_s - OLDEST_S < arrival_s <= now_s else now_s

    return read
