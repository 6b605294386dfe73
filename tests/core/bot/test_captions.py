"""Captions change at most once a second, however many people speak, and show the newest words then."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace as Shape

import numpy as np

from core.bot.captions import CaptionWriter
from core.hearing.hearing import Heard
from core.hearing.text import Segment, Transcription
from core.hearing.utterance import Utterance


class Room:
    """A channel that keeps when it was written to, and what it showed then."""

    def __init__(self, clock) -> None:
        self.clock = clock
        self.calls: list[tuple[float, str]] = []

    async def send(self, text: str, **_: object) -> Shape:
        async def edit(*, content: str, **_: object) -> None:
            self.calls.append((self.clock.monotonic(), content))

        self.calls.append((self.clock.monotonic(), text))
        return Shape(edit=edit)


def heard(user_id: int, text: str, *, final: bool = False) -> Heard:
    at = datetime.now(UTC)
    utterance = Utterance(f"u{user_id}", 1, 2, user_id, 0.0, at, np.zeros(16_000, np.float32), 0.9, final)
    return Heard(utterance, Transcription((Segment(text, 0.0, 1.0),), "en", "x", "x"), final)


async def test_eight_people_at_once_cost_one_change_a_second_and_none_is_more_than_a_second_behind(clock):
    room = Room(clock)
    guild = Shape(get_member=lambda user_id: Shape(display_name=f"P{user_id}"))
    writer = CaptionWriter(Shape(id="s", guild=guild), room, clock, lambda why: None)  # type: ignore[arg-type]
    for step in range(40):
        for user_id in range(8):
            writer.tell(heard(user_id, f"word {step}", final=step == 39))
        await clock.advance(0.25)
    await clock.advance(2.0)
    times = [at_s for at_s, _ in room.calls]
    assert all(later - before >= 1.0 for before, later in pairwise(times))
    for at_s, text in room.calls[1:-1]:
        shown = int(text.split("word ")[1].split(" ")[0].split("\n")[0])
        assert at_s - shown * 0.25 <= 1.0
    assert all(f"**P{user_id}:** word 39" in room.calls[-1][1] for user_id in range(8))
    assert "…" not in room.calls[-1][1]
    await writer.stop()
