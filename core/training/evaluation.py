"""Counts how good answers are: exact, near, preferred; each with the interval that so few examples leave it in."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from rapidfuzz.distance import Levenshtein

if TYPE_CHECKING:
    from collections.abc import Sequence

Verdict = Literal["first", "second", "tie"]

Z = 1.959964  # of an interval of 95 %
RESAMPLES = 2000
LONGEST = 20_000  # characters that are compared of an answer: the time grows with both lengths
_WORD = re.compile(r"\b(A|B|TIE)\b")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share or a mean, 0 to 1, with its interval of 95 %."""

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.value:.0%} ({self.low:.0%} to {self.high:.0%})"


def is_exact(answer: str, wanted: str) -> bool:
    """Whether an answer is the wanted one, but for blanks, case and the last full stop."""
    return _plain(answer) == _plain(wanted)


def nearness(answer: str, wanted: str) -> float:
    """1 for the same, 0 for nothing in common: one less the edit distance over the longer length."""
    return float(Levenshtein.normalized_similarity(answer[:LONGEST], wanted[:LONGEST]))


def share(hits: int, count: int) -> Estimate:
    """A share with Wilson's interval, which stays within 0 and 1 however few there are."""
    if not count:
        return Estimate(0.0, 0.0, 1.0, 0)
    p, z2 = hits / count, Z * Z
    middle, width = p + z2 / (2 * count), Z * math.sqrt(p * (1 - p) / count + z2 / (4 * count * count))
    scale = 1 + z2 / count
    return Estimate(p, max(0.0, (middle - width) / scale), min(1.0, (middle + width) / scale), count)


def mean(values: Sequence[float], seed: int) -> Estimate:
    """A mean with the percentile interval of a seeded bootstrap."""
    if not values:
        return Estimate(0.0, 0.0, 1.0, 0)
    given = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    means = given[rng.integers(0, len(given), size=(RESAMPLES, len(given)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(float(given.mean()), float(low), float(high), len(given))


def preference(verdicts: Sequence[Verdict], seed: int) -> Estimate:
    """How often the first is preferred, a tie counting half."""
    worth = {"first": 1.0, "tie": 0.5, "second": 0.0}
    return mean([worth[each] for each in verdicts], seed)


def verdict_of(first_shown: str, second_shown: str) -> Verdict:
    """What a judge said in both orders: as A and B, then the other way round. Who does not win both ways ties."""
    one, two = _said(first_shown), _said(second_shown)
    if one == "A" and two == "B":
        return "first"
    if one == "B" and two == "A":
        return "second"
    return "tie"


def is_verdict(said: str) -> bool:
    """Whether a judge said anything that is one."""
    return bool(_said(said))


def _said(text: str) -> str:
    found = _WORD.findall(text.upper()[-2000:])
    return str(found[-1]) if found else ""


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")
