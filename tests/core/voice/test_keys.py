"""Keys that do not come: each step in its time, once, and everything anew after they came."""

from __future__ import annotations

from core.voice.keys import GIVE_UP_S, RECONNECT_S, RENEW_S, TELL_S, KeyStep, KeyWatch


def steps(watch: KeyWatch, until_s: float, *, speaking: bool = True) -> list[tuple[float, KeyStep]]:
    """What is due in a wait that long, looked at four times a second, and when."""
    times = [number / 4 for number in range(int(until_s * 4) + 1)]
    return [(now_s, step) for now_s in times for step in watch.look(now_s, missing=True, speaking=speaking)]


def test_a_long_wait_is_told_renewed_reconnected_and_given_up() -> None:
    watch = KeyWatch()
    assert steps(watch, 60) == [
        (TELL_S, KeyStep.TELL),
        (RENEW_S, KeyStep.RENEW),
        (RECONNECT_S, KeyStep.RECONNECT),
        (2 * RECONNECT_S, KeyStep.RECONNECT),
        (GIVE_UP_S, KeyStep.GIVE_UP),
        (4 * RECONNECT_S, KeyStep.RECONNECT),
    ]
    assert watch.silent


def test_who_has_nothing_to_say_tells_nothing_but_mends_it() -> None:
    assert [step for _, step in steps(KeyWatch(), 5, speaking=False)] == [KeyStep.RENEW]


def test_a_short_wait_is_nobodys_business() -> None:
    watch = KeyWatch()
    assert steps(watch, TELL_S - 0.25) == []
    assert watch.look(TELL_S, missing=False, speaking=True) == []


def test_once_the_keys_are_there_it_says_so_and_begins_anew() -> None:
    watch = KeyWatch()
    steps(watch, 60)
    assert watch.look(61, missing=False, speaking=True) == [KeyStep.RECOVERED]
    assert not watch.silent
    assert watch.look(62, missing=False, speaking=True) == []
    assert watch.look(63, missing=True, speaking=True) == []
    assert watch.look(63 + TELL_S, missing=True, speaking=True) == [KeyStep.TELL]
