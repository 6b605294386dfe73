"""Asks yt-dlp where the sound of a page is. Runs alone, in a process that is ended when it takes too long.

Nothing of ours is imported here: one request comes as JSON on standard input, one answer goes to standard output.
"""

from __future__ import annotations

import json
import sys
from typing import Any

OLDEST = "2026.01.01"  # sites change; what is older finds nothing any more


def main() -> dict[str, Any]:
    """The answer to the request on standard input."""
    asked: dict[str, Any] = json.load(sys.stdin)
    if asked["folder"]:
        sys.path.insert(0, asked["folder"])
    try:
        import yt_dlp  # pyright: ignore[reportMissingImports, reportMissingModuleSource] - not everybody has it
        from yt_dlp.version import __version__ as version  # pyright: ignore
    except ImportError:
        return {"fault": "missing"}
    if str(version)[:10] < OLDEST:  # pyright: ignore[reportUnknownArgumentType]
        return {"fault": "old", "words": str(version)}  # pyright: ignore[reportUnknownArgumentType]
    options: dict[str, Any] = {
        "quiet": True,
        "no_warnings": True,
        "logger": _Silence(),
        "skip_download": True,
        "noplaylist": True,
        "playlist_items": "1",
        "format": "bestaudio[protocol^=http]/bestaudio/best",
        "allowed_extractors": [f"^{_escaped(site)}$" for site in asked["sites"] if site != "generic"],
        "cachedir": False,
        "proxy": "",
        "socket_timeout": 10,
    }
    try:
        with yt_dlp.YoutubeDL(options) as machine:  # pyright: ignore
            found: Any = machine.sanitize_info(machine.extract_info(asked["url"], download=False))  # pyright: ignore
    except Exception as error:  # noqa: BLE001 - it raises whatever a site makes it trip over; the answer says which
        return _fault(error)
    if entries := dict(found or {}).get("entries"):
        found = entries[0]
    if not dict(found or {}).get("url"):
        return {"fault": "nothing"}
    keys = (
        "url",
        "title",
        "artist",
        "uploader",
        "duration",
        "is_live",
        "protocol",
        "thumbnail",
        "http_headers",
        "has_drm",
    )
    return {"found": {key: found.get(key) for key in keys}}


def _fault(error: Exception) -> dict[str, Any]:
    words = str(error)
    told: Any = getattr(error, "exc_info", None)  # its own wrapper keeps what was raised there
    inner: Any = told[1] if told else None
    names = {type(each).__name__ for each in (error, error.__cause__, inner)}
    if "GeoRestrictedError" in names or "not available in your country" in words or "not available from your" in words:
        fault = "geo"
    elif "DRM" in words:
        fault = "drm"
    elif "UnsupportedError" in names or "Unsupported URL" in words or "No suitable extractor" in words:
        fault = "unknown"
    elif "Sign in" in words or "login" in words.lower() or "Private video" in words:
        fault = "login"
    else:
        fault = "broken"
    return {"fault": fault, "words": words[:500]}


def _escaped(site: str) -> str:
    return "".join(each if each.isalnum() or each in ":_-" else f"\\{each}" for each in site)


class _Silence:
    """Takes the place of its log."""

    def debug(self, words: str) -> None:
        """Nothing is said."""

    info = warning = error = debug


if __name__ == "__main__":
    answer = main()
    sys.stdout.write(json.dumps(answer))
