"""What the model is told: who it is, what was said before, and the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.llm.messages import ChatMessage
from core.store.history import HistoryEntry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from core.conversation.turn import Prompt, Turn


def messages(persona: str, history: Sequence[HistoryEntry], prompt: Prompt) -> list[ChatMessage]:
    """Persona, history and prompt as the model takes them; people are named in their messages.

    Of the history only what was answered: a prompt that the server refused would be refused again, and take the new one
    with it.
    """
    told = [ChatMessage("system", persona)] if persona else []
    answered = {line.turn_id for line in history if line.role == "assistant" and line.content.strip()}
    told += [
        ChatMessage(line.role, line.content, line.name if line.role == "user" else None)
        for line in history
        if line.turn_id in answered
    ]
    told.append(ChatMessage("user", prompt.told, prompt.author_name))
    return told


def lines(turn: Turn, at: datetime) -> list[HistoryEntry]:
    """What to remember of a turn: the prompt, and of the reply exactly what was heard."""
    prompt = turn.prompt
    kept = [HistoryEntry(turn.id, "user", prompt.noted, at, prompt.author_id, prompt.author_name)]
    heard = turn.heard_text.strip()
    if heard:
        kept.append(HistoryEntry(turn.id, "assistant", heard, at))
    return kept
