"""Makes one look of what an address answered; for a process that may be ended."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from core.errors import WatchError
from core.persona.watching.feeds import looks_like_feed, read_feed
from core.persona.watching.pages import read_page

if TYPE_CHECKING:
    from core.persona.watching.news import Sighting, Wanted

TYPES = ("text/", "application/xhtml", "application/xml", "application/rss", "application/atom", "application/rdf", "application/json", "application/octet-stream")  # fmt: skip
NOTHING = "There is neither a page nor a feed."
_META = re.compile(rb"<meta[^<>]{0,300}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)


def read(body: bytes, content_type: str, charset: str, url: str, wanted: tuple[Wanted, ...]) -> Sighting:
    """What there is, as a feed if it is one, else as a page.

    Raises:
        WatchError: It is neither, or cannot be read.
    """
    if looks_like_feed(content_type, body):
        kind = f"{content_type}; charset={charset}" if charset else content_type
        seen = read_feed(body, kind, url)
        if seen is not None:
            return seen
    if b"\0" in body[:2048]:
        raise WatchError(NOTHING)
    return read_page(_text(body, charset), url, wanted)


def _text(body: bytes, charset: str) -> str:
    found = _META.search(body[:4096])
    for name in (charset, found[1].decode() if found else "", "utf-8"):
        try:
            return body.decode(codecs.lookup(name).name, "replace") if name else body.decode("utf-8")
        except (LookupError, UnicodeDecodeError, ValueError):
            continue
    return body.decode("cp1252", "replace")
