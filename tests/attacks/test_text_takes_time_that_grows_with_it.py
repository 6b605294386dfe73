"""Nobody stops the bot with a text: four times the text takes about four times as long, on every path of text.

Both lengths are measured in one run; a step that grows with the square of the text would take sixteen times as long. The bound
lies between, with room for a noisy machine; `python -m bench text` measures the times themselves.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from bench.text import PATHS, UNITS, milliseconds
from core.clock import SystemClock
from core.conversation.reply import TextFork
from core.conversation.turn import Prompt, Timings, Turn
from core.speech.clause_feed import Script

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SHORT = 20_000
MOST_GROWTH = 11
LEAST_MS = 15.0  # shorter than this is noise


@pytest.mark.parametrize("path", PATHS)
def test_time_grows_with_the_text_and_no_faster(path: str) -> None:
    for name, unit in UNITS.items():
        text = unit * (SHORT // len(unit))
        long_ms = milliseconds(PATHS[path], text * 4 + "x")
        if long_ms > LEAST_MS:
            growth = min(
                long_ms / milliseconds(PATHS[path], text + "x"),
                milliseconds(PATHS[path], text * 4 + "x") / milliseconds(PATHS[path], text + "x"),
            )
            assert growth < MOST_GROWTH, name


class Held:
    """A sink that holds on to what it shows, as a message does."""

    def __init__(self) -> None:
        self.text = ""
        self.copied = 0

    async def update(self, text: str) -> None:
        self.text = text
        self.copied += len(text)

    async def finish(self, text: str) -> None:
        self.text = text


async def letters(count: int) -> AsyncGenerator[str]:
    for _ in range(count):
        yield "ab c"


async def test_a_long_answer_is_not_copied_for_every_word() -> None:
    sinks = []
    for count in (10_000, 80_000):
        sink = Held()
        turn = Turn(Prompt(1, 1, 1, 1, "Ada", "Tell"), sink, Timings(0))
        await TextFork(turn, SystemClock()).pump(letters(count))
        assert turn.reply_text == "ab c" * count
        sinks.append(sink.copied)
    assert sinks[1] < 11 * sinks[0]


async def test_a_script_grows_where_it_is() -> None:
    times = []
    for count in (20_000, 160_000):
        script = Script(letters(count))
        began_s = time.process_time()
        script.start()
        while not script.finished:  # noqa: ASYNC110 - it tells of every word, and this waits for the last
            await asyncio.sleep(0.01)
        times.append(time.process_time() - began_s)
        assert script.text == "ab c" * count
    assert times[1] < 24 * times[0]
