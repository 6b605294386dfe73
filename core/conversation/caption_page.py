"""What people say as lines of messages: each in its place, changed while it is said; nothing here knows Discord."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.names import shown, shown_text

if TYPE_CHECKING:
    from collections.abc import Callable

GOES_ON = " …"
NOT_UNDERSTOOD = "-# *not understood*"
LONGEST = 900  # characters of one line
MOST_LINES = 8  # of one message
MOST_LETTERS = 1900


@dataclass(slots=True)
class CaptionLine:
    """What one person says. `text` is empty if it turned out to be nothing."""

    user_id: int
    name: str
    text: str
    final: bool = False
    failed: bool = False

    @property
    def shown(self) -> str:
        """In Discord's markup, in which neither name nor words are any."""
        if self.failed and not self.text:
            return f"**{shown(self.name)}:** {NOT_UNDERSTOOD.removeprefix('-# ')}"
        if not self.text:
            return ""
        words = shown_text(" ".join(self.text.split()), LONGEST)
        return f"**{shown(self.name)}:** {words}{'' if self.final else GOES_ON}"


@dataclass(slots=True, eq=False)
class CaptionPage:
    """One message."""

    lines: dict[str, CaptionLine] = field(default_factory=dict[str, CaptionLine])
    message: Any = None  # as whoever posts it knows it
    posted: str = ""  # what it shows now

    @property
    def text(self) -> str:
        """What it should show."""
        return "\n".join(line for each in self.lines.values() if (line := each.shown))

    @property
    def dirty(self) -> bool:
        """Whether it shows something else than it should."""
        return self.text != self.posted

    @property
    def full(self) -> bool:
        """Whether the next line needs another message."""
        return len(self.lines) >= MOST_LINES or len(self.text) + LONGEST > MOST_LETTERS


class Captions:
    """The lines of one room, on pages.

    Args:
        most: Pages that may still change; older ones stay as they are.
    """

    def __init__(self, most: int = 400) -> None:
        self.pages: list[CaptionPage] = []
        self._most = most

    def say(self, key: str, user_id: int, name: str, text: str, *, final: bool) -> None:
        """Show what somebody says, in its line; what is final is not changed by a look that comes late."""
        line = self._line(key)
        if line is None:
            if text or final:  # also nothing is remembered as final: an older look may come late
                self._room().lines[key] = CaptionLine(user_id, name, text, final)
            return
        if not line.final:
            line.text, line.final = text, final

    def fail(self, key: str, user_id: int, name: str) -> None:
        """Somebody was not understood."""
        line = self._line(key)
        if line is None:
            line = self._room().lines[key] = CaptionLine(user_id, name, "")
        line.final = line.failed = True

    def forget(self, user_id: int) -> None:
        """Take somebody's lines away."""
        for page in self.pages:
            page.lines = {key: line for key, line in page.lines.items() if line.user_id != user_id}

    def of(self, user_id: int) -> list[str]:
        """What somebody said, on all pages that may still change."""
        return [
            line.text for page in self.pages for line in page.lines.values() if line.user_id == user_id and line.text
        ]

    def close(self) -> None:
        """Nothing goes on any more."""
        self._each(lambda line: setattr(line, "final", True))

    def settle(self) -> None:
        """What comes next begins a new message."""
        if self.pages and all(line.final for line in self.pages[-1].lines.values()) and self.pages[-1].lines:
            self.pages.append(CaptionPage())

    @property
    def dirty(self) -> list[CaptionPage]:
        """Pages to be posted or changed."""
        return [page for page in self.pages if page.dirty and (page.text or page.message is not None)]

    def _each(self, change: Callable[[CaptionLine], None]) -> None:
        for page in self.pages:
            for line in page.lines.values():
                change(line)

    def _line(self, key: str) -> CaptionLine | None:
        return next((page.lines[key] for page in reversed(self.pages) if key in page.lines), None)

    def _room(self) -> CaptionPage:
        if not self.pages or self.pages[-1].full:
            self.pages.append(CaptionPage())
            del self.pages[: -self._most]
        return self.pages[-1]
