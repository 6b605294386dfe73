"""Sends datagrams at given times, from a process of its own.

Prints its port; then reads the receiver's port, 4 bytes, and records of `f8 seconds since the start | u2 size | datagram`
until the input ends; says "done" when the last is sent.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

RECORD = struct.Struct("<dH")


def main() -> None:
    """Read everything, then send it."""
    mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mouth.bind(("127.0.0.1", 0))
    print(mouth.getsockname()[1], flush=True)
    data = sys.stdin.buffer.read()
    target = ("127.0.0.1", int.from_bytes(data[:4], "little"))
    position, start_s = 4, time.perf_counter() + 0.2
    while position < len(data):
        at_s, size = RECORD.unpack_from(data, position)
        position += RECORD.size
        delay_s = start_s + at_s - time.perf_counter()
        if delay_s > 0:
            time.sleep(delay_s)
        mouth.sendto(data[position : position + size], target)
        position += size
    print("done", flush=True)


if __name__ == "__main__":
    main()
