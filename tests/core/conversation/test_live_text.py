"""A reply grows in place, calmly, and is cut where Discord needs it."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from core.conversation.live_text import MESSAGE_LIMIT, LiveText, split


class Channel:
    """Keeps every version of every message, with the time it was shown."""

    def __init__(self, clock) -> None:
        self.clock = clock
        self.messages: list[list[tuple[float, str]]] = []
        self.broken = False

    async def post(self, text: str):
        if self.broken:
            raise ConnectionError("no way through")
        versions = [(self.clock.monotonic(), text)]
        self.messages.append(versions)
        channel = self

        class Message:
            async def edit(self, text: str) -> None:
                versions.append((channel.clock.monotonic(), text))

        return Message()


async def test_the_first_words_appear_soon_and_edits_keep_a_second_apart(clock) -> None:
    channel = Channel(clock)
    live = LiveText(channel, clock)
    text = ""
    for _ in range(40):
        text += "word "
        await live.update(text)
        await clock.advance(0.1)
    await live.finish(text)
    (versions,) = channel.messages
    times = [at for at, _ in versions]
    assert times[0] == pytest.approx(0.3)
    assert versions[0][1] == "word word word"
    assert len(versions) <= 6
    assert all(later - earlier > 0.99 for earlier, later in itertools.pairwise(times[:-1]))
    assert versions[-1][1] == text.strip()


async def test_an_empty_reply_posts_nothing(clock) -> None:
    channel = Channel(clock)
    live = LiveText(channel, clock)
    await live.update("  ")
    await live.finish("")
    assert channel.messages == []


async def test_a_channel_that_refuses_is_logged_and_does_not_end_the_turn(clock, caplog) -> None:
    channel = Channel(clock)
    channel.broken = True
    live = LiveText(channel, clock)
    await live.update("hello")
    await clock.advance(0.5)
    finishing = asyncio.create_task(live.finish("hello"))
    await clock.advance(3)
    await finishing
    assert "no way through" in caplog.text
    assert channel.messages == []


async def test_a_final_text_that_discord_refuses_once_is_shown_a_little_later(clock) -> None:
    channel = Channel(clock)
    channel.broken = True
    finishing = asyncio.create_task(LiveText(channel, clock).finish("hello"))
    await clock.advance(0.4)
    channel.broken = False
    await clock.advance(0.2)
    await finishing
    assert channel.messages == [[(0.5, "hello")]]


def test_a_long_reply_is_split_between_words_and_loses_nothing() -> None:
    text = " ".join(f"word{number}" for number in range(2000))
    pages = split(text)
    assert len(pages) > 1
    assert all(len(page) <= MESSAGE_LIMIT for page in pages)
    assert " ".join(pages) == text


def test_text_without_spaces_is_split_all_the_same() -> None:
    pages = split("ä" * 4500)
    assert [len(page) <= MESSAGE_LIMIT for page in pages] == [True] * len(pages)
    assert "".join(pages) == "ä" * 4500


def test_a_code_block_that_is_cut_is_closed_and_opened_again() -> None:
    text = "Look:\n```python\n" + "\n".join(f"print({number})" for number in range(400)) + "\n```"
    pages = split(text)
    assert len(pages) > 1
    for page in pages:
        assert page.count("```") % 2 == 0
        assert len(page) <= MESSAGE_LIMIT
    assert pages[1].startswith("```python\n")
