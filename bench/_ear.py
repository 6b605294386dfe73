"""A listener in a process of its own: notes when each datagram arrived, so that the sender cannot hide its own delays.

Prints its port, then reads lines: `take` prints, as one JSON object, the `arrivals` (seconds) since the last `take` and
`noise_ms`, by how much this idle process itself woke too late in 1 of 100 times: what the machine does to everybody. The
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
    lateness: list[float] = []
    while True:
        due_s = time.perf_counter() + 0.01
        readable, _, _ = select.select([ear, sys.stdin], [], [], 0.01)
        if not readable:
            lateness.append(time.perf_counter() - due_s)
        if ear in readable:
            arrivals.extend(_drain(ear))
        if sys.stdin in readable:
            if not sys.stdin.readline():
                return
            arrivals.extend(_drain(ear))
            lateness.sort()
            noise_ms = round(lateness[int(len(lateness) * 0.99)] * 1000, 2) if lateness else None
            print(json.dumps({"arrivals": arrivals, "noise_ms": noise_ms}), flush=True)
            arrivals, lateness = [], []


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
