"""Text is spread over sound word by word, and the pace is learned."""

from __future__ import annotations

import pytest

from core.speech.text_alignment import USUAL, Spread, TextAlignment


def test_text_is_given_word_by_word_as_its_sound_comes() -> None:
    spread = Spread(TextAlignment())
    spread.add("Hello there, how are you today? ")
    given = [spread.sound(0.5) for _ in range(6)]
    assert given[0] == "Hello "
    assert "".join(given) + spread.rest() == "Hello there, how are you today? "
    assert all(part == "" or part.endswith(" ") for part in given)


def test_text_that_was_not_sent_yet_is_never_given() -> None:
    spread = Spread(TextAlignment())
    spread.add("Hello ")
    assert spread.sound(10) == "Hello "
    spread.add("there ")
    assert spread.sound(0.1) == "there "


def test_a_turn_teaches_the_pace() -> None:
    pace = TextAlignment()
    for _ in range(8):
        turn = Spread(pace)
        turn.add("x" * 200)
        turn.sound(10)
        turn.learn()
    assert pace.characters_per_s == pytest.approx(20, abs=0.1)
    assert pace.expected_s(40) == pytest.approx(2, abs=0.05)


def test_a_short_turn_teaches_nothing() -> None:
    pace = TextAlignment()
    pace.learn(50, 0.2)
    assert pace.characters_per_s == USUAL
