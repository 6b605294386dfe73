"""Reads feeds (RSS, Atom) with feedparser; it never opens anything itself."""

from __future__ import annotations

import calendar
import io
import re
from typing import Any, cast

import yarl

from core.errors import FetchError
from core.fetch.urls import parse
from core.names import plain
from core.persona.watching.news import MAX_TEXT, FeedItem, Sighting, key_of

MAX_ITEMS = 5000
KINDS = ("rss", "atom", "xml", "rdf")
_START = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:\?xml|rss|feed|rdf:rdf)\b", re.IGNORECASE)
_HTML = re.compile(rb"<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,2000}>")
_PICTURE = re.compile(r"<img\b[^<>]{0,1000}?\bsrc\s*=\s*[\"']([^\"'<>]{1,2000})[\"']", re.IGNORECASE)


def looks_like_feed(content_type: str, body: bytes) -> bool:
    """Whether an answer may be a feed: by its beginning, or by its kind where that is no page."""
    start = body[:2048]
    if _HTML.search(start):
        return False
    return bool(_START.match(start)) or (any(kind in content_type for kind in KINDS) and "html" not in content_type)


def read_feed(body: bytes, content_type: str, url: str) -> Sighting | None:
    """The entries, newest first; None if it is no feed."""
    import feedparser  # pyright: ignore[reportMissingTypeStubs]

    headers = {"content-type": content_type, "content-location": url}
    library: Any = feedparser  # it says nothing of types
    found = library.parse(io.BytesIO(body), response_headers=headers)
    if not found.version and not found.entries:
        return None
    base = yarl.URL(url)
    items: list[FeedItem] = []
    for entry in found.entries[:MAX_ITEMS]:
        item = _item(entry, base)
        if item is not None:
            items.append(item)
    unique = list({item.key: item for item in reversed(items)}.values())[::-1]
    if all(item.published_s is not None for item in unique):
        unique.sort(key=lambda item: item.published_s or 0.0, reverse=True)
    return Sighting("feed", _line(found.feed.get("title")), items=tuple(unique))


def _item(entry: dict[str, Any], base: yarl.URL) -> FeedItem | None:
    link, title = str(entry.get("link") or ""), _line(entry.get("title"))
    name = str(entry.get("id") or "")
    if not (name or link or title):
        return None
    html = _html(entry)
    when = entry.get("published_parsed") or entry.get("updated_parsed")
    return FeedItem(
        key=key_of(name) if name else key_of(link, title),
        title=title,
        url=_address(link, base),
        text=_line(html, MAX_TEXT),
        picture=_picture(entry, html, base),
        published_s=_time(when),
    )


def _html(entry: dict[str, Any]) -> str:
    contents = cast("list[dict[str, Any]]", entry.get("content") or [])
    return str(entry.get("summary") or (contents[0].get("value") if contents else "") or "")[:20_000]


def _picture(entry: dict[str, Any], html: str, base: yarl.URL) -> str:
    """The first picture that an entry names."""
    named = [str(each.get("url") or "") for each in _list(entry, "media_thumbnail")]
    named += [str(each.get("url") or "") for each in _list(entry, "media_content") if _is_picture(each)]
    named += [str(each.get("href") or "") for each in _list(entry, "enclosures") if _is_picture(each)]
    named += [str(each.get("href") or "") for each in _list(entry, "links") if _is_picture(each)]
    if found := _PICTURE.search(html):
        named.append(found[1])
    return next((address for each in named if each and (address := _address(each, base))), "")


def _list(entry: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", entry.get(name) or [])[:20]


def _is_picture(each: dict[str, Any]) -> bool:
    return str(each.get("type") or "").startswith("image/") or each.get("medium") == "image"


def _address(text: str, base: yarl.URL) -> str:
    try:
        return str(parse(text, base)) if text else ""
    except FetchError:
        return ""


def _line(html: object, limit: int = 200) -> str:
    """Text of markup, as one line."""
    import html as entities

    text = entities.unescape(_TAG.sub(" ", str(html or "")[:20_000])).strip()
    return plain(text, limit) if text else ""


def _time(when: Any) -> float | None:
    try:
        return float(calendar.timegm(when)) if when else None
    except (TypeError, ValueError, OverflowError):
        return None
