"""Reads the chunks of a chat completion, from servers that keep to the format more or less."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class Piece:
    """What one chunk brought."""

    text: str = ""
    begins: bool = False  # the model is at work: text or a thought came
    finish_reason: str | None = None


def read_piece(chunk: Any) -> Piece:
    """The text of a chunk; chunks without a choice (usage, Azure's prompt filter) and thoughts give none.

    Raises:
        TypeError: The chunk is nothing a chat completion could be.
    """
    if chunk is None or isinstance(chunk, str | int | float | list):
        raise TypeError("no object")
    choices = getattr(chunk, "choices", None)
    if choices is None or (isinstance(choices, list) and not choices):
        return Piece()
    if not isinstance(choices, list):
        raise TypeError("choices are no list")
    choice: Any = cast("list[Any]", choices)[0]
    delta = getattr(choice, "delta", None)
    text = getattr(delta, "content", None) or ""
    if not isinstance(text, str):
        raise TypeError("content is no text")
    thought = getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None)
    reason = getattr(choice, "finish_reason", None)
    return Piece(text, bool(text or thought), reason if isinstance(reason, str) else None)


def whole_answer(body: bytes) -> Piece:
    """The text of an answer that came whole, not streamed. Raises `ValueError` or `TypeError` if it is none."""
    try:
        choice = json.loads(body)["choices"][0]
        text, reason = choice["message"]["content"] or "", choice.get("finish_reason")
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError("no chat completion") from error
    if not isinstance(text, str):
        raise TypeError("content is no text")
    return Piece(text, True, reason)
