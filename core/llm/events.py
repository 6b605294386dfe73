"""Parses server-sent events, as servers really send them.

Format: WHATWG HTML, "Server-sent events": lines of `field: value` that end in LF, CR or CRLF, an empty line ends an
event, `:` begins a comment, a byte-order mark may stand in front. Beyond it: events that only a line end parts, bare
JSON among them, and llama.cpp's field `error:`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BOM = b"\xef\xbb\xbf"
ERROR = "error"
EVENT_LIMIT = 16 * 2**20  # bytes of one event; a model's tokens take a few hundred

_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event that brought something."""

    data: str
    name: str = ""


class EventReader:
    """Takes bytes as they come and returns the events they complete; events without data are passed over."""

    def __init__(self) -> None:
        self._line: list[bytes] = []  # pieces of the line that is not complete yet
        self._data: list[str] = []
        self._name = ""
        self._size = 0  # bytes of what is kept here
        self._after_cr = False
        self._first = True

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events that are complete now. Raises `ValueError` if one grows beyond `EVENT_LIMIT`."""
        if self._after_cr:
            data = data.removeprefix(b"\n") if data else data
            self._after_cr = not data and self._after_cr
        if not data:
            return []
        self._after_cr = data.endswith(b"\r")
        events: list[ServerSentEvent] = []
        *ended, rest = _LINE_END.split(data)
        for piece in ended:
            self._line.append(piece)
            self._take(self._whole_line(), events)
        self._line.append(rest)
        self._size += len(rest)
        if self._size > EVENT_LIMIT:
            raise ValueError("an event is too large")
        return events

    def flush(self) -> list[ServerSentEvent]:
        """The event that the end of the stream completes: not every server sends the empty line behind its last one."""
        events: list[ServerSentEvent] = []
        self._take(self._whole_line(), events)
        self._dispatch(events)
        return events

    def _whole_line(self) -> bytes:
        line = b"".join(self._line)
        self._line.clear()
        if self._first and line.startswith(BOM):
            line = line.removeprefix(BOM)
        self._first = False
        return line

    def _take(self, line: bytes, events: list[ServerSentEvent]) -> None:
        if not line.strip():
            self._dispatch(events)
            return
        if line.lstrip().startswith(b"{"):  # JSON without its field name, as proxies write errors
            self._dispatch(events)
            events.append(ServerSentEvent(line.decode(errors="replace")))
            return
        field, _, value = line.decode(errors="replace").partition(":")
        field, value = field.strip().lower(), value.removeprefix(" ")
        if field == "data":
            if self._data and _complete(self._data[-1]):
                self._dispatch(events)
            self._data.append(value)
            self._size += len(line)
        elif field == "event":
            self._name = value.strip()
        elif field == ERROR:
            events.append(ServerSentEvent(value, ERROR))

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        data = "\n".join(self._data)
        if data.strip():
            events.append(ServerSentEvent(data, self._name))
        self._data.clear()
        self._name = ""
        self._size = 0


def _complete(line: str) -> bool:
    """Whether a line of data is an event by itself, so that another one begins a new event."""
    line = line.strip()
    return line == "[DONE]" or (line.startswith("{") and line.endswith("}"))
