"""File names out of people's names: safe on every file system, whatever people call themselves."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

MAX_BYTES = 60
MAX_SHOWN = 100
NAMELESS = "someone"  # a name of emoji, dots or control characters alone
_OVERRIDES = (
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # turn the direction of whatever stands behind them
)
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)", re.IGNORECASE)  # on Windows


def shown_name(name: str) -> str:
    """A name as it may be kept in any file: no halves of characters, nothing that controls, at most 100 characters."""
    kept = [
        "\N{REPLACEMENT CHARACTER}" if "\ud800" <= character <= "\udfff" else character
        for character in name[: 4 * MAX_SHOWN]
        if unicodedata.category(character) not in ("Cc", "Zl", "Zp") and character not in _OVERRIDES
    ]
    return "".join(kept).strip()[:MAX_SHOWN]


def dated_name(started_at: datetime, channel: str, what: str = "") -> str:
    """What tells files of two evenings or channels apart, in local time as the recording's folder: day, channel, what."""
    parts = [f"{started_at.astimezone():%Y-%m-%d_%H-%M}", safe_name(channel, "channel"), safe_name(what, "")]
    return "_".join(part for part in parts if part)


def safe_name(name: str, fallback: str = NAMELESS) -> str:
    """The letters and digits of `name`, of any script, other runs of characters as one underscore; at most 60 bytes.

    Decorated letters become plain ones, invisible and directional characters go.
    """
    kept: list[str] = []
    for character in unicodedata.normalize("NFKC", name):
        category = unicodedata.category(character)
        if category[0] in "LN" or (category[0] == "M" and kept and kept[-1] != "_"):
            kept.append(character)
        elif character == "-":
            kept.append("-")
        elif category != "Cf" and kept and kept[-1] != "_":
            kept.append("_")
    # Emoji modifiers and combining marks that belong to nothing must not survive as a name of their own.
    plain = "".join(kept).encode()[:MAX_BYTES].decode(errors="ignore").strip("_- ")
    if not plain or all(unicodedata.category(character)[0] == "M" for character in plain):
        return fallback
    return f"{plain}_" if _RESERVED.fullmatch(plain) else plain
