from __future__ import annotations

import pytest

from core.hearing.addressed import after_name, is_filler, is_for_bot, names_it, with_name
from core.hearing.floor import SpokenLine
from core.hearing.own_words import is_own

NAMES = ("Parley", "House Keeper")


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Parley, what time is it?", "what time is it?"),
        ("parley stop", "stop"),
        ("Hey Parley! Stop.", "Stop."),
        ("Oh, okay Parley. Skip.", "Skip."),
        ("House keeper, leave.", "leave."),
        ("Parley", ""),
        ("Parleys are talks.", None),
        ("I told Parley to stop.", None),
        ("Stop.", None),
        ("", None),
    ],
)
def test_a_name_counts_at_the_beginning_behind_a_greeting(text: str, rest: str | None) -> None:
    assert after_name(text, NAMES) == rest


@pytest.mark.parametrize("text", ["What time is it, Parley?", "I told parley so.", "The house-keeper? House keeper!"])
def test_a_name_is_found_wherever_it_is_said(text: str) -> None:
    assert names_it(text, NAMES)
    assert not names_it(text, ("Parl", "keeper house"))


@pytest.mark.parametrize(
    "text", ["Mhm.", "Yeah.", "Yeah, yeah.", "Uh-huh", "Ha ha", "[laughter]", "(coughing)", "", "Mm-hmm."]
)
def test_assent_laughter_and_coughs_are_fillers(text: str) -> None:
    assert is_filler(text)


@pytest.mark.parametrize(
    "text", ["Stop.", "No, wait.", "Yeah but I disagree.", "Okay stop now", "What?", "Yes yes yes yes yes"]
)
def test_words_are_no_fillers(text: str) -> None:
    assert not is_filler(text)


@pytest.mark.parametrize(
    ("answering", "text", "alone", "answered"),
    [
        ("addressed", "Parley, hello.", False, True),
        ("addressed", "Hello.", False, False),
        ("addressed", "Hello.", True, True),
        ("alone", "Parley, hello.", False, False),
        ("alone", "Hello.", True, True),
        ("always", "Hello.", False, True),
        ("never", "Parley, hello.", True, False),
    ],
)
def test_who_is_answered(answering: str, text: str, alone: bool, answered: bool) -> None:
    lines = [SpokenLine(1, text, text, 0, 1)]
    assert is_for_bot(lines, answering, NAMES, alone=alone) is answered  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("text", "hinted", "told"),
    [
        ("Partly what is the capital?", "Parley, what is the capital?", "Parley, what is the capital?"),
        ("Hey, Paraleet, what time is it?", "Hey Parley, what time is it?", "Parley, what time is it?"),
        ("What do you think?", "What do you think, Parley?", "What do you think, Parley?"),
        ("Hey Parley what now", "Hey Parley what now", "Hey Parley what now"),
        ("Partly because of the rain.", "Parley becomes on the rain.", None),  # bent by the hint, all of these
        ("I want to leave the party.", "I want to leave the Parley.", None),
        ("Yes.", "Yes.", None),
    ],
)
def test_a_name_that_was_misheard_counts_where_people_set_it_off(text: str, hinted: str, told: str | None) -> None:
    assert with_name(text, hinted, NAMES) == (told or text)


SAID = "Good evening, Ada. Two things, I think: somebody who is curious, and somebody who listens to the end."


@pytest.mark.parametrize(
    ("heard", "own"),
    [
        ("Two things, I think, somebody who is curious", True),
        ("to things I think somebody who is serious and somebody", True),  # misheard out of a loudspeaker
        ("Good evening.", False),  # anybody may say that
        ("to the end.", True),
        ("I think you should listen to somebody else in the evening", False),
        ("Stop that please.", False),
        ("", False),
    ],
)
def test_the_bots_own_words_are_known_again(heard: str, own: bool) -> None:
    assert is_own(heard, SAID) is own
    assert not is_own(heard, "")
