"""How a chat completion is made: what was seen of real servers, how they refuse a prompt, and in which words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loopback.services.service import Behaviour

if TYPE_CHECKING:
    from collections.abc import Callable

CHARACTERS_A_TOKEN = 4
TURNS = "Conversation roles must alternate user/assistant/user/assistant/..."
NO_SYSTEM = "System role not supported"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatBehaviour(Behaviour):
    """How one completion is made. Without `text` or `deltas` the answer is small talk.

    From `parts` on stands what was seen of real servers.
    """

    pace_s: float = 0.015
    text: str | None = None  # the answer, cut into tokens
    reply: Callable[[list[dict[str, Any]]], str] | None = None  # makes the answer out of the messages
    deltas: tuple[str, ...] | None = None  # the answer, cut exactly like this
    reasoning: str = ""  # sent before it as reasoning_content
    finish_reason: str | None = "stop"  # None: never told
    split_bytes: int = 0  # sends the event stream in writes of this size, whatever events they cut
    done: bool = True  # closes the stream with [DONE]
    parts: bool = False  # content as a list of parts (Mistral)
    thoughts: str = "reasoning_content"  # the field that `reasoning` is sent in; "parts": as a part of the content
    refusal: str = ""  # sent in the field of that name, after the text (OpenAI)
    noise: bytes = b""  # sent before every event: `retry:`, comments, `event: ping`, `data:` without data
    opening: bytes = b""  # sent before everything, as a byte-order mark
    line_end: bytes = b"\n"  # of the event stream
    event_end: bytes = b"\n\n"  # some servers end an event with its line
    ends_after: int | None = None  # closes the stream in good order after that many pieces, as if it were complete
    whole: bool = False  # one JSON object, though a stream was asked for
    answer_type: str = ""  # another Content-Type than the right one
    body: bytes | None = None  # answered as it is, whatever was asked: web pages, errors with status 200
    error_code: str | None = None  # the `code` of an error, instead of the usual one of its status
    strict_roles: bool = False  # as Gemma's template in llama.cpp: 500 unless user and assistant take turns
    system_role: bool = True  # False: as templates that know no system message
    unsupported: tuple[str, ...] = ()  # fields that are refused with OpenAI's words, as reasoning models do
    context_tokens: int = 0  # longer prompts (4 characters a token) are refused with llama.cpp's words


@dataclass(frozen=True, slots=True)
class ChatRefusal:
    """An HTTP status and a body."""

    status: int
    body: dict[str, Any]


def prompt_refusal(behaviour: ChatBehaviour, asked: dict[str, Any]) -> ChatRefusal | None:
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
        return ChatRefusal(400, {"error": error})
    return None


def field_refusal(behaviour: ChatBehaviour, asked: dict[str, Any]) -> ChatRefusal | None:
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
            return ChatRefusal(400, {"error": error})
    return None


def words_of(behaviour: ChatBehaviour, text: str) -> Any:
    """Words as a text, or as a list of parts."""
    return [{"type": "text", "text": text}] if behaviour.parts else text


def _template(words: str) -> ChatRefusal:
    message = f"Error: Jinja Exception: {words} at row 1, column 1"
    return ChatRefusal(500, {"error": {"code": 500, "message": message, "type": "server_error"}})
