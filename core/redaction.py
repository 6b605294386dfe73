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
# The same without a scheme, as libraries repeat it: user:password@host:port.
_BARE = re.compile(r"(?<![\w.+%/@:-])[\w.+%-]{1,100}+:[^\s/:@\"'<>]{1,200}+@(?=[\w.\[\]-]{1,200}+:\d)")
# Discord's: a webhook's, or an interaction's, stands in the path, and in the objects that its library logs.
_PATH = re.compile(r"(?<=/webhooks/)(\d{1,20})/[\w.~=-]{20,300}|(?<=/interactions/)(\d{1,20})/[\w.~=-]{20,300}")
_FIELD = re.compile(r"""(["']token["'] {0,2}: {0,2}["'])[^"'\\]{8,400}""")
_BEARER = re.compile(r"(?i)\b(bearer|basic) +[\w.~+/=-]{8,}")


def redacted(text: str) -> str:
    """The text without the credentials of addresses in it, of an Authorization header, and of Discord's webhooks."""
    if "://" in text:
        text = _USER.sub(f"{HIDDEN}@", text)
        text = _QUERY.sub(rf"\1={HIDDEN}", text)
    if "@" in text:
        text = _BARE.sub(f"{HIDDEN}@", text)
    if "/webhooks/" in text or "/interactions/" in text:
        text = _PATH.sub(lambda found: f"{found[1] or found[2]}/{HIDDEN}", text)
    if "token" in text:
        text = _FIELD.sub(rf"\1{HIDDEN}", text)
    return _BEARER.sub(rf"\1 {HIDDEN}", text)


def address(url: str) -> str:
    """Where a server is, for people: scheme, host, port and path; no user, password or query."""
    scheme, _, rest = url.partition("://")
    place = rest.partition("?")[0].rpartition("@")[2].partition("#")[0]  # a password may hold what should be encoded
    return redacted(f"{scheme}://{place}").rstrip("/")


def shown_values(values: dict[str, Any]) -> dict[str, str]:
    """A table whose values may be secret, as it may be shown: its keys."""
    return dict.fromkeys(values, HIDDEN)


def redact(record: logging.LogRecord) -> None:
    """Take credentials out of a log record, its arguments, its traceback and its stack, in place.

    A traceback that holds some becomes a part of the message: some handlers write exceptions anew, as they were.
    """
    try:
        message = record.getMessage()
    except (TypeError, ValueError, LookupError):  # arguments that do not fit: the handler would print them as they are
        message = f"{record.msg} {record.args!r}"
        record.msg, record.args = message, ()
    clean = redacted(message)
    if record.exc_info:
        told = logging.Formatter().formatException(record.exc_info)
        shown = redacted(told)
        if shown != told:
            clean = f"{clean}\n{shown}"
            record.exc_info = None
    if record.exc_text:
        record.exc_text = redacted(record.exc_text) if record.exc_info else None
    if record.stack_info:
        record.stack_info = redacted(record.stack_info)
    if clean != message:
        record.msg, record.args = clean, ()


class RedactingFilter(logging.Filter):
    """Redacts what handlers write, whoever logs it; the launcher puts it on them.

    Other people's libraries log the addresses they ask.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record in place; it is logged in any case."""
        redact(record)
        return True


class RedactingHandler(logging.Handler):
    """Redacts every record of a logger and of those below it, before handlers further up see it; writes nothing.

    In somebody else's bot the handlers are not ours, and a filter on a logger would not see records of those below it.
    """

    def handle(self, record: logging.LogRecord) -> bool:
        """Redact a record in place; where nobody configured logging, warnings go to stderr as they would without this."""
        redact(record)
        last = logging.lastResort
        if last is not None and record.levelno >= last.level and not _is_handled(record.name):
            last.handle(record)
        return True


def redact_logger(name: str) -> None:
    """Redact from now on what a logger and those below it log."""
    logger = logging.getLogger(name)
    if not any(isinstance(handler, RedactingHandler) for handler in logger.handlers):
        logger.addHandler(RedactingHandler())


def _is_handled(name: str) -> bool:
    """Whether anything but redaction handles records of this logger."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        if any(not isinstance(handler, RedactingHandler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False
