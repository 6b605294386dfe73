"""A connection that is away: when that counts, and what is due in which second of it."""

from __future__ import annotations

from core.voice.absence import FIRST_TRY_S, GIVE_UP_S, PATIENCE_S, TELL_S, Absence, AbsenceStep


def steps(absence: Absence, until_s: float, *, idle: bool) -> list[tuple[float, AbsenceStep]]:
    """What is due up to then, asked four times a second, and when; each try fails at once."""
    found: list[tuple[float, AbsenceStep]] = []
    for now_s in [number / 4 for number in range(int(until_s * 4) + 1)]:
        for step in absence.due(now_s, idle=idle):
            found.append((now_s, step))
            if step is AbsenceStep.TRY:
                absence.tried(now_s)
    return found


def away() -> Absence:
    absence = Absence()
    absence.down(0.0, 0.0)
    assert absence.begins(0.0)
    return absence


def test_an_interruption_begins_once_and_ends_with_its_length() -> None:
    absence = away()
    assert not absence.begins(0.25)
    absence.down(1.0, 0.0)  # told again, in another way
    assert not absence.begins(1.0)
    assert absence.up(1.5) == 1.5
    assert absence.up(2.0) is None
    assert steps(absence, 200, idle=True) == []


def test_what_is_over_within_its_grace_was_no_interruption() -> None:
    absence = Absence()
    absence.down(0.0, 2.0)
    assert not absence.begins(1.75)
    assert absence.up(1.9) is None
    assert not absence.begins(5.0)


def test_the_newest_word_about_the_grace_counts() -> None:
    absence = Absence()
    absence.down(0.0, 0.5)  # the server hung up
    absence.down(0.25, 2.0)  # because we are asked to another one
    assert not absence.begins(2.0)
    absence.down(2.0, 0.0)
    assert absence.begins(2.0)


def test_while_discord_py_tries_we_wait_and_then_try_again_and_again_until_it_is_over() -> None:
    found = steps(away(), GIVE_UP_S + 0.25, idle=False)
    assert found[0] == (TELL_S + 0.25, AbsenceStep.TELL)
    tries = [now_s for now_s, step in found if step is AbsenceStep.TRY]
    assert tries[:2] == [PATIENCE_S + 0.25, 2 * (PATIENCE_S + 0.25)]
    assert found[-1] == (GIVE_UP_S + 0.25, AbsenceStep.GIVE_UP)
    assert [step for _, step in found].count(AbsenceStep.TELL) == 1


def test_when_nobody_else_tries_we_do_so_soon_and_then_ever_later() -> None:
    tries = [now_s for now_s, step in steps(away(), 40, idle=True) if step is AbsenceStep.TRY]
    pauses = [later - sooner for sooner, later in zip([0.0, *tries], tries, strict=False)]
    assert pauses[:4] == [FIRST_TRY_S + 0.25, 2 * FIRST_TRY_S + 0.25, 4 * FIRST_TRY_S + 0.25, 8 * FIRST_TRY_S + 0.25]
    assert max(pauses) <= PATIENCE_S + 0.25


def test_a_second_absence_is_as_the_first() -> None:
    absence = away()
    first = steps(absence, 20, idle=True)
    absence.up(20)
    absence.down(0.0, 0.0)
    assert absence.begins(0.0)
    assert steps(absence, 20, idle=True) == first
