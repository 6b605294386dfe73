"""The fan-out: everybody is called, in order; one that fails costs nobody else anything, and is counted and logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.fanout import Fanout

if TYPE_CHECKING:
    import pytest


def test_everybody_is_called_until_their_handle_or_their_owner_ends() -> None:
    fanout, first, second, third = Fanout[int]("a number"), [], [], []
    handle = fanout.subscribe(first.append)
    fanout.subscribe(second.append, owner="somebody")
    fanout.subscribe(third.append, owner="somebody else")
    fanout.send(1)
    handle.end()
    handle.end()
    fanout.send(2)
    fanout.drop("somebody")
    fanout.send(3)
    assert (first, second, third) == ([1], [1, 2], [1, 2, 3])
    fanout.drop("somebody else")
    assert not fanout


def test_one_that_fails_is_counted_logged_ever_more_rarely_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    fanout, heard = Fanout[int]("a number"), []

    def failing(number: int) -> None:
        raise ValueError(number)

    fanout.subscribe(failing)
    fanout.subscribe(heard.append)
    for number in range(100):
        fanout.send(number)
    assert heard == list(range(100))
    assert [count for name, count in fanout.failed.items() if name.endswith("failing")] == [100]
    told = [record for record in caplog.records if "failed on a number" in record.message]
    assert [record.message.rsplit("(")[1] for record in told] == [f"{2**n} times)" for n in range(7)]
    assert all(record.exc_info for record in told)


def test_who_comes_or_goes_while_something_is_sent_disturbs_nobody() -> None:
    fanout, heard = Fanout[str]("a word"), []

    def leaving(word: str) -> None:
        heard.append(f"leaving {word}")
        handle.end()
        fanout.subscribe(lambda later: heard.append(f"new {later}"))

    handle = fanout.subscribe(leaving)
    fanout.subscribe(lambda word: heard.append(f"staying {word}"))
    fanout.send("one")
    fanout.send("two")
    assert heard == ["leaving one", "staying one", "staying two", "new two"]
