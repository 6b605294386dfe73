"""Makes what people and models write speakable: names for mentions, "a link" for links, no markdown marks.

Works on text as it comes, split anywhere: a mark whose end is not there yet is held back until it is, and what comes out is
the same however the text was split. The time it takes grows with the text and no faster. Unicode emoji are dropped (a text of
nothing else says nothing), custom emoji are read by name, numbers are left to the engine. Spoilers are never said.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.speech import marks
from core.speech.plain import PlainText
from core.speech.readers import READERS, SILENT
from core.speech.scan import SPOILER, Names, Scan

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Names", "Speakable", "is_sayable"]

_SLICE = 400  # characters that are looked at to find the first one that can be said
_TAIL = 8  # signs after a link that are kept
_HALVES = re.compile("[\ud800-\udfff]")


class Speakable:
    """Turns one text, piece by piece, into what may be said. One object a text.

    Args:
        names: Looks mentions up.
        now: The time that relative timestamps (`<t:..:R>`) count from.
    """

    def __init__(self, names: Names | None = None, *, now: Callable[[], datetime] | None = None) -> None:
        self._scan = Scan(names or Names(), now or (lambda: datetime.now(UTC)), self._within)
        self._torn = ""  # the end of the last piece, which may be half of a character
        self._plain = PlainText()

    def push(self, text: str) -> str:
        """What can be said now that `text` has come."""
        return self._plain.clean(self._take(text))

    @property
    def holding(self) -> bool:
        """Whether something is held back that may be half of a number."""
        scan = self._scan
        return self._torn.isascii() and (bool(self._torn) or marks.MONEY_BEGUN.match(scan.text, scan.at) is not None)

    def hurry(self) -> str:
        """What is held back because it may be half of a number; its other half has not come for a while."""
        if not self.holding:
            return ""
        scan = self._scan
        scan.hurried = True
        try:
            return self._plain.clean(self._take(""))
        finally:
            scan.hurried = False

    def finish(self) -> str:
        """What is left; marks that were never closed are read as they stand, spoilers never."""
        scan = self._scan
        scan.final = True
        return self._plain.clean(self._take("") + self._unspoiled())

    def _take(self, text: str) -> str:
        """Put half characters together, then look at what is new."""
        scan = self._scan
        text, self._torn = self._torn + text, ""
        if not text and not scan.final and not scan.hurried:
            return ""
        if text and not scan.final and not scan.hurried:
            torn = marks.TORN_KEY.search(text, max(0, len(text) - 2))
            end = torn.start() if torn else len(text) - ("\ud800" <= text[-1] <= "\udbff")
            text, self._torn = text[:end], text[end:]
        if "\u20e3" in text:
            text = marks.KEY.sub("", text)
        if not text.isascii() and _HALVES.search(text):
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if "\r" in text:
            text = text.replace("\r", "")
        done = max(0, scan.at - marks.LOOK_BACK)
        scan.text, scan.at = scan.text[done:] + text, scan.at - done
        return self._advance()

    def _advance(self) -> str:
        """Go on as far as the text allows."""
        scan = self._scan
        said: list[str] = []
        while scan.at < len(scan.text):
            if scan.spoiled is not None:
                going_on = self._skip_spoiler(scan.spoiled, said)
            elif scan.in_code:
                going_on = self._skip_code()
            elif scan.in_link:
                going_on = self._skip_link(said)
            elif scan.line_start:
                going_on = self._start_line(said)
            else:
                going_on = self._go_on(said)
            if not going_on:
                break
        if scan.final and scan.in_link:
            said.append(scan.link_tail)
        return "".join(said)

    def _go_on(self, said: list[str]) -> bool:
        """Pass plain words up to the next mark, and read that; False if more text is needed."""
        scan = self._scan
        text, size = scan.text, len(scan.text)
        while True:
            start = scan.at
            found = marks.SPECIAL.search(text, start)
            if found is None:
                return self._end_in_words(start, said)
            end = scan.at = found.start()
            read = READERS[text[end]](scan, end)
            if read is None and not scan.final:
                if text[end] in ":/" and (word := marks.LINK_BEGUN.search(text, max(start, end - 20), end)):
                    end = scan.at = word.start()  # it may all be one link
                said.append(text[start:end])
                return False
            told, scan.at = (text[end], end + 1) if read is None else read
            if scan.address is not None:  # the words end with the beginning of a link
                end, scan.address = scan.address, None
            said += (text[start:end], told)
            if scan.line_start or scan.in_link or scan.in_code or scan.spoiled is not None or scan.at >= size:
                return True

    def _end_in_words(self, start: int, said: list[str]) -> bool:
        """Pass plain words up to the end of the text; not the beginning of a link. False if that has to wait for more text."""
        scan = self._scan
        text = scan.text
        end = len(text)
        if not scan.final:
            begun = marks.LINK_BEGUN.search(text, max(start, end - 20))
            end = begun.start() if begun else end
        said.append(text[start:end])
        scan.at = end
        return end == len(text)

    def _start_line(self, said: list[str]) -> bool:
        """Leave out what makes a line a heading, a quote, an item or a rule; False if more text is needed."""
        scan = self._scan
        text, start = scan.text, scan.at
        first = text[start]
        if first.isalnum():  # nothing that leads a line begins so
            if (plain := marks.PLAIN_LINES.match(text, start)) is not None:
                said.append(plain[0])
                scan.at = plain.end()
                return scan.at < len(text)
            scan.line_start = False
            return True
        if first in "| \t" and (empty := marks.EMPTY_ROWS.match(text, start)) is not None:
            scan.at = empty.end()
            return scan.at < len(text)
        run = marks.MARKS_OF_A_LINE.match(text, start, start + marks.LONGEST_LINE_OF_MARKS)
        end = run.end() if run else start
        if end - start == marks.LONGEST_LINE_OF_MARKS:
            scan.at = end
            return True
        if end == len(text) and not scan.final and end > start:
            return False
        rule = None
        if end - start >= marks.SHORTEST_LINE_OF_MARKS and (end == len(text) or text[end] == "\n"):
            rule = marks.LINE_OF_MARKS.match(text, start, end + 1)
        if rule is not None and rule.end() == end:
            scan.at, scan.line_start = rule.end(), False
            return True
        begun = start
        if first in marks.LEADING and text[start + 1 : start + 2] in marks.BEHIND_LEADING:
            opening = marks.LINE_START.match(text, start)
            begun = opening.end() if opening else start
        if not scan.final and marks.LINE_START_BEGUN.match(text, begun):
            return False
        if begun > start:
            scan.at = begun
            return begun < len(text)
        row = marks.ROW.match(text, start, start + marks.LONGEST_ROW) if first in "| \t" else None
        if row is not None and row.end() == len(text) < start + marks.LONGEST_ROW and not scan.final:
            return False
        scan.line_start = False
        if row is not None:
            cells = (cell.strip() for cell in row[1].split("|"))
            said.append(self._within(", ".join(cell for cell in cells if cell)))
            said.append(", " if text.startswith("||", row.end()) else "")
            scan.at, scan.in_row = row.end(), True
        return True

    def _unspoiled(self) -> str:
        """What stands behind two bars with blanks around them, now that no others follow: they were a sign, no spoiler."""
        scan = self._scan
        if scan.spoiled is None or scan.sure:
            return ""
        scan.text, scan.at, scan.spoiled = "".join(scan.spoiled), 0, None
        return f"||{self._advance()}"

    def _within(self, text: str) -> str:
        """The inside of a mark, looked through for marks by itself."""
        if not marks.SPECIAL.search(text):
            return text
        inside = Speakable(self._scan.names, now=self._scan.now)
        inside._scan.text, inside._scan.line_start, inside._scan.final = text, False, True
        return inside._advance() + inside._unspoiled()

    # What is passed over ----------------------------------------------------------------------------------------------

    def _skip_code(self) -> bool:
        scan = self._scan
        end = scan.text.find(scan.in_code, scan.at)
        if end < 0:
            scan.at = max(scan.at, len(scan.text) - len(scan.in_code) + 1)
            if scan.final:
                scan.at = len(scan.text)
            return False
        scan.at, scan.in_code = end + len(scan.in_code), ""
        return True

    def _skip_spoiler(self, spoiled: list[str], said: list[str]) -> bool:
        scan = self._scan
        end = scan.text.find("||", scan.at)
        stop = end if end >= 0 else len(scan.text) if scan.final else max(scan.at, len(scan.text) - 1)
        if not scan.sure:
            spoiled.append(scan.text[scan.at : stop])
        scan.at = stop
        if end < 0:
            return False
        following = scan.text[end + 2 : end + 3]
        if not following and not scan.final:
            return False  # whether a word is right behind it
        scan.at, scan.spoiled = end + 2, None
        if not scan.sure:
            said.append(SPOILER)
        if following.isalnum():
            said.append(" ")
        return True

    def _skip_link(self, said: list[str]) -> bool:
        scan = self._scan
        found = marks.LINK_END.search(scan.text, scan.at)
        end = found.start() if found else len(scan.text)
        passed = scan.text[scan.at : end]
        inside = passed.rstrip(marks.LINK_TAIL)
        before = "" if inside else scan.link_tail
        tail = passed[len(inside) : len(inside) + _TAIL]
        scan.link_tail = (before + "".join(sign for sign in tail if sign not in SILENT))[:_TAIL]
        scan.at = end
        if found is None:
            return False
        scan.in_link = False
        said.append(scan.link_tail)
        scan.at += scan.text[end] == ">"
        return True


def is_sayable(text: str) -> bool:
    """Whether a letter or digit is left of a text once it is made speakable; emoji and marks alone have no sound."""
    speakable = Speakable()
    for start in range(0, len(text), _SLICE):
        if any(character.isalnum() for character in speakable.push(text[start : start + _SLICE])):
            return True
    return any(character.isalnum() for character in speakable.finish())
