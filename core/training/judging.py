"""Answers that may be judged, and what people judge: a thumb, a correction; each becomes an example of the selected data set."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from core.errors import StoreError, TrainingError
from core.store.training_values import Example

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from core.clock import Clock
    from core.config.trainer import TrainerSection
    from core.privacy.consent import Consent
    from core.store.training_answers import AnswersRepository
    from core.store.training_sets import SetsRepository
    from core.store.training_values import Answer
    from core.training.sets import DataSets

_log = logging.getLogger(__name__)

Thumb = Literal["up", "down"]

UNKNOWN = (
    "That is no answer of mine that I still have: I keep answers for {days:g} days, where training is on and nobody "
    "whose words they hold has refused."
)
OTHER_SERVER = "That answer was given on another server."
UNCHANGED = "That is the answer as it was, so nothing is stored. 👍 says that it was right."
EMPTY = "A correction needs words: write the answer as it should have been."
THANKS = {"up": "Thanks: noted as a good answer, in {name}.", "down": "Thanks: noted as a bad answer, in {name}."}
CORRECTED = "Thanks: your correction is stored beside the answer, in {name}."
STANDS = "Your correction of this answer is in {name} already, and says more than a thumb: it stays as it is."
NOTED = "Thanks: your note is stored with your correction of this answer, in {name}."
NOT_AGREED = (
    "It goes nowhere until you agree with `/privacy opt-in what:trained on`; otherwise I forget it after {days:g} days."
)
OTHERS = (
    "It goes nowhere until everybody whose words it holds has agreed to be trained on; otherwise I forget it after "
    "{days:g} days."
)
GAP = timedelta(hours=6)  # a longer silence in a channel begins another conversation
CORRECTION = "correction"


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of somebody's judgement, as a sentence for them."""

    told: str
    example: Example


class Judging:
    """Keeps answers for a while, and what people say of them for good."""

    def __init__(
        self,
        section: TrainerSection,
        answers: AnswersRepository,
        sets: SetsRepository,
        data_sets: DataSets,
        consent: Consent,
        clock: Clock,
    ) -> None:
        """Nothing is read yet.

        Args:
            section: `[trainer]`.
            answers: Where answers are kept.
            sets: Where examples are kept.
            data_sets: Which data set takes what people judge.
            consent: Asked whether somebody agreed to be trained on, whenever it matters.
            clock: Time.
        """
        self._section = section
        self._answers = answers
        self._sets = sets
        self._data_sets = data_sets
        self._consent = consent
        self._clock = clock
        self._gone: dict[int, datetime] = {}  # who was deleted, and up to when
        self._writing = asyncio.Lock()  # a person's second judgement finds the first

    # Answers ----------------------------------------------------------------------------------------------------------

    def keeps(self, guild_id: int | None, channel_ids: Iterable[int]) -> bool:
        """Whether answers in this place are kept: the channel itself, or what it is a thread of, or its server."""
        return guild_id is not None and (guild_id in self._section.servers or self.carries_thumbs(channel_ids))

    def carries_thumbs(self, channel_ids: Iterable[int]) -> bool:
        """Whether answers in this channel carry 👍 and 👎."""
        return not set(self._section.channels).isdisjoint(channel_ids)

    async def keep(self, answer: Answer) -> bool:
        """Keep an answer so that it can be judged; returns whether it is kept.

        Its conversation is that of the answer before it in the same place (`conversation` up to now), unless that is
        long ago. Where somebody whose words are in its prompt has refused, or was deleted meanwhile, nothing is kept.
        """
        if self._refused(answer):
            return False
        place = answer.conversation
        newest = await self._answers.newest_of(f"{place}/")
        conversation = f"{place}/{answer.at:%Y%m%dT%H%M%S}"
        if newest is not None and answer.at - newest[1] < GAP:
            conversation = newest[0]
        kept = await self._answers.add(replace(answer, conversation=conversation))
        if self._refused(answer):  # while it was written
            await self._answers.forget(kept)
            return False
        return True

    def gone(self, user_id: int, until: datetime) -> None:
        """Keep nothing more of what holds somebody's words up to a moment."""
        self._gone[user_id] = until

    def _refused(self, answer: Answer) -> bool:
        return any(
            self._consent.refused("trained_on", user_id) or (user_id in self._gone and answer.at <= self._gone[user_id])
            for user_id in answer.people
        )

    async def answer_of(self, message_id: int, guild_id: int) -> Answer:
        """The answer that a message shows.

        Raises:
            TrainingError: It shows none that is kept, or was given on another server.
        """
        return self._here(await self._answers.of_message(message_id), guild_id)

    async def answer_by_id(self, answer_id: int, guild_id: int) -> Answer:
        """An answer by its number.

        Raises:
            TrainingError: It is not kept any more.
        """
        return self._here(await self._answers.get(answer_id), guild_id)

    def _here(self, answer: Answer | None, guild_id: int) -> Answer:
        if answer is None or self._refused(answer):
            raise self.unknown()
        if answer.guild_id != guild_id:
            raise TrainingError(OTHER_SERVER)
        return answer

    async def count(self, guild_id: int) -> int:
        """How many answers of a server are kept to be judged."""
        return await self._answers.count(guild_id)

    def unknown(self) -> TrainingError:
        """What to say of a message that shows no answer that is kept."""
        return TrainingError(UNKNOWN.format(days=self._section.keep_answers_days))

    async def forget_old(self) -> None:
        """Forget answers that are too old, and examples whose people have not agreed in all that time."""
        moment = self._clock.now() - timedelta(days=self._section.keep_answers_days)
        try:
            count = await self._answers.forget_before(moment)
            old = await self._sets.people_before(moment)
            stale = [each.id for each in old if not self.all_agree(each.guild_id, each.people)]
            await self._sets.delete_examples(stale)
        except StoreError:  # the next look is soon
            _log.exception("old answers cannot be forgotten")
            return
        if count or stale:
            _log.info("forgotten: %d old answers, %d examples whose people have not agreed", count, len(stale))

    def agreed(self, example: Example) -> bool:
        """Whether everybody whose words an example holds agrees, now, to be trained on."""
        return self.all_agree(example.guild_id, example.people)

    def all_agree(self, guild_id: int, people: Iterable[int]) -> bool:
        """Whether all these agree, now, to be trained on."""
        return all(self._consent.allows("trained_on", guild_id, user_id) for user_id in people)

    # Judging ----------------------------------------------------------------------------------------------------------

    async def thumb(self, answer: Answer, user_id: int, name: str, thumb: Thumb, note: str = "") -> Judged:
        """Somebody liked an answer, or did not; a second thumb takes the place of the first.

        Raises:
            TrainingError: The server has no room for more.
        """
        good = thumb == "up"
        async with self._writing:
            old = await self._sets.judged(answer.id, user_id)
            if old is not None and old.source == CORRECTION:
                if note:
                    await self._put(old, replace(old, note=note))
                return Judged(self._told(NOTED if note else STANDS, old, await self._name(old)), old)
            example = replace(
                self._example(answer, user_id, f"thumb {thumb}"),
                chosen=answer.reply if good else None,
                rejected=None if good else answer.reply,
                note=note,
                people={**answer.people, user_id: name} if note else answer.people,
            )
            return Judged(self._told(THANKS[thumb], example, await self._put(old, example)), example)

    async def correct(self, answer: Answer, user_id: int, name: str, text: str) -> Judged:
        """Somebody wrote the answer as it should have been.

        Raises:
            TrainingError: There are no words, it is the same, or the server has no room for more.
        """
        if not text.strip():
            raise TrainingError(EMPTY)
        if text.split() == answer.reply.split():
            raise TrainingError(UNCHANGED)
        async with self._writing:
            old = await self._sets.judged(answer.id, user_id)
            example = replace(
                self._example(answer, user_id, CORRECTION),
                chosen=text.strip(),
                rejected=answer.reply,
                note=old.note if old else "",
                people={**answer.people, user_id: name},
            )
            return Judged(self._told(CORRECTED, example, await self._put(old, example)), example)

    async def take_back(self, answer: Answer, user_id: int, thumb: Thumb) -> bool:
        """Somebody took their thumb back; whether it was there."""
        async with self._writing:
            old = await self._sets.judged(answer.id, user_id)
            if old is None or old.source != f"thumb {thumb}":
                return False
            await self._sets.delete_examples([old.id])
            return True

    def _example(self, answer: Answer, by_id: int, source: str) -> Example:
        return Example(
            guild_id=answer.guild_id,
            conversation=answer.conversation,
            messages=answer.messages,
            source=source,
            at=self._clock.now(),
            answer_id=answer.id,
            by_id=by_id,
            route=answer.route,
            model=answer.model,
            temperature=answer.temperature,
            people=answer.people,
        )

    async def _put(self, old: Example | None, example: Example) -> str:
        """Store an example in the place of an older one; returns the name of its data set."""
        if old is not None:
            await self._sets.replace(old, example)
            return await self._name(old)
        return (await self._data_sets.add_judged(example)).name

    async def _name(self, example: Example) -> str:
        kept = await self._data_sets.by_id(example.guild_id, example.set_id)
        return kept.name if kept is not None else ""

    def _told(self, sentence: str, example: Example, name: str) -> str:
        return f"{sentence.format(name=self._data_sets.shown(name))} {self._missing(example)}".strip()

    def _missing(self, example: Example) -> str:
        """Why an example goes nowhere yet; empty if it may."""
        days, allows = self._section.keep_answers_days, self._consent.allows
        waiting = [user_id for user_id in example.people if not allows("trained_on", example.guild_id, user_id)]
        if example.by_id in waiting:
            return NOT_AGREED.format(days=days)
        return OTHERS.format(days=days) if waiting else ""
