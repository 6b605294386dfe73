"""Policies, sessions and locks by hand."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors import LockdownError
from core.events import FeatureLocked, FeatureReleased, MemoryRanLow
from core.lockdown import BlockPolicy, Feature, LockPolicy, PausePolicy, SilencePolicy, lockable
from core.machine.memory import Memory
from tests.core.lockdown.house import House, Written, breathe, until

PICTURES = Feature("pictures", "Pictures", BlockPolicy("I am talking, no pictures now."))


class Cog:
    """Somebody's cog."""


class OtherCog:
    """Somebody else's."""


class Job:
    """Something that runs by itself and notes what is done to it."""

    def __init__(self, log: list[str] | None = None, name: str = "job") -> None:
        self.log = [] if log is None else log
        self.name = name
        self.fail_pause: BaseException | None = None
        self.fail_resume: BaseException | None = None

    async def pause(self) -> None:
        self.log.append(f"pause {self.name}")
        if self.fail_pause is not None:
            raise self.fail_pause

    def resume(self) -> None:
        self.log.append(f"resume {self.name}")
        if self.fail_resume is not None:
            raise self.fail_resume

    def feature(self, *, required: bool = False) -> Feature:
        return Feature(self.name, self.name.title(), PausePolicy(self.pause, self.resume), required)


async def engage(lockdown: Any, session_id: str = "s1") -> None:
    await lockdown.engage(session_id, guild_id=1, channel_id=2)


# Policies -----------------------------------------------------------------------------------------------------------------


async def test_a_blocked_feature_answers_with_its_message_and_a_microphone_during_a_session_only(house: House) -> None:
    lockdown = await house.open()
    lockdown.register(PICTURES, owner=Cog())
    message = Written(1)
    assert await lockdown.allows("pictures", message)
    await engage(lockdown)
    assert not await lockdown.allows("pictures", message)
    assert (message.replies, message.reactions) == (["I am talking, no pictures now."], ["🎤"])
    await lockdown.release("s1")
    assert await lockdown.allows("pictures", message)
    assert len(message.replies) == 1


async def test_a_silent_feature_says_nothing_and_a_locked_one_names_itself(house: House) -> None:
    lockdown = await house.open()
    lockdown.register(Feature("arguments", "Arguments", SilencePolicy()), owner=Cog())
    lockdown.register(Feature("avatar", "Avatar switching", LockPolicy()), owner=Cog())
    await engage(lockdown)
    message = Written(1)
    assert not await lockdown.allows("arguments", message)
    assert (message.replies, message.reactions) == ([], [])
    assert not await lockdown.allows("avatar", message)
    assert message.replies == ["Avatar switching is locked while I am in a voice channel."]


async def test_an_unknown_feature_is_allowed_and_logged_once(house: House, caplog: pytest.LogCaptureFixture) -> None:
    lockdown = await house.open()
    await engage(lockdown)
    with caplog.at_level(logging.WARNING):
        assert await lockdown.allows("nobody", Written(1))
        assert await lockdown.allows("nobody", Written(2))
    assert len([record for record in caplog.records if "nobody" in record.getMessage()]) == 1


async def test_two_owners_of_one_name_are_refused_by_both_names(house: House) -> None:
    lockdown = await house.open()
    lockdown.register(PICTURES, owner=Cog())
    with pytest.raises(LockdownError, match=r"test_lockdown\.Cog, one of .*test_lockdown\.OtherCog"):
        lockdown.register(PICTURES, owner=OtherCog())
    lockdown.register(PICTURES, owner=Cog())  # the same cog, reloaded without having said goodbye


async def test_a_use_is_counted_while_it_lasts(house: House) -> None:
    lockdown = await house.open()
    lockdown.register(PICTURES, owner=Cog())
    async with lockdown.using("pictures", Written(1)) as allowed:
        assert allowed
        assert (await lockdown.status()).features[0].in_use == 1
    assert (await lockdown.status()).features[0].in_use == 0
    await engage(lockdown)
    message = Written(2)
    async with lockdown.using("pictures", message) as allowed:
        assert not allowed
    assert message.replies


# Commands -----------------------------------------------------------------------------------------------------------------


class Response:
    def __init__(self) -> None:
        self.sent: list[tuple[str, bool]] = []

    def is_done(self) -> bool:
        return bool(self.sent)

    async def send_message(self, text: str, *, ephemeral: bool) -> None:
        self.sent.append((text, ephemeral))


def interaction_of(bot: object) -> Any:
    response = Response()

    async def send(text: str, *, ephemeral: bool) -> None:
        response.sent.append((text, ephemeral))

    return SimpleNamespace(client=bot, response=response, followup=SimpleNamespace(send=send), user=None)


async def test_a_lockable_command_runs_only_while_its_feature_is_free(house: House) -> None:
    lockdown = await house.open()
    lockdown.register(PICTURES, owner=Cog())
    bot = SimpleNamespace(parley=SimpleNamespace(lockdown=lockdown))
    ran: list[str] = []

    class Gallery:
        @lockable("pictures")
        async def show(self, subject: Any, word: str = "") -> str:
            ran.append(word)
            return word

    gallery = Gallery()
    context = SimpleNamespace(bot=bot, message=Written(1), interaction=None)
    assert await gallery.show(context, word="prefix") == "prefix"
    assert await gallery.show(interaction_of(bot), "slash") == "slash"
    await engage(lockdown)
    interaction = interaction_of(bot)
    assert await gallery.show(context, word="no") is None
    assert await gallery.show(interaction, "no") is None
    assert ran == ["prefix", "slash"]
    assert context.message.replies == ["I am talking, no pictures now."]
    assert interaction.response.sent == [("I am talking, no pictures now.", True)]


async def test_a_lockable_command_runs_on_a_bot_without_parley() -> None:
    @lockable("pictures")
    async def show(context: Any) -> str:
        return "shown"

    assert await show(SimpleNamespace(bot=SimpleNamespace(), message=Written(1))) == "shown"


async def test_discord_reads_the_parameters_of_a_lockable_command_in_its_own_module() -> None:
    from discord import app_commands
    from discord.ext import commands

    from tests.core.lockdown import decorated

    slash = app_commands.Command(name="draw", description="Draws.", callback=decorated.draw)
    assert [parameter.name for parameter in slash.parameters] == ["times"]
    prefix = commands.Command(decorated.prefix_draw)
    assert list(prefix.clean_params) == ["times"]


async def test_an_interaction_with_a_silent_feature_gets_a_private_answer(house: House) -> None:
    lockdown = await house.open()
    lockdown.register(Feature("arguments", "Arguments", SilencePolicy()), owner=Cog())
    await engage(lockdown)
    interaction = interaction_of(object())
    assert not await lockdown.allows("arguments", interaction)
    assert interaction.response.sent == [("Arguments is locked while I am in a voice channel.", True)]


async def test_lockable_on_top_of_a_command_object_says_where_it_belongs() -> None:
    with pytest.raises(TypeError, match="under the command decorator"):
        lockable("pictures")(SimpleNamespace())  # type: ignore[type-var]


# Sessions -----------------------------------------------------------------------------------------------------------------


async def test_locks_are_taken_in_order_and_undone_in_reverse(house: House) -> None:
    lockdown = await house.open(route="voice")
    log: list[str] = []
    use = house.routes.use

    def note(name: str) -> str:
        log.append(f"route {name}")
        return use(name)

    house.routes.use = note  # type: ignore[method-assign]
    pause = PausePolicy(
        lambda: log.append(f"pause, locked: {lockdown.locked('job')}"),
        lambda: log.append(f"resume, locked: {lockdown.locked('job')}"),
    )
    lockdown.register(Feature("job", "Job", pause), owner=Cog())
    await engage(lockdown)
    await lockdown.release("s1")
    assert log == ["route voice", "pause, locked: True", "resume, locked: True", "route default"]
    assert await house.rows("lock_entry") == []
    assert await house.rows("lock_holder") == []


async def test_the_ledger_is_written_before_anything_is_done(house: House) -> None:
    lockdown = await house.open()
    seen: list[int] = []

    async def pause() -> None:
        seen.append(len(await house.rows("lock_entry")))

    async def resume() -> None:
        seen.append(len(await house.rows("lock_entry")))

    lockdown.register(Feature("job", "Job", PausePolicy(pause, resume)), owner=Cog())
    await engage(lockdown)
    await lockdown.release("s1")
    assert seen == [2, 2]  # the door and the pause, in the store before the first call and still after the last
    assert await house.rows("lock_entry") == []


async def test_with_two_sessions_a_lock_goes_with_its_last_holder(house: House) -> None:
    lockdown = await house.open(route="voice")
    job = Job()
    lockdown.register(job.feature(), owner=Cog())
    told: list[str] = []
    house.hub.subscribe(FeatureLocked, lambda event: told.append(f"locked {event.feature}"), owner=house)
    house.hub.subscribe(FeatureReleased, lambda event: told.append(f"released {event.feature}"), owner=house)
    await engage(lockdown, "s1")
    await engage(lockdown, "s2")
    assert job.log == ["pause job"]
    await lockdown.release("s1")
    assert job.log == ["pause job"]
    assert lockdown.locked("job")
    assert house.routes.current == "voice"
    await lockdown.release("s2")
    assert job.log == ["pause job", "resume job"]
    assert not lockdown.locked("job")
    assert house.routes.current == "default"
    await house.hub.settle()
    assert told == ["locked job", "released job"]


async def test_engaging_or_releasing_twice_does_nothing_more(house: House) -> None:
    lockdown = await house.open()
    job = Job()
    lockdown.register(job.feature(), owner=Cog())
    await engage(lockdown)
    await engage(lockdown)
    await lockdown.release("s1")
    await lockdown.release("s1")
    await lockdown.release("never there")
    assert job.log == ["pause job", "resume job"]


async def test_a_failing_pause_is_shown_and_the_session_goes_on(house: House) -> None:
    lockdown = await house.open()
    job = Job()
    job.fail_pause = RuntimeError("secret detail")
    lockdown.register(job.feature(), owner=Cog())
    lockdown.register(PICTURES, owner=Cog())
    await engage(lockdown)
    feature = (await lockdown.status()).features[0]
    assert feature.state == "locked"
    assert feature.fault == "“Job” could not be paused (RuntimeError)."
    assert lockdown.locked("pictures")
    await lockdown.release("s1")
    assert job.log == ["pause job", "resume job"]


async def test_a_required_feature_that_cannot_pause_refuses_the_session_and_everything_is_undone(house: House) -> None:
    lockdown = await house.open(route="voice")
    good, bad = Job(name="good"), Job(name="bad")
    bad.fail_pause = RuntimeError("no")
    lockdown.register(good.feature(), owner=Cog())
    lockdown.register(bad.feature(required=True), owner=Cog())
    with pytest.raises(LockdownError, match="The session cannot start: “Bad” could not be paused"):
        await engage(lockdown)
    assert good.log == ["pause good", "resume good"]
    assert not lockdown.locked("good")
    assert house.routes.current == "default"
    assert await house.rows("lock_entry") == []
    assert await house.rows("lock_holder") == []


async def test_a_hanging_pause_is_given_up_after_its_limit_even_if_it_swallows_the_cancellation(house: House) -> None:
    lockdown = await house.open(callback_timeout_s=0.05)
    stop = asyncio.Event()

    async def stubborn() -> None:
        while not stop.is_set():
            try:
                await stop.wait()
            except asyncio.CancelledError:
                continue

    lockdown.register(Feature("job", "Job", PausePolicy(stubborn, lambda: None)), owner=Cog())
    async with asyncio.timeout(30):
        await engage(lockdown)
    assert (await lockdown.status()).features[0].fault == "“Job” could not be paused within 0.05 s."
    stop.set()
    await breathe()


async def test_an_unknown_route_refuses_the_session(house: House) -> None:
    lockdown = await house.open(route="elsewhere")
    lockdown.register(PICTURES, owner=Cog())
    with pytest.raises(LockdownError, match="no route elsewhere"):
        await engage(lockdown)
    assert not lockdown.locked("pictures")


async def test_a_join_that_is_called_off_while_pausing_leaves_nothing_locked(house: House) -> None:
    lockdown = await house.open(route="voice")
    pausing = asyncio.Event()
    log: list[str] = []

    async def slow() -> None:
        pausing.set()
        await asyncio.sleep(60)

    lockdown.register(Feature("job", "Job", PausePolicy(slow, lambda: log.append("resume"))), owner=Cog())
    joining = asyncio.create_task(engage(lockdown))
    await pausing.wait()
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    assert log == ["resume"]
    assert not lockdown.locked("job")
    assert house.routes.current == "default"
    assert await house.rows("lock_holder") == []


async def test_a_failed_undo_is_shown_and_tried_again_with_growing_waits(house: House) -> None:
    lockdown = await house.open(retry_first_s=2, retry_max_s=5)
    job = Job()
    lockdown.register(job.feature(), owner=Cog())
    await engage(lockdown)
    job.fail_resume = RuntimeError("not yet")
    await lockdown.release("s1")
    status = await lockdown.status()
    assert status.features[0].state == "resuming"
    assert [(owed.kind, owed.name, owed.attempts) for owed in status.owed] == [("pause", "job", 1)]
    assert await lockdown.allows("job")  # nobody holds it any more
    tries = []
    for _ in range(14):
        await house.clock.turn(1)
        tries.append(job.log.count("resume job"))
    assert tries == [1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4, 4, 4, 4]  # after 2, 4, 5 s: doubled, up to the longest wait
    job.fail_resume = None
    await house.clock.turn(5)
    await until(lambda: not lockdown.owed)
    assert await house.rows("lock_entry") == []


async def test_an_undo_whose_cog_never_comes_back_is_kept_until_it_is_forgotten(house: House) -> None:
    lockdown, job, owner = await house.open(), Job(), object()
    lockdown.register(job.feature(), owner=owner)
    await engage(lockdown)
    lockdown.unregister(owner)
    await lockdown.release("s1")
    await house.die(lockdown)
    again = await house.open()
    assert [(owed.kind, owed.name) for owed in again.owed] == [("pause", "job")]
    assert not await again.forget("pause", "another")
    assert await again.forget("pause", "job")
    assert not await again.forget("pause", "job")
    assert list(again.owed) == []
    assert await house.rows("lock_entry") == []


async def test_an_undo_that_is_forgotten_is_tried_no_more(house: House) -> None:
    lockdown, job = await house.open(), Job()
    job.fail_resume = RuntimeError("broken")
    lockdown.register(job.feature(), owner="test")
    await engage(lockdown)
    await lockdown.release("s1")
    await house.clock.turn(3)
    tries = job.log.count("resume job")
    assert tries > 1
    assert await lockdown.forget("pause", "job")
    await house.clock.turn(10_000)
    assert job.log.count("resume job") == tries


async def test_a_new_session_takes_over_an_undo_that_is_still_owed(house: House) -> None:
    lockdown = await house.open()
    job = Job()
    lockdown.register(job.feature(), owner=Cog())
    await engage(lockdown, "s1")
    job.fail_resume = RuntimeError("not yet")
    await lockdown.release("s1")
    job.fail_resume = None
    await engage(lockdown, "s2")
    await house.clock.turn(600)
    assert job.log == ["pause job", "resume job", "pause job"]  # no late undo hits the new session
    await lockdown.release("s2")
    assert job.log[-1] == "resume job"
    assert await house.rows("lock_entry") == []


# Loading and reloading ----------------------------------------------------------------------------------------------------


async def test_a_feature_loaded_during_a_session_is_locked_at_once(house: House) -> None:
    lockdown = await house.open()
    await engage(lockdown)
    job = Job()
    lockdown.register(job.feature(), owner=Cog())
    lockdown.register(PICTURES, owner=Cog())
    assert not await lockdown.allows("pictures")
    await lockdown.settled()
    assert job.log == ["pause job"]
    await lockdown.release("s1")
    assert job.log == ["pause job", "resume job"]
    assert await lockdown.allows("pictures")


async def test_a_reloaded_cog_keeps_its_lock_and_is_resumed_through_its_new_callbacks(house: House) -> None:
    lockdown = await house.open()
    old, new = Job(name="job"), Job(name="job")
    cog = Cog()
    lockdown.register(old.feature(), owner=cog)
    await engage(lockdown)
    lockdown.unregister(cog)
    lockdown.register(new.feature(), owner=Cog())
    assert lockdown.locked("job")
    await lockdown.settled()
    await lockdown.release("s1")
    assert old.log == ["pause job"]
    assert new.log == ["pause job", "resume job"]


async def test_the_handle_of_a_cog_before_its_reload_does_not_take_the_new_ones_feature_away(house: House) -> None:
    lockdown = await house.open()
    before = lockdown.register(PICTURES, owner=Cog())
    after = lockdown.register(PICTURES, owner=Cog())
    before.end()
    assert [feature.name for feature in lockdown.features] == [PICTURES.name]
    after.end()
    after.end()
    assert not lockdown.features


async def test_a_cog_that_was_away_when_the_session_ended_is_resumed_when_it_is_loaded_again(house: House) -> None:
    lockdown = await house.open()
    cog = Cog()
    lockdown.register(Job().feature(), owner=cog)
    await engage(lockdown)
    lockdown.unregister(cog)
    await lockdown.release("s1")
    status = await lockdown.status()
    assert [(owed.name, owed.next_try_at) for owed in status.owed] == [("job", None)]
    job = Job()
    lockdown.register(job.feature(), owner=Cog())
    await lockdown.settled()
    await until(lambda: not lockdown.owed)
    assert job.log == ["resume job"]
    assert not lockdown.locked("job")


async def test_a_feature_registered_while_a_session_ends_is_not_left_locked(house: House) -> None:
    lockdown = await house.open()
    await engage(lockdown)
    releasing = asyncio.create_task(lockdown.release("s1"))
    await asyncio.sleep(0)
    lockdown.register(PICTURES, owner=Cog())
    await releasing
    await lockdown.settled()
    assert not lockdown.locked("pictures")


# By hand ------------------------------------------------------------------------------------------------------------------


async def test_one_feature_is_locked_by_hand_until_its_time_is_over(house: House) -> None:
    lockdown = await house.open()
    job = Job()
    lockdown.register(job.feature(), owner=Cog())
    lockdown.register(PICTURES, owner=Cog())
    await lockdown.lock("pictures", duration_s=60)
    assert lockdown.locked("pictures")
    assert not lockdown.locked("job")
    await house.clock.turn(59)
    assert lockdown.locked("pictures")
    await house.clock.turn(2)
    await until(lambda: not lockdown.locked("pictures"))


async def test_who_meets_a_lock_by_hand_is_not_told_of_a_voice_channel(house: House) -> None:
    lockdown = await house.open()
    lockdown.register(Feature("pictures", "Pictures", BlockPolicy("Not while I talk.")), owner="test")
    lockdown.register(Feature("face", "My face", LockPolicy("Not while I talk.")), owner="test")
    lockdown.register(Feature("mute", "Mute", BlockPolicy("", "")), owner="test")
    await lockdown.lock()
    said = [Written(1), Written(2), Written(3)]
    for name, message in zip(("pictures", "face", "mute"), said, strict=True):
        assert not await lockdown.allows(name, message)
    assert [message.replies for message in said] == [
        ["Pictures is locked for now, by an administrator."],
        ["My face is locked for now, by an administrator."],
        [],
    ]
    await lockdown.engage("s1", guild_id=1, channel_id=2)
    assert not await lockdown.allows("pictures", message := Written(4))
    assert message.replies == ["Not while I talk."]


async def test_a_lock_by_hand_stays_when_a_session_ends_and_goes_by_hand(house: House) -> None:
    lockdown = await house.open()
    lockdown.register(PICTURES, owner=Cog())
    await lockdown.lock(reason="maintenance")
    await engage(lockdown)
    await lockdown.release("s1")
    assert [hold.reason for hold in (await lockdown.status()).features[0].holds] == ["maintenance"]
    assert lockdown.locked("pictures")
    assert await lockdown.unlock()
    assert not lockdown.locked("pictures")
    assert not await lockdown.unlock()


async def test_a_second_lock_by_hand_replaces_the_end_of_the_first(house: House) -> None:
    lockdown = await house.open()
    lockdown.register(PICTURES, owner=Cog())
    await lockdown.lock("pictures", duration_s=10)
    await lockdown.lock("pictures", duration_s=100)
    await house.clock.turn(50)
    assert lockdown.locked("pictures")
    await house.clock.turn(60)
    await until(lambda: not lockdown.locked("pictures"))


async def test_locking_a_feature_that_is_not_there_names_those_that_are(house: House) -> None:
    lockdown = await house.open()
    lockdown.register(PICTURES, owner=Cog())
    with pytest.raises(LockdownError, match="There are: pictures"):
        await lockdown.lock("music")


async def test_a_lock_of_one_server_survives_a_restart_ends_in_time_and_concerns_no_other(house: House) -> None:
    lockdown = await house.open()
    lockdown.register(PICTURES, owner=Cog())
    await lockdown.lock("pictures", guild_id=7, duration_s=60)
    await house.die(lockdown)
    again = await house.open()
    again.register(PICTURES, owner=Cog())
    await again.settled()

    def locked() -> tuple[bool, bool, bool]:
        return again.locked("pictures", guild_id=7), again.locked("pictures", guild_id=8), again.locked("pictures")

    assert locked() == (True, False, False)
    assert [feature.state for feature in (await again.status(guild_id=7)).features] == ["locked"]
    other = await again.status(guild_id=8)
    assert ([feature.state for feature in other.features], other.holds) == (["free"], ())
    await engage(again)
    await again.release("s1")
    assert locked() == (True, False, False)
    await house.clock.turn(61)
    await until(lambda: locked() == (False, False, False))
    assert await house.rows("lock_holder") == []


# Memory -------------------------------------------------------------------------------------------------------------------


async def test_memory_is_watched_during_a_session_and_warned_of_once_until_there_is_room_again(house: House) -> None:
    lockdown = await house.open(memory_check_s=10, memory_warning=0.9)
    warned: list[int] = []
    house.hub.subscribe(MemoryRanLow, lambda event: warned.append(event.used_bytes), owner=house)
    await engage(lockdown)
    for used in (50, 95, 96, 89, 97, 80, 93):  # 89 is no room yet, 80 is
        house.memory.memories = [Memory("GPU", used, 100)]
        await house.clock.turn(10)
        await breathe()
    assert warned == [95, 93]
    await lockdown.release("s1")
    house.memory.memories = [Memory("GPU", 99, 100)]
    await house.clock.turn(100)
    assert warned == [95, 93]
