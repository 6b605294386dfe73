"""Sites whose sound yt-dlp finds: asked in a process of its own, its answer goes through the guarded fetch like any other."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from core.errors import AudioError
from core.names import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.config.ytdlp import YtDlpSection

_log = logging.getLogger(__name__)

SCRIPT = Path(__file__).with_name("extracting.py")
MAX_ANSWER = 1_000_000
PASSED = (
    "PATH",
    "HOME",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "LANG",
    "LOCALAPPDATA",
    "SSL_CERT_FILE",
)  # no secret is among them
HEADERS = ("user-agent", "accept", "accept-language", "referer", "origin")

OFF = "That address is a page, not sound: I need the address of the file itself."
SENTENCES = {
    "missing": "That is a page; to find the sound in it, whoever runs this bot has to install yt-dlp.",
    "old": "The yt-dlp that is installed here ({words}) is too old; whoever runs this bot has to update it.",
    "geo": "The site does not give that out in the country I am in.",
    "drm": "The site protects that (DRM), so I cannot play it.",
    "login": "The site gives that only to people who are logged in.",
    "unknown": "That is a page of no site that I find sound on.",
    "nothing": "I found no sound on that page.",
    "broken": "yt-dlp could not find the sound on that page: the site may have changed, then an update of yt-dlp helps.",
    "slow": "Finding the sound on that page took longer than {words} s.",
}


@dataclass(frozen=True, slots=True)
class Extracted:
    """Where the sound of a page is, and what the site says of it; all of it is untrusted."""

    url: str
    title: str = ""
    artist: str = ""
    length_s: float | None = None
    live: bool = False
    pieces: bool = False  # a list of pieces (HLS)
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Extractor:
    """Asks yt-dlp, if that is wanted."""

    def __init__(self, section: YtDlpSection, folder: Path | None = None) -> None:
        """Name the settings, and where the package lies if not beside the others."""
        self._section = section
        self._folder = folder

    @property
    def enabled(self) -> bool:
        """Whether pages are looked into at all."""
        return self._section.enabled

    async def extract(self, url: str) -> Extracted:
        """Where the sound of a page is.

        Raises:
            AudioError: It is off, missing, too old, or finds nothing; one sentence says which.
        """
        if not self.enabled:
            raise AudioError(OFF)
        answer = await self._ask(url)
        if fault := answer.get("fault"):
            words = plain(str(answer.get("words", "")), 300)
            if fault == "broken":
                _log.warning("yt-dlp: %s", words)
            raise AudioError(SENTENCES.get(str(fault), SENTENCES["broken"]).format(words=words[:40]))
        found = cast("dict[str, Any]", answer.get("found") or {})
        if found.get("has_drm"):
            raise AudioError(SENTENCES["drm"])
        return _read(found)

    async def _ask(self, url: str) -> dict[str, Any]:
        asked = {"url": url, "sites": list(self._section.sites), "folder": str(self._folder or "")}
        environ = {name: os.environ[name] for name in PASSED if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(SCRIPT)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environ,
            start_new_session=True,  # it may start others, which end with it
        )
        try:
            async with asyncio.timeout(self._section.timeout_s):
                out = await _exchange(process, json.dumps(asked).encode())
        except TimeoutError as error:
            raise AudioError(SENTENCES["slow"].format(words=f"{self._section.timeout_s:g}")) from error
        finally:
            await _end(process)
        try:
            answer: Any = json.loads(out)
        except ValueError:
            return {"fault": "broken", "words": "it ended without an answer"}
        return cast("dict[str, Any]", answer) if isinstance(answer, dict) else {"fault": "broken"}


async def _exchange(process: asyncio.subprocess.Process, asked: bytes) -> bytes:
    assert process.stdin is not None and process.stdout is not None  # noqa: S101 - both are pipes
    with suppress(OSError):  # it ended already; its answer, or none, is still there
        process.stdin.write(asked)
        await process.stdin.drain()
    process.stdin.close()
    out = bytearray()
    while part := await process.stdout.read(65_536):
        out += part
        if len(out) > MAX_ANSWER:
            break
    return bytes(out)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End it with all it started; who waits for it is not held up."""
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, 9)
        else:
            process.kill()
    await process.wait()


def _read(found: Mapping[str, Any]) -> Extracted:
    length = found.get("duration")
    headers = found.get("http_headers")
    kept = {
        str(name): str(value)
        for name, value in (cast("dict[Any, Any]", headers) if isinstance(headers, dict) else {}).items()
        if str(name).lower() in HEADERS and str(value).isprintable()
    }
    return Extracted(
        url=str(found.get("url") or ""),
        title=plain(str(found.get("title") or ""), 200),
        artist=plain(str(found.get("artist") or found.get("uploader") or ""), 200),
        length_s=float(length) if isinstance(length, int | float) and 0 < length < 10 * 86400 else None,
        live=bool(found.get("is_live")),
        pieces="m3u8" in str(found.get("protocol") or ""),
        headers=kept,
    )
