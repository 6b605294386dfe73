"""Reading aloud says who speaks, once, and what came along."""

from __future__ import annotations

import pytest

from core.conversation.announcer import Announcer
from core.conversation.turn import Prompt


def said(text: str, author: int = 1, name: str = "Ada", attachments: tuple[str, ...] = ()) -> Prompt:
    return Prompt(7, 3, 7, author, name, text, attachments)


@pytest.fixture
def aloud(clock):
    return Announcer(clock, names=True, same_speaker_s=60)


async def test_the_same_speaker_is_not_announced_twice_within_a_minute(aloud, clock) -> None:
    assert aloud.words(said("hello")) == "Ada said: hello"
    await clock.advance(59)
    assert aloud.words(said("again")) == "again"
    await clock.advance(61)
    assert aloud.words(said("later")) == "Ada said: later"


def test_another_speaker_is_announced(aloud) -> None:
    aloud.words(said("hello"))
    assert aloud.words(said("hi", author=2, name="Bob")) == "Bob said: hi"


def test_a_nickname_goes_over_the_name(aloud) -> None:
    assert aloud.words(said("hello"), "the Countess") == "the Countess said: hello"


@pytest.mark.parametrize(
    ("text", "attachments", "words"),
    [
        ("", ("image",), "Ada sent a picture."),
        ("", ("image", "audio", "file"), "Ada sent a picture, a sound and a file."),
        ("look", ("image",), "Ada said: look. And a picture."),
        ("", (), ""),
        ("   ", (), ""),
        ("😀😀", (), ""),
        ("?!", (), ""),
        ("😀", ("image",), "Ada sent a picture."),
        ("<:wave:123456789012345678>", (), "Ada said: <:wave:123456789012345678>"),
    ],
)
def test_attachments_are_told_by_kind(aloud, text, attachments, words) -> None:
    assert aloud.words(said(text, attachments=attachments)) == words


def test_names_can_be_switched_off(clock) -> None:
    assert Announcer(clock, names=False, same_speaker_s=60).words(said("hello")) == "hello"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# Big news", "Ada said: Big news"),
        ("> quoted", "Ada said: quoted"),
        ("- [x] done", "Ada said: done"),
        ("-# small", "Ada said: small"),
        ("---\n# Title", "Ada said: Title"),
        ("-5 degrees", "Ada said: -5 degrees"),
        ("| a | b |", "Ada said:\n| a | b |"),
    ],
)
def test_a_name_stands_before_the_words_and_not_before_their_marks(aloud, text, words) -> None:
    assert aloud.words(said(text)) == words


@pytest.mark.parametrize("name", ["🔥🔥", "```", "||", "\u200b\u200e"])
def test_a_name_of_marks_or_emoji_is_someone(aloud, name) -> None:
    assert aloud.words(said("hello", name=name)) == "someone said: hello"


def test_a_nickname_of_marks_gives_way_to_the_name(aloud) -> None:
    assert aloud.words(said("hello"), "```") == "Ada said: hello"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Look at this!", "Look at this! And a picture."),
        ("Look **here.**", "Look **here.** And a picture."),
        ("really?", "really? And a picture."),
        ("look", "look. And a picture."),
        ("||secret||", "||secret||\n And a picture."),
    ],
)
def test_what_came_along_is_told_in_a_sentence_of_its_own(aloud, text, words) -> None:
    assert aloud.words(said(text, attachments=("image",))) == f"Ada said: {words}"
