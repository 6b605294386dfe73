"""A long text as messages of Discord: what is cut is closed and opened again, spoilers stay hidden, code stays as it is.

The time it takes grows with the text and no faster.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass

from core.discord_limits import MESSAGE_LIMIT

FENCE = "```"
BARS = "||"
_MARK = re.compile(r"\\.|`++|\|\|", re.DOTALL)
_LANGUAGE = re.compile(r"([a-zA-Z0-9_+\-.#]{1,200}+)\n")
_BLANKS = {True: re.compile(r"\n*+"), False: re.compile(" *+")}
_QUOTE, _LONGEST_QUOTE = re.compile(r"> ?"), 3
# Discord's own in angle brackets: it must stay in one piece.
_TOKEN = re.compile(r"<(?:a?:\w{1,40}:|@[!&]?|#|t:-?|id:|/[^<>\n:]{1,100}:)\w{1,24}(?::\w)?>")
_LONGEST_TOKEN = 140
_LONGEST_INLINE = 1000
_HALVES = re.compile("[\ud800-\udfff]")
_MASKED = re.compile(r"\](?=\(\s*+<?[A-Za-z][A-Za-z0-9+.-]{1,30}:)")  # the middle of [words](https://elsewhere)
_GLUED = "\u200d\ufe0e\ufe0f\u20e3"
_MOST_GLUED = 40


@dataclass(frozen=True, slots=True)
class _Span:
    """Something with an end of its own: `inner` to `close` is inside its marks."""

    start: int
    inner: int
    close: int
    end: int
    opening: str
    closing: str
    exact: bool = False  # white space counts
    quote: str = ""  # stands before each of its lines


def split(text: str, limit: int = MESSAGE_LIMIT, *, growing: bool = False) -> list[str]:
    """Cut a text into messages at line ends or spaces.

    Args:
        text: What is to be shown.
        limit: Characters of one message.
        growing: More text will come: what is open is closed for now, and half a mark at the end is not shown.
    """
    if _HALVES.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = _without_half_mark(text.strip()) if growing else text.strip()
    text = without_masked_links(text)
    spans = _Spans(text, growing=growing)
    pages: list[str] = []
    at, opening = 0, ""
    while at < len(text):
        closing = spans.closing(len(text))
        if len(opening) + len(text) - at + len(closing) <= limit:
            pages.append(f"{opening}{text[at:]}{closing}")
            break
        cut = _cut(text, at, at + limit - len(opening) - spans.longest_closing, spans)
        around = spans.around(cut)
        code = any(span.exact for span in around)
        page = text[at:cut] if code else text[at:cut].rstrip()
        closing = "".join(span.closing for span in reversed(around))
        if page.strip() or opening:
            pages.append(f"{opening}{page}{closing}")
        opening = "".join(span.opening for span in around)
        if code and text[cut] != "\n":
            opening += around[-1].quote
        at = cut + (text[cut] == "\n") if code else _BLANKS[text[cut] == "\n"].match(text, cut).end()  # pyright: ignore[reportOptionalMemberAccess] - always matches
    return [page for page in pages if page.strip()]


def without_masked_links(text: str) -> str:
    """The text with every link's address to be seen: words of strangers and models must not hide where a link leads."""
    if _MASKED.search(text) is None:
        return text
    spans, parts, done = _Spans(text, growing=False), list[str](), 0
    for found in _MASKED.finditer(text):
        if not any(span.exact for span in spans.around(found.start())):
            parts += (text[done : found.end()], "\\")
            done = found.end()
    return "".join((*parts, text[done:]))


class _Spans:
    """Code blocks, code inside lines, and spoilers of a text, as Discord finds them."""

    longest_closing = 16

    def __init__(self, text: str, *, growing: bool) -> None:
        self._text = text
        self._growing = growing
        self._outer: list[_Span] = []  # in order, none in another
        self._inner: list[_Span] = []  # what is inside of spoilers, likewise
        self._find(0, len(text), self._outer)

    def around(self, place: int) -> list[_Span]:
        """What is open at a place, outermost first."""
        return [span for span in self._near(place) if span.start < place < span.end]

    def closing(self, place: int) -> str:
        """The marks that are missing at the end of the text."""
        return "".join(span.closing for span in reversed(self._near(place)) if span.close == span.end == place)

    def _near(self, place: int) -> list[_Span]:
        """The last outer and the last inner span that begin before a place."""
        lasts = (bisect_left(spans, place, key=lambda span: span.start) for spans in (self._outer, self._inner))
        return [spans[last - 1] for spans, last in zip((self._outer, self._inner), lasts, strict=True) if last]

    def _find(self, start: int, end: int, spans: list[_Span]) -> None:
        text, at = self._text, start
        while (found := _MARK.search(text, at, end)) is not None:
            mark, at = found[0], found.end()
            if mark.startswith(FENCE):
                at = self._fence(found.start(), end, spans)
            elif mark.startswith("`"):
                at = self._inline(found.start(), mark, end, spans)
            elif mark == BARS and spans is self._outer:
                at = self._spoiler(found.start(), end)

    def _fence(self, start: int, end: int, spans: list[_Span]) -> int:
        language = _LANGUAGE.match(self._text, start + 3, end)
        name = language[1] if language else ""
        newline = self._text.startswith("\n", start + 3)
        inner = language.end() if language else start + 3 + newline
        close = self._text.find(FENCE, start + 3, end)
        close, after = (end, end) if close < 0 else (close, close + 3)
        line = self._text.rfind("\n", max(0, start - _LONGEST_QUOTE), start) + 1
        found = _QUOTE.fullmatch(self._text, line, start)
        quote = found[0] if found else ""
        marks = f"{quote}{FENCE}{name}\n", f"\n{quote}{FENCE}"
        spans.append(_Span(start, inner, close, after, *marks, exact=True, quote=quote))
        return after

    def _inline(self, start: int, mark: str, end: int, spans: list[_Span]) -> int:
        close = self._text.find(mark, start + len(mark), min(end, start + _LONGEST_INLINE))
        if close < 0:
            return start + len(mark)
        after = close + len(mark)
        spans.append(_Span(start, start + len(mark), close, after, mark, mark, exact=True))
        return after

    def _spoiler(self, start: int, end: int) -> int:
        close = self._text.find(BARS, start + 3, end)
        if close < 0:
            sure = bool(self._text[start + 2 : start + 3].strip())
            if not sure and not (self._growing and start + 2 < end):
                return start + 2
        close, after = (end, end) if close < 0 else (close, close + 2)
        self._outer.append(_Span(start, start + 2, close, after, BARS, BARS))
        self._find(start + 2, close, self._inner)
        return after


def _cut(text: str, at: int, room: int, spans: _Spans) -> int:
    """Where a page that may go up to `room` ends; beyond `at` in any case."""
    inside = spans.around(room)
    code = next((span for span in inside if span.exact), None)
    low = at + (room - at) // 2
    cut = text.rfind("\n", max(low, code.inner if code else 0), room)
    if cut < 0 and code is not None:
        cut = text.rfind("\n", max(at + 1, code.inner + 1), room)
    if cut < 0 and code is None:
        cut = text.rfind(" ", low, room)
    if cut <= at:
        cut = _between_characters(text, at, room)
    for span in spans.around(cut):
        if cut <= span.inner or (cut >= span.close and span.end > room):
            return span.start if span.start > at else max(at + 1, min(cut, span.close - 1))
        if cut >= span.close:
            return span.end
    return cut


def _between_characters(text: str, at: int, room: int) -> int:
    """`room`, or a little before, so that accents and joined emoji stay with their letter, and mentions whole."""
    end = room
    for token in _TOKEN.finditer(text, max(at, room - _LONGEST_TOKEN), room + _LONGEST_TOKEN):
        if at < token.start() < room < token.end():
            return token.start()
    while end > max(at + 1, room - _MOST_GLUED) and (_glued(text[end]) or text[end - 1] in "\u200c\u200d\\"):
        end -= 1
    return end if end > max(at + 1, room - _MOST_GLUED) else room


def _glued(character: str) -> bool:
    skin = "\U0001f3fb" <= character <= "\U0001f3ff"
    return character in _GLUED or skin or unicodedata.category(character) in ("Mn", "Mc", "Me")


def _without_half_mark(text: str) -> str:
    """A growing text without bars or a backslash at its end, which may be half of a mark."""
    return text.rstrip("|\\ ") if text.endswith(("|", "\\")) else text
