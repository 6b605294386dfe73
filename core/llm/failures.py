"""What went wrong with a model, as one sentence for the person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import ModelError

if TYPE_CHECKING:
    from core.llm.routes import Route

TOO_LONG = "context_length_exceeded"


def failure(route: Route, error: Exception, *, begun: bool) -> ModelError:
    """The sentence for an error of the SDK, or of what it made of the server's bytes.

    `begun` tells whether the answer was under way. The sentence never holds words of the server: they may repeat the
    key.
    """
    from openai import APIConnectionError, APIError, APIStatusError

    server = f"The model server at {route.address}"
    if isinstance(error, APIStatusError):
        return ModelError(_refusal(route, server, error))
    if isinstance(error, APIConnectionError):
        if begun:
            return ModelError(
                f"The connection to the model server at {route.address} broke in the middle of the answer."
            )
        return ModelError(f"{server} cannot be reached; check that it runs and that the route's base_url is right.")
    if isinstance(error, APIError):  # an error event inside the stream
        return ModelError(f"{server} reported an error while it answered; try again in a moment.")
    return ModelError(f"{server} sent something that is no chat answer; check the route's base_url.")


def missing_key(route: Route) -> ModelError:
    """The server wants a key and none is set."""
    return ModelError(
        f"The model route '{route.name}' needs a key: set {route.api_key_env} in the environment or in .env."
    )


def empty(route: Route, reason: str | None) -> ModelError:
    """The answer came and had no words in it; `reason` is the finish reason."""
    if reason == "content_filter":
        return ModelError(f"The content filter of the model {route.model} refused to answer this.")
    if reason == "length":
        return ModelError(f"The model {route.model} used up its max_tokens before it said anything.")
    return ModelError(f"The model {route.model} gave an empty answer; try again or say it in other words.")


def scrubbed(error: Exception, key: str) -> Exception:
    """The error for the log, without the key if a server repeated it."""
    if not key or key not in str(error):
        return error
    return RuntimeError(f"{type(error).__name__}: {str(error).replace(key, '***')}")


def _refusal(route: Route, server: str, error: object) -> str:
    status = getattr(error, "status_code", 0)
    if status in (401, 403):
        key = route.api_key_env
        if not key:
            return f"{server} wants a key ({status}); name the variable that holds it as api_key_env of '{route.name}'."
        return f"{server} refused the key ({status}); set the right one as {key} in the environment or in .env."
    if status == 404:
        return f"{server} does not know the model {route.model}; check model and base_url of the route '{route.name}'."
    if status == 429:
        return f"{server} has no capacity left for us right now (429); try again in a moment."
    if status >= 500:
        return f"{server} has a fault of its own ({status}); try again in a moment."
    if getattr(error, "code", None) == TOO_LONG:
        return f"The prompt was too long for the model {route.model}; lower context_tokens of the route '{route.name}'."
    return f"{server} did not accept the request ({status})."
