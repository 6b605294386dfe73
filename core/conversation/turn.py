"""A turn: one prompt, its reply, and how much of it was heard."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from core.character import Character
    from core.conversation.advice import Advice
    from core.conversation.memory import Exchange
    from core.conversation.text_sink import TextSink
    from core.llm.messages import ModelRequest
    from core.speech.heard import HeardText
    from core.voice.playback.stream import PlaybackStream

KINDS = {"image": "a picture", "video": "a video", "audio": "a sound", "sticker": "a sticker", "file": "a file"}

Outcome = Literal["spoken", "text", "stopped", "failed", "silent"]


@dataclass(frozen=True, slots=True)
class PromptLine:
    """What one person said, of a prompt of several."""

    user_id: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What somebody wrote, or said, to the bot.

    `conversation_id` is the channel whose history it belongs to. `text` is as written; it may hold anything.
    `attachments` names the kinds of what came along ("image", "file"; the keys of `KINDS`). `about` is the message that it
    answers, as "Name: text", which may be older than what is remembered. `lines` is who said what, in the order in which
    they spoke, if several people said it at once; `text` has it all then, and the author is who spoke last.
    """

    conversation_id: int
    guild_id: int | None
    channel_id: int
    author_id: int
    author_name: str
    text: str
    attachments: tuple[str, ...] = ()
    about: str = ""
    lines: tuple[PromptLine, ...] = ()

    @classmethod
    def of_lines(cls, lines: Iterable[PromptLine], *, conversation_id: int, guild_id: int, channel_id: int) -> Prompt:
        """What was said, by one person or by several, in the order in which they spoke.

        Raises:
            ValueError: Nobody said anything.
        """
        said = tuple(lines)
        if not said:
            raise ValueError("a prompt needs somebody's words")
        several, last = len({line.user_id for line in said}) > 1, said[-1]
        text = "\n".join(f"{line.name}: {line.text}" if several else line.text for line in said)
        lines = said if several else ()
        return cls(conversation_id, guild_id, channel_id, last.user_id, last.name, text, lines=lines)

    @property
    def spoken(self) -> tuple[PromptLine, ...]:
        """Who said what, also if it was one person."""
        return self.lines or (PromptLine(self.author_id, self.author_name, self.text),)

    def only(self, user_ids: Iterable[int]) -> Prompt:
        """The same without the words of others than these; of one person's prompt nothing is taken."""
        wanted = set(user_ids)
        kept = [line for line in self.lines if line.user_id in wanted]
        if len(kept) == len(self.lines) or not kept:
            return self
        place = {"conversation_id": self.conversation_id, "channel_id": self.channel_id}
        return replace(Prompt.of_lines(kept, guild_id=self.guild_id or 0, **place), about=self.about)

    def saying(self, text: str) -> Prompt:
        """The same with another text."""
        return replace(self, text=text)

    @property
    def authors(self) -> frozenset[int]:
        """Everybody whose words it holds."""
        return frozenset({self.author_id, *(line.user_id for line in self.lines)}) - {0}

    @property
    def names(self) -> tuple[tuple[int, str], ...]:
        """Everybody whose words it holds, each with their name."""
        return ((self.author_id, self.author_name), *((line.user_id, line.name) for line in self.lines))

    def said_by(self, user_id: int) -> str:
        """The words of one of them."""
        if not self.lines:
            return self.text if user_id == self.author_id else ""
        return "\n".join(line.text for line in self.lines if line.user_id == user_id)

    @property
    def sent(self) -> str:
        """What came along, in words; empty if nothing did."""
        things = [KINDS.get(kind, KINDS["file"]) for kind in self.attachments]
        return f"{', '.join(things[:-1])} and {things[-1]}" if len(things) > 1 else "".join(things)

    @property
    def noted(self) -> str:
        """The prompt as it is remembered: a model that is not told of a picture takes it for nothing at all."""
        note = f"(Sent along: {self.sent}. You cannot see or hear that.)" if self.sent else ""
        return "\n".join(part for part in (self.text, note) if part)

    @property
    def told(self) -> str:
        """The prompt as the model is told it."""
        return f"(This answers “{self.about}”.)\n{self.noted}" if self.about else self.noted

    def joined(self, later: Prompt) -> Prompt:
        """This prompt with another message of the same burst behind it."""
        return Prompt(
            self.conversation_id,
            self.guild_id,
            self.channel_id,
            self.author_id,
            self.author_name,
            "\n".join(part for part in (self.text, later.text) if part),
            self.attachments + later.attachments,
            self.about or later.about,
            self.lines + later.lines,
        )


@dataclass(slots=True)
class Timings:
    """Moments of a turn on the `time.monotonic` clock; None until they come."""

    prompted_s: float
    first_token_s: float | None = None
    first_audio_s: float | None = None
    last_token_s: float | None = None
    tokens: int = 0

    @property
    def first_token_ms(self) -> float | None:
        """Prompt to the model's first text."""
        return None if self.first_token_s is None else (self.first_token_s - self.prompted_s) * 1000

    @property
    def first_audio_ms(self) -> float | None:
        """Prompt to the first frame sent."""
        return None if self.first_audio_s is None else (self.first_audio_s - self.prompted_s) * 1000

    @property
    def tokens_per_s(self) -> float | None:
        """Pieces of text a second, from the first to the last."""
        if self.first_token_s is None or self.last_token_s is None or self.last_token_s <= self.first_token_s:
            return None
        return (self.tokens - 1) / (self.last_token_s - self.first_token_s)


@dataclass(slots=True, eq=False)
class Turn:
    """One prompt on its way to a reply."""

    prompt: Prompt
    sink: TextSink
    timings: Timings
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    reply_text: str = ""
    outcome: Outcome | None = None
    line: PlaybackStream | None = None
    heard: HeardText | None = None
    task: asyncio.Task[None] | None = None
    underruns: int = 0
    note: str = ""  # said behind the reply, about it: why it breaks off
    put_off: Callable[[], Awaitable[bool]] | None = None  # asked when its turn in text comes: whether it waits on
    renew: Callable[[], Prompt | None] | None = (
        None  # asked when its turn comes: the prompt as it is now, None if deleted
    )
    aloud: bool = False  # a message that is read, not answered
    character: Character | None = None  # who answers; set from the beginning by `Conversation`
    interruptible: bool = True  # whether somebody who speaks into it may pause or stop it
    paused: bool = False
    exchange: Exchange | None = None  # what is remembered of it, if anything
    advice: Advice | None = None  # what others added to it
    request: ModelRequest | None = None  # what the model was asked for it
    read: Mapping[int, str] = field(default_factory=dict[int, str])  # whose words that was made of, with their names

    @property
    def heard_text(self) -> str:
        """What of the reply was really heard; as it was written if all of it was, or if there was no voice."""
        if self.line is None or self.heard is None or self.outcome in ("text", "spoken"):
            return self.reply_text
        return _without(self.heard.upto(self.line.heard_samples), self.note)

    @property
    def message_ids(self) -> tuple[int, ...]:
        """The messages of Discord's that show the reply, in order; none if it is not shown."""
        return tuple(getattr(self.sink, "message_ids", ()))

    @property
    def answering(self) -> str:
        """The id of the character that answers; the bot's own is empty."""
        return self.character.id if self.character is not None else ""

    def pause(self) -> None:
        """Hold the sound within 20 ms, also one that has not begun; `interruptible` is for the caller to ask first.

        The model goes on, and the text with it. Turns of the same session wait behind.
        """
        self.paused = True
        if self.line is not None:
            self.line.pause()

    def resume(self) -> None:
        """Go on from the very sample where `pause` held."""
        self.paused = False
        if self.line is not None:
            self.line.resume()

    def duck(self, *, on: bool) -> None:
        """Let the sound be quiet while somebody speaks, or as loud as before again."""
        if self.line is not None:
            self.line.duck(on=on)

    def speaks_on(self, line: PlaybackStream) -> None:
        """Take a stream as its sound; pause it, if the turn is paused."""
        self.line = line
        if self.paused:
            line.pause()

    def scrub(self, clean: Callable[[str], str]) -> None:
        """Take somebody out of the texts of a turn that is over."""
        lines = tuple(replace(line, text=clean(line.text)) for line in self.prompt.lines)
        self.prompt = replace(self.prompt, text=clean(self.prompt.text), about=clean(self.prompt.about), lines=lines)
        self.reply_text = clean(self.reply_text)
        self.request = self.advice = None
        self.read = {}

    def stop(self) -> None:
        """Cut the sound now, then cancel everything behind it."""
        if self.line is not None:
            self.line.stop()
        if self.task is not None:
            self.task.cancel()


def _without(heard: str, note: str) -> str:
    """What was heard, less what was heard of the note behind it."""
    words, noted = heard.split(), note.split()
    for count in range(min(len(words), len(noted)), 0, -1):
        if words[-count:] == noted[:count]:
            return heard.rsplit(None, count)[0] if count < len(words) else ""
    return heard
