"""An internet radio station on loopback."""

from __future__ import annotations

import asyncio
import contextlib


class Station:
    """A station on loopback: sends a tone for ever, a title every 4,000 bytes, and breaks off when told."""

    def __init__(self, sound: bytes, pace_s: float = 0.01) -> None:
        self.sound = sound
        self.pace_s = pace_s  # from one title to the next
        self.title = "Anna - One"
        self.cut = asyncio.Event()
        self.listeners = 0

    async def __call__(self, asked, writer) -> None:
        self.listeners += 1
        interval = 4000
        head = f"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\nicy-name: Jazz <@1>\r\nicy-metaint: {interval}\r\n\r\n"
        assert asked.headers["icy-metadata"] == "1"
        writer.write(head.encode())
        at = 0
        with contextlib.suppress(OSError):
            while not self.cut.is_set():
                part = (self.sound * 2)[at : at + interval]
                at = (at + interval) % len(self.sound)
                told = f"StreamTitle='{self.title}';".encode()
                told += b"\0" * (-len(told) % 16)
                writer.write(part + bytes([len(told) // 16]) + told)
                await writer.drain()
                await asyncio.sleep(self.pace_s)
        self.listeners -= 1
