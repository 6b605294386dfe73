"""Names, titles and reasons that others chose, made safe: to show in a message, to show as plain text, and to say.

Everything of people that the bot shows goes through `shown` (where Discord reads markdown) or `plain` (where it does not: choices
of a command, file names in a list, the titles of windows).
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 100  # characters shown of a name; Discord's own are shorter
NAMELESS = "someone"
_MOST_MARKS = 3  # accents on one letter
_JOINERS = "\u200c\u200d"  # shape letters of some scripts, and glue emoji
_FILLERS = (
    "\u115f\u1160\u2800\u3164\uffa0"  # letters and signs that nobody can see: Hangul fillers, an empty Braille cell
)
_FIRST_JOINED = "\u0590"
_MARKUP = re.compile(r"([\\*_~|`\[\]()<>:/#=^])")
_LINE_START = re.compile(r"^([-+.•]|\d{1,9}(?=[.)]))")
_TERM = re.compile(r"[A-Za-z0-9]++(?:[._+-][A-Za-z0-9]++)*+")
_MENTION = re.compile(r"(<@\d{1,20}>)")
_SAID = frozenset("'’.,&+-%!?")


def plain(name: str, limit: int = LONGEST) -> str:
    """A name as one line of visible characters, not longer than `limit`; markdown in it stays as it is."""
    kept: list[str] = []
    marks = 0
    for character in name[: 4 * limit]:
        if character.isspace() or character in _FILLERS:
            kept.append(" ")
            continue
        kind = unicodedata.category(character)
        joins = character in _JOINERS and bool(kept) and kept[-1] >= _FIRST_JOINED
        if kind in ("Cc", "Cf", "Cs", "Co", "Cn") and not joins:
            continue
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    words = " ".join("".join(kept).split())
    return words if len(words) <= limit else f"{words[: limit - 1].rstrip()}…"


def shown(name: str, limit: int = LONGEST) -> str:
    """A name as a message may show it: no link, ping, mention, emoji, time, heading, list, quote, code or spoiler of its own.

    `limit` counts the characters that people see; the signs that protect them come on top.
    """
    return _protected(plain(name, limit))


def shown_reason(reason: str, limit: int = 300) -> str:
    """A sentence that names people by their mentions, as a message may show it: the mentions stay, the rest is protected."""
    parts = _MENTION.split(plain(reason, limit))
    return "".join(part if index % 2 else _protected(part) for index, part in enumerate(parts))


def shown_text(text: str, limit: int = 1500) -> str:
    """A text of several lines as a message may show it, each line protected as a name is; `limit` counts every character."""
    lines: list[str] = []
    left = limit
    for line in text[:limit].split("\n"):
        safe = _protected(plain(line, limit))
        if len(safe) + 1 > left:
            lines.append(f"{_whole(safe, left - 1)}…")
            break
        left -= len(safe) + 1
        lines.append(safe)
    else:
        if len(text) > limit:
            lines[-1] += "…"
    return "\n".join(lines)


def code(name: str, limit: int = LONGEST) -> str:
    """A name between ticks, as something to be typed."""
    return f"`{plain(name, limit).replace('`', 'ˋ') or ' '}`"


def term(name: str, limit: int = LONGEST) -> str:
    """A technical name (of a voice, a model route, a hook) as a message may show it: as it is where nothing in it is markup."""
    return name if len(name) <= limit and _TERM.fullmatch(name) else shown(name, limit)


def sayable(name: str, nameless: str = NAMELESS) -> str:
    """A name that can be said, and that is no markup when it stands in a text; `nameless` if nothing of it can.

    Letters and digits of any script stay, dressed-up ones (mathematical, full width) as what they are.
    """
    folded = unicodedata.normalize("NFKC", plain(name, 60))
    kept = "".join(character if _said(character) else " " for character in folded)
    words = " ".join(kept.split()).strip("-+.,&%!? ")
    return words if any(character.isalnum() for character in words) else nameless


def _said(character: str) -> bool:
    return character.isalnum() or character in _SAID or unicodedata.category(character) in ("Mn", "Mc")


def _protected(name: str) -> str:
    safe = _MARKUP.sub(r"\\\1", name)
    safe = _LINE_START.sub(lambda found: found[0] + "\\" if found[0].isdigit() else f"\\{found[0]}", safe)
    return safe.replace("@", "@\u200b")


def _whole(safe: str, length: int) -> str:
    """The beginning of a protected text, not ending between a backslash and what it protects."""
    cut = safe[: max(0, length)]
    return cut[:-1] if (len(cut) - len(cut.rstrip("\\"))) % 2 else cut
