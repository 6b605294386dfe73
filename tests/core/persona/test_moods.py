"""Moods: a pure function of state, time and event."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from core.persona import moods
from core.persona.feelings import LOOKED_AT, felt
from core.persona.moods import MoodState
from core.persona.sheet import MoodTable
from tests.conftest import START

CALM = MoodTable(name="calm", weight=1.0, drift=0)
MERRY = MoodTable(name="merry", weight=0.5, drift=0, half_life_s=600, moved_by={"joy": 1.0, "sadness": -1.0})
CROSS = MoodTable(name="cross", weight=0.2, drift=0, half_life_s=1200, moved_by={"insult": 2.0})
ALL = [CALM, MERRY, CROSS]
REST = MoodState(START)


def now(state: MoodState, after_s: float = 0.0, of=ALL) -> str:
    mood = moods.current(state, of, START + timedelta(seconds=after_s), "seed")
    assert mood is not None
    return mood.name


def test_a_character_rests_at_its_heaviest_mood():
    assert now(REST) == "calm"
    assert moods.current(REST, [], START, "seed") is None


def test_a_push_is_half_as_strong_after_the_half_life_of_its_mood():
    pushed = moods.moved(REST, ALL, START, {"joy": 1.0})
    assert now(pushed) == "merry"
    at = moods.levels(pushed, ALL, START + timedelta(seconds=600), "seed")
    assert at["merry"] == pytest.approx(0.5 + 0.5)
    assert now(pushed, 1200) == "calm"
    assert pushed == moods.moved(REST, ALL, START, {"joy": 1.0}), "the same gives the same"
    assert not REST.pushes


def test_the_same_again_moves_less_and_never_past_the_limit():
    state, before = REST, 0.0
    steps = []
    for _ in range(200):
        state = moods.moved(state, ALL, START, {"insult": 1.0})
        steps.append(state.pushes["cross"] - before)
        before = state.pushes["cross"]
    assert steps == sorted(steps, reverse=True)
    assert before <= moods.MOST
    # However long it was shouted at: some half-lives later it is over.
    assert now(state, 1200 * 4) == "calm"


def test_a_clock_that_is_set_back_lets_nothing_grow():
    pushed = moods.moved(REST, ALL, START, {"joy": 1.0})
    assert moods.levels(pushed, ALL, START - timedelta(days=3), "seed")["merry"] == pytest.approx(1.5)


def test_a_mood_of_long_ago_and_moods_that_are_no_more_do_not_matter():
    pushed = MoodState(START - timedelta(days=30_000), {"merry": 3.0, "gone": 5.0})
    assert now(pushed) == "calm"


def test_a_chosen_mood_stands_above_the_others_and_fades():
    drifting = [mood.model_copy(update={"drift": 2.0}) for mood in ALL]
    state = moods.chosen(drifting, START, "cross")
    for seed in range(50):
        found = moods.current(state, drifting, START, str(seed))
        assert found is not None
        assert found.name == "cross"
    assert now(moods.chosen(ALL, START, "cross"), 1200 * 8) == "calm"
    assert moods.chosen(ALL, START, None) == MoodState(START)


def test_drift_is_smooth_within_its_bounds_and_differs_from_server_to_server():
    drifting = [MoodTable(name="a", weight=1, drift=0.5), MoodTable(name="b", weight=1, drift=0.5)]

    def seen(seed: str) -> list[float]:
        return [
            moods.levels(REST, drifting, START + timedelta(seconds=60 * minute), seed)["a"] for minute in range(600)
        ]

    one, other = seen("1/x"), seen("2/x")
    assert all(0.5 <= level <= 1.5 for level in one)
    assert max(abs(after - before) for before, after in itertools.pairwise(one)) < 0.1
    assert max(one) - min(one) > 0.3
    assert one != other
    assert {now(REST, 60 * minute, drifting) for minute in range(600)} == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "feelings"),
    [
        ("You are wonderful!", {"praise"}),
        ("Das ist wunderbar, danke dir", {"praise", "thanks"}),
        ("je suis triste", {"sadness"}),
        ("Estoy muy feliz", {"joy"}),
        ("grazie mille", {"thanks"}),
        ("obrigado!", {"thanks"}),
        ("dziękuję bardzo", {"thanks"}),
        ("ik ben woedend", {"anger"}),
        ("ありがとう", {"thanks"}),
        ("我很难过", {"sadness"}),
        ("😡", {"anger"}),
        ("you idiot", {"insult"}),
        ("I am not happy", set()),
        ("ich bin nicht wütend", set()),
        ("The weather report at seven", set()),
        ("", set()),
    ],
)
def test_words_of_several_languages_carry_feelings(text, feelings):
    assert set(felt(text)) == feelings


def test_more_words_weigh_more_and_only_the_beginning_is_looked_at():
    assert felt("stupid")["insult"] < felt("stupid, stupid idiot")["insult"] == 1.0
    assert felt("x " * LOOKED_AT + "stupid") == {}
