from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.errors import HearingError
from core.hearing.floor import Floor, SpokenTurn
from core.hearing.hearing import Forgotten, Heard, NotUnderstood
from core.hearing.text import Segment, Transcription
from core.hearing.turn_end import SentenceTurnDetector
from core.hearing.utterance import Utterance
from core.hearing.utterance_finder import Began, Ended

if TYPE_CHECKING:
    from tests.conftest import ManualClock

ADA, BOB = 11, 22


class Scene:
    """People who speak when the test says so; their words are known `late_s` after they fell silent."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.turns: list[tuple[float, SpokenTurn]] = []
        self.floor = Floor(
            lambda turn: self.turns.append((clock.monotonic(), turn)),
            clock,
            SentenceTurnDetector(0.6, 2.0),
            end_of_turn_s=0.6,
            max_wait_s=2.0,
        )
        self._began: dict[int, tuple[str, float]] = {}

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    def begin(self, user_id: int, name: str) -> None:
        at_s = self.clock.monotonic()
        self._began[user_id] = (name, at_s)
        self.floor.tell(Began(name, user_id, at_s))

    def piece(self, user_id: int, *, silent_s: float = 0.6, number: int = 0, goes_on: bool = False) -> Utterance:
        name, began_s = self._began[user_id]
        until_s = self.clock.monotonic() - silent_s
        sound, at = np.zeros(1600, np.float32), self.clock.now()
        return Utterance(name, 1, 2, user_id, began_s, at, sound, 1.0, True, number, goes_on, until_s)

    def end(self, user_id: int, text: str | None, **options: object) -> Utterance:
        """They have been silent for 0.6 s, and that was it; None keeps the recogniser busy."""
        utterance = self.piece(user_id, **options)  # pyright: ignore[reportArgumentType]
        self.floor.tell(Ended(utterance))
        if text is not None:
            self.heard(utterance, text)
        return utterance

    def heard(self, utterance: Utterance, text: str) -> None:
        segments = (Segment(text, 0, 1),) if text else ()
        self.floor.tell(Heard(utterance, Transcription(segments, "en", "test", "test"), True))

    @property
    def said(self) -> list[list[tuple[int, str]]]:
        return [[(line.user_id, line.text) for line in turn.lines] for _, turn in self.turns]


@pytest.fixture
def scene(clock: ManualClock) -> Scene:
    return Scene(clock)


async def test_a_sentence_is_a_turn_as_soon_as_its_silence_is_over(scene: Scene, clock: ManualClock) -> None:
    scene.begin(ADA, "a")
    await clock.advance(2.0)
    scene.end(ADA, "What time is it?")
    await scene.settle()
    assert scene.said == [[(ADA, "What time is it?")]]
    assert scene.turns[0][1].ended_s == pytest.approx(1.4)


async def test_a_turn_waits_for_its_text(scene: Scene, clock: ManualClock) -> None:
    scene.begin(ADA, "a")
    await clock.advance(2.0)
    utterance = scene.end(ADA, None)
    await clock.advance(1.0)
    assert not scene.turns
    scene.heard(utterance, "What time is it?")
    await scene.settle()
    assert scene.said == [[(ADA, "What time is it?")]]


async def test_who_breaks_off_may_go_on(scene: Scene, clock: ManualClock) -> None:
    scene.begin(ADA, "a")
    await clock.advance(1.0)
    scene.end(ADA, "I would like to know,")
    await clock.advance(0.5)
    assert not scene.turns
    scene.begin(ADA, "b")
    await clock.advance(3.0)
    assert not scene.turns
    scene.end(ADA, "what time it is.")
    await scene.settle()
    assert scene.said == [[(ADA, "I would like to know, what time it is.")]]


async def test_who_breaks_off_and_says_no_more_is_heard_after_the_longest_wait(
    scene: Scene, clock: ManualClock
) -> None:
    scene.begin(ADA, "a")
    await clock.advance(1.0)
    scene.end(ADA, "I would like to")
    await clock.advance(1.3)
    assert not scene.turns
    await clock.advance(0.2)
    assert scene.said == [[(ADA, "I would like to")]]


async def test_two_at_once_are_one_turn_in_the_order_in_which_they_began(scene: Scene, clock: ManualClock) -> None:
    scene.begin(ADA, "a")
    await clock.advance(0.5)
    scene.begin(BOB, "b")
    await clock.advance(1.0)
    late = scene.end(ADA, None)
    await clock.advance(0.5)
    scene.end(BOB, "I want tea.")  # known before hers
    scene.heard(late, "I want coffee.")
    await clock.advance(1.0)
    assert scene.said == [[(ADA, "I want coffee."), (BOB, "I want tea.")]]


async def test_who_goes_on_and_on_holds_nobody_up(scene: Scene, clock: ManualClock) -> None:
    scene.begin(BOB, "hum")  # a microphone that hums
    await clock.advance(1.0)
    scene.begin(ADA, "a")
    await clock.advance(2.0)
    scene.end(ADA, "What time is it?")
    await clock.advance(1.3)
    assert not scene.turns
    await clock.advance(0.2)
    assert scene.said == [[(ADA, "What time is it?")]]
    scene.end(BOB, "")
    await clock.advance(5.0)
    assert len(scene.turns) == 1


async def test_a_monologue_in_pieces_is_one_line(scene: Scene, clock: ManualClock) -> None:
    scene.begin(ADA, "a")
    for number in range(3):
        await clock.advance(25.0)
        scene.end(ADA, f"Part {number}.", silent_s=0.0, number=number, goes_on=True)
        await scene.settle()
        assert not scene.turns
    await clock.advance(1.0)
    scene.end(ADA, "The end.", number=3)
    await scene.settle()
    assert scene.said == [[(ADA, "Part 0. Part 1. Part 2. The end.")]]


async def test_what_is_no_speech_or_not_understood_is_no_turn_and_holds_none_up(
    scene: Scene, clock: ManualClock
) -> None:
    for name in ("a", "b"):
        scene.begin(ADA, name)
        await clock.advance(1.0)
        utterance = scene.end(ADA, None)
        if name == "a":
            scene.heard(utterance, "")
        else:
            scene.floor.tell(NotUnderstood(utterance, HearingError("It broke.")))
        await clock.advance(3.0)
    assert not scene.turns
    scene.begin(BOB, "c")
    await clock.advance(1.0)
    scene.end(BOB, "Hello there.")
    await scene.settle()
    assert scene.said == [[(BOB, "Hello there.")]]


async def test_the_words_of_who_refuses_meanwhile_are_gone(scene: Scene, clock: ManualClock) -> None:
    scene.begin(ADA, "a")
    scene.begin(BOB, "b")
    await clock.advance(1.0)
    scene.end(ADA, "My secret.")
    await scene.settle()
    scene.floor.tell(Forgotten(ADA))
    scene.end(BOB, "Hello there.")
    await clock.advance(3.0)
    assert scene.said == [[(BOB, "Hello there.")]]


async def test_nothing_is_delivered_any_more_after_the_end(scene: Scene, clock: ManualClock) -> None:
    scene.begin(ADA, "a")
    await clock.advance(1.0)
    scene.end(ADA, "I would like to")
    await scene.settle()
    await scene.floor.close()
    await clock.advance(5.0)
    assert not scene.turns
