"""What was written or said to the bot, as facts, and what is decided of it; nothing here knows Discord."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from core.conversation.text_sink import TextSink
    from core.conversation.turn import Prompt
    from core.voice.session import VoiceSession

Kind = Literal["written", "heard"]
Verdict = Literal["answer", "read", "explain", "wait", "ignore"]


@dataclass(frozen=True, slots=True)
class Author:
    """Somebody who asks."""

    id: int
    role_ids: frozenset[int] = frozenset()
    is_bot: bool = False


class ReplyPlace(Protocol):
    """Where whoever asked is answered."""

    def sink(self) -> TextSink:
        """Where the written reply grows."""
        ...

    async def tell(self, sentence: str) -> None:
        """Say something about the prompt, if that is possible; failures are logged."""
        ...

    async def acknowledge(self) -> None:
        """Show that the prompt was taken up, if that is possible; failures are logged."""
        ...


class SoundHearing(Protocol):
    """Listens to voice messages and sound files that come with prompts."""

    def has_sound(self, asked: Asked) -> bool:
        """Whether there is something to be listened to."""
        ...

    async def hear(self, asked: Asked, wanted: Callable[[], bool]) -> Asked | None:
        """The prompt with the words of its sounds; None if there is nothing to answer, which was told.

        Args:
            asked: The prompt.
            wanted: Whether the message is still there.
        """
        ...

    def with_words(self, asked: Asked) -> Asked:
        """The same for what was heard before, without waiting."""
        ...

    def drop(self, message_ids: Iterable[int]) -> None:
        """Forget the words of messages that are answered."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that was written or said.

    Args:
        kind: Whether it was written or heard.
        prompt: What it says, and where.
        authors: Everybody whose words it holds.
        place: Where they are answered.
        parent_channel_id: The channel that a thread belongs to.
        mentions_me: Whether a message mentions the bot, or replies to it.
        silent: Whether a message was sent with `@silent`.
        alone: Whether one person is alone with the bot, when something was said.
        called: What it says if it has no words: somebody only called the bot by name.
        id: Of the message; 0 if there is none.
        source: The message itself, for whoever keeps it for later.
        listened: Whether the prompt holds the words of what was sent along as sound.
    """

    kind: Kind
    prompt: Prompt
    authors: tuple[Author, ...]
    place: ReplyPlace
    parent_channel_id: int | None = None
    mentions_me: bool = False
    silent: bool = False
    alone: bool = False
    called: str = ""
    id: int = 0
    source: Any = None
    listened: bool = False

    @property
    def places(self) -> tuple[int, ...]:
        """Ids of the channel, and for a thread or a post of a forum of the channel that it belongs to."""
        channel_id = self.prompt.channel_id
        return (channel_id,) if self.parent_channel_id is None else (channel_id, self.parent_channel_id)

    def asking(self, prompt: Prompt) -> Asked:
        """The same with another prompt."""
        return replace(self, prompt=prompt)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done with something that was asked.

    Args:
        verdict: `answer` by the model, `read` aloud, `explain` why it cannot be answered, `wait` for the end of a session,
            or `ignore`.
        why: For logs and tests; empty if it is answered.
        prompt: What is answered or read.
        session: Who speaks; None in text.
    """

    verdict: Verdict
    why: str = ""
    prompt: Prompt | None = None
    session: VoiceSession | None = None
