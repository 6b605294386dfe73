from __future__ import annotations

import numpy as np
import pytest

from core.hearing.turn_end import SentenceTurnDetector, unfinished

SOUND = np.zeros(16, np.float32)


@pytest.mark.parametrize(
    "text",
    [
        "I would like to",
        "I think of the.",  # recognisers put full stops behind anything
        "We went there and,",
        "Well, um...",
        "Ich möchte, dass",
        "Je voudrais un",
        "So this is what I",
    ],
)
async def test_whoever_breaks_off_is_waited_for(text: str) -> None:
    assert unfinished(text)
    assert await SentenceTurnDetector(0.6, 2.0).wait_s(text, SOUND) == 2.0


@pytest.mark.parametrize(
    "text",
    [
        "What time is it?",
        "Play some music.",
        "Stop!",
        "Yes",
        "",
        "Is that what it is for?",
        "Room 12",
        "今日は",
        "I know what it is.",
    ],
)
async def test_a_finished_sentence_is_answered_soon(text: str) -> None:
    assert not unfinished(text)
    assert await SentenceTurnDetector(0.6, 2.0).wait_s(text, SOUND) == 0.6


async def test_the_longer_wait_is_never_the_shorter_one() -> None:
    assert await SentenceTurnDetector(3.0, 2.0).wait_s("I and", SOUND) == 3.0
