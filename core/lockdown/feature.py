"""What can give way, and how: a feature and its policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.store.lockdown import QueuedMessage

Callback = Callable[[], Awaitable[object] | object]

MICROPHONE = "🎤"
LOCKED = "{title} is locked while I am in a voice channel."
LOCKED_BY_HAND = "{title} is locked for now, by an administrator."
FAILED = "I could not answer this after the call. Please ask me again."
DROPPED = "So much was written while I was in a voice channel that I could not keep all of it. Please ask me again."


@dataclass(frozen=True, slots=True)
class BlockPolicy:
    """Refuses each use with a friendly message and a reaction; either may be empty."""

    message: str
    reaction: str = MICROPHONE


@dataclass(frozen=True, slots=True)
class SilencePolicy:
    """Refuses without a word; an interaction, which would look broken, gets a short private answer."""


@dataclass(frozen=True, slots=True)
class PausePolicy:
    """Something that runs by itself is stopped and started again.

    Both callbacks take nothing, may be coroutine functions, and must bear being called twice: `on_pause` is called
    again on a cog that was reloaded during a session, `on_resume` again after a crash or a failed try.
    """

    on_pause: Callback
    on_resume: Callback


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """Keeps messages in the store and hands them to `replay` after the session, oldest first.

    A callback that raises LockdownError says that it cannot be done now: the message goes on waiting, and is tried again
    until it can. After three other failures of one message, its author is told, and the next one is answered.

    Attributes:
        replay: Answers one message; it gets what `fetch` gave and returns when the answer is out.
        fetch: Gives the message as it is now, edits included, or None if it was deleted.
        answered: Whether a message has its answer already. Asked only for the one message that was being answered
            when the process died; without it such a message counts as answered, so that nothing is said twice.
        tell: Tells the author of a message that was dropped (once an author), or failed; gets it and the sentence.
        unmark: Takes a reaction of ours off a message that waits no more; gets both.
        limit: How many messages are kept; None takes `[lockdown] queue_limit`.
        dropped: The sentence for authors of messages that were dropped.
        failed: The sentence for the author of a message whose answer failed again and again.
    """

    replay: Callable[[Any], Awaitable[object]]
    fetch: Callable[[QueuedMessage], Awaitable[Any]]
    answered: Callable[[Any], Awaitable[bool]] | None = None
    tell: Callable[[QueuedMessage, str], Awaitable[object]] | None = None
    unmark: Callable[[QueuedMessage, str], Awaitable[object]] | None = None
    limit: int | None = None
    dropped: str = DROPPED
    failed: str = FAILED


@dataclass(frozen=True, slots=True)
class LockPolicy:
    """Keeps something as it is; who tries to change it is told. Without a message, a usual one."""

    message: str = ""


Policy = BlockPolicy | SilencePolicy | PausePolicy | QueuePolicy | LockPolicy


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that gives way while the bot talks.

    Attributes:
        name: How code asks for it, for example `image_generation`.
        title: How people read it, for example `Image generation`.
        policy: What happens to it.
        required: Whether a session is refused when the feature cannot be paused.
    """

    name: str
    title: str
    policy: Policy
    required: bool = False


# The names that they had before; other people's cogs use them.
Block = BlockPolicy
Lock = LockPolicy
Pause = PausePolicy
Queue = QueuePolicy
Silence = SilencePolicy
