"""However often a live recording is rendered, its tracks and metadata come out the same."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.audio.frames import OPUS_SILENCE, RATE_HZ, OpusFrame
from tests.core.recording.people import Speaker, tone
from tests.core.recording.test_track import record, render

if TYPE_CHECKING:
    from core.recording.track import TrackResult

SOUNDS = {
    level: [frame.payload for frame in Speaker(1).say(tone(4, hz=hz, level=level), 0, silence=False)]
    for level, hz in ((0.3, 440.0), (0.004, 200.0), (0.05, 90.0))
}


def frames_of(spurts: list[tuple[float, int, float, bool]], seed: int, loss: float) -> list[OpusFrame]:
    """Spurts as pause before them in s, packets, level, and whether they end with silence frames."""
    rng = np.random.default_rng(seed)
    frames: list[OpusFrame] = []
    at, number = 0.5, 0
    for pause, packets, level, silence in spurts:
        at += pause
        payloads = SOUNDS[level][:packets] + [OPUS_SILENCE] * 5 * silence
        for payload in payloads:
            if rng.random() >= loss or not frames:
                arrival = 1000 + at + rng.uniform(0.03, 0.06)
                frames.append(OpusFrame(1, 1, round(at * RATE_HZ), number, arrival, payload))
            number, at = number + 1, at + 0.02
    return sorted(frames, key=lambda frame: frame.arrival_s)


def told(results: list[TrackResult]) -> tuple[object, ...]:
    last = results[-1].state
    return (
        [utterance for result in results for utterance in result.utterances],
        [missing for result in results for missing in result.missing],
        (last.packets, last.concealed, last.recovered, last.damaged, last.peak, last.written, last.position),
    )


spurt = st.tuples(
    st.sampled_from((0.0, 0.04, 0.15, 0.5, 1.9, 2.0, 2.05, 3.0)), st.integers(1, 200), st.sampled_from(sorted(SOUNDS)),
    st.booleans(),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    spurts=st.lists(spurt, min_size=1, max_size=6),
    seed=st.integers(0, 99),
    loss=st.sampled_from((0.0, 0.05, 0.3)),
    steps=st.lists(st.floats(0.1, 20), max_size=6),
)
@example(spurts=[(0.0, 50, 0.3, False)], seed=1, loss=0.0, steps=[1.0, 1.52, 1.54, 5.0])
@example(spurts=[(0.0, 50, 0.3, False), (2.0, 1, 0.3, True)], seed=1, loss=0.0, steps=[3.5, 3.6])
def test_rendering_in_any_steps_gives_what_rendering_at_once_gives(
    spurts: list[tuple[float, int, float, bool]], seed: int, loss: float, steps: list[float]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = record(Path(folder), frames_of(spurts, seed, loss))
        whole, once = render(journal)
        stepped, results = render(journal, *(round(step * RATE_HZ) for step in sorted(steps)), None)
    assert told(results) == told(once)
    assert np.array_equal(stepped, whole)


def test_a_spurt_that_breaks_off_leaves_no_utterance_of_its_own(tmp_path: Path) -> None:
    journal = record(tmp_path, frames_of([(0.0, 50, 0.3, False)], 1, 0.0))
    _, results = render(journal, *(round(step * RATE_HZ) for step in (1.0, 1.5, 1.6, 3.0, 4.0, 9.0)), None)
    (utterance,) = [utterance for result in results for utterance in result.utterances]
    assert (utterance.end - utterance.start) / RATE_HZ > 0.95
