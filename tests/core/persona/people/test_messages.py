"""Observed messages are written in batches, survive a database that is away, and go when they have to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.errors import StoreError
from core.persona.people.messages import BATCH_S, ObservedMessages
from core.privacy.consent import Consent
from core.store.observed import Observed, ObservedRepository
from core.store.profiles import ProfileKey, ProfilesRepository, StoredProfile

ADA, BEN, HERE, THERE = 11, 12, 1, 2


@pytest.fixture
def consent():
    consent = Consent()
    for person in (ADA, BEN):
        consent.decide("observed", person, "in")
    return consent


@pytest.fixture
async def messages(store, consent, clock):
    messages = ObservedMessages(ObservedRepository(store), consent, clock, keep_days=10, keep_least=3)
    yield messages
    await messages.close()


def message(number, clock, user=ADA, guild=HERE, channel=5, age_days=0):
    return Observed(number, guild, channel, user, f"Message {number}.", clock.now() - timedelta(days=age_days))


async def texts(messages, user=ADA):
    return [each.content for each in await messages.repository.of_person(user)]


async def test_what_is_written_in_a_second_is_one_transaction(messages, clock, monkeypatch):
    applied = []
    apply = ObservedRepository.apply

    async def counting(self, added, changed):
        applied.append(len(added))
        return await apply(self, added, changed)

    monkeypatch.setattr(ObservedRepository, "apply", counting)
    for number in range(50):
        assert messages.put(message(number, clock))
    assert applied == []
    await clock.advance(BATCH_S)
    await messages.flush()
    assert applied == [50]
    assert len(await texts(messages)) == 50


async def test_an_edit_or_deletion_that_comes_before_the_writing_counts(messages, clock):
    for number in range(3):
        messages.put(message(number, clock))
    messages.change(0, "Other words.")
    messages.remove([1])
    messages.change(2, "")
    await messages.flush()
    assert await texts(messages) == ["Other words."]
    messages.remove([0, 999])
    await messages.flush()
    assert await texts(messages) == []


async def test_consent_is_asked_when_a_message_comes_and_again_when_it_is_written(messages, consent, clock):
    assert not messages.put(message(1, clock, user=99))
    messages.put(message(2, clock))
    messages.put(message(3, clock, user=BEN))
    consent.decide("observed", ADA, "out")
    await messages.flush()
    assert (await texts(messages), await texts(messages, BEN)) == ([], ["Message 3."])


async def test_nothing_is_lost_or_left_undeleted_while_the_database_is_away(messages, clock, monkeypatch):
    messages.put(message(1, clock))
    await messages.flush()
    apply = ObservedRepository.apply

    async def fail(*_args):
        raise StoreError("away")

    monkeypatch.setattr(ObservedRepository, "apply", fail)
    messages.put(message(2, clock))
    messages.remove([1])
    with pytest.raises(StoreError):
        await messages.flush()
    messages.put(message(3, clock))
    messages.remove([3])
    await clock.advance(5)
    monkeypatch.setattr(ObservedRepository, "apply", apply)
    await messages.flush()
    assert await texts(messages) == ["Message 2."]


async def test_a_message_that_comes_twice_is_kept_once(messages, clock):
    for _ in range(2):
        messages.put(message(1, clock))
        await messages.flush()
    assert await texts(messages) == ["Message 1."]


async def test_old_messages_go_but_for_the_newest_of_each_and_so_does_a_profile_that_rests_on_them(store, clock):
    repository, profiles, before = (
        ObservedRepository(store),
        ProfilesRepository(store),
        clock.now() - timedelta(days=10),
    )
    old = [message(number, clock, age_days=30) for number in range(6)]
    old += [message(number, clock, user=BEN, age_days=30) for number in range(10, 12)]
    new = [message(number, clock, user=BEN, guild=THERE, age_days=1) for number in range(20, 25)]
    await repository.apply([*old, *new], {})

    async def surely(_session):
        return True

    for user, sources in ((ADA, (0, 5)), (BEN, (10, 11))):
        made = StoredProfile(ProfileKey(HERE, user), {"tone": "dry"}, {}, sources, (5,), clock.now())
        assert await profiles.save(made, surely)
    assert await repository.purge(before, 3) == [ProfileKey(HERE, ADA)]
    assert [each.id for each in await repository.of_person(ADA)] == [3, 4, 5]
    assert len(await repository.of_person(BEN)) == 7
    assert await profiles.get(ProfileKey(HERE, ADA)) is None
    assert await profiles.get(ProfileKey(HERE, BEN)) is not None


async def test_a_channel_a_server_and_a_person_take_their_own_along_and_nothing_else(messages, clock):
    messages.put(message(1, clock, channel=5))
    messages.put(message(2, clock, channel=6))
    messages.put(message(3, clock, guild=THERE, channel=7))
    messages.put(message(4, clock, user=BEN, channel=6))
    await messages.flush()
    messages.put(message(5, clock, channel=5))  # still waits
    await messages.forget_channel(5)
    assert await texts(messages) == ["Message 2.", "Message 3."]
    await messages.forget_member(HERE, ADA)
    assert await texts(messages) == ["Message 3."]
    await messages.forget_server(THERE)
    assert (await texts(messages), await texts(messages, BEN)) == ([], ["Message 4."])
    assert await messages.forget_person(BEN) == 1
    assert await texts(messages, BEN) == []
