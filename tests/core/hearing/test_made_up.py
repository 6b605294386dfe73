"""What is kept out of a transcription, and what stays in it."""

from __future__ import annotations

import time

import pytest

from core.hearing.made_up import keep_real
from core.hearing.text import Segment, Transcription, Word


def heard(text: str, voiced_s: float = 3.0, **told) -> str:
    values = {"no_speech": 0.1, "log_probability": -0.2, "compression": 1.0} | told
    segment = Segment(text, 0.0, voiced_s, (), values["no_speech"], values["log_probability"], values["compression"])
    return keep_real(Transcription((segment,), "en", "whisper", "tiny.en"), voiced_s).text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("A sentence for a breath.", {"log_probability": -1.26, "no_speech": 0.51}),
        ("We'll see you in the next video.", {}),
        ("Thanks for watching!", {}),
        ("Please subscribe.", {}),
        ("Untertitel der Amara.org-Community", {}),
        ("ご視聴ありがとうございました", {}),
        ("Thank you.", {"log_probability": -0.8, "no_speech": 0.5}),
        ("you", {"log_probability": -0.9, "no_speech": 0.6}),
        ("[Music]", {}),
        ("(wind blowing)", {}),
        ("♪♪", {}),
        (" . . . ", {}),
        ("It is what it is and so on.", {"compression": 2.6}),
        ("Probably nothing at all.", {"no_speech": 0.8, "log_probability": -0.7}),
        ("I'm sorry. " * 30, {"compression": 12.0}),
        ("no " * 200, {"compression": 40.0}),
        ("はい" * 60, {"compression": 20.0}),
    ],
)
def test_what_nobody_said_is_kept_out(text, told):
    assert heard(text, **told) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Thank you.", {}),
        ("Bye.", {"log_probability": -0.5}),
        ("No, no, no, no, stop!", {}),
        ("Very, very, very good.", {}),
        ("He said thanks for watching at the end of every film, and we laughed about it until the lights came on.", {}),
        ("Buffalo buffalo Buffalo buffalo buffalo.", {"compression": 2.35}),
        ("The year is 2026.", {"log_probability": -0.95}),
        ("はい、はい、わかりました。", {}),
        ("Ja.", {"no_speech": 0.55, "log_probability": -0.9}),
    ],
)
def test_what_people_say_stays(text, told):
    assert heard(text, **told) == text


def test_less_than_a_quarter_of_a_second_of_speech_has_no_text():
    assert heard("Yes.", 0.2) == ""
    assert heard("Yes.", 0.26) == "Yes."


def test_more_than_can_be_said_in_the_time_was_not_said():
    assert heard("We are going to have to talk about all of this again.", 0.4) == ""
    assert heard("We have to talk.", 0.8) == "We have to talk."


def test_a_loop_behind_a_sentence_is_said_once_with_its_words():
    text = "Let us go now now now now now now now now"
    words = tuple(Word(part, n * 0.3, n * 0.3 + 0.3, 0.9) for n, part in enumerate(text.split()))
    given = Transcription((Segment(text, 0.0, 4.0, words, 0.1, -0.2, 2.6),), "en", "whisper", "tiny.en")
    (segment,) = keep_real(given, 4.0).segments
    assert segment.text == "Let us go now"
    assert [word.text for word in segment.words] == ["Let", "us", "go", "now"]


def test_what_an_engine_does_not_tell_is_no_reason_to_doubt():
    assert heard("Hello there.", no_speech=None, log_probability=None, compression=None) == "Hello there."


@pytest.mark.parametrize("text", ["a b c d e f g h i j k " * 20_000, "[" * 100_000, "あ" * 100_000, "*(" * 50_000])
def test_a_book_of_nonsense_takes_no_time(text):
    begin = time.process_time()
    heard(text)
    assert time.process_time() - begin < 20
