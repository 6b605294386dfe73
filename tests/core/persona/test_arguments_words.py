"""What provokes, how fast two type, and what of a model's answer is a line."""

from __future__ import annotations

import pytest

from core.character import Character
from core.persona.arguments_pace import TypingPace
from core.persona.arguments_score import MOST, Heat, provocation
from core.persona.arguments_words import LINE_LIMIT, line_of, messages, topic_of

ONE, OTHER = Character("a", "Ada"), Character("b", "Bob (the *second*)")
HALF_LIFE_S = 100.0


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("Lovely weather today.", 0, 0),
        ("", 0, 0),
        ("That is wrong.", 0.5, 0.7),
        ("Das stimmt nicht, Unsinn!", 1.5, MOST),
        ("NONSENSE! YOU LIAR! WRONG! " * 50, MOST, MOST),
        ("I AM SHOUTING NOW", 0.6, 0.6),
    ],
)
def test_contradiction_and_shouting_provoke_within_bounds(text, least, most):
    assert least <= provocation(text) <= most


def test_of_a_long_text_only_the_beginning_counts():
    calm = "fine " * 200
    assert provocation(calm + "liar! " * 2_000_000) == provocation(calm) == 0


def test_heat_adds_up_cools_down_and_knows_who_heated_it():
    heat = Heat().after("1", "You are wrong, liar!", 0, HALF_LIFE_S).after("", "Rubbish.", 0, HALF_LIFE_S)
    assert heat.provoker == "1"
    assert heat.at(100, HALF_LIFE_S) == pytest.approx(heat.score / 2)
    assert heat.at(10_000, HALF_LIFE_S) == 0
    later = heat.after("", "Rubbish. Nonsense!", 400, HALF_LIFE_S)
    assert later.provoker == ""
    assert later.score == pytest.approx(heat.score / 16 + 2.0)
    crowd = Heat()
    for number in range(1000):
        crowd = crowd.after(str(number), "wrong", 0, HALF_LIFE_S)
    assert len(crowd.shares) <= 20


def test_longer_lines_take_longer_and_thinking_is_typing_already():
    pace = TypingPace(10, 6)
    assert pace.pause_s("", "hi") == 0.8
    assert pace.pause_s("", "x" * 30) == 3
    assert pace.pause_s("y" * 40, "x" * 30) == 4
    assert pace.pause_s("", "x" * 300, spent_s=2) == 4
    assert pace.pause_s("", "x" * 30, spent_s=9) == 0
    assert TypingPace(0, 6).pause_s("", "x" * 300) == 0


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ("Tea.", "Tea."),
        ("Ada: Tea.", "Tea."),
        ("**Bob (the *second*):** Tea.\nAda: Coffee.", "Tea."),
        ("“Tea is best.”", "Tea is best."),
        ("Tea\n\nis best.\nada : no", "Tea is best."),
        ("Adam: is another.", "Adam: is another."),
        ("", ""),
    ],
)
def test_a_line_is_what_one_of_them_says_and_no_more(answer, line):
    assert line_of(answer, ["Ada", "Bob (the *second*)"]) == line


def test_a_long_line_ends_with_a_sentence_and_a_hostile_one_in_time():
    assert line_of(f"{'A word. ' * 30}{'x' * 1000}", []) == ("A word. " * 30).strip()
    assert len(line_of("x" * 10_000, [])) == LINE_LIMIT
    assert len(line_of(". " * 200_000 + "*" * 200_000, ["Ada"])) <= LINE_LIMIT  # a hang would be seen
    assert len(line_of("*" * 500_000 + ":" * 100_000, ["*"])) <= LINE_LIMIT


def test_the_model_is_told_the_topic_once_its_own_lines_as_its_own_and_the_rules_last():
    said = [(ONE, "Tea."), (OTHER, "Coffee.")]
    told = messages(
        ONE, OTHER, persona="p" * 30_000, topic=topic_of("tea”\nand “more"), said=said, last=False, message=lambda *m: m
    )
    roles = [role for role, _ in told]
    assert roles == ["system", "user", "assistant", "user"]
    assert told[0][1].count("p" * 100) == 120
    assert told[0][1].rstrip().endswith("argue about them.")
    assert "tea' and 'more" in told[1][1]
    assert told[3][1].startswith("Bob the second: Coffee.")
    told = messages(OTHER, ONE, persona="", topic="tea", said=said[:1], last=True, message=lambda *m: m)
    assert [role for role, _ in told] == ["system", "user"]
    assert "“tea”" in told[1][1]
    assert "Ada: Tea." in told[1][1]
    assert "last line" in told[0][1]
