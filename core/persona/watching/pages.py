"""Reads pages with selectolax: what the shop says of itself (JSON-LD), what a selector finds, or all of the text."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

import yarl

from core.errors import FetchError, WatchError
from core.fetch.urls import parse
from core.names import plain
from core.persona.watching.news import MAX_TEXT, PagePart, Sighting, Wanted, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_NODES = 50
MAX_DEPTH = 1000  # of elements: the parser's time grows with its square
MAX_SELECTOR = 200
MAX_DATA = 500_000  # characters of one JSON-LD block
MAX_BLOCKS = 20

NO_SELECTOR = "That is no CSS selector: one looks like `#price` or `.stock b`."
TOO_DEEP = "That page is nested too deeply to be read."
IN_STOCK = ("InStock", "LimitedAvailability", "OnlineOnly", "InStoreOnly")
AHEAD = ("PreOrder", "PreSale", "BackOrder", "MadeToOrder", "Reserved")

_VOID = "area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr"
_IMPLIED = "p|li|dt|dd|option|optgroup|tr|td|th|thead|tbody|tfoot|rb|rt|rp|rtc|html|head|body|colgroup|caption"
_TAGS = re.compile(rf"<(/?)(?!(?:{_VOID}|{_IMPLIED})\b)[a-z][a-z0-9-]{{0,30}}\b[^<>]{{0,20000}}?(/?)>", re.IGNORECASE)


def check_selector(selector: str) -> None:
    """Refuse what is no selector.

    Raises:
        WatchError: With what one looks like.
    """
    from selectolax.lexbor import LexborHTMLParser, SelectolaxError

    if len(selector) > MAX_SELECTOR:
        raise WatchError(NO_SELECTOR)
    try:
        LexborHTMLParser("<p></p>").css(selector)
    except (SelectolaxError, ValueError) as error:
        raise WatchError(NO_SELECTOR) from error


def read_page(text: str, url: str, wanted: Sequence[Wanted]) -> Sighting:
    """How each part that is wanted looks.

    Raises:
        WatchError: The page cannot be read.
    """
    from selectolax.lexbor import LexborHTMLParser

    _require_shallow(text)
    tree: Any = LexborHTMLParser(text)
    title, picture = _title(tree), _picture(tree, yarl.URL(url))
    stock = _availability(tree)
    tree.strip_tags(["script", "style", "noscript", "template", "svg"])
    whole = _flat(tree.body.text(separator=" ") if tree.body is not None else "")
    return Sighting("page", title, picture, parts=tuple(_part(tree, each, stock, whole) for each in wanted))


def _part(tree: Any, wanted: Wanted, stock: str, whole: str) -> PagePart:
    text = _selected(tree, wanted.selector) if wanted.selector else whole
    if wanted.words:
        return _words(text, wanted.words)
    if not wanted.selector and stock:
        return PagePart(f"stock:{stock}", stock)
    return PagePart(f"text:{key_of(text)}" if text else "", plain(text, MAX_TEXT) if text else "")


def _words(text: str, words: tuple[str, ...]) -> PagePart:
    """Which of the words stand there. One word may be missing; of several, none at all tells nothing."""
    if not text:
        return PagePart("", "")
    low = text.casefold()
    found = [word for word in words if re.search(rf"(?<!\w){re.escape(word.casefold())}(?!\w)", low)]
    if not found and len(words) > 1:
        return PagePart("", "")
    shown = ", ".join(found) or f"no “{', '.join(words)}”"
    return PagePart(f"words:{'|'.join(found)}", plain(shown, MAX_TEXT))


def _selected(tree: Any, selector: str) -> str:
    from selectolax.lexbor import SelectolaxError

    try:
        nodes = tree.css(selector)[:MAX_NODES]
    except (SelectolaxError, ValueError) as error:
        raise WatchError(NO_SELECTOR) from error
    return _flat(" ".join(node.text(separator=" ") for node in nodes))


def _flat(text: str) -> str:
    return " ".join(text.split())


def _title(tree: Any) -> str:
    node = tree.css_first("title")
    text = _flat(node.text()) if node is not None else ""
    return plain(text, 200) if text else ""


def _picture(tree: Any, base: yarl.URL) -> str:
    for selector in ('meta[property="og:image"]', 'meta[name="twitter:image"]'):
        node = tree.css_first(selector)
        text = str((node.attributes.get("content") if node is not None else "") or "")
        try:
            if text:
                return str(parse(text, base))
        except FetchError:
            continue
    return ""


def _availability(tree: Any) -> str:
    """What a shop says of its own stock; empty if nothing."""
    told: set[str] = set()
    for node in tree.css('script[type="application/ld+json"]')[:MAX_BLOCKS]:
        text = node.text()
        if len(text) > MAX_DATA:
            continue
        try:
            data: Any = json.loads(text)
        except (ValueError, RecursionError):
            continue
        told.update(_offers(data))
    if told & set(IN_STOCK):
        return "in stock"
    if told & set(AHEAD):
        return "to be ordered in advance"
    return "sold out" if told else ""


def _offers(data: Any) -> Iterator[str]:
    """The availability of each offer, wherever it stands."""
    line: list[Any] = [data]
    for _ in range(10_000):
        if not line:
            return
        now = line.pop()
        if isinstance(now, dict):
            table = cast("dict[str, Any]", now)
            for name, value in table.items():
                if name == "availability":
                    yield from (_last(each) for each in _each(value))
                else:
                    line.append(value)
        elif isinstance(now, list):
            line.extend(cast("list[Any]", now))


def _each(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _last(value: Any) -> str:
    text: Any = cast("dict[str, Any]", value).get("@id", "") if isinstance(value, dict) else value
    return str(text).rstrip("/").rpartition("/")[2]


def _require_shallow(text: str) -> None:
    depth = 0
    for tag in _TAGS.finditer(text):
        if tag[1]:
            depth = max(0, depth - 1)
        elif not tag[2]:
            depth += 1
            if depth > MAX_DEPTH:
                raise WatchError(TOO_DEEP)
