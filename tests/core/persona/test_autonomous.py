"""When the bot may speak up by itself, as plain rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from core.config.persona import AutonomousSection
from core.errors import PersonaError
from core.persona.autonomous import Last, heard, refusal, said_on, spoke, tried, within
from core.persona.cards import read_card, write_card
from core.persona.sheet import Sheet, checked
from core.store.autonomous import AutonomousChannel

BERLIN = ZoneInfo("Europe/Berlin")
SECTION = AutonomousSection(quiet_after_min=60, per_day=2, quiet_hours="22:00-08:00", max_unanswered=2)
CHANNEL = AutonomousChannel(5, 1)
NOON = datetime(2026, 11, 25, 11, 0, tzinfo=UTC)  # 12:00 in Berlin
SILENT = Last(1, NOON - timedelta(minutes=91), by_person=True)


def why(channel=CHANNEL, last=SILENT, now=NOON, likes=()):
    return refusal(SECTION, channel, last, now, BERLIN, likes)


def test_after_a_silence_it_may_speak_and_not_before():
    assert why() == ""
    assert why(last=Last(1, NOON - timedelta(minutes=59), by_person=True)) == "talk"
    assert why(last=None) == "unknown"


def test_how_long_is_between_the_silence_and_half_as_long_again_and_the_same_each_time():
    for number in range(50):
        allowed = [
            minutes
            for minutes in range(55, 95)
            if why(last=Last(number, NOON - timedelta(minutes=minutes), by_person=True)) == ""
        ]
        assert allowed == list(range(allowed[0], 95))
        assert 60 <= allowed[0] <= 90


def test_never_after_its_own_message_or_that_of_another_bot():
    assert why(last=replace(SILENT, by_person=False, by_us=True)) == "own"
    assert why(last=replace(SILENT, by_person=False)) == "own"


@pytest.mark.parametrize(("hour", "quiet"), [(6, False), (7, False), (20, False), (21, True), (23, True), (4, True)])
def test_quiet_hours_are_those_of_the_servers_zone_also_past_midnight(hour, quiet):
    now = NOON.replace(hour=hour) + timedelta(minutes=59 if hour == 20 else 0)  # one hour later in Berlin
    assert (why(last=replace(SILENT, at=now - timedelta(hours=3)), now=now) == "hours") is (quiet or hour == 6)


def test_only_at_times_that_the_character_likes():
    assert why(likes=["17:00-21:00"]) == "dislikes"
    assert why(likes=["17:00-21:00", "11:30-12:30"]) == ""
    assert within(time(23), "22:00-02:00")
    assert within(time(1), "22:00-02:00")
    assert not within(time(2), "22:00-02:00")


def test_at_most_so_often_a_day_there():
    channel = AutonomousChannel(5, 1, day="2026-11-25", said_today=2)
    assert why(channel) == "enough"
    tomorrow = datetime(2026, 11, 26, 11, 0, tzinfo=UTC)
    assert why(channel, replace(SILENT, at=tomorrow - timedelta(hours=3)), tomorrow) == ""
    assert said_on(channel, datetime(2026, 11, 25, 23, 30, tzinfo=UTC), BERLIN) == 0, "it is tomorrow in Berlin"


def test_what_was_tried_is_not_tried_again_at_once():
    channel = tried(CHANNEL, NOON)
    assert why(channel, now=NOON + timedelta(minutes=30)) == "tried"
    assert why(channel, now=NOON + timedelta(minutes=60)) == ""


def test_after_some_in_a_row_without_an_answer_it_waits_until_somebody_writes_to_it():
    channel, now = CHANNEL, NOON
    for _ in range(2):
        assert why(channel, replace(SILENT, at=now - timedelta(hours=2)), now) == ""
        channel = spoke(channel, now, BERLIN)
        now += timedelta(hours=2)
    assert channel.unanswered == 2
    later = NOON + timedelta(days=3)
    assert why(channel, replace(SILENT, at=later - timedelta(hours=3)), later) == "unanswered"
    assert heard(SECTION, channel, later, to_us=False) is channel, "somebody says something else, days later"
    assert heard(SECTION, channel, later, to_us=True).unanswered == 0
    assert heard(SECTION, channel, channel.tried_at + timedelta(minutes=20), to_us=False).unanswered == 0


@pytest.mark.parametrize("span", ["25:00-08:00", "8-22", "08:00", "a", "08:00-22:60"])
def test_hours_that_are_none_are_refused_at_the_start(span):
    with pytest.raises(ValidationError):
        AutonomousSection(quiet_hours=span)
    with pytest.raises(ValidationError):
        AutonomousSection(likes=[span])


def test_the_times_that_a_character_likes_travel_with_its_card():
    sheet = Sheet("mira", checked({"name": "Mira", "likes": ["17:00-21:00"]}, "mira.toml"))
    assert read_card(write_card(sheet, "v3"), 1).table.likes == ["17:00-21:00"]
    with pytest.raises(PersonaError, match="likes"):
        checked({"name": "Mira", "likes": ["evenings"]}, "mira.toml")
