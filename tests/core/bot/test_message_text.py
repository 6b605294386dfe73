"""Whom a message speaks to, and what it says without the marks of Discord."""

from __future__ import annotations

from types import SimpleNamespace as Shape

import pytest

from core.bot import message_text

ME = Shape(id=1, display_name="Parley")
ADA = Shape(id=2, display_name="Ada")
OWN, COOKS = Shape(id=11, name="Parley"), Shape(id=12, name="cooks")


def message(text="", **parts):
    plain = {
        "content": text,
        "guild": Shape(self_role=OWN),
        "mentions": [],
        "role_mentions": [],
        "channel_mentions": [],
        "message_snapshots": [],
        "attachments": [],
        "stickers": [],
        "poll": None,
        "reference": None,
    }
    return Shape(**plain | parts)


def reply_to(author, text="Tea?"):
    return Shape(resolved=Shape(author=author, clean_content=text))


@pytest.mark.parametrize(
    ("found", "called"),
    [
        (message("hello", mentions=[ME]), True),
        (message("hello", role_mentions=[OWN]), True),
        (message("hello", reference=reply_to(ME)), True),
        (message("hello", mentions=[ADA], role_mentions=[COOKS]), False),
        (message("hello", reference=reply_to(ADA)), False),
        (message("hello", reference=Shape(resolved=Shape(id=5))), False),
        (message("hello", guild=None, mentions=[ME]), False),
    ],
    ids=["mention", "own role", "reply", "others", "reply to another", "reply to what is gone", "direct"],
)
def test_who_is_called(found, called):
    assert message_text.calls(found, ME) is called


def test_the_call_is_left_out_and_other_mentions_are_names():
    channel = Shape(id=21, name="kitchen")
    text = "<@1> <@&11> tell <@2> and the <@&12> in <#21>"
    found = message(text, mentions=[ME, ADA], role_mentions=[OWN, COOKS], channel_mentions=[channel])
    assert message_text.words(found, ME) == "tell Ada and the cooks in kitchen"


def test_forwarded_words_and_polls_are_words_too():
    forwarded = Shape(content="The ship is in.", attachments=[Shape(content_type="image/png")], stickers=[])
    found = message(message_snapshots=[forwarded], poll=Shape(question="Tea or coffee?"), stickers=[Shape()])
    assert message_text.words(found, ME) == "The ship is in.\nTea or coffee?"
    assert message_text.sent(found) == ("sticker", "image")


def test_what_is_answered_is_named_and_shortened():
    assert message_text.answered(message("Yes", reference=reply_to(ADA, "Tea\nnow?"))) == "Ada: Tea now?"
    assert (
        len(message_text.answered(message("Yes", reference=reply_to(ADA, "a" * 900))))
        == len("Ada: ") + message_text.ABOUT_LIMIT
    )
    assert message_text.answered(message("Yes", reference=reply_to(ADA, " "))) == ""
    assert message_text.answered(message("Yes", reference=Shape(resolved=None))) == ""
