"""Hands data sets out: asks everybody's consent when it is made and again when it leaves, and notes whose words left."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import TrainingError, WorkerDied, WorkerOverdue, WorkerOverMemory
from core.store.training_records import TrainingHandout
from core.training.export import ExportWish, Made, file_name, make
from core.training.sets import DataSets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from core.clock import Clock
    from core.config.trainer import TrainerSection
    from core.machine.lane import Lane, Owner
    from core.store.training_records import TrainingJobsRepository
    from core.store.training_values import Example, TrainingSet
    from core.training.checks import CountTokens, Format
    from core.training.judging import Judging

NOT_AGREED = (
    "Nothing in {name} may go out: of its {count} examples, {waiting} hold words of people who have not agreed to be "
    "trained on. Each of them can with `/privacy opt-in what:trained on`."
)
EMPTY = "{name} has no example yet."
NOTHING_FITS = "Nothing in {name} fits that format: {reasons}."
TOO_LARGE = (
    "{name} comes to {size:.1f} MB, and {limit:.0f} MB can be sent here, packed or not. Archive a part of it, or export "
    "a smaller data set."
)
TOO_MUCH_WORK = "That data set takes too much time or memory to make; make a smaller one."
CHANGED = "Somebody took back their agreement while that was made, so it does not go out. Please ask again."
HANDED = "{name}: {lines} lines for training, {test} held out to test with ({tokens} tokens, about)."
HANDED_WHOLE = "{name}: {lines} lines ({tokens} tokens, about)."
LEFT = "Left out: {reasons}."
DROPPED = "{count} of the held-out examples were dropped, because training has seen their question or answer."
REPLACED = "Placeholders stand for {people} mentions of people and {secrets} secrets or addresses."
WAITING = "{count} hold words of people who have not agreed"
PACKED = "The file is packed with gzip, to fit."
DEADLINE_S = 300.0
SIDES = ("train", "test")


@dataclass(frozen=True, slots=True)
class HandedOut:
    """Files by their names, and what to say of them."""

    files: Mapping[str, bytes]
    told: str
    people: frozenset[int]


class HandingOut:
    """Makes the files of data sets."""

    def __init__(
        self,
        section: TrainerSection,
        data_sets: DataSets,
        judging: Judging,
        jobs: TrainingJobsRepository,
        strangers: Lane,
        clock: Clock,
        secrets: Callable[[], Iterable[str]],
        count_tokens: CountTokens,
    ) -> None:
        """Nothing is made yet.

        Args:
            section: `[trainer]`.
            data_sets: The data sets.
            judging: Knows whose agreement an example needs.
            jobs: Where it is noted that something left.
            strangers: Where what people wrote is worked on.
            clock: Time.
            secrets: Gives the secrets of this process, which must be in nothing that leaves.
            count_tokens: About how many tokens a text takes; a top-level function.
        """
        self._section = section
        self._data_sets = data_sets
        self._judging = judging
        self._jobs = jobs
        self._strangers = strangers
        self._clock = clock
        self._secrets = secrets
        self._count_tokens = count_tokens

    async def make(
        self,
        kept: TrainingSet,
        form: Format,
        owner: Owner,
        *,
        names: Mapping[int, Iterable[str]],
        share: float | None = None,
        seed: int | None = None,
    ) -> tuple[Made, frozenset[int], str]:
        """The files of a data set, whose words are in them, and what to say of them.

        Args:
            kept: The data set.
            form: The format.
            owner: Who asks.
            names: Names that people of the server go by now, beside those that examples know.
            share: Of the conversations, held out; as in the settings by default.
            seed: Of the split; as in the settings by default.

        Raises:
            TrainingError: Nothing in it may go out, or nothing fits the format.
        """
        everything = await self._data_sets.examples(kept)
        name = DataSets.shown(kept.name)
        if not everything:
            raise TrainingError(EMPTY.format(name=name))
        agreed = [each for each in everything if self._judging.agreed(each)]
        waiting = len(everything) - len(agreed)
        if not agreed:
            raise TrainingError(NOT_AGREED.format(name=name, count=len(everything), waiting=waiting))
        share = self._section.test_share if share is None else share
        seed = self._section.seed if seed is None else seed
        known = tuple((user_id, tuple(forms)) for user_id, forms in names.items())
        most, secrets = self._section.max_example_tokens, tuple(self._secrets())
        wish = ExportWish(form, share, seed, most, self._count_tokens, secrets, known)
        made = await self._made(agreed, wish, owner)
        if not made.train.lines and not made.test.lines:
            raise TrainingError(NOTHING_FITS.format(name=name, reasons=_reasons(made, waiting)))
        self.require_agreed(agreed)
        people = frozenset(user_id for each in agreed for user_id in each.people)
        return made, people, _told(name, made, waiting, split=share > 0)

    async def _made(self, examples: Sequence[Example], wish: ExportWish, owner: Owner) -> Made:
        try:
            return await self._strangers.run(make, examples, wish, deadline_s=DEADLINE_S, owner=owner)
        except (WorkerOverdue, WorkerOverMemory, WorkerDied) as error:
            raise TrainingError(TOO_MUCH_WORK) from error

    def require_agreed(self, examples: Iterable[Example]) -> None:
        """Refuse what somebody does not agree to any more.

        Raises:
            TrainingError: Somebody does not.
        """
        if not all(self._judging.agreed(each) for each in examples):
            raise TrainingError(CHANGED)

    def require_people(self, guild_id: int, people: Iterable[int]) -> None:
        """Refuse what any of these does not agree to.

        Raises:
            TrainingError: Somebody does not.
        """
        if not self._judging.all_agree(guild_id, people):
            raise TrainingError(CHANGED)

    async def files(
        self,
        kept: TrainingSet,
        form: Format,
        owner: Owner,
        *,
        names: Mapping[int, Iterable[str]],
        limit_bytes: int,
        share: float | None = None,
        seed: int | None = None,
    ) -> HandedOut:
        """A data set as files for a person, within the limit of an upload; packed if it is too large otherwise.

        Raises:
            TrainingError: As of `make`, or it is too large.
        """
        made, people, told = await self.make(kept, form, owner, names=names, share=share, seed=seed)
        parts = [(side, part) for side, part in zip(SIDES, (made.train, made.test), strict=True) if part.lines]
        split = (self._section.test_share if share is None else share) > 0
        files = {file_name(kept.name, side if split else "", form): part.data for side, part in parts}
        if sum(map(len, files.values())) > limit_bytes:
            size = sum(map(len, files.values()))
            files = await _packed(files)
            told = f"{told}\n{PACKED}"
            if sum(map(len, files.values())) > limit_bytes:
                sentence = TOO_LARGE.format(name=DataSets.shown(kept.name), size=size / 1e6, limit=limit_bytes / 1e6)
                raise TrainingError(sentence)
        return HandedOut(files, told, people)

    async def handed(self, kept: TrainingSet, form: str, by_id: int, people: Iterable[int]) -> int:
        """Note that a data set left, before it does: who is in it is told, should they ask. Returns the note's number.

        Raises:
            TrainingError: Somebody in it does not agree any more.
            StoreError: It cannot be noted, so it must not leave.
        """
        people = frozenset(people)
        self.require_people(kept.guild_id, people)
        handout = TrainingHandout(kept.guild_id, kept.name, form, by_id, self._clock.now())
        return await self._jobs.handed_out(handout, people)

    async def not_handed(self, note: int) -> None:
        """It did not leave after all."""
        await self._jobs.forget_handout(note)


async def _packed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.gz": await asyncio.to_thread(gzip.compress, data, 9, mtime=0) for name, data in files.items()}


def _told(name: str, made: Made, waiting: int, *, split: bool) -> str:
    tokens = made.train.tokens + made.test.tokens
    first = HANDED if split else HANDED_WHOLE
    lines = [first.format(name=name, lines=made.train.lines, test=made.test.lines, tokens=tokens)]
    reasons = _reasons(made, waiting)
    lines += [LEFT.format(reasons=reasons)] if reasons else []
    lines += [DROPPED.format(count=made.dropped)] if made.dropped else []
    if made.people or made.secrets:
        lines.append(REPLACED.format(people=made.people, secrets=made.secrets))
    return "\n".join(lines)


def _reasons(made: Made, waiting: int) -> str:
    told = [f"{count} {reason}" for reason, count in made.left_out.items()]
    return ", ".join([*told, *([WAITING.format(count=waiting)] if waiting else [])])
