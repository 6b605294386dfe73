"""What must not leave is replaced, whatever shape it has; what is only a word stays."""

from __future__ import annotations

import time

import pytest

from core.store.training_values import Line
from core.training.placeholders import Placeholders
from tests.core.training.examples import ADA, BOB, example

PEOPLE = {ADA: ["Ada Lovelace", "Countess"], BOB: ["Bob"]}
DISCORD_TOKEN = "MTA3NjU0MzIxMDk4NzY1NDMyMQ" + ".GhIjKl." + "aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789AB"


def cleaned(text: str, **more) -> str:
    return Placeholders(PEOPLE, **more).clean(example("?", text)).example.chosen


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"ask <@{BOB}> or <@!{ADA}>", "ask PERSON_2 or PERSON_1"),
        (
            "ask <@111111111111111111>, <@&222222222222222222> in <#333333333333333333>",
            "ask [USER], [ROLE] in [CHANNEL]",
        ),
        (f"my id is {ADA}, his 111111111111111111.", "my id is PERSON_1, his [ID]."),
        ("Ada Lovelace, ADA and the countess met bob; Bobby did not", None),
        ("write to ada.l@example.co.uk please", "write to [EMAIL] please"),
        ("call +49 170 1234567 or (030) 1234 5678", "call [PHONE] or [PHONE]"),
        ("it runs on 192.168.10.4 as 1.2.3", "it runs on [IP] as 1.2.3"),
        ("key sk-proj-abcDEF1234567890abcd here", "key [SECRET] here"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[SECRET]"),
        ("AKIAIOSFODNN7EXAMPLE", "[SECRET]"),
        (f"token: {DISCORD_TOKEN}", "token: [SECRET]"),
        (DISCORD_TOKEN, "[SECRET]"),
        ("https://discord.com/api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyzABCDEFG", "[SECRET]"),
        ("https://ada:hunter22@example.org/x", "https://[SECRET]@example.org/x"),
        ("my password is hunter22!", "my password is [SECRET]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----", "[SECRET]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0abc.abcdefghijk", "[SECRET]"),
        ("<a:party:123456789012345678> yes", ":party: yes"),
        ("the year 2026, pi is 3.14159265358979323846", "the year 2026, pi is 3.14159265358979323846"),
        ("the password manager is good", "the password manager is good"),
    ],
)
def test_ids_names_addresses_and_secrets_become_placeholders(text, left):
    if left is None:
        left = "PERSON_1, PERSON_1 and the PERSON_1 met PERSON_2; Bobby did not"
        assert Placeholders(PEOPLE).clean(example("x", text, before=(), name="")).example.chosen == left
        return
    found = Placeholders(PEOPLE).clean(example("?", text)).example
    assert found.messages[-1].content.startswith("PERSON_1: ")
    assert found.chosen == left


def test_secrets_of_this_process_are_replaced_whatever_they_look_like():
    assert cleaned("it is correct horse battery", secrets=["correct horse", "abc"]) == "it is [SECRET] battery"


def test_who_is_only_spoken_of_is_replaced_as_written():
    others = {5: ["Will"]}
    assert cleaned("Will will come", others=others) == "PERSON_2 will come"


def test_a_person_has_one_placeholder_in_prompt_and_answers_and_numbers_begin_anew_in_each_example():
    placeholders = Placeholders(PEOPLE)
    before = (Line("user", "I am here", "Bob"), Line("assistant", "Hi Bob."))
    one = placeholders.clean(example("who is there?", "Bob is.", "Ada is.", before=before)).example
    assert [line.content for line in one.messages] == [
        "PERSON_1: I am here",
        "Hi PERSON_1.",
        "PERSON_2: who is there?",
    ]
    assert (one.chosen, one.rejected, dict(one.people)) == ("PERSON_1 is.", "PERSON_2 is.", {})
    assert placeholders.clean(example("?", "Ada")).example.chosen == "PERSON_1"


def test_a_long_hostile_text_is_gone_through_once():
    units = ("a.", "-----BEGIN A PRIVATE KEY-----", "eyJaaaaaaaa.", "1 ", "@", "://", "a@", "+1", "<a:", "password is ")
    placeholders = Placeholders(PEOPLE)

    def seconds(size: int) -> float:
        texts = [unit * (size // len(unit)) for unit in units]
        start = time.process_time()
        for text in texts:
            placeholders.clean(example("?", text))
        return time.process_time() - start

    seconds(2000)
    assert min(seconds(40_000) / seconds(10_000) for _ in range(2)) < 11  # four times the text
