"""Reads the chunks of a chat completion, from servers that keep to the format more or less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

THOUGHTS = (
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "reasoning_text",
    "thinking",
    "thinking_content",
    "thinking_blocks",
)
TEXT_PARTS = ("text", "output_text")
MOST_TOKENS = 10**9  # more than that no answer has cost
UNFINISHED = ("null", "None", "none", "not_stop", "FINISH_REASON_UNSPECIFIED")  # finish reasons that are none
COMPLAINTS = ("detail", "message", "msg", "errors", "error_msg", "error_message")  # of gateways, in place of an answer


class ServerSaidError(Exception):
    """The server says in an answer of status 200, or in the middle of it, that something went wrong."""

    def __init__(self, said: Any, *, surely: bool = True) -> None:
        """Takes what was said. Not `surely`: it may as well be something else than an error."""
        super().__init__("an error in the answer")
        self.said = said
        self.surely = surely


@dataclass(frozen=True, slots=True)
class Piece:
    """What one chunk brought."""

    text: str = ""
    begins: bool = False  # the model is at work: text or a thought came
    finish_reason: str | None = None
    refusal: str = ""
    thought: bool = False
    spent: int = 0  # tokens of prompt and answer together, where the server tells


def read_piece(chunk: Any) -> Piece:
    """What a chunk, streamed or whole, brought; one without a choice (usage, Azure's prompt filter) brought nothing.

    Raises:
        ServerSaidError: It tells an error.
        TypeError: It is nothing a chat completion could be.
    """
    if isinstance(chunk, str):  # a sign of life
        return Piece()
    if isinstance(chunk, list) and chunk:  # Gemini's way to tell an error
        chunk = cast("list[Any]", chunk)[0]
    if not isinstance(chunk, dict):
        raise TypeError("no object")
    given = cast("dict[str, Any]", chunk)
    said = error_in(given)
    choices: Any = given.get("choices")
    if said is not None and not _has_text(choices):
        raise ServerSaidError(said)
    choice = _first(choices)
    spent = _spent(given)
    if not choice:
        return Piece(spent=spent)
    delta: Any = choice.get("delta") or choice.get("message") or {}
    if not isinstance(delta, dict):
        raise TypeError("a delta is no object")
    brought = cast("dict[str, Any]", delta)
    text = _text(brought.get("content")) or _text(choice.get("text"))
    refusal = _text(brought.get("refusal"))
    thought = any(brought.get(name) for name in THOUGHTS) or bool(brought.get("content") and not text)
    if text and _is_thought(brought):
        text, thought = "", True
    reason = _reason(choice)
    return Piece(text, bool(text or thought or refusal), reason, refusal, thought, spent)


def whole_answer(body: Any) -> Piece:
    """An answer that came whole, not streamed.

    Raises:
        ServerSaidError: It tells an error.
        ValueError or TypeError: It is no chat completion.
    """
    if isinstance(body, list) and body:
        body = cast("list[Any]", body)[0]
    piece = read_piece(body)
    if not isinstance(body, dict):
        raise TypeError("no object")
    given = cast("dict[str, Any]", body)
    if not given.get("choices"):
        if any(isinstance(given.get(name), str | list) for name in COMPLAINTS):
            raise ServerSaidError(given, surely=False)
        raise ValueError("no chat completion")
    return Piece(piece.text, True, piece.finish_reason or "stop", piece.refusal, piece.thought, piece.spent)


def error_in(given: dict[str, Any]) -> Any:
    """The error that an object tells, or None."""
    if given.get("error"):
        return given["error"]
    return given if given.get("object") == "error" else None


def _first(choices: Any) -> dict[str, Any] | None:
    """The choice that is read: a server asked for one may number more of them. None if there is none, or it is empty."""
    if choices is None or choices == []:
        return None
    if not isinstance(choices, list):
        raise TypeError("choices are no list")
    for choice in cast("list[Any]", choices):
        if choice is None:
            continue
        if not isinstance(choice, dict):
            raise TypeError("a choice is no object")
        given = cast("dict[str, Any]", choice)
        if given.get("index") in (None, 0, "0"):
            return given
    return None


def _spent(given: dict[str, Any]) -> int:
    """The tokens that a server counted; 0 if it tells none, or what is no number of them."""
    usage: Any = given.get("usage")
    if not isinstance(usage, dict):
        return 0
    counts = cast("dict[str, Any]", usage)
    parts: list[Any] = [counts.get("prompt_tokens"), counts.get("completion_tokens")]
    total: Any = counts.get("total_tokens")
    if not _is_count(total):
        total = sum(part for part in parts if _is_count(part))
    return int(total)


def _is_count(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < MOST_TOKENS


def _reason(choice: dict[str, Any]) -> str | None:
    """Why the answer ends, if it does."""
    reason = choice.get("finish_reason")
    if isinstance(reason, dict):
        given = cast("dict[str, Any]", reason)
        reason = given.get("type") or given.get("reason")
    if reason is None and choice.get("error"):
        return "error"
    if reason is True:
        return "stop"
    return reason if isinstance(reason, str) and reason and reason not in UNFINISHED else None


def _is_thought(delta: dict[str, Any]) -> bool:
    """Whether the content beside it is marked as a thought, as Gemini does."""
    google: Any = delta.get("extra_content")
    google = cast("dict[str, Any]", google).get("google") if isinstance(google, dict) else None
    marked: Any = cast("dict[str, Any]", google).get("thought") if isinstance(google, dict) else None
    return delta.get("thought") is True or marked is True


def _has_text(choices: Any) -> bool:
    """Whether a chunk brings words beside its error, which are taken first; the finish reason tells the rest."""
    try:
        choice: Any = choices[0]
        return bool(choice["delta"]["content"]) and choice.get("finish_reason") == "error"
    except (TypeError, LookupError, AttributeError):
        return False


def _text(content: Any) -> str:
    """The words in a content: a text, or parts of which those of other kinds (thoughts, pictures) are no words."""
    if content is None or isinstance(content, bool):
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, int | float):  # a token that is a number, where one does not care about types
        return str(content)
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        raise TypeError("content is no text")
    words: list[str] = []
    for part in cast("list[Any]", content):
        if isinstance(part, str):
            words.append(part)
        elif isinstance(part, dict):
            given = cast("dict[str, Any]", part)
            if given.get("type", "text") in TEXT_PARTS:
                text: Any = given.get("text") or given.get("content")
                words.append(_text(text.get("value") if isinstance(text, dict) else text))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - JSON of any shape
        elif part is not None:
            raise TypeError("a part is no text")
    return "".join(words)
