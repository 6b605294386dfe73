"""Messages that wait, and their answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from core.errors import LockdownError, ModelError
from core.lockdown import Feature, QueuePolicy
from loopback.services.hooks import Hooks
from tests.core.lockdown.house import House, Written, breathe, until

if TYPE_CHECKING:
    from core.lockdown.service import Lockdown
    from core.store.lockdown import QueuedMessage


class Answers:
    """Stands for the cog that answers ordinary messages: the channel's messages, and what was answered."""

    def __init__(self) -> None:
        self.channel: dict[int, Written] = {}
        self.answered: list[tuple[int, str]] = []
        self.told: list[tuple[int, str]] = []
        self.fail: list[Exception] = []
        self.hold: asyncio.Event | None = None
        self.unmarked: list[int] = []
        self.while_fetched: Any = None

    def write(self, *ids: int, author: int = 100) -> list[Written]:
        messages = [Written(id_, author_id=author, content=f"text {id_}") for id_ in ids]
        self.channel.update({message.id: message for message in messages})
        return messages

    async def fetch(self, queued: QueuedMessage) -> Written | None:
        if self.while_fetched is not None:
            await self.while_fetched()
        return self.channel.get(queued.message_id)

    async def replay(self, message: Written) -> None:
        if self.fail:
            raise self.fail.pop(0)
        if self.hold is not None:
            await self.hold.wait()
        self.answered.append((message.id, message.content))

    async def was_answered(self, message: Written) -> bool:
        return message.id in [id_ for id_, _ in self.answered]

    async def tell(self, queued: QueuedMessage, sentence: str) -> None:
        self.told.append((queued.author_id, sentence))

    async def unmark(self, queued: QueuedMessage, emoji: str) -> None:
        self.unmarked.append(queued.message_id)
        self.channel[queued.message_id].reactions.remove(emoji)  # raises if it is not there

    def marked(self) -> list[int]:
        return [message.id for message in self.channel.values() if message.reactions]

    def feature(self, **changes: Any) -> Feature:
        callbacks = {"answered": self.was_answered, "tell": self.tell, "unmark": self.unmark}
        policy = QueuePolicy(self.replay, self.fetch, **callbacks, **changes)
        return Feature("text", "Text replies", policy)


async def session(lockdown: Lockdown, answers: Answers, *ids: int, author: int = 100) -> None:
    """Begin a session in which these messages are written."""
    await lockdown.engage("s1", guild_id=1, channel_id=2)
    for message in answers.write(*ids, author=author):
        assert not await lockdown.allows("text", message)


async def drain(house: House, lockdown: Lockdown) -> None:
    """Let the answers go out, pacing included."""
    await breathe()
    while lockdown.waiting.replaying("text"):
        await house.clock.turn(10)


async def test_messages_of_a_session_are_answered_after_it_oldest_first(house: House) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(), owner="test")
    await session(lockdown, answers, 1, 3, 2)  # 2 was held back for a while, in case more came
    assert (await lockdown.status()).features[0].waiting == 3
    assert answers.answered == []
    await lockdown.release("s1")
    await drain(house, lockdown)
    assert [id_ for id_, _ in answers.answered] == [1, 2, 3]
    assert (await lockdown.status()).features[0].waiting == 0
    assert await house.rows("queued_message") == []


async def test_a_message_that_waits_shows_so(house: House) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(), owner="test")
    await session(lockdown, answers, 1)
    await breathe()
    assert answers.channel[1].reactions == ["⏳"]


async def test_the_mark_goes_with_the_answer(house: House) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(), owner="test")
    await session(lockdown, answers, 1, 2)
    await house.clock.turn(5)
    assert answers.marked() == [1, 2]
    await lockdown.release("s1")
    await drain(house, lockdown)
    assert answers.marked() == []


async def test_the_mark_goes_from_a_message_that_is_dropped_and_comes_no_more_to_one_that_had_none(
    house: House,
) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(limit=2), owner="test")
    await session(lockdown, answers, 1, 2)
    await house.clock.turn(5)
    assert answers.marked() == [1, 2]
    for message in answers.write(3, 4, 5, 6):  # 4 is dropped before its mark is due
        await lockdown.allows("text", message)
    await house.clock.turn(60)
    assert answers.marked() == [5, 6]
    assert answers.unmarked == [1, 2, 3]


async def test_a_message_that_is_answered_before_its_mark_is_due_is_never_marked(house: House) -> None:
    lockdown, answers = await house.open(replay_interval_s=0), Answers()
    lockdown.register(answers.feature(), owner="test")
    await session(lockdown, answers, 1, 2, 3)
    await lockdown.release("s1")
    await until(lambda: len(answers.answered) == 3)
    await house.clock.turn(60)
    assert answers.marked() == []


async def test_marks_of_an_earlier_process_go_too(house: House) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(), owner="test")
    await session(lockdown, answers, 1)
    await house.clock.turn(5)
    await house.die(lockdown)
    again = await house.open()
    again.register(answers.feature(), owner="test")
    await drain(house, again)
    assert (answers.answered, answers.marked()) == ([(1, "text 1")], [])


async def test_deleted_messages_are_skipped_and_edits_are_read(house: House) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(), owner="test")
    await session(lockdown, answers, 1, 2, 3)
    del answers.channel[2]
    answers.channel[3].content = "edited"
    await lockdown.release("s1")
    await drain(house, lockdown)
    assert answers.answered == [(1, "text 1"), (3, "edited")]


async def test_answers_are_paced(house: House) -> None:
    lockdown, answers = await house.open(replay_interval_s=5), Answers()
    lockdown.register(answers.feature(), owner="test")
    await session(lockdown, answers, 1, 2, 3)
    await lockdown.release("s1")
    seen = []
    for _ in range(4):
        await breathe()
        seen.append(len(answers.answered))
        await house.clock.turn(3)
    assert seen == [1, 1, 2, 2]


async def test_a_message_that_is_handed_in_twice_waits_once(house: House) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(), owner="test")
    await session(lockdown, answers, 1)
    assert not await lockdown.allows("text", answers.channel[1])
    await lockdown.release("s1")
    await drain(house, lockdown)
    assert answers.answered == [(1, "text 1")]


async def test_of_500_messages_a_minute_the_newest_100_are_kept_and_each_author_is_told_once(house: House) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(), owner="test")
    await lockdown.engage("s1", guild_id=1, channel_id=2)
    written = [answers.write(id_, author=id_ % 7)[0] for id_ in range(1, 501)]
    await asyncio.gather(*(lockdown.allows("text", message) for message in written))
    await house.clock.turn(60)
    reactions = sum(len(message.reactions) for message in written)
    assert reactions <= 31  # the rest is left out instead of piling up at Discord's rate limit
    assert sorted(author for author, _ in answers.told) == list(range(7))
    await lockdown.release("s1")
    await drain(house, lockdown)
    assert [id_ for id_, _ in answers.answered] == list(range(401, 501))
    assert await house.rows("queue_notice") == []


async def test_authors_are_told_again_only_after_the_queue_was_empty(house: House) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(limit=2), owner="test")
    await session(lockdown, answers, 1, 2, 3, 4)
    await house.clock.turn(10)
    assert len(answers.told) == 1
    await lockdown.release("s1")
    await drain(house, lockdown)
    await session(lockdown, answers, 5, 6, 7)
    await house.clock.turn(10)
    assert len(answers.told) == 2


async def test_a_new_session_lets_the_answer_under_way_finish_and_keeps_the_rest(house: House) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(), owner="test")
    await session(lockdown, answers, 1, 2, 3)
    answers.hold = asyncio.Event()
    await lockdown.release("s1")
    await breathe()
    await lockdown.engage("s2", guild_id=1, channel_id=2)
    answers.hold.set()
    await house.clock.turn(60)
    assert [id_ for id_, _ in answers.answered] == [1]
    assert (await lockdown.status()).features[0].waiting == 2
    await lockdown.release("s2")
    await drain(house, lockdown)
    assert [id_ for id_, _ in answers.answered] == [1, 2, 3]


async def test_an_answer_that_fails_is_tried_again_and_then_given_up_for_the_next(house: House) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(), owner="test")
    answers.fail = [ModelError("down"), ModelError("down")]
    await session(lockdown, answers, 1, 2)
    await lockdown.release("s1")
    await drain(house, lockdown)
    assert [id_ for id_, _ in answers.answered] == [1, 2]
    answers.fail = [RuntimeError("broken")] * 3
    await session(lockdown, answers, 3, 4)
    await lockdown.release("s1")
    await drain(house, lockdown)
    assert [id_ for id_, _ in answers.answered] == [1, 2, 4]
    await house.clock.turn(5)
    assert [(author, "could not answer this" in sentence) for author, sentence in answers.told] == [(100, True)]
    assert answers.marked() == []


async def test_while_nobody_can_answer_a_message_keeps_its_place_however_long_that_takes(house: House) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(), owner="test")
    answers.fail = [LockdownError("Discord cannot be reached.")] * 20
    await session(lockdown, answers, 1, 2)
    await lockdown.release("s1")
    await drain(house, lockdown)
    assert [id_ for id_, _ in answers.answered] == [1, 2]
    assert (answers.fail, answers.told) == ([], [])


async def test_no_answer_begins_if_the_feature_is_locked_while_its_message_is_fetched(house: House) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(), owner="test")
    await session(lockdown, answers, 1)
    answers.while_fetched = lambda: lockdown.engage("s2", guild_id=1, channel_id=2)
    await lockdown.release("s1")
    await drain(house, lockdown)
    assert answers.answered == []
    answers.while_fetched = None
    await lockdown.release("s2")
    await drain(house, lockdown)
    assert answers.answered == [(1, "text 1")]


async def test_what_waits_is_answered_by_the_next_process(house: House) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(), owner="test")
    await session(lockdown, answers, 1, 2)
    await house.die(lockdown)
    again = await house.open()
    again.register(answers.feature(), owner="test")
    await drain(house, again)
    assert [id_ for id_, _ in answers.answered] == [1, 2]


@pytest.mark.parametrize("answer_was_out", [True, False])
async def test_a_message_whose_answer_was_under_way_at_a_crash_is_answered_exactly_once(
    house: House, answer_was_out: bool
) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(), owner="test")
    await session(lockdown, answers, 1, 2)
    answers.hold = asyncio.Event()
    await lockdown.release("s1")
    await breathe()
    await house.die(lockdown)  # between the claim and the strike
    answers.hold = None
    if answer_was_out:
        answers.answered.append((1, "text 1"))
    again = await house.open()
    again.register(answers.feature(), owner="test")
    await drain(house, again)
    assert [id_ for id_, _ in answers.answered] == [1, 2]


async def test_an_answer_that_was_out_at_a_crash_stays_the_only_one_when_discord_is_away_at_first(house: House) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(), owner="test")
    await session(lockdown, answers, 1)
    answers.hold = asyncio.Event()
    await lockdown.release("s1")
    await breathe()
    await house.die(lockdown)
    answers.hold = None
    answers.answered.append((1, "text 1"))
    away = [LockdownError("Discord cannot be reached.")]

    async def reach() -> None:
        if away:
            raise away.pop()

    answers.while_fetched = reach
    again = await house.open()
    again.register(answers.feature(), owner="test")
    await drain(house, again)
    assert (answers.answered, away) == ([(1, "text 1")], [])


async def test_a_reloaded_cog_goes_on_answering(house: House) -> None:
    lockdown, old, new = await house.open(), Answers(), Answers()
    owner = object()
    lockdown.register(old.feature(), owner=owner)
    await session(lockdown, old, 1, 2, 3)
    await lockdown.release("s1")
    await until(lambda: old.answered)
    lockdown.unregister(owner)
    await house.clock.turn(60)
    assert len(old.answered) == 1
    new.channel, new.answered = old.channel, old.answered
    lockdown.register(new.feature(), owner=object())
    await drain(house, lockdown)
    assert [id_ for id_, _ in new.answered] == [1, 2, 3]


async def test_a_reload_does_not_cut_the_answer_under_way_nor_begin_it_twice(house: House) -> None:
    lockdown, old, new = await house.open(), Answers(), Answers()
    owner = object()
    lockdown.register(old.feature(), owner=owner)
    await session(lockdown, old, 1, 2)
    old.hold = asyncio.Event()
    await lockdown.release("s1")
    await breathe()
    lockdown.unregister(owner)
    new.channel = old.channel
    lockdown.register(new.feature(), owner=object())
    await house.clock.turn(60)
    assert (old.answered, new.answered) == ([], [])
    old.hold.set()
    await drain(house, lockdown)
    assert (old.answered, new.answered) == ([(1, "text 1")], [(2, "text 2")])


async def test_no_answer_begins_after_the_closing_has_begun(house: House) -> None:
    lockdown, answers = await house.open(), Answers()
    lockdown.register(answers.feature(), owner="test")
    await session(lockdown, answers, 1)
    await lockdown.waiting.close()  # the process is about to end, and then the session does
    assert not await lockdown.allows("text", answers.write(2)[0])
    await lockdown.release("s1")
    await house.clock.turn(60)
    assert answers.answered == []
    await house.die(lockdown)
    again = await house.open()
    again.register(answers.feature(), owner="test")
    await drain(house, again)
    assert [id_ for id_, _ in answers.answered] == [1, 2]


async def test_answers_begin_only_when_the_route_and_the_hooks_are_back(house: House) -> None:
    async with Hooks() as server:
        hook = {"name": "gpu", "unlock_url": f"{server.url}/load"}
        lockdown, answers = await house.open(route="voice", hooks=[hook]), Answers()
        server.script(on="/load", delay_s=0.2)
        found: list[tuple[str, bool]] = []

        async def replay(message: Written) -> None:
            found.append((house.routes.current, server.requests[-1].ended_s is not None))
            await answers.replay(message)

        lockdown.register(Feature("text", "Text replies", QueuePolicy(replay, answers.fetch)), owner="test")
        await session(lockdown, answers, 1)
        await lockdown.release("s1")
        await until(lambda: answers.answered)
        assert found == [("default", True)]
