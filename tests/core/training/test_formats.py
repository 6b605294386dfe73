"""Every format is written as others read it, and read back as it was; files of strangers are refused by their lines."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import TrainingError
from core.llm.tokens import estimate_tokens
from core.store.training_values import Line
from core.training.checks import Checked, same
from core.training.export import ExportWish, make
from core.training.formats import guarded, unguarded, write
from core.training.reading import read
from core.training.split import split
from tests.core.training.examples import example

MOST = 2**20
PAIR = example("capital of Australia?", "Canberra", "Sydney", people={}, name="")
LIKED = example("2+2?", "4", people={}, name="")
DISLIKED = example("3+3?", None, "7", people={}, name="")


def objects(data: bytes) -> list[dict]:
    return [json.loads(line) for line in data.decode().splitlines()]


def test_the_lines_are_those_that_openai_and_trl_read():
    prompt = [{"role": "system", "content": "You are Parley."}, {"role": "user", "content": "capital of Australia?"}]
    good, bad = [{"role": "assistant", "content": "Canberra"}], [{"role": "assistant", "content": "Sydney"}]
    assert objects(write([PAIR], "openai")) == [{"messages": [*prompt, *good]}]
    dpo = {"input": {"messages": prompt}, "preferred_output": good, "non_preferred_output": bad}
    assert objects(write([PAIR], "dpo")) == [dpo]
    assert objects(write([PAIR], "trl")) == [{"prompt": prompt, "chosen": good, "rejected": bad}]
    kto = [{"prompt": prompt, "completion": good, "label": True}, {"prompt": prompt, "completion": bad, "label": False}]
    assert objects(write([PAIR], "kto")) == kto


@pytest.mark.parametrize("form", ["openai", "dpo", "trl", "kto", "csv"])
def test_what_is_exported_is_imported_as_it_was(form):
    examples = [PAIR, LIKED, DISLIKED]
    found = [(each.messages, each.chosen, each.rejected) for each in read(write(examples, form), MOST, 99)]
    whole = [(each.messages, each.chosen, each.rejected) for each in examples]
    good = [(each.messages, each.chosen, None) for each in examples if each.chosen]
    bad = [(each.messages, None, each.rejected) for each in examples if each.rejected]
    pairs = [each for each in whole if each[1] and each[2]]
    expected = {"openai": good, "dpo": pairs, "trl": pairs, "kto": [good[0], bad[0], good[1], bad[1]], "csv": whole}
    assert found == expected[form]
    assert read(gzip.compress(write(examples, form)), MOST, 99) == read(write(examples, form), MOST, 99)


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(text, text, text)
def test_any_text_survives_the_way_out_and_in(question, chosen, rejected):
    there = example(question, chosen, rejected, people={}, name="", before=())
    for form in ("dpo", "csv"):
        (back,) = read(write([there], form), MOST, 9)
        assert (back.messages[0].content, back.chosen, back.rejected) == (question, chosen, rejected)


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", "'=1", "=cmd|' /C calc'!A0"]
)
def test_no_cell_of_a_table_is_a_formula(cell):
    shown = next(csv.DictReader(io.StringIO(write([example("?", cell)], "csv").decode("utf-8-sig"))))["chosen"]
    assert shown.startswith("'") and unguarded(shown) == cell


@pytest.mark.parametrize("cell", ["'tis", "a=b", "", "'", "5 - 3"])
def test_other_cells_stay_as_they_are(cell):
    assert guarded(cell) == cell == unguarded(cell)


GOOD = json.dumps({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]})


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("{", "Line 2 is no JSON"),
        ('{"a": 1}', "Line 2 has none of the forms that I know"),
        ("[" * 100_000, "Line 2"),
        ('{"messages": "hi"}', "Line 2: `messages` must be a list"),
        ('{"messages": [{"role": "wizard", "content": "hi"}]}', "Line 2: message 1 has the role “wizard”"),
        ('{"messages": [{"role": "user", "content": "hi"}]}', "Line 2 ends without an answer"),
        ('{"messages": [{"role": "assistant", "content": "hi"}]}', "Line 2 has no question"),
        (
            '{"messages": [{"role": "user", "content": " "}, {"role": "assistant", "content": "x"}]}',
            "Line 2: message 1",
        ),
        (
            '{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}',
            "Line 2: message 1 holds more than text",
        ),
        ('{"prompt": "x", "completion": "y", "label": "yes"}', "Line 2: `label` must be true or false"),
        (
            '{"prompt": [{"role": "user", "content": "x"}], "chosen": [], "rejected": []}',
            "Line 2: `chosen` must be one",
        ),
        ('{"n": ' + "9" * 5000 + "}", "Line 2"),
        ("3", "Line 2 has none"),
    ],
)
def test_a_file_is_refused_by_its_line_with_what_would_be_right(bad, told):
    with pytest.raises(TrainingError) as refused:
        read(f"{GOOD}\n{bad}\n{GOOD}".encode(), MOST, 99)
    assert told in refused.value.sentence.replace("\\", "")


def test_many_faults_are_told_together_and_not_all_of_them():
    with pytest.raises(TrainingError) as refused:
        read("\n".join(["{}"] * 50).encode(), MOST, 99)
    assert refused.value.sentence.count("Line") == 5 and refused.value.sentence.endswith("and more")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no example"),
        (b"\n\n", "no example"),
        (b"\xff\xfe{\x00", "UTF-8"),
        (b"{}" * MOST, "too large"),
        (gzip.compress(b" " * (12 * MOST), mtime=0), "too large"),
        (gzip.compress(b"x" * 1000, mtime=0)[:-20], "damaged"),
        ((GOOD + "\n").encode() * 100, "more than 99"),
        (b"a,b\n1,2\n", "name the columns"),
        (b'prompt,chosen\n"hi,hello\n', "Line 2"),
        (b"prompt,chosen\nhi,\n", "ends without an answer"),
        (b"prompt,completion,label\nhi,hello,perhaps\n", "label"),
        (b"[" * 200_000, "The file is nested too deeply"),
    ],
)
def test_files_that_are_none_are_refused_whole(data, told):
    with pytest.raises(TrainingError) as refused:
        read(data, MOST, 99)
    assert told in refused.value.sentence.replace("\\", "")


@pytest.mark.parametrize(
    "data",
    [
        f"[{GOOD}]".encode(),
        b'{"prompt": "hi", "completion": "hello", "label": true}',
        b'{"prompt": "hi", "completion": [{"role": "assistant", "content": "hello"}], "label": true}',
        b"Prompt,Chosen\nhi,hello\n",
        b'\xef\xbb\xbfprompt,completion,label\r\n"hi",hello,TRUE\r\n',
    ],
)
def test_other_shapes_of_the_same_are_read_too(data):
    (found,) = read(data, MOST, 99)
    assert (found.messages, found.chosen, found.rejected) == ((Line("user", "hi"),), "hello", None)


# Checks and splits ----------------------------------------------------------------------------------------------------


def test_what_fits_no_model_is_left_out_and_counted():
    examples = [
        PAIR,
        example("Capital of  AUSTRALIA?", "canberra", "sydney", people={}, name=""),
        DISLIKED,
        example("long?", "word " * 500),
        example("blank?", "  "),
        example("last", "x", before=(Line("assistant", "Hi"), Line("system", "late"))),
    ]
    checked = Checked(examples, "openai", 200, estimate_tokens)
    assert checked.kept == [PAIR]
    assert dict(checked.left_out) == {
        "are there twice": 1,
        "have no good answer": 1,
        "are longer than 200 tokens": 1,
        "have an empty message": 1,
        "have roles in an order that no model takes": 1,
    }
    assert (
        Checked([DISLIKED, LIKED], "trl", 200, estimate_tokens).left_out["are no pair of a good and a bad answer"] == 2
    )


def test_an_answer_that_one_liked_and_another_corrected_is_no_good_answer():
    liked = example("q", "Sydney", answer_id=7)
    corrected = example("q", "Canberra", "Sydney", answer_id=7)
    assert Checked([liked, corrected], "openai", 200, estimate_tokens).kept == [corrected]


def test_a_split_keeps_conversations_together_and_nothing_of_test_was_seen_in_training():
    rng = random.Random(5)
    examples = []
    for conversation in range(300):
        before: tuple[Line, ...] = (Line("system", "S"),)
        for _ in range(rng.randint(1, 4)):
            question = f"question {rng.randint(0, 400)}"
            answer = f"answer {rng.randint(0, 400)}"
            examples.append(example(question, answer, conversation=f"c{conversation}", before=before, name=""))
            before = (*before, Line("user", question), Line("assistant", answer))
    for seed in range(5):
        parts = split(examples, 0.2, seed)
        assert not {each.conversation for each in parts.train} & {each.conversation for each in parts.test}
        seen = {same(line.content) for each in parts.train for line in each.messages if line.role == "user"}
        assert parts.test and not any(same(each.messages[-1].content) in seen for each in parts.test)
        assert parts == split(examples, 0.2, seed)
        assert len(parts.train) + len(parts.test) + parts.dropped == len(examples)
    assert split(examples, 0.2, 1) != split(examples, 0.2, 2)
    assert not split(examples, 0.0, 1).test


def test_a_data_set_is_made_without_anybody_in_it():
    made = make(
        [example("I am Ada, who are you?", "Hi Ada."), example("x", "y")],
        ExportWish("openai", 0.0, 1, 8000, estimate_tokens),
    )
    assert made.people == 4 and b"Ada" not in made.train.data
    assert (made.train.lines, made.test.lines) == (2, 0)
