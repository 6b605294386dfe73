"""What a fetch gives, and what of an answer's headers is believed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_RETRY_AFTER_S = 7 * 86400.0
MAX_VALIDATOR_CHARS = 1000


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server said of the version it sent; given back, it answers 304 if nothing changed.

    They are only ever sent to the address that they came from.
    """

    url: str = ""
    etag: str = ""
    last_modified: str = ""

    def __bool__(self) -> bool:
        return bool(self.url and (self.etag or self.last_modified))


@dataclass(frozen=True, slots=True)
class Head:
    """What the headers of an answer say. All of it is a stranger's text.

    `url` is where the answer came from in the end, `content_type` a media type in small letters without parameters.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    content_type: str = ""
    charset: str = ""
    validators: Validators = Validators()


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page or feed, unpacked. After `not_modified` there is no body: it is the one of the `validators` given."""

    head: Head
    body: bytes = b""

    @property
    def not_modified(self) -> bool:
        """Whether the server says that nothing changed."""
        return self.head.status == 304


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file on the disk, private, and the caller's to delete."""

    head: Head
    path: Path
    size: int


def read_head(url: str, status: int, headers: Mapping[str, str]) -> Head:
    """What an answer's headers say."""
    kind, _, parameters = headers.get("Content-Type", "").partition(";")
    charset = re.search(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", parameters, re.IGNORECASE)
    validators = Validators(url, _validator(headers, "ETag"), _validator(headers, "Last-Modified"))
    return Head(url, status, headers, kind.strip().lower()[:100], charset[1].lower() if charset else "", validators)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long a server wants to be left alone, in seconds, a week at most; None if it does not say."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    if text.isdecimal() and text.isascii():
        return min(float(text[:12]), MAX_RETRY_AFTER_S)
    try:
        until = parsedate_to_datetime(text)
        wait = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, 0.0), MAX_RETRY_AFTER_S) if math.isfinite(wait) else None


def _validator(headers: Mapping[str, str], name: str) -> str:
    """A validator that can be given back as it is; an overlong or odd one is left out."""
    text = headers.get(name, "").strip()
    return text if len(text) <= MAX_VALIDATOR_CHARS and text.isascii() and text.isprintable() else ""
