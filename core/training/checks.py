"""Looks over examples before they go out: roles, lengths, duplicates; says how many were left out, and why."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from core.store.training_values import Example, Line

    CountTokens = Callable[[str], int]

Format = Literal["openai", "dpo", "trl", "kto", "csv"]

PAIRS = ("dpo", "trl")
ROLES = ("system", "user", "assistant")
NO_CHOSEN = "have no good answer"
NO_PAIR = "are no pair of a good and a bad answer"
NO_ANSWER = "have no answer"
BAD_ROLES = "have roles in an order that no model takes"
EMPTY = "have an empty message"
TOO_LONG = "are longer than {most} tokens"
DUPLICATE = "are there twice"
CORRECTED = "were liked by one person and corrected by another"
_FRAME_TOKENS = 4  # of each message, beside its text


class Checked:
    """Examples that may go out in a format, and why others may not."""

    def __init__(self, examples: Sequence[Example], form: Format, max_tokens: int, count: CountTokens) -> None:
        self.kept: list[Example] = []
        self.left_out: Counter[str] = Counter()
        self.tokens: dict[str, int] = {}  # of those that were kept, by their fingerprints
        corrected = {each.answer_id for each in examples if each.chosen and each.rejected and each.answer_id}
        for example in examples:
            tokens = tokens_of(example, count)
            reason = _fault(example, form) or (TOO_LONG.format(most=max_tokens) if tokens > max_tokens else None)
            if reason is None and example.answer_id in corrected and example.chosen and not example.rejected:
                reason = CORRECTED
            mark = fingerprint(example) if reason is None else ""
            if reason is None and mark in self.tokens:
                reason = DUPLICATE
            if reason is None:
                self.kept.append(example)
                self.tokens[mark] = tokens
            else:
                self.left_out[reason] += 1

    def tokens_in(self, examples: Iterable[Example]) -> int:
        """About how many tokens some of those that were kept take."""
        return sum(self.tokens[fingerprint(each)] for each in examples)


def tokens_of(example: Example, count: CountTokens) -> int:
    """About how many tokens an example takes, with the longer of its answers."""
    prompt = sum(count(line.content) + _FRAME_TOKENS for line in example.messages)
    answers = [count(text) for text in (example.chosen, example.rejected) if text]
    return prompt + max(answers, default=0)


def fingerprint(example: Example) -> str:
    """The same for examples that say the same, whatever their blanks and case."""
    parts = [f"{line.role}\0{same(line.content)}" for line in example.messages]
    parts += [same(example.chosen or ""), "\0", same(example.rejected or "")]
    return hashlib.sha256("\1".join(parts).encode("utf-8", "replace")).hexdigest()


_NAME = re.compile(r"^PERSON_\d{1,9}: ")


def same(text: str) -> str:
    """A text as it is compared: blanks, case, and who said it, are nothing."""
    return " ".join(_NAME.sub("", text).casefold().split())


def questions(examples: Iterable[Example]) -> set[str]:
    """Everything that somebody asks in examples, as it is compared, also on the way to the last question."""
    return {same(line.content) for each in examples for line in each.messages if line.role == "user"}


def answers(examples: Iterable[Example]) -> set[str]:
    """Everything that was answered in examples before the last question, as it is compared."""
    return {same(line.content) for each in examples for line in each.messages if line.role == "assistant"}


def _fault(example: Example, form: Format) -> str | None:
    if form == "openai" and not example.chosen:
        return NO_CHOSEN
    if form in PAIRS and not (example.chosen and example.rejected):
        return NO_PAIR
    if not example.chosen and not example.rejected:
        return NO_ANSWER
    if not _in_order(example.messages):
        return BAD_ROLES
    texts = [*(line.content for line in example.messages), example.chosen, example.rejected]
    return EMPTY if any(text is not None and not text.strip() for text in texts) else None


def _in_order(lines: Sequence[Line]) -> bool:
    """Whether system messages come first, and a question last."""
    roles = [line.role for line in lines]
    talk = roles[next((index for index, role in enumerate(roles) if role != "system"), len(roles)) :]
    return bool(talk) and talk[-1] == "user" and all(role in ("user", "assistant") for role in talk)
