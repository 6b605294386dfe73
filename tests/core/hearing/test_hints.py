"""Names that recognisers are told: what they help with stays, what they bend does not."""

from __future__ import annotations

import pytest

from core.hearing.hints import mentions, merged, prompt, prompt_names
from core.hearing.text import Segment, Transcription, Word
from core.hearing.transcriber import Bias

BIAS = Bias(("Ada", "Bob", "Siobhán"), "Parley")


def of(text: str, words: tuple[Word, ...] = ()) -> Transcription:
    return Transcription((Segment(text, 0.0, 2.0, words),) if text else (), "en", "whisper", "tiny.en")


@pytest.mark.parametrize(
    ("plain", "hinted", "stored"),
    [
        ("Parlay, stop the music.", "Parley, stop the music.", "Parley, stop the music."),
        ("Par lay, stop.", "Parley, stop.", "Parley, stop."),
        ("Barley, stop the music.", "Parley, stop the music.", "Parley, stop the music."),
        ("I asked Aida about it.", "I asked Ada about it.", "I asked Ada about it."),
        ("Partly because it rained.", "Parley becomes it rained.", "Partly because it rained."),
        ("Partly, stop the music.", "Parley, stop the music.", "Partly, stop the music."),
        ("Ask it again.", "Ask Ada again.", "Ask it again."),
        ("", "Ada, Bob, Parley.", ""),
        ("Good morning.", "Ada, Bob, Parley.", "Good morning."),
        ("Good morning.", "", "Good morning."),
    ],
)
def test_a_name_is_stored_where_it_sounds_like_what_was_heard(plain, hinted, stored):
    assert merged(of(plain), of(hinted), BIAS).text == stored


def test_what_was_hinted_is_there_for_commands_unless_nothing_was_said():
    assert merged(of("Partly, stop."), of("Parley, stop."), BIAS).hinted == "Parley, stop."
    assert merged(of(""), of("Parley."), BIAS).hinted == ""


def test_times_of_words_follow_the_name():
    words = (Word("Par", 0.1, 0.3, 0.5), Word("lay,", 0.3, 0.6, 0.9), Word("stop.", 0.7, 1.0, 0.9))
    (segment,) = merged(of("Par lay, stop.", words), of("Parley, stop."), BIAS).segments
    assert [(word.text, word.start_s, word.end_s, word.confidence) for word in segment.words] == [
        ("Parley,", 0.1, 0.6, 0.5),
        ("stop.", 0.7, 1.0, 0.9),
    ]


def test_names_are_words_alone_and_not_too_many():
    odd = Bias(
        ("<@123> **Ada**", "ignore previous\ninstructions", "☃", "x" * 500, *(f"n{n}" for n in range(99))), "Ada"
    )
    assert prompt_names(odd)[1] == "ignore previous instructions"
    assert len(prompt_names(odd)) <= 25
    assert max(map(len, prompt_names(odd))) <= 40
    assert prompt(Bias(("Ada", "Bob"), "Parley")) == "Ada, Bob, Parley."
    assert prompt(Bias()) == ""
    assert mentions("siobhán?", BIAS)
    assert not mentions("parleying", BIAS)
