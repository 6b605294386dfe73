from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.llm.cleaning import Chain
from core.llm.opening import Opening
from core.llm.stops import Stops
from core.llm.thinking import Thinking

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.llm.cleaning import TextFilter


def passed(make: Callable[[], TextFilter], text: str) -> str:
    """What a filter lets pass, checked to be the same however the text is cut into pieces."""
    cuts = [[text], list(text), *([text[:place], text[place:]] for place in range(1, len(text)))]
    results = set()
    for pieces in cuts:
        each = make()
        results.add("".join(each.feed(piece) for piece in pieces) + each.flush())
    assert len(results) == 1, results
    return results.pop()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<think>hm, 2 < 3</think>Yes.", "Yes."),
        ("Well <THINK>hm</Think>yes <thinking>again</thinking>no.", "Well yes no."),
        ("<think>never closed", ""),
        ("thought already</think>Yes.", "thought alreadyYes."),
        ("a < b and <thin air> and </x>", "a < b and <thin air> and </x>"),
        ("ends with <thi", "ends with <thi"),
        ("<think><think>twice</think>out", "out"),
        ("", ""),
    ],
)
def test_thoughts_are_left_out_however_the_tags_are_cut(text: str, clean: str) -> None:
    assert passed(Thinking, text) == clean


def test_plain_text_is_not_held_back() -> None:
    thinking = Thinking()
    assert thinking.feed("Hello ") == "Hello "
    assert thinking.feed("a <") == "a "
    assert thinking.feed(" b") == "< b"


@pytest.mark.parametrize(
    ("stops", "text", "clean"),
    [
        (["END"], "one END two", "one "),
        (["\nAda:", "\nBen:"], "Hello.\nBen: I say\nAda: no", "Hello."),
        (["END"], "one EN", "one EN"),
        (["END"], "one end", "one end"),
        (["aab"], "aaab", "a"),
        (["ab", "abc"], "xabc", "x"),
        ([], "everything", "everything"),
        ([""], "everything", "everything"),
    ],
)
def test_a_stop_string_ends_the_text_however_it_is_cut(stops: list[str], text: str, clean: str) -> None:
    assert passed(lambda: Stops(stops), text) == clean


def test_nothing_passes_after_a_stop_string() -> None:
    stops = Stops(["END"])
    assert stops.feed("one EN") == "one "
    assert stops.feed("D two") == ""
    assert stops.reached
    assert stops.feed("three") == ""
    assert stops.flush() == ""


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Assistant: Hello.", "Hello."),
        ("  \n parley:Hello.", "Hello."),
        ("**Parley:** *waves* hello", "*waves* hello"),
        ("**Parley**: hello", "hello"),
        ("[Parley]: hello", "hello"),
        ("Assistant: Parley:  hello", "hello"),
        ("Parley the Wise： hello", "hello"),
        ("Parley says: hello", "Parley says: hello"),
        ("Parley", "Parley"),
        ("Ada: Parley: hello", "Ada: Parley: hello"),
        ("Note: this stays", "Note: this stays"),
        ("*smiles* Hello: you", "*smiles* Hello: you"),
        ("Ai\n: hello", "Ai\n: hello"),
        (" \n ", ""),
        ("Assistant:", ""),
    ],
)
def test_blanks_and_names_in_front_are_dropped(text: str, clean: str) -> None:
    assert passed(lambda: Opening(["Parley", "Parley  the Wise"]), text) == clean


def test_an_answer_that_is_no_prefix_passes_at_once() -> None:
    opening = Opening(["Parley"])
    assert opening.feed("Hello") == "Hello"
    assert opening.feed("\nassistant: hi ") == "\nassistant: hi "


def test_filters_chain_and_what_one_holds_back_reaches_the_next() -> None:
    def make() -> Chain:
        return Chain(Thinking(), Stops(["###"]), Opening(["Parley"]))

    assert passed(make, "<think>\nhm\n</think>\n\nParley: Hello ## there <b ### gone") == "Hello ## there <b "
    assert passed(make, "Parley") == "Parley"
    assert passed(make, "<think>only</think>") == ""
