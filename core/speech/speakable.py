"""What people and models write becomes what may be said: names for mentions, "a link" for links, no markdown marks.

Works on text as it comes, split anywhere: a mark whose end is not there yet is held back until it is. Unicode emoji are
dropped (a text of nothing else says nothing), custom emoji are read by name, numbers are left to the engine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.speech.plain import PlainText

if TYPE_CHECKING:
    from collections.abc import Callable

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
    """Who and what the ids in mentions are; each looks one up and always gives something sayable."""

    user: Callable[[int], str] = _someone
    role: Callable[[int], str] = _a_role
    channel: Callable[[int], str] = _a_channel


_UNITS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_URL_TAIL = re.compile(r"[.,;:!?'\"*_~|`»”)\]]+$")
_FENCE = "```"
# Words between blanks and harmless punctuation; nothing in them can be a mark, wherever the text is split.
_HARMLESS = re.compile(r"(?:(?!https?://|www\.)[^\W_]++[ ,;.!?'\"():/-]++(?=[^\W_]))+")
_WORD = re.compile(r"[^\W_]+|[ \t]+|.", re.DOTALL)


class Speakable:
    """Turns one text, piece by piece, into what may be said. One object a text.

    Args:
        names: Looks mentions up.
        now: The time that relative timestamps (`<t:..:R>`) count from.
    """

    def __init__(self, names: Names | None = None, *, now: Callable[[], datetime] | None = None) -> None:
        self._names = names or Names()
        self._now = now or (lambda: datetime.now(UTC))
        self._held = ""
        self._line_start: bool = True
        self._in_code = False
        self._before = " "  # the last character passed, which tells a mark from a sign inside a word
        self._plain = PlainText()

    def push(self, text: str) -> str:
        """What can be said now that `text` has come."""
        self._held += text
        return self._plain.clean(self._advance(final=False))

    def finish(self) -> str:
        """What is left; marks that were never closed are read as they stand."""
        return self._plain.clean(self._advance(final=True))

    def _advance(self, *, final: bool) -> str:
        said: list[str] = []
        while self._held:
            if self._in_code:
                if not self._skip_code():
                    break
                continue
            harmless = _HARMLESS.match(self._held)
            words = self._pass(harmless) if harmless else self._mark(final=final)
            if words is None:
                break
            said.append(words)
        return "".join(said)

    def _mark(self, *, final: bool) -> str | None:
        """Says what the held text begins with; None if more of it is needed to tell."""
        held = self._held
        inside_word = self._before.isalnum()
        rules = [
            rule
            for rule in _RULES
            if (self._line_start or not rule.line_start) and not (rule.word_start and inside_word)
        ]
        if not final and any(rule.opened.fullmatch(held) for rule in rules):
            return None
        for rule in rules:
            match = rule.complete.match(held)
            if match is None:
                continue
            words = rule.say(self, match)
            self._held = held[match.end() :]
            if rule.again:
                words = self._within(words)
            self._line_start = words.endswith("\n") or (rule.line_start and not rule.again)
            self._before = held[match.end() - 1]
            return words
        return self._pass(_WORD.match(held))

    def _within(self, text: str) -> str:
        """The inside of a mark, looked through for marks by itself."""
        rest, self._held = self._held, text
        self._line_start = False
        said = self._advance(final=True)
        self._in_code = False
        self._held = rest
        return said

    def _pass(self, match: re.Match[str] | None) -> str:
        words = match[0] if match else self._held
        self._held = self._held[len(words) :]
        self._before = words[-1]
        self._line_start = self._line_start and words.isspace()
        return words

    def _skip_code(self) -> bool:
        """Throws code away up to the end of its block; False if that has not come yet."""
        before, fence, after = self._held.partition(_FENCE)
        self._in_code = not fence
        self._held = after if fence else before[-(len(_FENCE) - 1) :]
        return bool(fence)

    # What marks say ---------------------------------------------------------------------------------------------------

    def nothing(self, _match: re.Match[str]) -> str:
        """A mark that only decorates."""
        return ""

    def inner(self, match: re.Match[str]) -> str:
        """The text inside a mark."""
        return match[1]

    def fence(self, _match: re.Match[str]) -> str:
        """A block of code is named, not read."""
        self._in_code = True
        return f"{CODE}\n"

    def spoiler(self, _match: re.Match[str]) -> str:
        """A spoiler stays one."""
        return SPOILER

    def link(self, match: re.Match[str]) -> str:
        """A bare link, and the punctuation after it."""
        tail = _URL_TAIL.search(match[0])
        return LINK + (tail[0] if tail else "")

    def newline(self, _match: re.Match[str]) -> str:
        """The end of a line."""
        return "\n"

    def row(self, match: re.Match[str]) -> str:
        """A row of a table: its cells."""
        cells = (cell.strip() for cell in match[1].split("|"))
        return ", ".join(cell for cell in cells if cell)

    def underscore(self, match: re.Match[str]) -> str:
        """A blank inside a word, else a mark."""
        return " " if self._before.isalnum() and (match[1] or " ").isalnum() else ""

    def star(self, match: re.Match[str]) -> str:
        """A sign of multiplication between numbers or blanks, else a mark."""
        around = self._before + (match[2] or "")
        sign = len(match[1]) == 1 and len(around) == 2 and (around.isspace() or around.isdigit())
        return match[1] if sign else ""

    def at(self, match: re.Match[str]) -> str:
        """Silent before a name, kept in an address."""
        return match[0] if self._before.isalnum() else ""

    def escaped(self, match: re.Match[str]) -> str:
        """A sign that was protected from being a mark; signs that are only marks have no sound."""
        return "" if match[1] in "\\`*_~|" else match[1]

    def mention(self, match: re.Match[str]) -> str:
        """Somebody's or something's name."""
        kind, value = next((kind, value) for kind, value in match.groupdict().items() if value and kind != "style")
        if kind == "user":
            return self._names.user(int(value))
        if kind == "role":
            return self._names.role(int(value))
        if kind == "channel":
            return self._names.channel(int(value))
        if kind == "time":
            return self._time(int(value), match["style"] or "f")
        if kind == "url":
            return LINK
        return "" if kind == "guide" else value.replace("_", " ")

    def _time(self, timestamp: int, style: str) -> str:
        try:
            when = datetime.fromtimestamp(timestamp, UTC)
        except (ValueError, OverflowError, OSError):
            return "some time"
        if style == "R":
            seconds = (when - self._now()).total_seconds()
            size, unit = next((unit for unit in _UNITS if abs(seconds) >= unit[0]), _UNITS[-1])
            count = round(abs(seconds) / size)
            words = f"{count} {unit}{'' if count == 1 else 's'}"
            return "now" if not count else f"in {words}" if seconds > 0 else f"{words} ago"
        date, clock = f"{when.day} {when:%B %Y}", f"{when:%H:%M} UTC"
        return {"t": clock, "T": clock, "d": date, "D": date}.get(style, f"{date} at {clock}")


@dataclass(frozen=True, slots=True)
class _Rule:
    """A mark: what it looks like when complete, and what the whole text so far may look like while it is not."""

    complete: re.Pattern[str]
    opened: re.Pattern[str]
    say: Callable[[Speakable, re.Match[str]], str]
    line_start: bool = False
    word_start: bool = False
    again: bool = False  # what it says is itself looked through for marks


def _rule(complete: str, opened: str, say: Callable[[Speakable, re.Match[str]], str], **how: bool) -> _Rule:
    return _Rule(re.compile(complete, re.DOTALL), re.compile(opened, re.DOTALL), say, **how)


_MENTION = (
    r"<(?:@!?(?P<user>\d{1,20})|@&(?P<role>\d{1,20})|#(?P<channel>\d{1,20})|a?:(?P<emoji>\w+):\d+"
    r"|t:(?P<time>-?\d{1,13})(?::(?P<style>\w))?|/(?P<command>[^:<>\n]{1,100}):\d+|id:(?P<guide>\w+)"
    r"|(?P<url>[a-z]{2,8}:[^<>\s]+))>"
)
_MENTION_OPENED = (
    r"<(?:@[!&]?\d*|#\d*|a?(?::\w*(?::\d*)?)?|t(?::-?\d*(?::\w?)?)?|/[^:<>\n]{0,100}(?::\d*)?"
    r"|[a-z]{0,8}(?::[^<>\s]{0,2000})?)"
)
_BULLET = r"[-*+•‣◦]"
_RULES = (
    _rule("```", "`{1,2}", Speakable.fence),
    _rule("`+", "(?!)", Speakable.nothing),
    _rule(r"\r?\n", r"\r", Speakable.newline),
    # Lines of nothing but marks: rules, underlines of headings, borders of tables.
    _rule(r"[ \t]*(?:[-*_=:|+][ \t]*){3,}(?=\n|$)", r"[ \t]*(?:[-*_=:|+][ \t]*)*", Speakable.nothing, line_start=True),
    _rule(
        rf"[ \t]*(?:-#[ \t]+|#{{1,6}}[ \t]+|>{{1,3}}[ \t]+|{_BULLET}[ \t]+(?:\[[ xX]\][ \t]+)?)",
        rf"[ \t]*(?:-#[ \t]*|#{{1,6}}[ \t]*|>{{1,3}}[ \t]*|{_BULLET}(?:[ \t]+(?:\[(?:[ xX](?:\][ \t]*)?)?)?)?)?",
        Speakable.nothing,
        line_start=True,
    ),
    _rule(r"[ \t]*\|(?!\|)([^\n]*)", r"[ \t]*(?:\|(?:[^|\n][^\n]*)?)?", Speakable.row, line_start=True, again=True),
    _rule(_MENTION, _MENTION_OPENED, Speakable.mention),
    _rule(
        r"(?:https?://|www\.)[^\s<>]+",
        r"h|ht|htt|https?(?::/?)?|w|ww|www|(?:https?://|www\.)[^\s<>]*",
        Speakable.link,
        word_start=True,
    ),
    _rule(
        r"!?\[([^\[\]\n]{0,300})\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?: \"[^\"\n]*\")?\)",
        r"!|!?\[[^\[\]\n]{0,300}(?:\](?:\([^()\s]{0,2000}(?:\([^()\s]*\)?[^()\s]*)*(?: (?:\"[^\"\n]{0,200}\"?)?)?)?)?",
        Speakable.inner,
        again=True,
    ),
    _rule(r"\|\|(?:(?!\|\|).){1,300}\|\|", r"\|\|?|\|\|(?:(?!\|\|).){1,300}", Speakable.spoiler),
    _rule(r"@(?=\w)", "@", Speakable.at),
    _rule(r"\\([\\`*_~|<>#\[\]()@:.!+-])", r"\\", Speakable.escaped),
    _rule(r"_+(?=(.)|$)", "_+", Speakable.underscore),
    _rule(r"(\*+)(?=(.)|$)", r"\*+", Speakable.star),
    _rule(r"~~+", "~+", Speakable.nothing),
    _rule("[0-9#*]\ufe0f?\u20e3", "[0-9#*]\ufe0f?", Speakable.nothing),
)


def is_sayable(text: str) -> bool:
    """Whether a letter or digit is left of a text once it is made speakable; emoji and marks alone have no sound."""
    speakable = Speakable()
    said = speakable.push(text) + speakable.finish()
    return any(character.isalnum() for character in said)
