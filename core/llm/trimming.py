"""Cuts a prompt to what a model can take: the system message and the newest turns stay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.llm.tokens import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.llm.messages import ChatMessage

ENVELOPE_TOKENS = 4  # what roles and separators add to a message
IMAGE_TOKENS = 800  # of a picture of 1,024 pixels a side, as the common vision models count it
SYSTEM_SHARE = 0.75  # of the budget, at most, so that something of the newest message fits beside it
NEAR_WORD = 40  # characters to look for a blank before a word is cut


def trim(
    messages: Sequence[ChatMessage],
    max_messages: int | None,
    max_tokens: int,
    count: Callable[[str], int] = estimate_tokens,
) -> list[ChatMessage]:
    """The system messages in front and the newest others, `max_messages` and `max_tokens` at most.

    Older messages are left out whole. If the newest alone is too long, its middle is cut out at words, with nothing put
    in its place: a mark would be repeated by the model. An answer of the model whose question was left out goes too,
    because several chat templates refuse a conversation that begins with one.
    """
    heads = 0
    while heads < len(messages) and messages[heads].role == "system":
        heads += 1
    system, turns = messages[:heads], messages[heads:]
    kept_system: list[ChatMessage] = []
    left = max_tokens
    room = int(max_tokens * SYSTEM_SHARE) if turns else max_tokens
    for message in system:
        fitting = shorten(message, room, count)
        cost = message_tokens(fitting, count)
        kept_system.append(fitting)
        room -= cost
        left -= cost
    newest: list[ChatMessage] = []
    for message in reversed(turns if max_messages is None else turns[max(0, len(turns) - max_messages) :]):
        cost = message_tokens(message, count)
        if cost > left:
            if not newest:
                newest.append(shorten(message, left, count))
            break
        newest.append(message)
        left -= cost
    while len(newest) > 1 and newest[-1].role == "assistant":
        newest.pop()
    return kept_system + newest[::-1]


def message_tokens(message: ChatMessage, count: Callable[[str], int] = estimate_tokens) -> int:
    """What a message costs, pictures and envelope included."""
    return count(message.text) + ENVELOPE_TOKENS + IMAGE_TOKENS * len(message.images)


def shorten(message: ChatMessage, max_tokens: int, count: Callable[[str], int] = estimate_tokens) -> ChatMessage:
    """The message, its middle cut out at words if it costs more than `max_tokens`; a few words stay in any case."""
    if message_tokens(message, count) <= max_tokens:
        return message
    text = message.content
    low, high = 0, len(text) // 2  # characters kept at either end
    while low < high:
        kept = (low + high + 1) // 2
        if message_tokens(replace(message, content=_without_middle(text, kept)), count) <= max_tokens:
            low = kept
        else:
            high = kept - 1
    return replace(message, content=_without_middle(text, low or NEAR_WORD // 2))


def _without_middle(text: str, kept: int) -> str:
    """`kept` characters of either end, less what is left of the words that were cut."""
    if 2 * kept >= len(text):
        return text
    head, tail = text[:kept], text[len(text) - kept :]
    blank = max(head.rfind(" "), head.rfind("\n"))
    if 0 < blank >= len(head) - NEAR_WORD and not text[kept].isspace():
        head = head[:blank]
    blanks = [place for place in (tail.find(" "), tail.find("\n")) if 0 <= place < NEAR_WORD]
    if blanks and not text[len(text) - kept - 1].isspace():
        tail = tail[min(blanks) :]
    return f"{head.rstrip()} {tail.lstrip()}"
