"""Keeps credentials out of what is shown, logged or printed: one owner of what a secret in a text looks like."""

from __future__ import annotations

import logging
import re
from typing import Any

HIDDEN = "***"

# user:password@ of an address; the second form is for passwords that should have been encoded.
_USER = re.compile(r"(?<=://)[^\s/?#\"'<>]{0,400}@|(?<=://)[^\s/?#\"'<>@:]{0,400}:[^\s\"'<>@]{0,400}@")
_QUERY = re.compile(
    r"(?i)(?<=[?&;])([\w.-]{0,40}(?:key|token|secret|password|passwd|pwd|auth|signature|sig|credential)[\w.-]{0,40})="
    r"[^\s&;#\"'<>]+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic) +[\w.~+/=-]{8,}")


def redacted(text: str) -> str:
    """The text without the credentials of addresses in it, and without those of an Authorization header."""
    if "://" in text:
        text = _USER.sub(f"{HIDDEN}@", text)
        text = _QUERY.sub(rf"\1={HIDDEN}", text)
    return _BEARER.sub(rf"\1 {HIDDEN}", text)


def address(url: str) -> str:
    """Where a server is, for people: scheme, host, port and path; no user, password or query."""
    scheme, _, rest = url.partition("://")
    place = rest.partition("?")[0].rpartition("@")[2].partition("#")[0]  # a password may hold what should be encoded
    return redacted(f"{scheme}://{place}").rstrip("/")


def shown_values(values: dict[str, Any]) -> dict[str, str]:
    """A table whose values may be secret, as it may be shown: its keys."""
    return dict.fromkeys(values, HIDDEN)


class RedactingFilter(logging.Filter):
    """Takes credentials out of log records, their arguments and their tracebacks; put it on handlers.

    Other people's libraries log the addresses they ask.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record in place; it is logged in any case."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # the handler complains of wrong arguments
            return True
        clean = redacted(message)
        if clean != message:
            record.msg, record.args = clean, ()
        if record.exc_info and not record.exc_text:
            told = logging.Formatter().formatException(record.exc_info)
            record.exc_text = redacted(told)
        return True
