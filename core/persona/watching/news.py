"""What a look at an address gives: entries of a feed, or how parts of a page look. Plain values that cross processes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

MAX_TEXT = 500


@dataclass(frozen=True, slots=True)
class FeedItem:
    """An entry of a feed; all of it is a stranger's. `key` is the same as long as it is the same entry."""

    key: str
    title: str
    url: str
    text: str = ""
    picture: str = ""
    published_s: float | None = None  # Unix time


@dataclass(frozen=True, slots=True)
class PagePart:
    """How one part of a page looks. `state` is compared, `shown` is told; an empty state tells nothing."""

    state: str
    shown: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """One look. A feed has items, newest first; a page has parts, in the order that was asked for."""

    kind: str  # "feed" or "page"
    title: str
    picture: str = ""
    items: tuple[FeedItem, ...] = ()
    parts: tuple[PagePart, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The part of a page that a watch is about: what a selector finds, and words in it."""

    selector: str = ""
    words: tuple[str, ...] = ()


def key_of(*parts: str) -> str:
    """A short name for texts of any length."""
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()
