"""A listener in a process of its own: notes when each datagram arrived, so that the sender cannot hide its own delays.

Prints its port, then reads lines: `take` prints the arrival times (seconds) since the last `take` as one JSON list; the
end of the input ends it.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time

_TIMESTAMP = struct.Struct("=qq")
SO_TIMESTAMPNS = 35  # Linux: the kernel says when a datagram arrived; elsewhere our own clock must do


def main() -> None:
    """Listen until the input ends."""
    ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    if sys.platform == "linux":
        ear.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    ear.bind(("127.0.0.1", 0))
    ear.setblocking(False)
    print(ear.getsockname()[1], flush=True)
    arrivals: list[float] = []
    while True:
        readable, _, _ = select.select([ear, sys.stdin], [], [])
        if ear in readable:
            arrivals.extend(_drain(ear))
        if sys.stdin in readable:
            if not sys.stdin.readline():
                return
            arrivals.extend(_drain(ear))
            print(json.dumps(arrivals), flush=True)
            arrivals = []


def _drain(ear: socket.socket) -> list[float]:
    times: list[float] = []
    while True:
        try:
            if sys.platform == "linux":
                _, control, _, _ = ear.recvmsg(2048, 64)
                seconds, nanoseconds = _TIMESTAMP.unpack_from(control[0][2])
                times.append(seconds + nanoseconds * 1e-9)
            else:
                ear.recv(2048)
                times.append(time.perf_counter())
        except BlockingIOError:
            return times


if __name__ == "__main__":
    main()
