"""The state of a text that is being made speakable: what of it is looked at, and what it is in the middle of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

LINK = "a link"
CODE = "a code block"
SPOILER = "a spoiler"


def _someone(_id: int) -> str:
    return "someone"


def _a_role(_id: int) -> str:
    return "a role"


def _a_channel(_id: int) -> str:
    return "a channel"


@dataclass(frozen=True, slots=True)
class Names:
    """Who and what the ids in mentions are; each looks one up. What has no letter or digit is said as "someone" and so on."""

    user: Callable[[int], str] = _someone
    role: Callable[[int], str] = _a_role
    channel: Callable[[int], str] = _a_channel


_MOST_READ = 200


class Scan:
    """Where in a text the reader is.

    Args:
        names: Looks mentions up.
        now: The time that relative timestamps count from.
        within: Makes the inside of a mark speakable.
    """

    __slots__ = (
        "address", "at", "bold", "final", "hurried", "in_code", "in_link", "in_row", "line_start", "link_tail", "names", "now", "read", "spoiled",
        "sure", "text", "within",
    )  # fmt: skip

    def __init__(self, names: Names, now: Callable[[], datetime], within: Callable[[str], str]) -> None:
        self.names = names
        self.now = now
        self.within = within
        self.text = ""  # what is looked at, with a little of what is done with in front of it
        self.at = 0  # up to where it is done with
        self.final = False  # no more text will come
        self.hurried = False  # none will come for a while
        self.line_start = True
        self.in_row = False  # of a table
        self.bold = False
        self.in_code = ""  # the mark that ends the code we are in
        self.in_link = False
        self.link_tail = ""
        self.address: int | None = None  # where a link begins whose first word was taken for one
        self.spoiled: list[str] | None = None  # a spoiler that is not closed yet; kept in case that it is none
        self.sure = False  # it is one, closed or not
        self.read: dict[str, str] = {}  # how mentions and formulas of this text are said

    def begin_link(self, end: int, said: str = LINK) -> tuple[str, int]:
        """A link goes on from `end`; returns what is said for it, and where to go on."""
        self.in_link, self.link_tail = True, ""
        return said, end

    def remember(self, written: str, said: str) -> str:
        """Keep how something is said, for when it comes again in this text; few such things, so that it stays small."""
        if len(self.read) < _MOST_READ:
            self.read[written] = said
        return said
