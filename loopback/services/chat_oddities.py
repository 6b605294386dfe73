"""How real chat servers refuse a prompt, in their own words, and the shapes they send their words in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loopback.services.chat import ChatBehaviour

CHARACTERS_A_TOKEN = 4
TURNS = "Conversation roles must alternate user/assistant/user/assistant/..."
NO_SYSTEM = "System role not supported"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP status and a body."""

    status: int
    body: dict[str, Any]


def prompt_refusal(behaviour: ChatBehaviour, asked: dict[str, Any]) -> Refusal | None:
    """What a chat template or a full context has against the messages; words and status are llama.cpp's."""
    roles = [str(message["role"]) for message in asked["messages"]]
    if not behaviour.system_role and "system" in roles:
        return _template(NO_SYSTEM)
    if behaviour.strict_roles:
        turns = roles[1:] if roles[:1] == ["system"] else roles
        if turns != [("user", "assistant")[place % 2] for place in range(len(turns))]:
            return _template(TURNS)
    tokens = len(json.dumps(asked["messages"])) // CHARACTERS_A_TOKEN
    if behaviour.context_tokens and tokens > behaviour.context_tokens:
        error = {
            "code": 400,
            "message": "the request exceeds the available context size, try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": tokens,
            "n_ctx": behaviour.context_tokens,
        }
        return Refusal(400, {"error": error})
    return None


def field_refusal(behaviour: ChatBehaviour, asked: dict[str, Any]) -> Refusal | None:
    """What a model has against a field of the request; words and codes are OpenAI's."""
    for name in behaviour.unsupported:
        if name in asked:
            instead = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
            error = {
                "message": f"Unsupported parameter: '{name}' is not supported with this model.{instead}",
                "type": "invalid_request_error",
                "param": name,
                "code": "unsupported_parameter",
            }
            return Refusal(400, {"error": error})
    return None


def words_of(behaviour: ChatBehaviour, text: str) -> Any:
    """Words as a text, or as a list of parts."""
    return [{"type": "text", "text": text}] if behaviour.parts else text


def _template(words: str) -> Refusal:
    message = f"Error: Jinja Exception: {words} at row 1, column 1"
    return Refusal(500, {"error": {"code": 500, "message": message, "type": "server_error"}})
