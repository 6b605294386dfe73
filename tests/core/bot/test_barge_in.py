from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from core.bot.barge_in import BargeIn
from core.conversation.turn import Prompt, Timings, Turn
from core.errors import HearingError
from core.hearing.hearing import Forgotten, Heard, NotUnderstood
from core.hearing.own_words import is_own
from core.hearing.text import Segment, Transcription
from core.hearing.utterance import Utterance
from core.hearing.utterance_finder import Began
from core.voice.playback.preroll import Preroll
from core.voice.playback.stream import PlaybackStream

if TYPE_CHECKING:
    from tests.conftest import ManualClock

ADA, BOB = 11, 22
SAID = "Once upon a time there was a king who had three daughters and a very large garden."


class Scene:
    """A turn that sounds: a real stream, of which the first frame was sent."""

    def __init__(self, clock: ManualClock, mode: str) -> None:
        self.clock = clock
        self.watched: list[bool] = []
        self.turn = self.new_turn()
        self.barge_in = BargeIn(
            lambda: self.turn,
            clock,
            cast("Any", mode),
            watch=self.watched.append,
            is_own=lambda text: is_own(text, SAID),
        )

    def new_turn(self) -> Turn:
        turn = Turn(Prompt(1, 1, 1, ADA, "Ada", "Tell me a story."), cast("Any", None), Timings(0))
        line = PlaybackStream("turn", "speech", preroll=Preroll(), wake=lambda: None, now=self.clock.monotonic)
        line.write(np.full(48_000, 0.5, np.float32))
        line.sent(line.take().count, 0.0)
        turn.speaks_on(line)
        return turn

    def began(self, user_id: int, name: str) -> None:
        self.barge_in.tell(Began(name, user_id, self.clock.monotonic()))

    def utterance(self, user_id: int, name: str, length_s: float = 1.5) -> Utterance:
        samples = np.zeros(round(length_s * 16_000), np.float32)
        return Utterance(name, 1, 2, user_id, 0.0, self.clock.now(), samples, 1.0, True)

    def heard(self, user_id: int, name: str, text: str, *, final: bool = True, length_s: float = 1.5) -> None:
        segments = (Segment(text, 0, 1),) if text else ()
        understood = Transcription(segments, "en", "test", "test")
        self.barge_in.tell(Heard(self.utterance(user_id, name, length_s), understood, final))

    @property
    def state(self) -> str:
        line = self.turn.line
        assert line is not None
        return "cut" if line.stopping else "paused" if line.paused else "speaks"


@pytest.fixture
def scene(clock: ManualClock) -> Scene:
    return Scene(clock, "pause")


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_words_end_the_turn_which_was_paused_at_once(scene: Scene) -> None:
    scene.began(ADA, "a")
    assert scene.state == "paused" and scene.watched == [True]
    scene.heard(ADA, "a", "No, wait", final=False)
    assert scene.state == "cut" and scene.watched == [True, False]


async def test_words_made_of_the_beginning_of_a_hum_are_not_believed_yet(scene: Scene) -> None:
    scene.began(ADA, "a")
    scene.heard(ADA, "a", "MMA cap.", final=False, length_s=0.6)
    assert scene.state == "paused"
    scene.heard(ADA, "a", "Mmhm, hmm.", length_s=0.9)
    assert scene.state == "speaks"


async def test_one_short_word_ends_the_turn_when_it_is_whole(scene: Scene) -> None:
    scene.began(ADA, "a")
    scene.heard(ADA, "a", "Stop.", length_s=0.6)
    assert scene.state == "cut"


@pytest.mark.parametrize("text", ["", "Mhm.", "Yeah.", "(coughing)"])
async def test_assent_and_coughs_let_it_go_on_as_soon_as_they_are_known(scene: Scene, text: str) -> None:
    scene.began(ADA, "a")
    scene.heard(ADA, "a", text, final=False)
    assert scene.state == "paused"
    scene.heard(ADA, "a", text)
    assert scene.state == "speaks" and scene.watched == [True, False]


async def test_without_words_within_two_seconds_it_goes_on(scene: Scene, clock: ManualClock) -> None:
    scene.began(ADA, "a")
    await clock.advance(1.9)
    assert scene.state == "paused"
    await clock.advance(0.2)
    assert scene.state == "speaks"
    scene.heard(ADA, "a", "Mhm.")
    assert scene.state == "speaks"


async def test_a_slow_recogniser_stops_it_even_when_it_has_gone_on(scene: Scene, clock: ManualClock) -> None:
    scene.began(ADA, "a")
    await clock.advance(2.1)
    scene.heard(ADA, "a", "No, wait.")
    assert scene.state == "cut"


async def test_words_for_a_turn_that_is_over_do_not_stop_the_next_one(scene: Scene, clock: ManualClock) -> None:
    scene.began(ADA, "a")
    await clock.advance(2.1)
    scene.turn = scene.new_turn()
    scene.heard(ADA, "a", "No, wait.")
    assert scene.state == "speaks"


async def test_its_own_words_out_of_a_loudspeaker_do_not_stop_it_and_pause_it_once(scene: Scene) -> None:
    scene.began(BOB, "b")
    scene.heard(BOB, "b", "there was a king who had")
    assert scene.state == "speaks"
    scene.began(BOB, "c")
    assert scene.state == "speaks"  # it is known by now that his microphone gives its voice back
    scene.began(ADA, "a")
    assert scene.state == "paused"
    scene.turn = scene.new_turn()
    await scene.barge_in.close()
    scene.began(BOB, "d")
    assert scene.state == "paused"  # another turn, and he may have put on his headphones


async def test_it_goes_on_when_the_last_of_several_turns_out_to_be_nothing(scene: Scene) -> None:
    scene.began(ADA, "a")
    scene.began(BOB, "b")
    scene.heard(ADA, "a", "Mhm.")
    assert scene.state == "paused"
    scene.barge_in.tell(NotUnderstood(scene.utterance(BOB, "b"), HearingError("It broke.")))
    assert scene.state == "speaks"


async def test_who_may_not_be_heard_any_more_does_not_hold_it(scene: Scene) -> None:
    scene.began(ADA, "a")
    scene.barge_in.tell(Forgotten(ADA))
    assert scene.state == "speaks"


async def test_what_begins_while_it_is_silent_or_may_not_be_interrupted_does_nothing(scene: Scene) -> None:
    scene.turn.interruptible = False
    scene.began(ADA, "a")
    scene.heard(ADA, "a", "No, wait.")
    assert scene.state == "speaks" and scene.barge_in.began_into("a")
    scene.turn = Turn(Prompt(1, 1, 1, ADA, "Ada", "Hello."), cast("Any", None), Timings(0))  # it has not begun to sound
    scene.began(ADA, "b")
    assert not scene.turn.paused and not scene.barge_in.began_into("b")


async def test_off_lets_it_speak_on(clock: ManualClock) -> None:
    scene = Scene(clock, "off")
    scene.began(ADA, "a")
    scene.heard(ADA, "a", "No, wait.")
    assert scene.state == "speaks" and scene.barge_in.began_into("a")


async def test_ducked_it_is_quiet_meanwhile_and_loud_again_afterwards(clock: ManualClock) -> None:
    scene = Scene(clock, "duck")
    line = scene.turn.line
    assert line is not None
    scene.began(ADA, "a")
    assert scene.state == "speaks"
    first, second = line.take(), line.take()
    assert first.samples[0, 0] == pytest.approx(0.5) and first.samples[-1, 0] == pytest.approx(0.1)
    assert np.allclose(second.samples, 0.1)
    scene.heard(ADA, "a", "Mhm.")
    line.take()
    assert np.allclose(line.take().samples, 0.5)
