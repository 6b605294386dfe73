"""Reads marks aloud: one reader for each sign that a mark may begin with.

A reader is given where its sign stands, and returns what is said and where the text goes on; None if more of the text is needed to
tell, or if there is no more and the sign is just a sign.
"""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.names import sayable
from core.speech import formula, marks
from core.speech.scan import CODE, LINK, SPOILER, Scan

if TYPE_CHECKING:
    from collections.abc import Callable

FENCE = "```"
SILENT = "\\`*_~|"
_UNITS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))

Said = tuple[str, int] | None


def _tick(scan: Scan, start: int) -> Said:
    text = scan.text
    end = start + len(_run(text, start))
    count = end - start
    if count >= len(FENCE):
        if not scan.final and (end == len(text) or marks.BLOCK_BEGUN.match(text, start)):
            return None
        longer = marks.LONG_FENCE.match(text, start)
        scan.in_code = longer[1] if longer else FENCE
        return f"{CODE}\n", start + len(scan.in_code)
    if end == len(text):
        return ("", end) if scan.final else None
    line = text.find("\n", end, end + marks.LONGEST_CODE)
    last = min(len(text), end + marks.LONGEST_CODE) if line < 0 else line
    closing = end
    while (closing := text.find("`", closing, last)) >= 0:
        run = len(_run(text, closing))
        if closing + run == len(text) and not scan.final:
            return None
        if run == count:
            return _code(text[end:closing]), closing + run
        closing += run
    return None if last == len(text) < end + marks.LONGEST_CODE and not scan.final else ("", end)


def _bar(scan: Scan, start: int) -> Said:
    text = scan.text
    if not scan.final and "||".startswith(text[start : start + 3]):
        return None
    if not text.startswith("||", start):
        return ("" if scan.in_row else "|"), start + 1
    following = text[start + 2 : start + 3]
    if not following:
        return "", start + 2
    scan.sure = bool(following.strip())
    scan.spoiled = [following]
    before = " " if text[start - 1 : start].isalnum() and start else ""
    return f"{before}{SPOILER}" if scan.sure else before, start + 3


def _star(scan: Scan, start: int) -> Said:
    text = scan.text
    end = start + len(_run(text, start))
    if end == len(text) and not scan.final:
        return None
    before, after = text[start - 1 : start] or " ", text[end : end + 1]
    count = end - start
    if count == 1:
        around = before + after
        sign = len(around) == 2 and (around.isspace() or around.isdigit())
        return ("*" if sign else ""), end
    if count == 2 and before + after == "  " and text[start - 2 : start - 1].isalnum():
        return "to the power of", end
    letter = before.isalpha() and not text[start - 2 : start - 1].isalnum() and after.isdigit()
    raised = count == 2 and (
        letter or ((before.isdigit() or before == ")") and (after.isdigit() or after in ("-", "(")))
    )
    if raised and not scan.bold:
        return " to the power of ", end
    if count == 2:
        scan.bold = not scan.bold and bool(after.strip())
    return "", end


def _underscore(scan: Scan, start: int) -> Said:
    end = start + len(_run(scan.text, start))
    if end == len(scan.text) and not scan.final:
        return None
    before, after = scan.text[start - 1 : start] if start else " ", scan.text[end : end + 1]
    return (" " if before.isalnum() and after.isalnum() else ""), end


def _wave(scan: Scan, start: int) -> Said:
    end = start + len(_run(scan.text, start))
    if end == len(scan.text) and not scan.final:
        return None
    if end - start >= len(FENCE) and scan.text[start - 1 : start] in ("", "\n"):
        if not scan.final and marks.BLOCK_BEGUN.match(scan.text, start):
            return None
        if marks.TILDES.match(scan.text, start):
            scan.in_code = f"\n{scan.text[start:end]}"
            return f"{CODE}\n", end
    return ("~" if end - start == 1 else ""), end


def _angle(scan: Scan, start: int) -> Said:
    text = scan.text
    following = text[start + 1 : start + 2]
    if following == "!" and (found := marks.COMMENT.match(text, start)) is not None:
        return "", found.end()
    if (following in _MENTIONING or text[start + 1 : start + 3] in _TIMES) and (
        found := marks.MENTION.match(text, start)
    ) is not None:
        return _mention(scan, found), found.end()
    sigil = following in ("@", "#", ":")  # of a mention or an emoji, and of nothing else
    if not sigil and marks.ANGLED.match(text, start) is not None:
        if (found := marks.TAG.match(text, start)) is not None:
            return ("\n" if found["break"] else ""), found.end()
        if (found := marks.QUIET_LINK.match(text, start)) is not None:
            return scan.begin_link(found.end())
    if scan.final or len(text) - start > marks.LONGEST_TAG:
        return "<", start + 1
    begun = (marks.COMMENT_BEGUN, marks.MENTION_BEGUN, marks.TAG_BEGUN, marks.QUIET_LINK_BEGUN)
    return None if any(each.match(text, start) for each in begun) else ("<", start + 1)


def _bracket(scan: Scan, start: int) -> Said:
    text = scan.text
    found = marks.LABELLED.match(text, start)
    if found is not None:
        return scan.within(found[1].strip("[]") if found[1].startswith("[") else found[1]), found.end()
    if not scan.final and len(text) - start < marks.LONGEST_LABELLED and marks.LABELLED_BEGUN.match(text, start):
        return None
    return text[start], start + 1


def _at_sign(scan: Scan, start: int) -> Said:
    text = scan.text
    if start + 1 == len(text):
        return None
    named = text[start + 1].isalnum() or text[start + 1] == "_"
    return ("" if named and not (start and text[start - 1].isalnum()) else "@"), start + 1


def _backslash(scan: Scan, start: int) -> Said:
    text = scan.text
    following = text[start + 1 : start + 2]
    if following in ("(", "["):
        read = _formula_within(scan, start, "\\)" if following == "(" else "\\]", start + 2)
        if read is None and not scan.final:
            return None
        if read is not None and read[1] > start + 1:
            return read
    if (found := marks.ESCAPED.match(text, start)) is not None:
        return ("" if found[1] in SILENT else found[1]), found.end()
    if not scan.final and marks.COMMAND_BEGUN.match(text, start):
        return None
    found = marks.COMMAND.match(text, start)
    if found is not None and formula.is_known(found[0][1:].partition("{")[0]):
        return f"{_formula(scan, found[0])}{' ' if text[found.end() : found.end() + 1].isalnum() else ''}", found.end()
    return "\\", start + 1


def _dollar(scan: Scan, start: int) -> Said:
    text = scan.text
    if not (scan.final or scan.hurried) and (start + 1 == len(text) or marks.MONEY_BEGUN.match(text, start)):
        return None
    if text.startswith("$$", start):
        return _formula_within(scan, start, "$$", start + 2)
    if marks.MONEY.match(text, start) or text[start - 1 : start].isalnum():
        return "$", start + 1
    line = text.find("\n", start, start + marks.LONGEST_FORMULA)
    last = line if line >= 0 else min(len(text), start + marks.LONGEST_FORMULA)
    end = text.find("$", start + 1, last)
    if end < 0:
        return None if last == len(text) < start + marks.LONGEST_FORMULA else ("$", start + 1)
    if end + 1 == len(text) and not scan.final:
        return None
    if text[end - 1].isspace() or text[end + 1 : end + 2].isdigit():
        return "$", start + 1
    return formula.words(text[start + 1 : end]), end + 1


def _ampersand(scan: Scan, start: int) -> Said:
    found = marks.ENTITY.match(scan.text, start)
    if found is not None:
        return html.unescape(found[0]), found.end()
    return None if marks.ENTITY_BEGUN.match(scan.text, start) else ("&", start + 1)


def _colon(scan: Scan, start: int) -> Said:
    text = scan.text
    if text.startswith("://", start) and text[start - 1 : start].isalpha():
        known = marks.KNOWN_SCHEME.search(text, max(0, start - marks.LOOK_BACK), start)
        scan.address = known.start() if known else None
        return scan.begin_link(start + 3, LINK if known else " link")
    if not scan.final and text[start:] in (":", ":/") and text[start - 1 : start].isalpha():
        return None
    return ":", start + 1


def _slash(scan: Scan, start: int) -> Said:
    if scan.text.rfind(".", max(0, start - marks.LONGEST_TOP), start) < 0:
        return "/", start + 1
    back = max(0, start - marks.LOOK_BACK)
    back = max(back, scan.text.rfind(" ", back, start))
    known = marks.KNOWN_HOST.search(scan.text, back, start)
    if known is not None:
        scan.address = known.start()
        return scan.begin_link(start + 1)
    if marks.DOMAIN.search(scan.text, back, start):
        return scan.begin_link(start + 1, "")
    return "/", start + 1


def _caret(scan: Scan, start: int) -> Said:
    text = scan.text
    if len(text) <= start + 2 and not scan.final and text[start + 1 :] in ("", "-"):
        return None
    before = text[start - 1 : start] if start else ""
    raised = marks.POWER.match(text, start) is not None and (before.isalnum() or before == ")")
    return (" to the power of " if raised else "^"), start + 1


def _newline(scan: Scan, start: int) -> Said:
    scan.line_start, scan.in_row = True, False
    found = _NEW_LINES.match(scan.text, start)
    return "\n", found.end() if found else start + 1


def _www(scan: Scan, start: int) -> Said:
    return scan.begin_link(start + 4)


def _mention(scan: Scan, match: re.Match[str]) -> str:
    """Somebody's or something's name; the same one is looked up once a text."""
    if (known := scan.read.get(match[0])) is None:
        known = scan.remember(match[0], _looked_up(scan, match))
    return known


def _formula(scan: Scan, written: str) -> str:
    """How a formula is said; the same one is read once a text."""
    if (known := scan.read.get(written)) is None:
        known = scan.remember(written, formula.words(written))
    return known


def _looked_up(scan: Scan, match: re.Match[str]) -> str:
    kind, value = next((kind, value) for kind, value in match.groupdict().items() if value and kind != "style")
    if kind == "user":
        return sayable(scan.names.user(int(value)), "someone")
    if kind == "role":
        return sayable(scan.names.role(int(value)), "a role")
    if kind == "channel":
        return sayable(scan.names.channel(int(value)), "a channel")
    if kind == "time":
        return spoken_time(int(value), match["style"] or "f", scan.now())
    return "" if kind == "guide" else value.replace("_", " ")


def _formula_within(scan: Scan, start: int, closing: str, place: int) -> Said:
    """A formula that begins at `place`; None if its end is not there yet, or it has none."""
    end = scan.text.find(closing, place, place + marks.LONGEST_FORMULA)
    if end < 0:
        return None if len(scan.text) - place < marks.LONGEST_FORMULA else (scan.text[start], start + 1)
    return _formula(scan, scan.text[place:end]), end + len(closing)


def spoken_time(timestamp: int, style: str, now: datetime) -> str:
    """A timestamp of Discord's, as people say it."""
    try:
        when = datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError):
        return "some time"
    if style == "R":
        seconds = (when - now).total_seconds()
        size, unit = next((unit for unit in _UNITS if abs(seconds) >= unit[0]), _UNITS[-1])
        count = round(abs(seconds) / size)
        words = f"{count} {unit}{'' if count == 1 else 's'}"
        return "now" if not count else f"in {words}" if seconds > 0 else f"{words} ago"
    date, clock = f"{when.day} {when:%B %Y}", f"{when:%H:%M} UTC"
    return {"t": clock, "T": clock, "d": date, "D": date}.get(style, f"{date} at {clock}")


def _run(text: str, start: int) -> str:
    """The signs of one kind that stand together."""
    found = _RUNS[text[start]].match(text, start)
    return found[0] if found else ""


def _code(text: str) -> str:
    """Code inside a line, as it is read."""
    text = re.sub(r"[a-zA-Z]{2,12}://\S++", LINK, text)
    return re.sub(r"(?<=\d)\s?\*\*\s?(?=\d)", " to the power of ", text)


_MENTIONING = ("@", "#", ":", "/")  # what follows the bracket of a mention, an emoji or a command ...
_TIMES = ("a:", "t:", "id")  # ... an emoji that moves, a time, a guide
_NEW_LINES = re.compile(r"\n++")
_RUNS = {sign: re.compile(f"{re.escape(sign)}++") for sign in "`*_~"}
READERS: dict[str, Callable[[Scan, int], Said]] = {
    "`": _tick,
    "|": _bar,
    "*": _star,
    "_": _underscore,
    "~": _wave,
    "<": _angle,
    "[": _bracket,
    "!": _bracket,
    "@": _at_sign,
    "\\": _backslash,
    "\n": _newline,
    "$": _dollar,
    "&": _ampersand,
    ":": _colon,
    "/": _slash,
    "^": _caret,
    "w": _www,
    "W": _www,
}
