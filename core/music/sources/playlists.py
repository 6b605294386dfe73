"""Playlist files (M3U, M3U8, PLS), read by us: what they name is an address of a web server, or left out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import AudioError, FetchError
from core.fetch.urls import parse
from core.names import plain

if TYPE_CHECKING:
    import yarl

MAX_BYTES = 1_000_000
MAX_ENTRIES = 500
MAX_LENGTH_S = 10 * 86400.0
MAX_TITLE = 200

KINDS = ("mpegurl", "x-scpls", "pls+xml", "x-pls")  # in media types
SUFFIXES = (".m3u", ".m3u8", ".pls")
NO_LIST = "That is no playlist that I can read."
NOTHING = "That playlist names nothing that I can play: {why}"
EMPTY = "it is empty."
ALL_LEFT_OUT = "addresses have to begin with http:// or https://."

_EXTINF = re.compile(r"#EXTINF:\s*(-?\d{1,9}(?:\.\d{1,9})?)?[^,]*,?(.*)", re.IGNORECASE)
_PLS = re.compile(r"\s*(file|title|length)(\d{1,6})\s*=(.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a playlist names. `others` are further addresses of the same thing; title and length are its own claims."""

    url: str
    title: str = ""
    length_s: float | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Playlist:
    """The entries that may be opened, and how many were left out: no address of a web server, or too many."""

    entries: tuple[Entry, ...]
    left_out: int = 0


def looks_like_playlist(content_type: str, path: str, beginning: bytes) -> bool:
    """Whether an answer is a playlist: by its beginning, or by its kind or name where it is text."""
    start = beginning.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower()
    if start.startswith((b"#extm3u", b"[playlist]")):
        return True
    named = any(kind in content_type for kind in KINDS) or path.lower().endswith(SUFFIXES)
    return named and b"\0" not in beginning and not start.startswith((b"<", b"id3", b"oggs", b"riff", b"flac"))


def is_hls(data: bytes) -> bool:
    """Whether a list is one of pieces of one stream (HLS), not of things to play."""
    return data.lstrip(b"\xef\xbb\xbf \t\r\n")[:7].upper() == b"#EXTM3U" and b"#EXT-X-" in data


def read_playlist(data: bytes, base: yarl.URL | None) -> Playlist:
    """The entries of a list.

    Args:
        data: The file.
        base: Where it came from: relative entries stand there. Without one (an upload) they are left out.

    Raises:
        AudioError: It is none, or nothing in it may be opened.
    """
    if len(data) > MAX_BYTES or b"\0" in data:
        raise AudioError(NO_LIST)
    text = _text(data)
    entries, left_out = (
        _read_pls(text, base) if re.match(r"\s*\[playlist\]", text, re.IGNORECASE) else _read_m3u(text, base)
    )
    if not entries:
        raise AudioError(NOTHING.format(why=ALL_LEFT_OUT if left_out else EMPTY))
    return Playlist(tuple(entries[:MAX_ENTRIES]), left_out + max(0, len(entries) - MAX_ENTRIES))


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _read_m3u(text: str, base: yarl.URL | None) -> tuple[list[Entry], int]:
    entries: list[Entry] = []
    left_out, title, length_s = 0, "", None
    for line in map(str.strip, text.splitlines()):
        if found := _EXTINF.match(line):
            title, length_s = plain(found[2].strip(), MAX_TITLE), _length(found[1] or "")
        elif line and not line.startswith("#"):
            url = _address(line, base)
            if url is None:
                left_out += 1
            else:
                entries.append(Entry(url, title, length_s))
            title, length_s = "", None
    return entries, left_out


def _read_pls(text: str, base: yarl.URL | None) -> tuple[list[Entry], int]:
    """A list whose entries have no length names one station several times, on servers that stand in for each other."""
    parts: dict[int, dict[str, str]] = {}
    for line in text.splitlines():
        if found := _PLS.match(line):
            parts.setdefault(int(found[2]), {}).setdefault(found[1].lower(), found[3].strip())
    entries: list[Entry] = []
    left_out, endless = 0, True
    for number in sorted(parts):
        part = parts[number]
        if "file" not in part:
            continue
        url = _address(part["file"], base)
        if url is None:
            left_out += 1
            continue
        length_s = _length(part.get("length", ""))
        endless = endless and length_s is None
        entries.append(Entry(url, plain(part.get("title", ""), MAX_TITLE), length_s))
    if endless and len(entries) > 1:
        others = tuple(dict.fromkeys(entry.url for entry in entries[1:11]))
        return [Entry(entries[0].url, entries[0].title, None, others)], left_out
    return entries, left_out


def _address(text: str, base: yarl.URL | None) -> str | None:
    """The address that an entry is, or None: `file:`, paths of this machine and the like are none."""
    if re.match(r"[A-Za-z]:[\\/]|\\\\", text):
        return None
    try:
        return str(parse(text, base))
    except FetchError:
        return None


def _length(text: str) -> float | None:
    try:
        length_s = float(text)
    except ValueError:
        return None
    return length_s if 0 < length_s <= MAX_LENGTH_S else None
