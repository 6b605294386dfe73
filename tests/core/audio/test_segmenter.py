from __future__ import annotations

import numpy as np

from core.audio.segmenter import Segmenter, SpeechSpan


def cut(segmenter: Segmenter, starts: list[int], peaks: list[int]) -> list[SpeechSpan]:
    found = list(segmenter.add(np.array(starts), 960, np.array(peaks, np.int32)))
    return found + list(segmenter.close())


def test_an_utterance_reaches_from_its_first_loud_frame_to_the_end_of_its_last() -> None:
    assert cut(Segmenter(5000, 100), [0, 960, 1920, 2880, 3840], [100, 101, 50, 30_000, 100]) == [SpeechSpan(960, 3840)]


def test_a_silence_of_just_the_length_that_is_set_cuts_nothing_and_one_sample_more_does() -> None:
    assert cut(Segmenter(5000, 100), [0, 5960], [200, 200]) == [SpeechSpan(0, 6920)]
    assert cut(Segmenter(5000, 100), [0, 5961], [200, 200]) == [SpeechSpan(0, 960), SpeechSpan(5961, 6921)]


def test_an_utterance_goes_on_where_another_worker_stopped() -> None:
    first = Segmenter(5000, 100)
    assert list(first.add(np.array([960]), 960, np.array([200], np.int32))) == []
    assert cut(Segmenter(5000, 100, first.start, first.end), [1920], [200]) == [SpeechSpan(960, 2880)]


def test_where_nobody_spoke_there_is_none() -> None:
    assert cut(Segmenter(5000, 100), [0, 960], [0, 100]) == []
