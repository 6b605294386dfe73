"""What was heard is known to the word."""

from __future__ import annotations

import numpy as np

from core.speech.engine import SpeechChunk
from core.speech.heard import HeardText


def chunk(samples: int, text: str = "") -> SpeechChunk:
    return SpeechChunk(np.zeros(samples, np.float32), 48000, text)


def two_clauses() -> HeardText:
    heard = HeardText()
    for part in (chunk(500, "Hello there, "), chunk(500), chunk(1000, "how are you? "), chunk(0, "Bye.")):
        heard.wrote(part)
    return heard


def test_nothing_played_is_nothing_heard() -> None:
    assert two_clauses().upto(0) == ""


def test_a_clause_heard_in_part_counts_in_whole_words() -> None:
    assert two_clauses().upto(499) == "Hello"
    assert two_clauses().upto(1500) == "Hello there, how"


def test_everything_played_is_everything_heard() -> None:
    assert two_clauses().upto(2000) == "Hello there, how are you? Bye." == two_clauses().whole


def test_a_turn_without_sound_heard_nothing() -> None:
    assert HeardText().upto(100) == ""


def test_the_first_letter_of_a_word_is_no_word_heard() -> None:
    heard = HeardText()
    heard.wrote(chunk(1000, "Hello there"))
    assert heard.upto(100) == ""
