"""Profiles are made in the background: once, of enough messages, tried again ever later, thrown away when they must be."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest

from core.config.people import ProfilesSection
from core.llm.messages import ChatMessage
from core.persona.people.messages import ObservedMessages
from core.persona.people.profiles import RETRY_FIRST_S, Profiles
from core.store.observed import Observed, ObservedRepository
from core.store.profiles import ProfileKey, ProfilesRepository

ADA, BEN, HERE, HALL = 11, 12, 1, 5
GOOD = json.dumps({"tone": "dry", "interests": ["rye"], "language": "English", "reply_style": "brief"})


class Places:
    """One channel, which everybody may read until it is closed."""

    open = True

    def observed(self, guild_id):
        return [HALL]

    def is_open(self, guild_id, channel_id):
        return self.open


@pytest.fixture
async def known(gate, clock, store):
    """Profiles over real parts; `write` keeps so many messages of somebody."""
    for person in (ADA, BEN):
        gate.consent.decide("observed", person, "in")
    messages = ObservedMessages(ObservedRepository(store), gate.consent, clock, keep_days=30, keep_least=30)
    places, numbers = Places(), iter(range(1, 10**6))

    async def make(limit=10**6):
        profiles = Profiles(
            ProfilesSection(every=5),
            ProfilesRepository(store),
            messages,
            occasions=await gate.open(limit=limit),
            consent=gate.consent,
            places=places,
            question=lambda instruction, about: [ChatMessage("system", instruction), ChatMessage("user", about)],
            clock=clock,
        )
        await profiles.open()
        messages.tell(profiles.noted, profiles.invalidated)
        profiles.resume()
        return profiles

    async def write(count, user=ADA):
        for _ in range(count):
            number = next(numbers)
            messages.put(Observed(number, HERE, HALL, user, f"Message {number}.", clock.now()))
        await messages.flush()

    made = []

    async def begun(**options):
        made.append(await make(**options))
        return made[-1]

    yield SimpleNamespace(begun=begun, write=write, messages=messages, places=places)
    for profiles in made:
        await profiles.close()
    await messages.close()


async def idle(profiles, clock):
    """Let what is due be tried."""
    for _ in range(200):
        await clock.advance(0)
        if not any(at_s <= clock.monotonic() for at_s in profiles._due.values()):
            return
        await asyncio.sleep(0.01)


async def test_a_profile_is_made_after_so_many_messages_and_then_not_before_as_many_more(known, chat, clock):
    profiles = await known.begun()
    chat.script(text=GOOD)
    await known.write(4)
    await idle(profiles, clock)
    assert chat.prompts == []
    await known.write(1)
    await idle(profiles, clock)
    found = await profiles.known(HERE, ADA, HALL)
    assert (found.profile.tone, found.sources) == ("dry", 5)
    await known.write(4)
    await idle(profiles, clock)
    assert len(chat.prompts) == 1
    again = await known.begun()  # a restart counts on
    chat.script(text=GOOD.replace("dry", "merry"))
    await known.write(1)
    await idle(again, clock)
    assert (await again.known(HERE, ADA, HALL)).profile.tone == "merry"
    assert len(chat.prompts) == 2


async def test_nonsense_is_tried_again_ever_later_and_the_old_one_stays(known, chat, clock):
    profiles = await known.begun()
    chat.script(text=GOOD)
    await known.write(5)
    await idle(profiles, clock)
    for _ in range(3):
        chat.script(text="What a lovely day.")
    await known.write(5)
    await idle(profiles, clock)
    for wait_s, asked in ((RETRY_FIRST_S, 2), (2 * RETRY_FIRST_S, 3), (4 * RETRY_FIRST_S, 4)):
        await clock.advance(wait_s - 1)
        await idle(profiles, clock)
        assert len(chat.prompts) == asked
        assert (await profiles.known(HERE, ADA, HALL)).profile.tone == "dry"
        if asked == 4:
            chat.script(text=GOOD.replace("dry", "merry"))
        await clock.advance(1)
        await idle(profiles, clock)
    assert (await profiles.known(HERE, ADA, HALL)).profile.tone == "merry"
    assert profiles.due == 0


async def test_of_one_person_never_two_are_made_at_once_and_people_take_turns(known, chat, clock):
    profiles = await known.begun()
    chat.script(text=GOOD, delay_s=0.3)
    chat.script(text=GOOD)
    await known.write(5)
    await known.write(5, BEN)
    await known.write(20)
    assert profiles.due == 2
    await idle(profiles, clock)
    while profiles.due:
        await asyncio.sleep(0.02)
        await clock.advance(0)
    assert len(chat.prompts) == 2


async def test_without_tokens_it_waits_and_counts_as_no_failure(known, chat, clock):
    profiles = await known.begun(limit=10)
    await known.write(5)
    await idle(profiles, clock)
    assert (chat.prompts, profiles.due, sum(profiles._failures.values())) == ([], 1, 0)


async def test_what_is_paused_while_it_is_made_is_made_anew_afterwards(known, chat, clock):
    profiles = await known.begun()
    chat.script(text=GOOD, hang_after=1)
    await known.write(5)
    for _ in range(100):
        await clock.advance(0)
        await asyncio.sleep(0.01)
        if chat.prompts:
            break
    await profiles.pause()
    assert profiles.due == 1
    chat.script(text=GOOD)
    profiles.resume()
    await idle(profiles, clock)
    assert await profiles.known(HERE, ADA, HALL) is not None


async def test_nothing_is_told_of_who_refuses_nor_of_what_is_closed_by_now(known, chat, clock, gate):
    profiles = await known.begun()
    chat.script(text=GOOD)
    await known.write(5)
    await idle(profiles, clock)
    known.places.open = False
    assert await profiles.known(HERE, ADA, HALL) is None
    known.places.open = True
    gate.consent.decide("observed", ADA, "out")
    assert await profiles.known(HERE, ADA, HALL) is None
    gate.consent.decide("observed", ADA, "in")
    assert await profiles.known(HERE, ADA, HALL) is not None
    await profiles.correct(HERE, ADA, {"address": "Captain"})
    assert (await profiles.known(HERE, ADA, HALL)).profile.address == "Captain"
    known.messages.remove([1])
    await known.messages.flush()
    left = await profiles.known(HERE, ADA, HALL)  # what somebody said of themselves rests on no message
    assert (left.profile.tone, left.profile.address, left.sources) == ("", "Captain", 0)
    await known.messages.forget_member(HERE, ADA)
    assert await profiles.known(HERE, ADA, HALL) is None
    assert await ProfilesRepository(known.messages.repository._store).get(ProfileKey(HERE, ADA)) is None
