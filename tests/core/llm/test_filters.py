from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.llm.cleaner import Cleaner
from core.llm.cleaning import Chain, Pairs
from core.llm.reasoning_filter import ReasoningFilter
from core.llm.role_prefix import RolePrefixFilter
from core.llm.special_tokens import SpecialTokens
from core.llm.stop_filter import StopFilter

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
        ("<THINK>hm</Think> <thinking>again</thinking>no.", "no."),
        ("<think>never closed", ""),
        ("thought already</think>Yes.", "thought alreadyYes."),
        ("a < b and <thin air> and </x>", "a < b and <thin air> and </x>"),
        ("ends with <thi", "ends with <thi"),
        ("<think><think>twice</think>out", "out"),
        ("", ""),
    ],
)
def test_thoughts_are_left_out_however_the_tags_are_cut(text: str, clean: str) -> None:
    assert passed(ReasoningFilter, text) == clean


def test_plain_text_is_not_held_back() -> None:
    thinking = ReasoningFilter()
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
    assert passed(lambda: StopFilter(stops), text) == clean


def test_nothing_passes_after_a_stop_string() -> None:
    stops = StopFilter(["END"])
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
    assert passed(lambda: RolePrefixFilter(["Parley", "Parley  the Wise"]), text) == clean


def test_an_answer_that_is_no_prefix_passes_at_once() -> None:
    opening = RolePrefixFilter(["Parley"])
    assert opening.feed("Hello") == "Hello"
    assert opening.feed("\nassistant: hi ") == "\nassistant: hi "


def test_filters_chain_and_what_one_holds_back_reaches_the_next() -> None:
    def make() -> Chain:
        return Chain(ReasoningFilter(), StopFilter(["###"]), RolePrefixFilter(["Parley"]))

    assert passed(make, "<think>\nhm\n</think>\n\nParley: Hello ## there <b ### gone") == "Hello ## there <b "
    assert passed(make, "Parley") == "Parley"
    assert passed(make, "<think>only</think>") == ""


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("[THINK]hm[/THINK]Yes.", "Yes."),
        ("<seed:think>hm, </think no</seed:think>\n\nYes.", "Yes."),
        ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Yes.<|return|>", "Yes."),
        ("<|channel|>analysis hm, <|chan <|channel|>final Yes.", "Yes."),
        ("<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>Yes.<|END_RESPONSE|>", "Yes."),
        ("◁think▷hm◁/think▷Yes.", "Yes."),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\nYes.<|im_end|>", "Yes."),
        ("Parley: <think>hm</think> Parley: Yes.", "Yes."),
        ("</think>Yes.", "Yes."),
        ("The tag <think> opens, </think> closes; `</think>`.", "The tag <think> opens, </think> closes; `</think>`."),
        ("Use `<think>` and\n</think>\nthen [THINK].", "Use `<think>` and\n</think>\nthen [THINK]."),
        ('`</think>` ends a thought. It is "</think>".', '`</think>` ends a thought. It is "</think>".'),
        ("I muse\n</think>\nYes.", "I muse\n\nYes."),
        ("<think>never <answer", ""),
        ("<|channel|>analysis<|message|>never", ""),
        ("Yes.</s>", "Yes."),
        ("Yes.<|im_end|>\n<|im_start|>user\nAnd you?", "Yes.\n"),
        ('He said "yes."<end_of_turn>', 'He said "yes."'),
        ("<|start_header_id|>assistant<|end_header_id|>\n\nYes.<|eot_id|>", "Yes."),
        ("Yes</s> and no", "Yes and no"),
        ('The token `</s>` ends, as does "<|im_end|>" here.', 'The token `</s>` ends, as does "<|im_end|>" here.'),
        ("`unclosed code</s>", "`unclosed code"),
        ("2 < 3 <| 4 and [in] [/x", "2 < 3 <| 4 and [in] [/x"),
        ("<｜Assistant｜>Yes.<｜end▁of▁sentence｜>", "Yes."),
        ("  \n", ""),
        ('<think effort="low">hm</think>Yes.', "Yes."),
        ("<think\n>hm</think\n>Yes.", "Yes."),
        ("<inner_monologue>hm</inner_monologue>Yes.", "Yes."),
        ("<antThinking>hm</antThinking><reasoning_content>hm</reasoning_content>Yes.", "Yes."),
        ("&lt;think&gt;hm&lt;/think&gt;Yes.", "Yes."),
        ("<|thinking|>hm<|/thinking|>Yes.", "Yes."),
        ("[REASONING]hm[/REASONING]Yes.", "Yes."),
        ("<think/>Yes.", "Yes."),
        ("<|channel>thought\nhm<channel|>Yes.", "Yes."),
        ('<details type="reasoning" done="true">\n> hm\n</details>\nYes.', "Yes."),
        ("Thinking...\nhm\n...done thinking.\n\nYes.", "Yes."),
        ("Thinking...\nI give up.", "Thinking...\nI give up."),
        ("analysisWe think.assistantfinalYes.", "Yes."),
        ("analysis of this, analysisWe", "analysis of this, analysisWe"),
        ("<|channel|>final <|constrain|>json<|message|>Yes.", "Yes."),
        ("assistant<|channel|>final<|message|>Yes.", "Yes."),
        ("<think>one <think>two</think> three</think>Yes.", "Yes."),
        ("<think>one <think>two</think>Yes.", "Yes."),
        ("<think>the `<think>` tag, `</think>`, hm</think>Yes.", "Yes."),
        ('<think>say "yes"</think>"Yes"', '"Yes"'),
        ("<tool_call>{}</tool_call>Yes.", "Yes."),
        ("Yes.<|reserved_special_token_5|><|/xy|> <|im_end", "Yes. <|im_end"),
        ("assistant\n\nYes.", "Yes."),
        ("### Response:\nYes.", "Yes."),
        ("Response: yes. Model: T-34", "Response: yes. Model: T-34"),
        ("Model: T-34", "Model: T-34"),
        ("< five, <3 and AT&T", "< five, <3 and AT&T"),
        ("<b>Yes</b> [1]", "<b>Yes</b> [1]"),
        ("<@12> yes", "<@12> yes"),
    ],
)
def test_a_raw_answer_is_clean_however_it_is_cut(text: str, clean: str) -> None:
    assert passed(lambda: Cleaner(["Parley"], []), text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("hm, I see.\n</think>\n\nYes.", "Yes."),
        ("hm[/THINK]Yes.", "Yes."),
        ("<think>hm</think>Yes </think> no.", "Yes </think> no."),
        ("hm</think><think>again</think>Yes.", "Yes."),
        ("hm, never ended", ""),
    ],
)
def test_an_answer_that_begins_inside_a_thought(text: str, clean: str) -> None:
    assert passed(lambda: Cleaner([], [], starts_inside=True), text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("hm, I see.\n</think>\n\nYes.", "Yes."),
        ("Yes, and it never ends.", "Yes, and it never ends."),
        ("Yes" * 100, "Yes" * 100),
        ("<think>surely a thought", "<think>surely a thought"),
    ],
)
def test_what_only_may_be_a_thought_is_the_answer_if_it_does_not_end(text: str, clean: str) -> None:
    assert passed(lambda: Cleaner([], [], starts_inside=True, unless_unended=True), text) == clean


def test_halves_of_pairs_are_joined_or_replaced() -> None:
    assert passed(Pairs, "a\ud83e\udd56b\ud83ec\udd56\ud83e") == "a\U0001f956b\ufffdc\ufffd\ufffd"


@pytest.mark.parametrize(
    "piece", ["<", "<think>", "</think>", "[", "*", "_[", "`</s>", "<|im_", " ", "Assistant:", "\ud83e", "a</"]
)
@pytest.mark.parametrize("around", ["{}", "<think>{}", "x{}", "`{}"])
def test_filters_do_as_much_for_each_token_of_a_long_answer(piece: str, around: str) -> None:
    """Counted in characters that are looked at: a filter that keeps its past would look at all of it again."""
    cleaner = Cleaner(["Parley"], ["STOP"])
    cleaner.feed(around.partition("{")[0])
    longest = 0
    for _ in range(3000):
        cleaner.feed(piece)
        longest = max(longest, max(len(str(vars(each).get("_held", ""))) for each in cleaner.filters))
    assert longest < 100


def test_special_tokens_of_another_turn_end_the_answer() -> None:
    tokens = SpecialTokens()
    assert tokens.feed("Yes.<start_of_turn>us") == "Yes."
    assert not tokens.ended
    assert tokens.feed("er\nAnd?") == ""
    assert tokens.ended
    assert tokens.feed("more") + tokens.flush() == ""
