"""What was heard is whole words of what was sent."""

from __future__ import annotations

from core.conversation.heard import HeardText


def spoken() -> HeardText:
    heard = HeardText()
    heard.add("Good morning everybody.", 500)
    heard.add("", 500)
    heard.add("How are you today?", 1000)
    return heard


def test_everything_sent_is_everything_heard() -> None:
    assert spoken().upto(2000) == "Good morning everybody. How are you today?"


def test_nothing_sent_is_nothing_heard() -> None:
    assert spoken().upto(0) == ""
    assert HeardText().upto(0) == ""


def test_a_cut_leaves_the_whole_words_before_it() -> None:
    assert spoken().upto(700) == "Good morning"
    assert spoken().upto(1500) == "Good morning everybody. How are"


def test_a_cut_at_a_clause_keeps_the_clause() -> None:
    assert spoken().upto(1000) == "Good morning everybody."


def test_samples_without_text_of_their_own_belong_to_the_text_before() -> None:
    heard = HeardText()
    for _ in range(10):
        heard.add("", 100)
    assert heard.upto(1000) == ""
    assert heard.samples == 1000
