"""Text is cut early first, then at sentences, in growing pieces; nothing is lost and nothing doubled."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from core.speech.chunking import Chunker, Cut


def pieces(text: str, *, step: int = 1, cut: Cut = Cut.SENTENCE, **settings: int) -> list[str]:
    """What a chunker gives when the text comes `step` characters at a time and is taken at once."""
    chunker = Chunker(**settings)
    taken: list[str] = []

    def take() -> None:
        while (piece := chunker.take(cut)) is not None:
            taken.append(piece)

    for start in range(0, len(text), step):
        chunker.push(text[start : start + step])
        take()
    chunker.finish()
    take()
    return taken


def whole(text: str, **settings: int) -> list[str]:
    return pieces(text, step=max(1, len(text)), **settings)


def test_the_first_clause_goes_before_its_sentence_is_complete() -> None:
    chunker = Chunker(first_chars=10)
    chunker.push("Well, hello there, my")
    assert chunker.take() == "Well, hello there, "
    assert chunker.take() is None


def test_a_first_piece_without_punctuation_goes_after_some_words() -> None:
    chunker = Chunker(first_words=4)
    chunker.push("one two three four five")
    assert chunker.take() == "one two three four "


def test_later_pieces_are_whole_sentences() -> None:
    assert pieces("Hello there, friend. This is fine, I think. And so is this.")[1:] == [
        "friend. ",
        "This is fine, I think. ",
        "And so is this.",
    ]


def test_pieces_grow_and_never_jump_from_tiny_to_full() -> None:
    text = "Hello there. " + "Here is a sentence of some length. " * 40
    lengths = [len(piece) for piece in whole(text)]
    assert lengths[1] <= 60
    assert all(later - 1 <= max(60, 2.5 * earlier) for earlier, later in pairwise(lengths))
    assert max(lengths) > 200, "pieces grow while there is text"
    assert max(lengths) <= 300


@pytest.mark.parametrize(
    "sentence",
    [
        "Dr. Smith met Mrs. Jones at St. Mary Ave. in Ohio.",
        "It costs 3.14 dollars, i.e. not much.",
        "J. K. Rowling wrote it.",
        "Well... maybe not.",
        "Wait … what?",
        "Das ist z.B. so, bzw. anders.",
        "Open https://example.org/a.b please.",
    ],
)
def test_a_full_stop_that_ends_no_sentence_cuts_nothing(sentence: str) -> None:
    assert pieces(f"This is the start. {sentence} The end is here.")[1] == f"{sentence} "


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ('He said "No." Then he left.', ['He said "No." ', "Then he left."]),
        ("Cats, dogs, etc. They all came.", ["Cats, dogs, etc. ", "They all came."]),
        ("It was 2019. Then it was over.", ["It was 2019. ", "Then it was over."]),
        ("So do I. And you?", ["So do I. ", "And you?"]),
        ("Really?! Yes (I think). Good.", ["Really?! ", "Yes (I think). ", "Good."]),
        ("What... Never mind.", ["What... ", "Never mind."]),
        ("1. Apples\n2. Pears", ["1. Apples\n", "2. Pears"]),
        ("今日は晴れです。散歩に行きます！", ["今日は晴れです。", "散歩に行きます！"]),
        ("هل أنت بخير؟ نعم.", ["هل أنت بخير؟ ", "نعم."]),
    ],
)
def test_sentences_are_found_in_text_that_comes_letter_by_letter(text: str, sentences: list[str]) -> None:
    assert pieces(f"This is the start. {text}")[1:] == sentences


def test_a_sentence_that_is_too_long_is_cut_at_a_clause_then_at_a_word_then_anywhere() -> None:
    clauses = pieces("Start of it. " + "some words in a clause, " * 30)
    assert all(piece.rstrip().endswith((".", ",")) for piece in clauses)
    words = pieces("Start of it. " + "words " * 200)
    assert all(piece.endswith("words ") for piece in words[1:])
    assert max(map(len, words)) <= 300
    assert max(map(len, pieces("x" * 1000))) <= 300


def test_a_clause_is_given_when_one_is_wanted() -> None:
    chunker = Chunker()
    chunker.push("Hello there. Now this is long, and it goes on")
    assert chunker.take() == "Hello there. "
    assert chunker.take() is None
    assert chunker.take(Cut.CLAUSE) == "Now this is long, "
    assert chunker.take(Cut.CLAUSE) is None
    assert chunker.take(Cut.WORD) == "and it goes ", "the last word may not be complete"


def test_text_that_stopped_at_punctuation_is_given_when_words_are_wanted() -> None:
    chunker = Chunker()
    chunker.push("Sure!")
    assert chunker.take(Cut.CLAUSE) is None
    assert chunker.take(Cut.WORD) == "Sure!"


def test_what_is_left_comes_at_the_end() -> None:
    chunker = Chunker()
    chunker.push("Hi")
    assert chunker.take() is None
    chunker.finish()
    assert chunker.take() == "Hi"
    assert chunker.done


def test_white_space_alone_is_no_piece() -> None:
    assert whole(" \n \n ") == []


@pytest.mark.parametrize("cut", list(Cut))
def test_the_pieces_joined_are_the_text_however_it_comes(cut: Cut) -> None:
    random_ = random.Random(7)
    parts = [
        "a",
        "Dr",
        "word",
        ". ",
        ", ",
        "... ",
        "\n",
        "!",
        "? ",
        " ",
        "。",
        "、",
        "3.5",
        '"',
        ") ",
        "X",
        "etc",
        "🙂",
        "ש",
    ]
    for _ in range(400):
        text = "".join(random_.choices(parts, k=random_.randrange(1, 150)))
        taken = pieces(text, step=random_.randrange(1, 9), cut=cut, longest=random_.choice([40, 300]))
        assert "".join(taken).rstrip() == text.rstrip()
        assert all(piece.strip() for piece in taken)


def test_an_endless_word_is_not_cut_inside_a_character() -> None:
    for letters in ("e\u0301", "👍🏽", "👨\u200d👩\u200d👧", "\ud83d\ude00", "क्षि"):
        taken = pieces("a" + letters * 400, step=7)
        assert "".join(taken) == "a" + letters * 400
        assert all(piece[-1] not in "\u200d\ud83d" and piece[0] not in "\u0301\u200d🏽\ude00ि" for piece in taken[1:-1])
