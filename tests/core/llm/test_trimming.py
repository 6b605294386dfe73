from __future__ import annotations

import pytest

from core.llm.messages import ChatMessage, Image
from core.llm.tokens import estimate_tokens
from core.llm.trimming import message_tokens, shorten, trim

SYSTEM = ChatMessage("system", "You are Parley.")


def turns(count: int) -> list[ChatMessage]:
    return [ChatMessage("assistant" if number % 2 else "user", f"turn {number}") for number in range(count)]


def cost(messages: list[ChatMessage]) -> int:
    return sum(message_tokens(message) for message in messages)


def words(text: str) -> int:
    return len(text.split())


def test_what_fits_stays_as_it_is() -> None:
    messages = [SYSTEM, *turns(5)]
    assert trim(messages, 10, 1000) == messages


def test_the_newest_turns_and_the_system_message_stay() -> None:
    kept = trim([SYSTEM, *turns(9)], 3, 1000)
    assert [message.content for message in kept] == ["You are Parley.", "turn 6", "turn 7", "turn 8"]


def test_tokens_count_as_messages_do() -> None:
    messages = [SYSTEM, *turns(9)]
    budget = cost([SYSTEM, *turns(9)[-3:]])
    assert trim(messages, None, budget) == [SYSTEM, *turns(9)[-3:]]
    assert trim(messages, None, budget - 1) == [SYSTEM, turns(9)[-1]]  # an answer does not come first


def test_no_turns_at_all_leaves_the_system_message() -> None:
    assert trim([SYSTEM, *turns(4)], 0, 1000) == [SYSTEM]
    assert trim([], 5, 1000) == []


def test_a_long_newest_message_loses_its_middle_at_words() -> None:
    text = " ".join(f"word{number}" for number in range(2000))
    kept = trim([SYSTEM, *turns(3), ChatMessage("user", text, name="Ada")], 10, 300)
    assert [message.role for message in kept] == ["system", "user"]
    assert cost(kept) <= 300
    left = kept[1].content.split()
    assert left[0] == "word0"
    assert left[-1] == "word1999"
    assert set(left) <= set(text.split())
    assert kept[1].name == "Ada"
    assert cost(kept) > 250  # and no more is lost than must be


def test_an_own_count_can_be_given() -> None:
    kept = trim([ChatMessage("user", "one two three four five six")], None, 8, count=words)
    assert kept[0].content == "one two five six"


@pytest.mark.parametrize("text", ["x" * 10_000, "漢字" * 3000, "🙂" * 3000])
def test_text_without_blanks_is_cut_as_well(text: str) -> None:
    assert message_tokens(shorten(ChatMessage("user", text), 200)) <= 200


def test_a_long_system_message_leaves_room_for_the_prompt() -> None:
    kept = trim([ChatMessage("system", "be kind " * 5000), ChatMessage("user", "Hello there, how are you?")], 10, 400)
    assert cost(kept) <= 400
    assert kept[-1].content == "Hello there, how are you?"
    assert kept[0].role == "system"


def test_pictures_count() -> None:
    with_picture = ChatMessage("user", "look", images=(Image(b"", "image/png"),))
    assert message_tokens(with_picture) > message_tokens(ChatMessage("user", "look")) + 500


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("", 0, 0),
        ("The quick brown fox jumps over the lazy dog.", 10, 14),  # 10 in cl100k and o200k
        ("antidisestablishmentarianism", 4, 7),  # 6 in cl100k
        ("3.14159265358979", 6, 9),
        ("こんにちは世界", 4, 12),
        ("Привет, как дела?", 6, 18),
        ("🙂", 1, 3),
    ],
)
def test_the_estimate_is_near_and_rather_high(text: str, low: int, high: int) -> None:
    assert low <= estimate_tokens(text) <= high
