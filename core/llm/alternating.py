"""Puts a conversation into the one form that every chat template takes: system first, then user and assistant in turns.

Templates as Gemma's and Mistral's refuse anything else, and a refused prompt must not make the next one worse.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.llm.messages import ChatMessage

if TYPE_CHECKING:
    from collections.abc import Sequence


def system_first(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """The same messages, those of the system in front, in their order."""
    return sorted(messages, key=lambda message: message.role != "system")


def alternate(messages: Sequence[ChatMessage], *, system_role: bool = True) -> list[ChatMessage]:
    """One system message, then user and assistant in turns, beginning with the user.

    Neighbours of the same role are joined, empty messages and an assistant's before the first user's left out. Without
    `system_role` the system's words stand at the head of the first user message.
    """
    told = [message for message in messages if message.content.strip() or message.images]
    system = [message for message in told if message.role == "system"]
    turns: list[ChatMessage] = []
    for message in told:
        if message.role == "system" or (message.role == "assistant" and not turns):
            continue
        if turns and turns[-1].role == message.role:
            turns[-1] = joined(turns[-1], message)
        else:
            turns.append(message)
    if not system:
        return turns
    head = system[0]
    for message in system[1:]:
        head = joined(head, message, "\n\n")
    if system_role:
        return [head, *turns]
    if not turns:
        return [replace(head, role="user")]
    return [joined(replace(head, role="user"), turns[0], "\n\n"), *turns[1:]]


def joined(one: ChatMessage, other: ChatMessage, between: str = "\n") -> ChatMessage:
    """Two messages as one; names stay in front of what each said."""
    return ChatMessage(one.role, f"{one.text}{between}{other.text}", images=one.images + other.images)
