"""Reads the chunks of a chat completion, from servers that keep to the format more or less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_content")
TEXT_PARTS = ("text", "output_text")


class ServerSaidError(Exception):
    """The server says in an answer of status 200, or in the middle of it, that something went wrong."""

    def __init__(self, said: Any) -> None:
        super().__init__("an error in the answer")
        self.said = said


@dataclass(frozen=True, slots=True)
class Piece:
    """What one chunk brought."""

    text: str = ""
    begins: bool = False  # the model is at work: text or a thought came
    finish_reason: str | None = None
    refusal: str = ""
    thought: bool = False


def read_piece(chunk: Any) -> Piece:
    """What a chunk, streamed or whole, brought; one without a choice (usage, Azure's prompt filter) brought nothing.

    Raises:
        ServerSaidError: It tells an error.
        TypeError: It is nothing a chat completion could be.
    """
    if not isinstance(chunk, dict):
        raise TypeError("no object")
    given = cast("dict[str, Any]", chunk)
    said = error_in(given)
    choices: Any = given.get("choices")
    if said is not None and not _has_text(choices):
        raise ServerSaidError(said)
    if choices is None or choices == []:
        return Piece()
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise TypeError("choices are no list of objects")
    choice = cast("dict[str, Any]", choices[0])
    delta: Any = choice.get("delta") or choice.get("message") or {}
    if not isinstance(delta, dict):
        raise TypeError("a delta is no object")
    brought = cast("dict[str, Any]", delta)
    text = _text(brought.get("content")) or _text(choice.get("text"))
    refusal = _text(brought.get("refusal"))
    thought = any(brought.get(name) for name in THOUGHTS) or bool(brought.get("content") and not text)
    reason = choice.get("finish_reason")
    if reason is None and choice.get("error"):
        reason = "error"
    return Piece(
        text, bool(text or thought or refusal), reason if isinstance(reason, str) and reason else None, refusal, thought
    )


def whole_answer(body: Any) -> Piece:
    """An answer that came whole, not streamed.

    Raises:
        ServerSaidError: It tells an error.
        ValueError or TypeError: It is no chat completion.
    """
    piece = read_piece(body)
    if not cast("dict[str, Any]", body).get("choices"):
        raise ValueError("no chat completion")
    return Piece(piece.text, True, piece.finish_reason or "stop", piece.refusal, piece.thought)


def error_in(given: dict[str, Any]) -> Any:
    """The error that an object tells, or None."""
    if given.get("error"):
        return given["error"]
    return given if given.get("object") == "error" else None


def _has_text(choices: Any) -> bool:
    """Whether a chunk brings words beside its error, which are taken first; the finish reason tells the rest."""
    try:
        choice: Any = choices[0]
        return bool(choice["delta"]["content"]) and choice.get("finish_reason") == "error"
    except (TypeError, LookupError, AttributeError):
        return False


def _text(content: Any) -> str:
    """The words in a content: a text, or parts of which those of other kinds (thoughts, pictures) are no words."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
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
                text: Any = given.get("text", "")
                words.append(_text(text.get("value") if isinstance(text, dict) else text))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - JSON of any shape
        else:
            raise TypeError("a part is no text")
    return "".join(words)
