"""Cuts the titles out of what internet radio sends (ICY): sound in, sound out, and what is playing on the side."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.names import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_INTERVAL = 1_000_000  # bytes of sound between two titles; 8,192 or 16,000 are usual
MAX_TITLE = 200
_TITLE = re.compile(r"StreamTitle='(.*?)';(?:\s*\w+='|\s*\Z)", re.DOTALL)


class TitleCutter:
    """Takes a stream apart. Without an interval everything is sound."""

    def __init__(self, interval: int = 0) -> None:
        self._interval = interval
        self._until = interval  # bytes of sound until the next title
        self._left = 0  # bytes of a title that are still to come
        self._title = bytearray()
        self.title = ""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> TitleCutter:
        """For the stream that these headers announce."""
        text = headers.get("icy-metaint", "").strip()
        interval = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
        return cls(interval if interval <= MAX_INTERVAL else 0)

    def feed(self, data: bytes) -> bytes:
        """The sound in what came; `title` is up to date afterwards."""
        if not self._interval:
            return data
        sound = bytearray()
        view = memoryview(data)
        while view:
            if self._left:
                part, view = view[: self._left], view[self._left :]
                self._title += part
                self._left -= len(part)
                if not self._left:
                    self._read()
            elif self._until:
                part, view = view[: self._until], view[self._until :]
                sound += part
                self._until -= len(part)
            else:
                self._left, view = view[0] * 16, view[1:]
                self._until = self._interval
        return bytes(sound)

    def _read(self) -> None:
        raw = bytes(self._title).rstrip(b"\0")
        self._title.clear()
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("cp1252", "replace")
        if found := _TITLE.search(text):
            self.title = plain(found[1], MAX_TITLE) if found[1].strip() else ""


def station_name(headers: Mapping[str, str]) -> str:
    """What a station calls itself; plain text."""
    raw = headers.get("icy-name", "").strip()
    return plain(raw, MAX_TITLE) if raw else ""
