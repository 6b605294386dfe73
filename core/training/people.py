"""What the trainer has of a person: shown, exported and deleted, with every example that holds a word of theirs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import ParleyError, TrainingError
from core.privacy.mentions import cleaner
from core.privacy.owners import SHORTEST_NAME, About, Person

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from core.clock import Clock
    from core.store.decisions import Decision
    from core.store.training_answers import AnswersRepository
    from core.store.training_records import TrainingHandout, TrainingJobsRepository
    from core.store.training_sets import SetsRepository
    from core.store.training_values import Answer, Example, Line
    from core.training.instructions import Instructions
    from core.training.judging import Judging

KEPT_ANSWERS = (
    "{count} of my answers, whose prompts hold your words, are kept for a while so that they can be corrected."
)
IN_SETS = "{count} examples in data sets for training hold your words."
JUDGED = "You wrote {count} corrections or notes of them."
WROTE_INSTRUCTION = "You wrote {count} versions of a server's standing instruction."
LEFT = "Your words left my database for training: {what}."
FORGOTTEN = "Deleted: {answers} of my answers to be judged and {examples} examples of data sets, which held your words."
CANNOT_CALL_BACK = (
    "What was handed out before cannot be called back by me: {what}. Ask who took it to delete it; a model that was "
    "trained on it does not unlearn."
)
SOMEBODY_ELSE = "(somebody else's words)"


class Recall(Protocol):
    """Takes back from providers what was sent there."""

    async def __call__(self, handouts: Sequence[TrainingHandout]) -> Sequence[str]:
        """Delete the files of these at their providers, and cancel jobs under way; returns sentences of what was done.

        Raises:
            ParleyError: Something is still there; its sentence says what, and what was done all the same.
        """
        ...


class TrainedPeople:
    """A `DataOwner` over the tables of the trainer."""

    def __init__(
        self,
        answers: AnswersRepository,
        sets: SetsRepository,
        instructions: Instructions,
        jobs: TrainingJobsRepository,
        judging: Judging,
        clock: Clock,
    ) -> None:
        """Nothing is read yet."""
        self._answers = answers
        self._sets = sets
        self._instructions = instructions
        self._jobs = jobs
        self._judging = judging
        self._clock = clock
        self.recall: Recall | None = None  # set where providers are

    async def describe_person(self, person: Person) -> About:
        """Say what is kept of a person.

        Raises:
            StoreError: The database cannot be read.
        """
        answers, examples = await self._answers.of_person(person.id), await self._sets.of_person(person.id)
        own = sum(_is_own(each, person.id) for each in examples)
        written = await self._instructions.count_of(person.id)
        handouts = await self._jobs.handouts_of(person.id)
        counted = ((KEPT_ANSWERS, len(answers)), (IN_SETS, len(examples)), (JUDGED, own), (WROTE_INSTRUCTION, written))
        lines = [sentence.format(count=count) for sentence, count in counted if count]
        lines += [LEFT.format(what=_list(handouts))] if handouts else []
        names = {each.people.get(person.id, "") for each in (*answers, *examples)}
        return About(lines, frozenset(name for name in names if name))

    async def export_person(self, person: Person) -> Mapping[str, bytes]:
        """Return what a person wrote, what was answered to them, and their corrections; not the words of others.

        Raises:
            StoreError: The database cannot be read.
        """
        answers, examples = await self._answers.of_person(person.id), await self._sets.of_person(person.id)
        if not answers and not examples:
            return {}
        told = {
            "answers_to_be_judged": [_told_answer(each, person.id) for each in answers],
            "examples": [_told_example(each, person.id) for each in examples],
        }
        return {"training.json": json.dumps(told, indent=2, ensure_ascii=False).encode()}

    async def delete_person(self, person: Person) -> Sequence[str]:
        """Delete every answer and example that holds a person's words; take their name out of the others.

        Raises:
            ParleyError: Something could not be deleted.
        """
        self._judging.gone(person.id, person.until)
        clean = cleaner(person.id, person.names)
        words = [str(person.id), *(name for name in person.names if len(name.strip()) >= SHORTEST_NAME)]
        answers = await self._answers.delete_person(person.id, clean, words, person.until)
        examples = await self._sets.delete_person(person.id, clean, words, person.until)
        await self._instructions.forget_person(person.id, clean, words)
        told = [FORGOTTEN.format(answers=answers, examples=examples)] if answers or examples else []
        handouts = await self._jobs.handouts_of(person.id)
        if self.recall is not None and handouts:
            try:
                told += await self.recall(handouts)
            except ParleyError as error:  # what was done here was done all the same
                raise TrainingError(" ".join([error.sentence, *told])) from error
        files = [each for each in handouts if each.job_id is None]
        told += [CANNOT_CALL_BACK.format(what=_list(files))] if files else []
        await self._jobs.forget_person(person.id)
        return told

    async def decided(self, user_id: int, decision: Decision | None) -> str:
        """Somebody decided on being trained on: with a no, everything of theirs goes at once.

        Raises:
            ParleyError: Something could not be deleted.
        """
        if decision != "out":
            return ""
        person = Person(user_id, until=self._clock.now())
        names = (await self.describe_person(person)).names
        return " ".join(await self.delete_person(Person(user_id, names, person.until)))


def _is_own(example: Example, user_id: int) -> bool:
    return example.by_id == user_id and user_id in example.people


def _own_lines(lines: Iterable[Line], name: str) -> list[dict[str, str]]:
    """The lines of a prompt that somebody said, by the name they are told with."""
    return [line.to_json() for line in lines if line.role == "user" and line.name == name]


def _asked_last(lines: Sequence[Line], name: str) -> bool:
    return bool(lines) and lines[-1].name == name


def _told_answer(answer: Answer, user_id: int) -> dict[str, Any]:
    name = answer.people.get(user_id, "")
    reply = answer.reply if _asked_last(answer.messages, name) else SOMEBODY_ELSE
    return {"at": answer.at.isoformat(), "you": _own_lines(answer.messages, name), "answer": reply}


def _told_example(example: Example, user_id: int) -> dict[str, Any]:
    name = example.people.get(user_id, "")
    asked, own = _asked_last(example.messages, name), _is_own(example, user_id)
    good = example.chosen if own or (asked and not example.rejected) else SOMEBODY_ELSE
    bad = example.rejected if asked or own else SOMEBODY_ELSE
    told = {"at": example.at.isoformat(), "from": example.source, "you": _own_lines(example.messages, name)}
    told |= {"good_answer": good} if example.chosen else {}
    told |= {"bad_answer": bad} if example.rejected else {}
    return told | ({"note": example.note} if own and example.note else {})


def _list(handouts: Iterable[TrainingHandout]) -> str:
    told = [
        f"a file of a data set on {each.at:%Y-%m-%d}" if each.job_id is None else f"to a provider on {each.at:%Y-%m-%d}"
        for each in handouts
    ]
    return ", ".join(dict.fromkeys(told))
