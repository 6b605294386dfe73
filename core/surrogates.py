"""Text that cannot be encoded: halves of surrogate pairs, joined where they belong together, else replaced.

JSON may write an emoji as two escapes, and a server may put them into two messages; a client may send one alone. Python
holds such halves in a `str`, until something wants it in UTF-8: a database, a socket, a file.
"""

from __future__ import annotations

import re

_HALF = re.compile("[\ud800-\udfff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
REPLACEMENT = "\ufffd"


def mended(text: str) -> str:
    """The text with halves that belong together joined, and lonely ones replaced by U+FFFD."""
    if text.isascii() or not _HALF.search(text):
        return text
    return _HALF.sub(REPLACEMENT, _PAIR.sub(_joined, text))


def ends_in_half(text: str) -> bool:
    """Whether the text ends in the first half of a pair, whose second half may follow."""
    return "\ud800" <= text[-1:] <= "\udbff"


def _joined(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16", "surrogatepass").decode("utf-16")
