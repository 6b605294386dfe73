"""How good answers are, with intervals that hold what is so."""

from __future__ import annotations

import random

import pytest

from core.training.evaluation import (
    Estimate,
    is_exact,
    is_verdict,
    mean,
    nearness,
    preference,
    share,
    verdict_of,
)


def test_an_answer_is_exact_but_for_blanks_case_and_a_full_stop():
    assert is_exact(" Canberra. ", "canberra") and not is_exact("Canberra, I think", "Canberra")


def test_nearness_is_one_less_the_edit_distance_over_the_longer():
    assert nearness("kitten", "sitting") == pytest.approx(1 - 3 / 7)
    assert (nearness("", ""), nearness("abc", "")) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (50, 100, 0.4038, 0.5962)],
)
def test_the_interval_of_a_share_is_wilsons(hits, count, low, high):
    found = share(hits, count)
    assert (found.value, found.count) == (hits / count, count)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_intervals_of_means_hold_the_mean_about_as_often_as_they_say():
    rng = random.Random(3)
    hits = sum((found := mean([rng.random() for _ in range(40)], seed)).low <= 0.5 <= found.high for seed in range(200))
    assert hits >= 178
    assert mean([0.2, 0.4], 1) == mean([0.2, 0.4], 1)
    assert mean([], 1) == share(0, 0) == Estimate(0.0, 0.0, 1.0, 0)


@pytest.mark.parametrize(
    ("one", "two", "verdict"),
    [
        ("A", "B", "first"),
        ("B", "A", "second"),
        ("A", "A", "tie"),
        ("B", "B", "tie"),
        ("TIE", "TIE", "tie"),
        ("A", "TIE", "tie"),
        ("I choose: **A**", "The better one is B.", "first"),
        ("", "B", "tie"),
        ("neither", "of them", "tie"),
    ],
)
def test_who_does_not_win_in_both_orders_ties(one, two, verdict):
    assert verdict_of(one, two) == verdict


def test_a_judge_that_says_nothing_gives_no_verdict_and_ties_count_half():
    assert is_verdict("tie") and not is_verdict("neither of them")
    assert preference(["first", "tie", "second", "first"], 1).value == pytest.approx(0.625)
