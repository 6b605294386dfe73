from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.hearing.listener import HeardRoom, Listener, RoomEar
from core.hearing.utterance_finder import MOST_S, Began, Dropped, Ended, Look, WentOn
from tests.core.hearing.mouths import Mouth, noise, speech

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.audio.frames import OpusFrame
    from core.clock import Clock
    from core.hearing.utterance_finder import Finding

ADA, BOB = 11, 22
END_S = 0.6
SENTENCE = "The quick brown fox jumps over the lazy dog."


class Source:
    def __init__(self) -> None:
        self.callbacks: dict[object, Callable[[OpusFrame], None]] = {}

    def subscribe(self, callback: Callable[[OpusFrame], None], *, owner: object) -> None:
        self.callbacks[owner] = callback

    def drop(self, owner: object) -> None:
        self.callbacks.pop(owner, None)


class Scene:
    """A room whose time goes by 20 ms at a time; what is found is kept with the time at which it was."""

    def __init__(self, clock: Clock) -> None:
        self.refused: set[int] = set()
        self.source = Source()
        self.ear = RoomEar(
            HeardRoom(1, lambda: 2, self.source, lambda user: user not in self.refused), clock, end_s=END_S
        )
        self.frames: list[OpusFrame] = []
        self.found: list[tuple[float, Finding]] = []

    def hear(self, *frames: list[OpusFrame]) -> None:
        self.frames = sorted([*self.frames, *(frame for some in frames for frame in some)], key=lambda f: f.arrival_s)

    def until(self, end_s: float, now_s: float = 0.0) -> None:
        for step in range(round((end_s - now_s) / 0.02)):
            at_s = now_s + (step + 1) * 0.02
            while self.frames and self.frames[0].arrival_s <= at_s:
                self.ear.put(self.frames.pop(0))
            self.found += [(at_s, finding) for finding in self.ear.step(at_s)]

    def of(self, kind: type) -> list:
        return [finding for _, finding in self.found if isinstance(finding, kind)]

    def when(self, kind: type) -> list[float]:
        return [at_s for at_s, finding in self.found if isinstance(finding, kind)]


@pytest.fixture
def scene(clock: Clock) -> Scene:
    return Scene(clock)


def test_a_sentence_becomes_one_utterance_that_ends_by_the_clock(scene: Scene) -> None:
    words = speech(SENTENCE)
    end_s = 1 + len(words) / 48_000
    scene.hear(Mouth(ADA).say(words, 1.0))
    scene.until(6.0)
    (began,), (ended,) = scene.of(Began), scene.of(Ended)
    utterance = ended.utterance
    assert began.user_id == utterance.user_id == ADA and began.utterance_id == utterance.id
    assert began.at_s == pytest.approx(1.0, abs=0.15)
    assert scene.when(Began)[0] - began.at_s < 0.4
    assert scene.when(Ended)[0] == pytest.approx(end_s + END_S, abs=0.15)
    assert utterance.final and not utterance.goes_on and utterance.piece == 0
    assert (utterance.guild_id, utterance.channel_id) == (1, 2)
    assert 0.7 * len(words) / 48_000 < utterance.speech_s <= len(words) / 48_000 + 0.1


def test_the_first_syllable_is_in_it_with_what_came_before(scene: Scene) -> None:
    words = speech(SENTENCE)
    scene.hear(Mouth(ADA).say(np.concatenate([noise(1.0, 0.001), words]), 1.0))
    scene.until(7.0)
    (ended,) = scene.of(Ended)
    assert ended.utterance.started_s == pytest.approx(2.0 - 0.3, abs=0.1)
    sound = np.abs(ended.utterance.samples)
    assert sound[: 16 * 150].max() < 0.05 < sound[16 * 250 : 16 * 600].max()


def test_who_may_be_finished_is_looked_at_before_the_turn_is_over(scene: Scene) -> None:
    words = speech(SENTENCE)
    scene.hear(Mouth(ADA).say(words, 1.0))
    scene.until(6.0)
    (look,), (ended,) = scene.of(Look), scene.of(Ended)
    assert look.silent and not look.utterance.final
    assert scene.when(Ended)[0] - scene.when(Look)[0] == pytest.approx(END_S - 0.2, abs=0.05)
    assert look.utterance.id == ended.utterance.id
    assert len(ended.utterance.samples) - len(look.utterance.samples) < 16_000 * 0.2


def test_who_goes_on_after_a_breath_is_in_the_same_utterance(scene: Scene) -> None:
    mouth, words = Mouth(ADA), speech("I would like to know")
    length_s = len(words) / 48_000
    scene.hear(mouth.say(words, 1.0), mouth.say(speech("what the weather is like."), 1.0 + length_s + 0.4))
    scene.until(8.0)
    assert len(scene.of(Began)) == len(scene.of(WentOn)) == len(scene.of(Ended)) == 1
    ended = scene.of(Ended)[0].utterance
    assert ended.duration_s > length_s + 0.4 + 1.0
    quiet = ended.samples[round((1 + length_s + 0.15 - ended.started_s) * 16_000) :][: 16 * 100]
    assert np.abs(quiet).max() < 0.05  # the breath is where it was


def test_two_at_once_are_two_utterances_of_their_own_people(scene: Scene) -> None:
    scene.hear(Mouth(ADA).say(speech(SENTENCE), 1.0), Mouth(BOB, ssrc=2).say(speech("No, it does not."), 1.5))
    scene.until(6.0)
    assert {ended.utterance.user_id for ended in scene.of(Ended)} == {ADA, BOB}
    assert len(scene.of(Ended)) == 2


@pytest.mark.parametrize("silence", [0, 5, 400])
def test_a_turn_ends_whether_or_not_silence_is_sent(scene: Scene, silence: int) -> None:
    words = speech(SENTENCE)
    scene.hear(Mouth(ADA).say(words, 1.0, silence=silence))  # camera users send it without end
    scene.until(8.0)
    assert scene.when(Ended)[0] == pytest.approx(1 + len(words) / 48_000 + END_S, abs=0.15)


def test_constant_noise_neither_speaks_nor_holds_a_turn_open(scene: Scene) -> None:
    words = speech(SENTENCE)
    hiss = noise(9.0, 0.004)
    hiss[48_000 : 48_000 + len(words)] += words // 2
    scene.hear(Mouth(ADA).say(hiss, 1.0), Mouth(BOB, ssrc=2).say(noise(9.0, 0.05, 2), 1.0))
    scene.until(12.0)
    (ended,) = scene.of(Ended)
    assert ended.utterance.user_id == ADA
    assert scene.when(Ended)[0] < 2 + len(words) / 48_000 + END_S + 0.4


@pytest.mark.parametrize("length_s", [0.01, 0.08])
def test_a_click_is_nothing(scene: Scene, length_s: float) -> None:
    scene.hear(Mouth(ADA).say(noise(length_s, 0.5), 1.0))
    scene.until(4.0)
    assert not scene.found


def test_a_monologue_comes_in_pieces_cut_where_it_is_quiet(scene: Scene) -> None:
    sentences = np.concatenate([np.concatenate([speech(SENTENCE), np.zeros((9600, 2), np.int16)])] * 20)
    length_s = len(sentences) / 48_000
    scene.hear(Mouth(ADA).say(sentences, 1.0))
    scene.until(length_s + 3)
    pieces = [ended.utterance for ended in scene.of(Ended)]
    assert length_s / MOST_S <= len(pieces) <= length_s / (MOST_S * 2 / 3) + 1
    assert [piece.piece for piece in pieces] == list(range(len(pieces)))
    assert [piece.goes_on for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    assert len({piece.id for piece in pieces}) == 1 == len(scene.of(Began))
    assert all(piece.duration_s <= MOST_S for piece in pieces)
    for earlier, later in itertools.pairwise(pieces):
        assert later.started_s == pytest.approx(earlier.ended_s, abs=0.001)
        assert np.abs(earlier.samples[-320:]).max() < 0.05 and np.abs(later.samples[:320]).max() < 0.05


def test_what_is_lost_is_concealed_and_keeps_its_length(scene: Scene) -> None:
    words = speech(SENTENCE)
    frames = Mouth(ADA).say(words, 1.0)
    rng = np.random.default_rng(3)
    scene.hear([frame for number, frame in enumerate(frames) if number < 3 or rng.random() > 0.05])
    scene.until(6.0)
    (ended,) = scene.of(Ended)
    whole = Scene(scene.ear._clock)  # pyright: ignore[reportPrivateUsage]
    whole.hear(frames)
    whole.until(6.0)
    (unhurt,) = whole.of(Ended)
    assert ended.utterance.duration_s == pytest.approx(unhurt.utterance.duration_s, abs=0.1)
    heard, sent = ended.utterance.samples[:16_000], unhurt.utterance.samples[:16_000]
    assert np.mean((heard - sent) ** 2) < 0.2 * np.mean(sent**2)


def test_order_is_made_of_disorder(scene: Scene) -> None:
    frames = Mouth(ADA).say(speech(SENTENCE), 1.0)
    mixed = [
        frame._replace(arrival_s=frame.arrival_s + (0.045 if number % 7 == 3 else 0))
        for number, frame in enumerate(frames)
    ]
    scene.hear(mixed)
    scene.until(6.0)
    other = Scene(scene.ear._clock)  # pyright: ignore[reportPrivateUsage]
    other.hear(frames)
    other.until(6.0)
    (mended,), (straight,) = scene.of(Ended), other.of(Ended)
    count = min(len(mended.utterance.samples), len(straight.utterance.samples)) - 8000
    a, b = mended.utterance.samples[:count], straight.utterance.samples[:count]
    lag = max(range(-600, 601), key=lambda by: float(np.dot(a[600 + by : count - 600 + by], b[600 : count - 600])))
    assert np.mean((a[600 + lag : count - 600 + lag] - b[600 : count - 600]) ** 2) < 0.02 * np.mean(b**2)


def test_who_refuses_is_never_decoded_and_forgotten_at_once(scene: Scene) -> None:
    scene.refused.add(BOB)
    words = speech(SENTENCE)
    scene.hear(Mouth(ADA).say(words, 1.0), Mouth(BOB, ssrc=2).say(words, 1.0))
    scene.until(2.0)
    assert BOB not in scene.ear._people  # pyright: ignore[reportPrivateUsage]
    scene.refused.add(ADA)
    scene.until(6.0, 2.0)
    (dropped,) = scene.of(Dropped)
    assert dropped.user_id == ADA and not scene.of(Ended)


def test_the_words_so_far_count_when_somebody_leaves_or_hearing_ends(scene: Scene) -> None:
    words = speech(SENTENCE)
    scene.hear(Mouth(ADA).say(words, 1.0), Mouth(BOB, ssrc=2).say(words, 1.0))
    scene.until(2.0)
    scene.ear.leave(ADA)
    scene.until(2.04, 2.0)
    (ended,) = scene.of(Ended)
    assert ended.utterance.user_id == ADA and ended.utterance.ended_s == pytest.approx(2.0, abs=0.1)
    (last,) = scene.ear.close()
    assert isinstance(last, Ended) and last.utterance.user_id == BOB


def test_a_new_ssrc_in_mid_sentence_goes_on(scene: Scene) -> None:
    words = speech(SENTENCE)
    half = len(words) // 2 // 960 * 960
    first = Mouth(ADA).say(words[:half], 1.0, silence=0)
    second = Mouth(ADA, ssrc=9, sequence=4, timestamp=77).say(words[half:], 1.0 + half / 48_000 + 0.1)
    scene.hear(first, second)
    scene.until(6.0)
    assert len(scene.of(Ended)) == 1
    assert scene.of(Ended)[0].utterance.duration_s > len(words) / 48_000


def test_packets_that_are_no_sound_cost_nobody_anything(scene: Scene) -> None:
    frames = Mouth(ADA).say(speech(SENTENCE), 1.0)
    frames[20] = frames[20]._replace(payload=b"\xfc" + b"\xff" * 30)
    frames[21] = frames[21]._replace(payload=b"")
    scene.hear(frames)
    scene.until(6.0)
    assert len(scene.of(Ended)) == 1


def test_looks_come_while_somebody_speaks_if_somebody_wants_them(scene: Scene) -> None:
    scene.ear.look_every_s = 0.5
    scene.hear(Mouth(ADA).say(speech(SENTENCE), 1.0))
    scene.until(6.0)
    early = [look for look in scene.of(Look) if not look.silent]
    assert len(early) >= 3
    lengths = [look.utterance.duration_s for look in early]
    assert lengths == sorted(lengths)


def test_a_stalled_process_takes_nobody_for_silent(scene: Scene) -> None:
    words = speech(SENTENCE)
    scene.hear(Mouth(ADA).say(words, 1.0))
    scene.until(2.0)
    assert not scene.ear.step(2.9, stalled=True)  # packets of 0.9 s lie in the socket
    while scene.frames and scene.frames[0].arrival_s <= 2.92:
        scene.ear.put(scene.frames.pop(0))
    scene.until(6.0, 2.9)
    assert len(scene.of(Ended)) == 1


def test_a_flood_is_bounded_and_keeps_nobody_waiting(scene: Scene) -> None:
    frame = Mouth(BOB, ssrc=2).say(noise(0.02), 1.0, silence=0)[0]
    for number in range(5000):
        scene.ear.put(frame._replace(sequence=number, rtp_timestamp=number * 960))
    assert scene.ear.dropped == 4500
    scene.hear(Mouth(ADA).say(speech(SENTENCE), 1.0))
    scene.until(6.0)
    assert [ended.utterance.user_id for ended in scene.of(Ended)].count(ADA) == 1


def test_one_thread_serves_all_rooms_and_is_gone_when_nobody_listens() -> None:
    from core.clock import SystemClock

    listener = Listener(SystemClock(), end_s=0.3)
    found: dict[int, list[Finding]] = {1: [], 2: []}
    sources = {1: Source(), 2: Source()}

    def allow(user_id: int) -> bool:
        return True

    ears = [listener.open(HeardRoom(guild, lambda: 5, sources[guild], allow), found[guild].extend) for guild in (1, 2)]
    begin_s = time.monotonic()
    words = speech("Yes, of course.")
    for frame in Mouth(ADA).say(words, begin_s):
        for source in sources.values():
            for put in source.callbacks.values():
                put(frame)
    deadline_s = begin_s + len(words) / 48_000 + 5
    while time.monotonic() < deadline_s and not all(any(isinstance(f, Ended) for f in some) for some in found.values()):
        time.sleep(0.02)
    assert all(len([f for f in some if isinstance(f, Ended)]) == 1 for some in found.values())
    thread = listener._thread  # pyright: ignore[reportPrivateUsage]
    assert thread is not None
    for ear in ears:
        listener.shut(ear)
    thread.join(2)
    assert not thread.is_alive() and not any(source.callbacks for source in sources.values())
