"""Voice messages and sound files in prompts: heard, shown as text below the message, and answered like what is typed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import discord

from core.audio.decode import clock
from core.bot.replies import MESSAGE_LIMIT
from core.errors import AudioError, HearingError, ParleyError
from core.hearing.sound_file import TOO_LONG, text_of
from core.machine.lane import Owner
from core.names import shown_text
from core.privacy.owners import About

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from core.config.hearing import HearingSection
    from core.conversation.asked import Asked
    from core.conversation.turn import Prompt
    from core.hearing.transcriber import Transcriber
    from core.machine.lane import Lane
    from core.privacy.consent import Consent
    from core.privacy.owners import Person

_log = logging.getLogger(__name__)

FETCH_S = 60.0
KEPT = 500  # messages whose words are kept until they are answered; the oldest are forgotten first
QUOTE = "> "
SOUND = "audio"  # in `Prompt.attachments`

REFUSED = "You asked not to be heard, so I do not listen to that. `/privacy opt-in` takes that back."
TOO_LARGE = "That file is too large ({size:.0f} MB); I listen to up to {most:g} MB."
NOT_FETCHED = "Discord did not hand over the file. Please send it once more."
NOTHING = "I understood no words in that."
NOT_HEARD = "Something went wrong with listening to that, and it is in the log."
DROPPED = "{count} of your voice messages were being listened to: they will not be answered."
UNDER_WAY = "{count} of your voice messages are being listened to."


class SoundUpload(Protocol):
    """An attachment as discord.py gives it."""

    filename: str
    size: int
    content_type: str | None
    duration: float | None  # of a voice message

    async def read(self) -> bytes:
        """The bytes."""
        ...


@dataclass(frozen=True, slots=True)
class _Words:
    """What the sounds of one message say."""

    user_id: int
    text: str
    heard: int  # how many sounds


class SentSounds:
    """Turns sound that came with a message into words of its prompt."""

    def __init__(
        self,
        section: HearingSection,
        transcriber: Transcriber | None,
        strangers: Lane,
        consent: Consent,
        limit_mb: float,
    ) -> None:
        """Nothing is opened.

        Args:
            section: `[hearing]`.
            transcriber: The recogniser, opened when it is needed; None if nobody is heard.
            strangers: Where files are decoded.
            consent: Asked whether somebody refuses to be heard.
            limit_mb: Of one file.
        """
        self._section = section
        self._transcriber = transcriber
        self._strangers = strangers
        self._consent = consent
        self._limit_mb = limit_mb
        self._words: dict[int, _Words] = {}
        self._under_way: dict[int, int] = {}  # messages, and whose they are

    def has_sound(self, asked: Asked) -> bool:
        """Whether there is something to be listened to: sent by whoever asks, not passed on from somebody else."""
        on = self._section.attachments and self._transcriber is not None
        return on and asked.id not in self._words and bool(_sounds(asked.source))

    async def hear(self, asked: Asked, wanted: Callable[[], bool]) -> Asked | None:
        """The same prompt with the words of its sounds, which are shown too; None if there is nothing to answer.

        What cannot be heard is told in a sentence. Without a recogniser, the prompt stays as it is.
        """
        transcriber = self._transcriber
        if transcriber is None or not await self._opened(transcriber):
            return asked
        self._under_way[asked.id] = asked.prompt.author_id
        try:
            texts, troubles = await self._hear_all(asked, transcriber)
            if asked.id not in self._under_way or not wanted():  # whoever sent it was deleted meanwhile, or it was
                return None
        finally:
            self._under_way.pop(asked.id, None)
        for page in pages(" ".join(texts)) if texts else ():
            await asked.place.tell(page)
        for sentence in dict.fromkeys(troubles):
            await asked.place.tell(sentence)
        if texts:
            self._keep(asked.id, _Words(asked.prompt.author_id, "\n".join(texts), len(texts)))
            return self.with_words(asked)
        return asked if asked.prompt.text or set(asked.prompt.attachments) - {SOUND} else None

    def with_words(self, asked: Asked) -> Asked:
        """A prompt with the words of its sounds, if they were heard; again and again the same."""
        words = self._words.get(asked.id)
        if words is None or asked.listened:
            return asked
        return replace(asked, prompt=_saying(asked.prompt, words), listened=True)

    def drop(self, message_ids: Iterable[int]) -> None:
        """Forget the words of messages that are answered."""
        for message_id in message_ids:
            self._words.pop(message_id, None)

    # People -----------------------------------------------------------------------------------------------------------

    async def describe_person(self, person: Person) -> About:
        """Say how much of a person is being listened to."""
        count = self._count(person)
        return About([UNDER_WAY.format(count=count)] if count else [])

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        """Give what was understood and is not answered yet."""
        texts = [words.text for words in self._words.values() if words.user_id == person.id]
        return {"voice_messages.txt": "\n".join(texts).encode()} if texts else {}

    async def delete_person(self, person: Person) -> Sequence[str]:
        """Answer nothing of what a person sent and is being listened to."""
        count = self._count(person)
        self._under_way = {key: user_id for key, user_id in self._under_way.items() if user_id != person.id}
        self._words = {key: words for key, words in self._words.items() if words.user_id != person.id}
        return [DROPPED.format(count=count)] if count else []

    def _count(self, person: Person) -> int:
        return sum(user_id == person.id for user_id in self._under_way.values())

    # Hearing ----------------------------------------------------------------------------------------------------------

    async def _opened(self, transcriber: Transcriber) -> bool:
        try:
            await transcriber.open()
        except HearingError as error:
            _log.warning("what people send is not heard: %s", error.sentence, exc_info=error.__cause__)
            return False
        return True

    async def _hear_all(self, asked: Asked, transcriber: Transcriber) -> tuple[list[str], list[str]]:
        """The words of each sound, and what was wrong with others."""
        texts: list[str] = []
        troubles: list[str] = []
        left_s = self._section.max_attachment_s
        for upload in _sounds(asked.source):
            try:
                self._require_consent(asked)
                data = await self._fetch(upload, left_s)
                prompt = asked.prompt
                heard = await text_of(
                    data,
                    transcriber,
                    self._strangers,
                    max_bytes=self._most_bytes,
                    max_s=left_s,
                    owner=Owner(prompt.guild_id or 0, prompt.author_id),
                )
                self._require_consent(asked)
            except ParleyError as error:
                _log.info("a sound in message %d is not heard: %s", asked.id, error.sentence, exc_info=error.__cause__)
                troubles.append(error.sentence)
                continue
            except Exception:  # noqa: BLE001 - whoever sent it must be told all the same; the log has the cause
                _log.exception("a sound in message %d is not heard", asked.id)
                troubles.append(NOT_HEARD)
                continue
            left_s = max(1.0, left_s - heard.length_s)
            texts += [heard.text] if heard.text else []
            troubles += [sentence for sentence in (heard.trouble, "" if heard.text else NOTHING) if sentence]
        return texts, troubles

    @property
    def _most_bytes(self) -> int:
        return int(self._limit_mb * 1_000_000)

    def _require_consent(self, asked: Asked) -> None:
        """They sent it themselves; but whoever said that they do not want to be heard is not.

        Raises:
            HearingError: They said so.
        """
        if self._consent.refused("heard", asked.prompt.author_id):
            raise HearingError(REFUSED)

    async def _fetch(self, upload: SoundUpload, most_s: float) -> bytes:
        """The bytes of a file that is not larger or longer than it may be, by what Discord says of it.

        Raises:
            AudioError: It is, or cannot be had.
        """
        if upload.size > self._most_bytes:
            raise AudioError(TOO_LARGE.format(size=upload.size / 1e6, most=self._limit_mb))
        if upload.duration is not None and upload.duration > most_s:
            raise AudioError(TOO_LONG.format(most=clock(most_s)))
        try:
            async with asyncio.timeout(FETCH_S):
                return await upload.read()
        except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise AudioError(NOT_FETCHED) from error

    def _keep(self, message_id: int, words: _Words) -> None:
        self._words[message_id] = words
        while len(self._words) > KEPT:
            del self._words[next(iter(self._words))]


def pages(text: str) -> list[str]:
    """Words that were understood, whole, as quotations of which each fits into a message; no page pings or is markup."""
    found: list[str] = []
    line = ""
    for word in text.split():
        for part in (word[at : at + 500] for at in range(0, len(word), 500)):
            longer = f"{line} {part}" if line else part
            if line and len(_quoted(longer)) > MESSAGE_LIMIT:
                found.append(_quoted(line))
                longer = part
            line = longer
    return [*found, _quoted(line)] if line else found


def _quoted(line: str) -> str:
    return QUOTE + shown_text(line, 10 * MESSAGE_LIMIT)


def _sounds(message: Any) -> list[SoundUpload]:
    """The sounds that somebody sent themselves: of what is passed on, nobody knows whose voice it is."""
    attachments: list[SoundUpload] = getattr(message, "attachments", [])
    return [each for each in attachments if (each.content_type or "").startswith("audio/")]


def _saying(prompt: Prompt, words: _Words) -> Prompt:
    """With the words of its sounds, and without those among what cannot be heard."""
    left = list(prompt.attachments)
    for _ in range(words.heard):
        if SOUND in left:
            left.remove(SOUND)
    said = f"(Said in a sound that came along: “{words.text}”)" if prompt.text else words.text
    return replace(prompt, text="\n".join(part for part in (prompt.text, said) if part), attachments=tuple(left))
