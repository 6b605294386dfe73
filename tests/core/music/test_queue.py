"""A queue keeps its order, its limits and its loops."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from core.errors import AudioError
from core.music.queue import MusicQueue
from core.music.track import Track


def track(title: str, by: int = 1, size: int = 0) -> Track:
    return Track(title, by, SimpleNamespace(endless=False, size=size))


def filled(*titles: str, **limits: int) -> MusicQueue:
    queue = MusicQueue(**limits)
    for title in titles:
        queue.add(track(title))
    return queue


def titles(queue: MusicQueue) -> str:
    return "".join(each.title for each in queue.tracks)


def test_what_is_asked_for_next_stands_behind_what_plays():
    queue = filled("a", "b")
    queue.add(track("c"), next=True)
    assert titles(queue) == "acb"
    empty = filled()
    empty.add(track("c"), next=True)
    assert titles(empty) == "c"


def test_a_move_goes_where_people_say_and_what_plays_stays():
    queue = filled("a", "b", "c", "d")
    queue.move(4, 2)
    assert titles(queue) == "adbc"
    queue.move(2, 4)
    assert titles(queue) == "abcd"
    for number, to in ((1, 2), (2, 1)):
        with pytest.raises(AudioError, match="playing already"):
            queue.move(number, to)
    for number, to in ((0, 2), (2, 9), (5, 2)):
        with pytest.raises(AudioError, match="no track number"):
            queue.move(number, to)
    assert titles(queue) == "abcd"


def test_a_shuffle_leaves_what_plays_and_loses_nothing():
    queue = filled(*"abcdefgh")
    assert queue.shuffle(random.Random(3)) == 7
    assert titles(queue)[0] == "a"
    assert sorted(titles(queue)) == list("abcdefgh")
    assert titles(queue) != "abcdefgh"
    with pytest.raises(AudioError, match="Nothing waits"):
        filled("a").shuffle()


def test_each_loop_brings_what_it_says():
    queue = filled("a", "b", "c")
    queue.advance()
    assert titles(queue) == "bc"
    queue.loop = "queue"
    assert queue.upcoming.title == "c"
    queue.advance()
    assert titles(queue) == "cb"
    queue.loop = "track"
    queue.advance()
    assert titles(queue) == "cb"
    assert queue.upcoming.title == "c"
    queue.skip()
    assert titles(queue) == "b"


def test_limits_count_everybody_and_each_person():
    queue = MusicQueue(limit=4, limit_person=2, limit_bytes=100)
    queue.add(track("a", 1))
    queue.add(track("b", 1))
    with pytest.raises(AudioError, match="yours already"):
        queue.add(track("c", 1))
    queue.add(track("c", 2, size=80))
    with pytest.raises(AudioError, match="MB already"):
        queue.require_room(21, 2)
    assert [queue.room(1), queue.room(2), queue.room(0)] == [0, 1, 1]
    queue.add(track("d", 0))
    with pytest.raises(AudioError, match="4 files are waiting"):
        queue.add(track("e", 3))


def test_what_leaves_is_told_once_and_what_loops_is_not_gone():
    gone: list[str] = []
    queue = filled("a", "b", "c", "d")
    queue.gone = lambda track: gone.append(track.title)
    queue.loop = "queue"
    queue.advance()
    assert gone == []
    queue.loop = "off"
    queue.advance()
    queue.drop(queue.tracks[1])
    assert queue.clear() == 1
    assert queue.clear(everything=True) == 1
    assert gone == ["b", "d", "a", "c"]
