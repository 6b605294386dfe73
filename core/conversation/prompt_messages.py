"""Builds the messages that a model is told: who it is, what was said before, and the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.llm.messages import ChatMessage
from core.store.history import HistoryEntry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from core.conversation.turn import Prompt, Turn


def messages(
    persona: str, history: Sequence[HistoryEntry], prompt: Prompt, *, character_id: str = ""
) -> list[ChatMessage]:
    """Persona, history and prompt as the model takes them; people are named in their messages.

    What another character said is told as if it were a person: only its own lines are the model's.

    Of the history only what was answered: a prompt that the server refused would be refused again, and take the new one
    with it.
    """
    told = [ChatMessage("system", persona)] if persona else []
    answered = {line.turn_id for line in history if line.role == "assistant" and line.content.strip()}
    told += [_told(line, character_id) for line in history if line.turn_id in answered]
    told.append(ChatMessage("user", prompt.told, None if prompt.lines else prompt.author_name))
    return told


def _told(line: HistoryEntry, character_id: str) -> ChatMessage:
    if line.role == "assistant" and line.character_id == character_id:
        return ChatMessage("assistant", line.content)
    return ChatMessage("user", line.content, line.name)


def people(history: Sequence[HistoryEntry], prompt: Prompt) -> dict[int, str]:
    """Everybody whose words `messages` tells the model, with the names that it knows them by."""
    found = {line.user_id: line.name or "" for line in history if line.user_id}
    return found | {user_id: name for user_id, name in prompt.names if user_id}


def lines(turn: Turn, at: datetime) -> list[HistoryEntry]:
    """What to remember of a turn: the prompt, one line for each who spoke, and of the reply exactly what was heard."""
    prompt, character = turn.prompt, turn.character
    kept = [HistoryEntry(turn.id, "user", line.text, at, line.user_id, line.name) for line in prompt.lines]
    if not kept:
        kept.append(HistoryEntry(turn.id, "user", prompt.noted, at, prompt.author_id, prompt.author_name))
    heard = turn.heard_text.strip()
    if heard:
        name = character.name if character is not None else None
        kept.append(HistoryEntry(turn.id, "assistant", heard, at, None, name, turn.answering))
    return kept
