from __future__ import annotations

import pytest

from loopback.services.small_talk import small_talk, tokens


def said(*texts: str) -> list[dict[str, object]]:
    return [{"role": "system", "content": "You are Parley."}, *({"role": "user", "content": text} for text in texts)]


def test_the_same_prompt_gets_the_same_answer() -> None:
    assert small_talk(said("What do you think of rye bread?")) == small_talk(said("What do you think of rye bread?"))


def test_the_answer_speaks_of_the_topic_and_to_the_person() -> None:
    answer = small_talk(said("Ada: I baked rye bread today."))
    assert "rye bread" in answer.casefold()
    assert "Ada" in answer


def test_a_greeting_is_greeted_and_thanks_are_welcome() -> None:
    assert small_talk(said("hello")).startswith(("Hello", "Hi", "Hey"))
    assert small_talk(said("thank you!")).startswith("You are welcome")
    assert small_talk(said("good night")).startswith("Goodbye")


def test_the_same_words_later_may_get_another_answer() -> None:
    answers = {small_talk(said(*["I like trains."] * count)) for count in range(1, 9)}
    assert len(answers) > 1


@pytest.mark.parametrize("text", ["", "   ", "🙂", "@everyone", "x" * 10_000, "שלום עולם", "```py\n1\n```", "{name}"])
def test_anything_gets_a_readable_answer(text: str) -> None:
    assert small_talk(said(text)).strip().endswith((".", "?", "!"))


def test_no_message_at_all_gets_an_answer() -> None:
    assert small_talk([])


def test_pictures_are_seen() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert "2 pictures" in small_talk([{"role": "user", "content": [{"type": "text", "text": "Look"}, part, part]}])


@pytest.mark.parametrize("text", ["Hello there, Ada.", "  two  blanks ", "line\nbreak\n", ""])
def test_tokens_put_together_are_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text
