"""Splits examples into train and test: a conversation is on one side only, and nothing asked in test was seen in train."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.training.checks import answers, questions, same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.store.training_values import Example


@dataclass(frozen=True, slots=True)
class Split:
    """Both sides; `dropped` are those of the test side that train knows already."""

    train: tuple[Example, ...]
    test: tuple[Example, ...]
    dropped: int


def in_test(conversation: str, share: float, seed: int) -> bool:
    """Whether a conversation is held out; the same for the same seed, whatever else is in the data set."""
    digest = hashlib.sha256(f"{seed}\0{conversation}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8]) / 2**64 < share


def split(examples: Sequence[Example], share: float, seed: int) -> Split:
    """Hold conversations out by a seeded hash of their names.

    Conversations may overlap: the same question is asked twice, or a prompt quotes what was said before the silence that
    began another one. What train has seen that way is dropped from test, since it would prove nothing.
    """
    train = [each for each in examples if not in_test(each.conversation, share, seed)]
    held = [each for each in examples if in_test(each.conversation, share, seed)]
    asked, answered = questions(train), answers(train)
    test = [each for each in held if not _is_known(each, asked, answered)]
    return Split(tuple(train), tuple(test), len(held) - len(test))


def _is_known(example: Example, asked: set[str], answered: set[str]) -> bool:
    last = same(example.messages[-1].content)
    told = {same(text) for text in (example.chosen, example.rejected) if text}
    return last in asked or not told.isdisjoint(answered)
