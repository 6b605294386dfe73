"""When it is the bot's turn: counted by channel, never too often, never twice at once, never only with itself."""

from __future__ import annotations

import pytest

from core.config.people import JoiningInSection
from core.persona.people.channels import ObservedChannels
from core.persona.people.joining_in import JoiningIn
from core.store.persona_channels import PersonaChannelsRepository

HERE, HALL, KITCHEN = 1, 5, 6


@pytest.fixture
async def channels(store, clock):
    channels = ObservedChannels(PersonaChannelsRepository(store), configured=(KITCHEN,), every=3, clock=clock)
    await channels.open()
    await channels.observe(HERE, HALL, announced_at=clock.now())
    return channels


def heard(joining_in, times=1, **options):
    return [joining_in.heard(HALL, **{"counts": True, "addressed": False, **options}) for _ in range(times)]


async def test_it_is_its_turn_after_so_many_that_count_and_again_after_as_many(channels, clock):
    joining_in = JoiningIn(JoiningInSection(min_interval_s=10), channels, clock)
    assert heard(joining_in, 2) == [False, False]
    assert heard(joining_in, 5, counts=False) == [False] * 5
    assert heard(joining_in) == [True]
    joining_in.begin(HALL)
    assert heard(joining_in) == [False]  # it is about to speak
    joining_in.end(HALL, spoke=True, anew=False)
    assert heard(joining_in, 4) == [False] * 4  # too soon
    await clock.advance(11)
    assert heard(joining_in) == [True]  # the count went on meanwhile
    assert heard(joining_in, addressed=True) == [False]
    assert heard(joining_in, 3) == [False, False, True]


async def test_what_was_called_off_does_not_keep_it_silent_for_good(channels, clock):
    joining_in = JoiningIn(JoiningInSection(min_interval_s=0), channels, clock)
    heard(joining_in, 3)
    joining_in.begin(HALL)
    joining_in.rest()
    assert heard(joining_in) == [True]


async def test_without_a_word_of_anybodys_it_does_not_go_on(channels, clock):
    joining_in = JoiningIn(JoiningInSection(min_interval_s=0, max_in_row=2), channels, clock)
    for _ in range(2):
        assert joining_in.may_speak(HALL)
        joining_in.begin(HALL)
        joining_in.end(HALL, spoke=True, anew=False)
    assert not joining_in.may_speak(HALL)
    heard(joining_in, counts=False)
    assert joining_in.may_speak(HALL)


async def test_counts_and_numbers_of_channels_are_kept_and_what_the_configuration_names_waits_to_be_told(
    channels, clock, store
):
    joining_in = JoiningIn(JoiningInSection(), channels, clock)
    heard(joining_in, 2)
    await channels.flush()
    await channels.join_in(HERE, KITCHEN, 0)
    assert channels.unannounced() == [KITCHEN]
    again = ObservedChannels(PersonaChannelsRepository(store), configured=(KITCHEN,), every=3, clock=clock)
    await again.open()
    assert (again.get(HALL).count, again.every(HALL), again.every(KITCHEN)) == (2, 3, 0)
    await again.announced(HERE, KITCHEN, clock.now())
    assert again.observed(HERE) == [HALL, KITCHEN]
    without = ObservedChannels(PersonaChannelsRepository(store), configured=(), every=3, clock=clock)
    await without.open()
    assert without.observed(HERE) == [HALL]  # taken out of the configuration, it is observed no more
    await again.observe(HERE, KITCHEN, announced_at=None)
    assert (again.observed(HERE), again.unannounced()) == ([HALL], [])
