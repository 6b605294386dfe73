"""Captions: a line for each utterance, changed in its place while it is said, on messages that never grow too long."""

from __future__ import annotations

from core.conversation.caption_page import MOST_LETTERS, MOST_LINES, Captions

ADA, BOB = 1, 2


def texts(captions: Captions) -> list[str]:
    return [page.text for page in captions.pages]


def test_what_is_said_grows_in_its_place_until_it_is_final():
    captions = Captions()
    captions.say("a.0", ADA, "Ada", "I would", final=False)
    captions.say("b.0", BOB, "Bob", "Hello.", final=True)
    assert texts(captions) == ["**Ada:** I would …\n**Bob:** Hello."]
    captions.say("a.0", ADA, "Ada", "I would like tea.", final=True)
    captions.say("a.0", ADA, "Ada", "I would like", final=False)
    assert texts(captions) == ["**Ada:** I would like tea.\n**Bob:** Hello."]


def test_what_turned_out_to_be_nothing_leaves_nothing_even_if_a_look_comes_late():
    captions = Captions()
    captions.say("a.0", ADA, "Ada", "hm", final=False)
    captions.say("a.0", ADA, "Ada", "", final=True)
    captions.say("b.0", BOB, "Bob", "", final=True)
    captions.say("b.0", BOB, "Bob", "well", final=False)
    assert texts(captions) == [""]
    assert not captions.dirty


def test_the_pieces_of_a_long_utterance_are_lines_of_their_own():
    captions = Captions()
    captions.say("a.0", ADA, "Ada", "First piece", final=True)
    captions.say("a.1", ADA, "Ada", "and the second.", final=True)
    assert texts(captions) == ["**Ada:** First piece\n**Ada:** and the second."]


def test_a_message_holds_so_many_lines_and_never_too_many_letters():
    captions = Captions()
    for number in range(20):
        captions.say(f"a{number}.0", ADA, "Ada", "*x* " * 400, final=True)
    assert all(len(text) <= MOST_LETTERS + 100 for text in texts(captions))
    short = Captions()
    for number in range(MOST_LINES + 1):
        short.say(f"a{number}.0", ADA, "Ada", "Yes.", final=True)
    assert [len(page.lines) for page in short.pages] == [MOST_LINES, 1]


def test_names_and_words_are_no_markup_and_ping_nobody():
    captions = Captions()
    captions.say("a.0", ADA, "**A** @everyone", "@here <@1> # big\n> quote `x` https://example.org", final=True)
    (text,) = texts(captions)
    assert "@everyone" not in text
    assert "@here" not in text
    assert "<@1>" not in text
    assert "https://" not in text
    assert "\n" not in text


def test_who_may_not_be_heard_any_more_is_taken_away_and_who_was_not_understood_is_told():
    captions = Captions()
    captions.say("a.0", ADA, "Ada", "Secret.", final=True)
    captions.say("b.0", BOB, "Bob", "Hello.", final=True)
    captions.forget(ADA)
    captions.fail("c.0", BOB, "Bob")
    assert texts(captions) == ["**Bob:** Hello.\n**Bob:** *not understood*"]


def test_after_a_silence_a_new_message_begins():
    captions = Captions()
    captions.say("a.0", ADA, "Ada", "One.", final=True)
    captions.settle()
    captions.say("b.0", ADA, "Ada", "Two.", final=True)
    assert texts(captions) == ["**Ada:** One.", "**Ada:** Two."]
