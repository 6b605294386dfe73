"""Words what went wrong with a model as one sentence for the person.

The sentences never hold words of the server: they may repeat the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import ModelError
from core.llm.answers import BrokenOffError, WebPageError
from core.llm.chunks import ServerSaidError
from core.llm.refusals import Refused, by_status, by_words
from core.names import shown_text

if TYPE_CHECKING:
    from core.llm.routes import Route

REFUSAL_CHARACTERS = 400  # shown of the model's own words
WORTH_TELLING_S = 2.0  # a shorter wait is "a moment"

LENGTH = ("length", "max_tokens", "model_length", "max_length")
FILTER = ("content_filter", "content-filter", "safety", "recitation", "sensitive", "prohibited_content", "blocklist")
TOOLS = ("tool_calls", "function_call", "tool_use", "tool_call")
ERROR = ("error", "abort", "aborted", "cancelled", "network_error", "system_error", "insufficient_system_resource")


def failure(route: Route, error: Exception, *, begun: bool) -> ModelError:
    """The sentence for an error of the SDK, or of what the server's bytes were. `begun`: the answer was under way."""
    from openai import APIConnectionError

    server = f"The model server at {route.address}"
    cut = "My answer breaks off here." if begun else ""
    refused = told(error)
    if refused is not None:
        if isinstance(error, ServerSaidError) and not refused.status and not _known(refused):
            if not error.surely:
                return _no_answer(server, cut)
            return ModelError(f"{server} reported an error while it answered; try again in a moment.", spoken=cut)
        sentence = _refusal(route, server, refused)
        if begun:
            sentence = f"The answer breaks off here: {sentence[0].lower()}{sentence[1:]}"
        return ModelError(sentence, spoken=cut)
    if isinstance(error, APIConnectionError | BrokenOffError):
        if begun:
            return ModelError(
                f"The connection to the model server at {route.address} broke in the middle of the answer.", spoken=cut
            )
        if isinstance(error, BrokenOffError) and error.__cause__ is None:
            return ModelError(f"{server} ended its answer before it had begun; try again in a moment.")
        return ModelError(f"{server} cannot be reached; check that it runs and that the route's base_url is right.")
    if isinstance(error, WebPageError):
        return ModelError(
            f"{server} sent a web page, which is no chat answer; check the route's base_url, and whether a login stands "
            "in front of it."
        )
    return _no_answer(server, cut)


def _no_answer(server: str, cut: str) -> ModelError:
    return ModelError(f"{server} sent something that is no chat answer; check the route's base_url.", spoken=cut)


def told(error: Exception) -> Refused | None:
    """The refusal in an error, if a server gave one."""
    from openai import APIStatusError

    if isinstance(error, APIStatusError):
        return by_status(error)
    return by_words(error.said) if isinstance(error, ServerSaidError) else None


def missing_key(route: Route) -> ModelError:
    """The server wants a key and none is set."""
    return ModelError(
        f"The model route '{route.name}' needs a key: set {route.api_key_env} in the environment or in .env."
    )


def cut_short(route: Route, reason: str | None) -> ModelError | None:
    """Why an answer that had begun is not complete, by its finish reason; None if it is."""
    why = (reason or "").lower()
    if why in LENGTH:
        return ModelError(
            f"The answer of the model {route.model} was cut off, because it reached its limit of length (max_tokens or the "
            "context).",
            spoken="My answer was cut off here, because it got too long.",
        )
    if why in FILTER:
        return ModelError(
            f"The content filter of the model {route.model} cut its answer off.",
            spoken="My answer was cut off here by a content filter.",
        )
    if why in ERROR:
        return ModelError(
            f"The model server at {route.address} reported an error while it answered; the answer is not complete.",
            spoken="My answer breaks off here.",
        )
    return None


def refusal(route: Route, words: str) -> ModelError:
    """The model refused, in its own words."""
    said = " ".join(words.split())
    if len(said) > REFUSAL_CHARACTERS:
        said = f"{said[:REFUSAL_CHARACTERS]}…"
    return ModelError(
        f"The model {route.model} refused to answer this: “{shown_text(said, REFUSAL_CHARACTERS)}”.",
        spoken=f"I refuse to answer. {said}",
    )


def empty(route: Route, reason: str | None, *, thought: bool = False) -> ModelError:
    """The answer came and had no words in it; `reason` is the finish reason, `thought` whether it had thoughts."""
    why = (reason or "").lower()
    if why in FILTER:
        return ModelError(f"The content filter of the model {route.model} refused to answer this.")
    if why in LENGTH:
        only = "thinking, " if thought else ""
        return ModelError(f"The model {route.model} used up its max_tokens {only}before it said anything.")
    if why in ERROR:
        return ModelError(f"The model server at {route.address} reported an error while it answered; try again.")
    if why in TOOLS:
        return ModelError(f"The model {route.model} wanted to use a tool instead of answering, and has none here.")
    if thought:
        return ModelError(
            f"The model {route.model} gave an empty answer: it only thought, and said nothing; try again or say it in "
            "other words.",
            spoken="I have only thought about that, and have no answer.",
        )
    return ModelError(f"The model {route.model} gave an empty answer; try again or say it in other words.")


def scrubbed(error: Exception, key: str) -> Exception:
    """The error for the log, without the key if a server repeated it."""
    if not key or key not in str(error):
        return error
    return RuntimeError(f"{type(error).__name__}: {str(error).replace(key, '***')}")


def _known(refused: Refused) -> bool:
    return bool(
        refused.quota
        or refused.too_long
        or refused.filtered
        or refused.key
        or refused.model_unknown
        or refused.parameter is not None
    )


def _refusal(route: Route, server: str, refused: Refused) -> str:
    status = refused.status
    number = f" ({status})" if status else ""
    if refused.quota:
        return (
            f"The account behind the model server at {route.address} has no credit left{number}; whoever runs this bot has "
            "to look at its plan and billing."
        )
    if refused.too_long:
        return (
            f"The prompt was too long for the model {route.model}{number}; lower context_tokens of the route "
            f"'{route.name}'."
        )
    if refused.filtered:
        return f"The content filter of the model {route.model} refused to answer this{number}."
    if refused.key:
        key = route.api_key_env
        if not key:
            return f"{server} wants a key{number}; name the variable that holds it as api_key_env of '{route.name}'."
        return f"{server} refused the key{number}; set the right one as {key} in the environment or in .env."
    if refused.model_unknown:
        return f"{server} does not know the model {route.model}; check model and base_url of the route '{route.name}'."
    if status in (429, 529):
        return f"{server} has no capacity left for us right now ({status}); try again {_when(refused)}."
    if status >= 500:
        return f"{server} has a fault of its own ({status}); try again {_when(refused)}."
    if 300 <= status < 400:
        where = f" to {refused.onward}" if refused.onward else ""
        return (
            f"{server} sends us on{where} ({status}) instead of answering, perhaps to a login; set base_url of the route "
            f"'{route.name}' to where the model really is."
        )
    if refused.parameter:
        return f"The model {route.model} does not take {refused.parameter}{number}; take it out of the route '{route.name}'."
    return f"{server} did not accept the request{number}."


def _when(refused: Refused) -> str:
    seconds = refused.retry_after_s
    if seconds is None or seconds < WORTH_TELLING_S:
        return "in a moment"
    if seconds < 120:
        return f"in about {seconds:.0f} seconds"
    return f"in about {seconds / 60:.0f} minutes" if seconds < 2 * 3600 else f"in about {seconds / 3600:.0f} hours"
