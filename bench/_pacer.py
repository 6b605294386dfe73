"""Sends datagrams at given times, from a process of its own.

Prints its port; then reads how many receivers there are and their ports, 4 bytes each, and records of
`f8 seconds since the start | u2 size | datagram` until the input ends; says "done" when the last is sent. Each receiver gets
every datagram, one receiver after the other within 20 ms.
"""

from __future__ import annotations

import heapq
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD = struct.Struct("<dH")
FRAME_S = 0.02


def main() -> None:
    """Read everything, then send it."""
    mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mouth.bind(("127.0.0.1", 0))
    print(mouth.getsockname()[1], flush=True)
    data = sys.stdin.buffer.read()
    count = int.from_bytes(data[:4], "little")
    begin = 4 + 4 * count
    targets = [("127.0.0.1", int.from_bytes(data[at : at + 4], "little")) for at in range(4, begin, 4)]
    sending = [_datagrams(data, begin, FRAME_S * index / count, target) for index, target in enumerate(targets)]
    start_s = time.perf_counter() + 0.2
    for at_s, _, target, datagram in heapq.merge(*sending):
        delay_s = start_s + at_s - time.perf_counter()
        if delay_s > 0:
            time.sleep(delay_s)
        mouth.sendto(datagram, target)
    print("done", flush=True)


def _datagrams(
    data: bytes, position: int, late_s: float, target: tuple[str, int]
) -> Iterator[tuple[float, int, tuple[str, int], bytes]]:
    """What one receiver gets, and when, in order."""
    while position < len(data):
        at_s, size = RECORD.unpack_from(data, position)
        start = position + RECORD.size
        position = start + size
        yield at_s + late_s, start, target, data[start:position]


if __name__ == "__main__":
    main()
