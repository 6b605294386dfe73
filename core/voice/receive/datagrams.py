"""Takes what has arrived at a voice socket, many datagrams by one system call where that can be, and says when each came.

The kernel's word for that counts where it has one, so that a busy interpreter does not move anybody's track.
"""

from __future__ import annotations

import ctypes
import logging
import os
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

_log = logging.getLogger(__name__)

DATAGRAM_BYTES = 2048
OLDEST_S = 2.0  # a timestamp further back than this is not believed: the wall clock was set
AT_ONCE = 16  # datagrams by one call: a call with many people speaking, for 20 ms

_SO_TIMESTAMPNS = 35  # Linux, socket(7); Python has no name for it
_MSG_DONTWAIT = 0x40
# `struct mmsghdr` and a control message with a `struct timespec`, as 64-bit Linux has them (recvmmsg(2), cmsg(3)).
_HEADER = struct.Struct("=QQQQQQQQ")  # name, its length, vector, its length, control, its length, flags, size
_GOT = struct.Struct("=Q8xI")  # length of the control part, size
_GOT_AT = 40
_VECTOR = struct.Struct("=QQ")
_CONTROL = struct.Struct("=16xqq")

Arrival: TypeAlias = tuple[bytes, float]  # a datagram, and when it came on the clock of `time.monotonic`


class Datagrams(Protocol):
    """What arrives at one non-blocking socket."""

    most: int  # that `take` gives; if it gives fewer, there were no more

    def take(self, offset_s: float, /) -> Sequence[Arrival]:
        """What is there, in order; `offset_s` is `wall_offset_s()`, taken once for a burst.

        Raises:
            OSError: What the socket says.
        """
        ...


def datagrams_of(voice: socket.socket) -> Datagrams:
    """Those of a socket, taken in the best way this system has."""
    many = _recvmmsg()
    if many is not None:
        try:
            voice.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        except OSError as error:
            _log.debug("no kernel timestamps: %s", error)
        else:
            return ManyAtOnce(voice, many)
    return OneByOne(voice)


def wall_offset_s() -> float:
    """What to add to wall-clock time to get `time.monotonic`."""
    return time.monotonic() - time.time()


class OneByOne:
    """By `recv`; when one came is when it was taken."""

    most = 1

    def __init__(self, voice: socket.socket) -> None:
        self._receive = voice.recv

    def take(self, _offset_s: float, /) -> Sequence[Arrival]:
        """See `Datagrams`."""
        try:
            return ((self._receive(DATAGRAM_BYTES), time.monotonic()),)
        except BlockingIOError:
            return ()


class ManyAtOnce:
    """By Linux's `recvmmsg`, into a buffer that is made once. Not for two threads at once."""

    most = AT_ONCE

    def __init__(self, voice: socket.socket, receive: Any) -> None:
        self._number = voice.fileno
        self._receive = receive
        self._buffer = bytearray(AT_ONCE * DATAGRAM_BYTES)
        self._control = bytearray(AT_ONCE * _CONTROL.size)
        vectors, headers = bytearray(AT_ONCE * _VECTOR.size), bytearray(AT_ONCE * _HEADER.size)
        buffer_at, control_at, vectors_at = map(_address, (self._buffer, self._control, vectors))
        for index in range(AT_ONCE):
            vector, control = vectors_at + index * _VECTOR.size, control_at + index * _CONTROL.size
            _VECTOR.pack_into(vectors, index * _VECTOR.size, buffer_at + index * DATAGRAM_BYTES, DATAGRAM_BYTES)
            _HEADER.pack_into(headers, index * _HEADER.size, 0, 0, vector, 1, control, _CONTROL.size, 0, 0)
        self._fresh, self._headers, self._vectors = bytes(headers), headers, vectors
        self._headers_at = _address(headers)
        self._view = memoryview(self._buffer)

    def take(self, offset_s: float, /) -> Sequence[Arrival]:
        """See `Datagrams`."""
        count = self._receive(self._number(), self._headers_at, AT_ONCE, _MSG_DONTWAIT, None)
        if count < 0:
            code = ctypes.get_errno()
            if code in (socket.EAGAIN, socket.EWOULDBLOCK):
                return ()
            raise OSError(code, os.strerror(code))
        taken: list[Arrival] = []
        now_s, view, headers, control = time.monotonic(), self._view, self._headers, self._control
        stamped = True
        for index in range(count):
            stamp_bytes, size = _GOT.unpack_from(headers, index * _HEADER.size + _GOT_AT)
            arrival_s = now_s
            if stamp_bytes == _CONTROL.size:
                seconds, nanoseconds = _CONTROL.unpack_from(control, index * _CONTROL.size)
                stamp_s = seconds + nanoseconds * 1e-9 + offset_s
                if now_s - OLDEST_S < stamp_s <= now_s:
                    arrival_s = stamp_s
            else:
                stamped = False
            begin = index * DATAGRAM_BYTES
            taken.append((view[begin : begin + size].tobytes(), arrival_s))
        if not stamped:  # the kernel has put in how much it wrote, which is how much it may write the next time
            headers[:] = self._fresh
        return taken


def _address(buffer: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def _recvmmsg() -> Any:
    """The system's function, or None. It never waits, so it keeps the interpreter's lock: to get that back costs more."""
    if sys.platform != "linux" or sys.byteorder != "little" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    try:
        function = ctypes.PyDLL(None, use_errno=True).recvmmsg
    except (OSError, AttributeError) as error:
        _log.debug("no recvmmsg: %s", error)
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
    function.restype = ctypes.c_int
    return function
