"""Whatever people call themselves and their things: no message of ours becomes a link, a ping or markup by it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace as Shape

import pytest

from core.bot import message_text
from core.bot import recording_messages as words
from core.lockdown import describe
from core.names import LONGEST, code, plain, sayable, shown, shown_text
from core.recording.metadata import STOPPED_BY
from core.speech.speakable import Speakable

ROOT = Path(__file__).parents[2]
HOSTILE = [
    "[free nitro](https://evil.example)",
    "https://evil.example/x",
    "HTTP://evil.example",
    "discord.gg/abc",
    "@everyone",
    "@here <@123456789012345678>",
    "<@&123456789012345678> <#123456789012345678>",
    "<t:0:R> <:kek:123456789012345678> </voice join:1> <id:home>",
    "```py\ncode",
    "`tick`",
    "**bold** __line__ ~~gone~~ ||hidden||",
    "# Big",
    "-# small",
    "> quote",
    ">>> quote",
    "- item",
    "* item",
    "1. item",
    "one\n# two",
    "\u202egnp.exe\u200b\u2066x",
    "a\ud800b",
    "z" + "\u0301" * 500,
    "x" * 5000,
    "\\[a](b)",
    "<https://evil.example>",
]
# What Discord would read as markup or a mention, if no backslash stands before it.
MARKUP = re.compile(
    r"(?<!\\)(?:\\\\)*(?:[*_~|`<>\[\]()]|://|\A(?:#|-|\+|>))|@(?!\u200b)|discord\.gg/|[\n\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_is_shown_is_no_markup(name: str) -> None:
    safe = shown(name)
    assert not MARKUP.search(safe), safe
    assert not re.match(r"\d+[.)]", safe)
    assert len(plain(name)) <= LONGEST
    assert "\u202e" not in plain(name)
    assert not MARKUP.search(shown_text(name, 200).replace("\n", ""))
    assert len(shown_text(name * 50, 200)) <= 201
    assert code(name).count("`") == 2


@pytest.mark.parametrize(
    "name",
    ["Ada", "Ann-Marie O'Neil", "Dr. Who", "gong.wav", "Łukasz 🦊", "李明", "می\u200cخواهم", "Ada & Bob!", "C++"],
)
def test_an_ordinary_name_stays_as_it_is(name: str) -> None:
    assert shown(name) == plain(name) == name


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_is_said_is_words(name: str) -> None:
    said = sayable(name)
    assert any(character.isalnum() for character in said)
    speakable = Speakable()
    again = speakable.push(f"So {said} said x") + speakable.finish()
    assert not re.search(r"a link|a spoiler|a code block", again), again


@pytest.mark.parametrize(
    ("name", "said"), [("🔥🔥", "someone"), ("```", "someone"), ("𝓐𝓭𝓪 🔥", "Ada"), ("", "someone"), ("__", "someone")]
)
def test_a_name_without_letters_is_someone(name: str, said: str) -> None:
    assert sayable(name) == said


@pytest.mark.parametrize("name", HOSTILE)
def test_messages_show_names_safely(name: str) -> None:
    owed = Shape(kind="lock", name=name)
    kind = next(iter(describe.KINDS))
    owed.kind = kind
    feature = Shape(
        state=next(iter(describe.MARKS)),
        since=None,
        holds=[],
        waiting=0,
        in_use=0,
        title=name,
        name=name,
        policy="wait",
        fault=None,
    )
    lines = [
        describe.undo(owed),
        describe.low_memory(name, 1, 2),
        describe.memories([Shape(name=name, used_bytes=1, total_bytes=2, share=0.5)])[0],
        describe._feature(feature),
        STOPPED_BY.format(name=shown(name)),
    ]
    for line in lines:
        outside = re.sub("`[^`]*`", "", line)  # between ticks nothing is read as markup
        assert not re.search(r"(?<!\\)\]\(|://|@(?!\u200b)", outside), line
        assert "\n" not in line
        assert "```" not in line
    record = Shape(started_at=datetime.now(UTC), channel_name=name, duration_s=1.0)
    choice = words.choice(record)
    assert len(choice) <= 100
    assert "\n" not in choice
    assert "\\[" not in choice or "\\[" in name, "choices are no markdown: a backslash would be seen"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_brings_no_marks_into_the_text_of_a_prompt(name: str) -> None:
    message = Shape(
        content="<@5> look <@&6> <#7>", guild=Shape(self_role=None), poll=None, message_snapshots=[],
        mentions=[Shape(id=5, display_name=name)], role_mentions=[Shape(id=6, name=name)], channel_mentions=[Shape(id=7, name=name)],
    )  # fmt: skip
    text = message_text.words(message, None)
    assert not re.search(r"[\[\]()<>`*_|#@\n]|://", text), text


def test_no_message_shows_a_name_past_the_one_function() -> None:
    """Names of people come into messages only through `core.names`; a mention by id needs none."""
    for file in [*ROOT.glob("core/**/*.py"), *ROOT.glob("cogs/*.py")]:
        source = file.read_text("utf-8")
        assert "escape_markdown" not in source, file
        for line in source.splitlines():
            if re.search(r"\.format\(|f\"", line) and re.search(r"display_name|global_name|track\.title", line):
                assert re.search(r"shown|plain|sayable|log\.|HistoryEntry\(", line), f"{file.name}: {line}"
