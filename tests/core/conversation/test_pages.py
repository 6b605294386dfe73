"""A long text is cut into messages that each stand for themselves: code exact, spoilers hidden, nothing lost."""

from __future__ import annotations

import random
import re

import pytest

from core.conversation.pages import MESSAGE_LIMIT, split

SPOILER = re.compile(r"\|\|.+?\|\|", re.DOTALL)
CODE = re.compile(r"```(?:[a-zA-Z0-9_+\-.#]+\n|\n)?(.*?)\n?```", re.DOTALL)


def visible(page: str) -> str:
    """What everybody reads without a click."""
    return SPOILER.sub("", page)


@pytest.mark.parametrize("growing", [True, False])
@pytest.mark.parametrize("end", ["||", ""])
def test_a_spoiler_that_is_cut_is_hidden_in_every_message(growing: bool, end: str) -> None:
    text = "The end: ||" + "secret word " * 500 + "secret" + end + (" and so on" if end else "")
    pages = split(text, growing=growing)
    assert len(pages) > 3
    assert all(len(page) <= MESSAGE_LIMIT for page in pages)
    assert not any("secret" in visible(page) for page in pages)
    assert sum(page.count("secret") for page in pages) == 501


def test_a_spoiler_is_hidden_while_it_is_written() -> None:
    text = "He said ||the butler|| and || the cook || did"
    for length in range(len(text)):
        shown = "\n".join(split(text[:length], growing=True))
        assert "butl" not in visible(shown), shown
        assert "cook" not in visible(shown), shown


def test_bars_that_are_no_spoiler_stay_as_they_are() -> None:
    assert split("if a || b then") == ["if a || b then"]
    assert split("```\na || b\n``` and `a || b` or `c || d`") == ["```\na || b\n``` and `a || b` or `c || d`"]


@pytest.mark.parametrize("language", ["", "python", "a-language-with-a-very-long-name+#.v2"])
def test_code_that_is_cut_is_exact(language: str) -> None:
    lines = [f"{'    ' * (number % 7)}line({number})" if number % 11 else "" for number in range(600)]
    pages = split(f"Look:\n```{language}\n" + "\n".join(lines) + "\n```\nThat was it.")
    assert all(len(page) <= MESSAGE_LIMIT and page.count("```") == 2 for page in pages)
    assert all(page.startswith(f"```{language}\n") for page in pages[1:])
    assert "\n".join(found[1] for page in pages for found in CODE.finditer(page)) == "\n".join(lines)
    assert pages[-1].endswith("That was it.")


def test_one_endless_line_of_code_keeps_every_blank() -> None:
    code = "    x = [" + ",  ".join(str(number) for number in range(3000)) + "]"
    pages = split(f"```py\n{code}\n```")
    assert all(len(page) <= MESSAGE_LIMIT for page in pages)
    assert "".join(found[1] for page in pages for found in CODE.finditer(page)) == code


def test_code_inside_a_spoiler_is_closed_and_opened_with_it() -> None:
    lines = [f"secret({number})" for number in range(500)]
    pages = split("||```py\n" + "\n".join(lines) + "\n```||")
    assert all(page.startswith("||```py\n") and page.endswith("```||") for page in pages)
    assert not any("secret" in visible(page) for page in pages)


def test_random_texts_lose_nothing_and_hide_what_they_hid() -> None:
    random_ = random.Random(5)
    parts = [
        "word ",
        "||",
        "```",
        "```py\n",
        "`",
        "\n",
        "    ",
        "😀",
        "e\u0301",
        "**b** ",
        "x" * 30,
        "\\",
        "|",
        "||hidden||",
        "<@1>",
    ]
    for _ in range(400):
        text = "".join(random_.choices(parts, k=random_.randrange(1, 120)))
        for growing in (False, True):
            pages = split(text, 60, growing=growing)
            assert all(0 < len(page) <= 60 for page in pages)
            for mark in "😀\u0301":
                assert sum(page.count(mark) for page in pages) == text.count(mark)


def test_accents_and_joined_emoji_are_not_torn() -> None:
    for letters in ("e\u0301", "👍🏽", "👨\u200d👩\u200d👧"):
        pages = split("a" + letters * 3000)
        assert "".join(pages) == "a" + letters * 3000
        assert all(page[-1] != "\u200d" and page[0] not in "\u0301\u200d🏽" for page in pages)


def test_half_characters_are_replaced() -> None:
    assert split("a\ud83d\ude00 \ud83d b") == ["a😀 \ufffd b"]


@pytest.mark.parametrize("line", ["x = 1", "y" * 2500])
def test_code_in_a_quote_stays_in_its_quote(line: str) -> None:
    text = "> ```py\n" + f"> {line}\n" * (700 if len(line) < 10 else 2) + "> ```\nafter"
    pages = split(text)
    assert len(pages) > 2
    for page in pages[:-1]:
        assert len(page) <= 2000
        assert page.startswith("> ```py\n> ")
        assert page.endswith("\n> ```")
        assert all(line.startswith("> ") for line in page.split("\n"))
    code = "".join(page.partition("\n")[2].rpartition("\n> ```")[0].replace("> ", "") for page in pages)
    assert code.replace("\n", "").startswith(line * 2)


@pytest.mark.parametrize("token", ["<:kekw:123456789012345678>", "<a:x:123456789012345678>", "<@123456789012345678>"])
def test_mentions_and_emoji_are_never_cut(token: str) -> None:
    pages = split(token * 200)
    assert all(page.count(token) * len(token) == len(page) <= 2000 for page in pages)
    assert "".join(pages) == token * 200
