"""Reads what a server's refusal is about from its status, its codes and, where it gives none, its words.

The words are looked through and never shown: they may repeat the key.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai import APIStatusError

LONGEST_S = 7 * 24 * 3600.0  # nobody waits longer, whatever a server asks

Parameter = Literal["max_tokens", "max_completion_tokens", "temperature", "stop", "stream_options"]

QUOTA = re.compile(
    r"insufficient[_ -](?:quota|balance|credit|fund)|billing_(?:hard_limit|not_active)|exceeded your current quota"
    r"|out of credit|credit balance is too low|payment[_ ]required|more credits|(?:usage|spending|spend) limits?\b"
    r"|budget has been exceeded|budget_exceeded|exceededbudget|over budget|arrearage|account ?overdue"
)
UNSUPPORTED = re.compile(
    r"unsupported|not supported|does not support|doesn't support|unknown[_ ]param|unrecognized|not permitted|not allowed"
    r"|extra_forbidden|deprecated"
)
PARAMETER = re.compile(r"(?<![\w-])(max_tokens|max_completion_tokens|temperature|stop|stream_options)(?![\w-])")
TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|context (?:length|window|size)|prompt is too long|too many tokens"
    r"|token limit exceeded|input is too long|exceeds? (?:the )?context limit"
    r"|exceeds? (?:the )?(?:model'?s )?maximum (?:input|sequence|prompt)"
)
CONTEXT_SIZE = re.compile(r"(?:context (?:length|window|size)(?: is| of)?(?: only)?|n_ctx['\"]?\s*[:=]) *\(?(\d{3,8})")
NO_SYSTEM = re.compile(
    r"system (?:role|message|prompt)s?[^.]{0,40}(?:not supported|unsupported|not allowed)|roles must alternate"
    r"|developer instruction is not enabled|unexpected role '?system"
    r"|only user(?:,| and)[^.]{0,20}assistant[^.]{0,20}roles? (?:are|is) supported"
)
FILTERED = re.compile(
    r"content_filter|content_policy|responsibleaipolicy|data_inspection_failed|moderation|content management policy"
)
MODEL_UNKNOWN = re.compile(
    r"model_not_found|model[^.]{0,80}(?:not found|does not exist|not exist)|no such model|invalid model"
    r"|not a valid model|model[^.]{0,80}decommissioned"
)
KEY = re.compile(
    r"(?:invalid|incorrect|missing|wrong)[ _]api[ _]key|api key not valid|api[ _]key[ _](?:invalid|expired)"
    r"|invalid x-api-key|authenticationerror|authentication error|auth_error|no_db_connection|token_not_found_in_db"
)  # the last line: LiteLLM, which also answers 400 and 500
OVERLOADED = re.compile(r"overloaded|rate.?limit|too many requests|capacity|loading model|try again")


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal. `words` are all that it says, in lower case, to be looked through."""

    status: int = 0  # 0: told in the middle of an answer, without one
    words: str = field(default="", repr=False)
    parameter: Parameter | None = None  # that the model does not take
    retry_after_s: float | None = None
    context_tokens: int | None = None  # that the model takes, if it says
    onward: str = ""  # where a redirect leads: scheme and host

    @property
    def quota(self) -> bool:
        """Whether somebody has to pay first."""
        return self.status == 402 or bool(QUOTA.search(self.words))

    @property
    def too_long(self) -> bool:
        """Whether the prompt does not fit."""
        return self.status == 413 or (self._of_request and bool(TOO_LONG.search(self.words)))

    @property
    def no_system(self) -> bool:
        """Whether the chat template takes no system message."""
        return self._of_request and bool(NO_SYSTEM.search(self.words))

    @property
    def filtered(self) -> bool:
        """Whether a content filter stands against it."""
        return self.status in (0, 400, 422) and bool(FILTERED.search(self.words))

    @property
    def model_unknown(self) -> bool:
        """Whether the server does not have the model."""
        return self.status == 404 or (self.status in (0, 400, 422) and bool(MODEL_UNKNOWN.search(self.words)))

    @property
    def key(self) -> bool:
        """Whether the key is missing or wrong; Gemini and LiteLLM say so with status 400."""
        return self.status in (401, 403) or (self.status in (0, 400, 500) and bool(KEY.search(self.words)))

    @property
    def passing(self) -> bool:
        """Whether the same request may be taken a little later."""
        if self.quota or self.too_long or self.no_system or self.key:
            return False
        if self.status:
            return self.status in (408, 409, 425, 429) or self.status >= 500
        return bool(OVERLOADED.search(self.words))

    @property
    def _of_request(self) -> bool:
        return self.status in (0, 400, 422) or self.status >= 500  # llama.cpp answers 500 for what its template refuses


def by_status(error: APIStatusError) -> Refused:
    """A refusal by HTTP status."""
    headers = error.response.headers
    onward = headers.get("location", "") if 300 <= error.status_code < 400 else ""
    return _refused(error.status_code, _words(error.response.text), _seconds(headers), onward)


def by_words(said: Any) -> Refused:
    """A refusal that came with status 200; many servers put the status into its `code`."""
    status = 0
    if isinstance(said, dict):
        given = cast("dict[str, Any]", said)
        told = [str(given.get(key)) for key in ("code", "status", "status_code", "http_status")]
        status = next((int(code) for code in told if re.fullmatch(r"[45]\d\d", code)), 0)
    try:
        words = str(cast("object", said))
    except RecursionError:  # nested too deeply to be words
        words = ""
    return _refused(status, _words(words), None, "")


def _refused(status: int, words: str, retry_after_s: float | None, onward: str) -> Refused:
    parameter: Any = None
    if status in (0, 400, 422) and UNSUPPORTED.search(words):
        named = re.search(r"['\"]?param['\"]?\s*:\s*['\"](\w+)['\"]", words)
        found = PARAMETER.search(named[1] if named else words) or PARAMETER.search(words)
        parameter = found[1] if found else None
    size = CONTEXT_SIZE.search(words)
    scheme, _, rest = onward.partition("://")
    host = re.split(r"[/?#\\]", rest.rpartition("@")[2] if rest else "", maxsplit=1)[0]
    shown = f"{scheme}://{host}" if re.fullmatch(r"[\w.:\[\]-]+", host) else ""
    return Refused(status, words, parameter, retry_after_s, int(size[1]) if size else None, shown)


def _words(text: str) -> str:
    return text[:20_000].lower()


def _seconds(headers: Mapping[str, str]) -> float | None:
    """How long the server asks us to wait: seconds, thousandths of them, or a date."""
    if (thousandths := headers.get("retry-after-ms", "")).isdecimal():
        return min(float(thousandths) / 1000, LONGEST_S)
    asked = headers.get("retry-after", "").strip()
    if asked.replace(".", "", 1).isdecimal():
        return min(float(asked), LONGEST_S)
    try:
        return min(max(0.0, parsedate_to_datetime(asked).timestamp() - time.time()), LONGEST_S)
    except (ValueError, TypeError, OverflowError):
        return None
