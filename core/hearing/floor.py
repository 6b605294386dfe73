"""Who has the floor: what several people say, one after another or at once, becomes one turn with its lines in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.hearing.hearing import Forgotten, Heard, NotUnderstood
from core.hearing.utterance_finder import Began, Ended
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.clock import Clock
    from core.hearing.hearing import Notice
    from core.hearing.turn_end import TurnDetector

MOST_LINES = 200  # of one turn; the oldest go
MOST_PATIENCE_S = 10.0  # with who goes on speaking in a turn to which others have said what they had to say


@dataclass(frozen=True, slots=True)
class SpokenLine:
    """What one person said, as text that others wrote."""

    user_id: int
    text: str
    hinted: str  # the same as heard by who listens for names: for the wake name and commands only
    started_s: float  # time.monotonic
    ended_s: float
    language: str = ""


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """What was said until everybody had finished; lines in the order in which they were begun."""

    lines: tuple[SpokenLine, ...]
    ended_s: float  # time.monotonic of the last voiced sound
    understood_s: float = 0.0  # of when all of it was text
    decided_s: float = 0.0  # of when it was taken for over
    recogniser_s: float = 0.0  # that the recogniser took for the last of it


@dataclass(slots=True)
class _Said:
    """A piece of an utterance; no text until it is known."""

    user_id: int
    started_s: float
    ended_s: float
    wait_s: float
    line: SpokenLine | None = None
    settled: bool = False


class Floor:
    """Collects what is said in one session, and delivers it when a turn is over.

    A turn is over when everybody who took part in it has been silent for as long as their sentence asks, and all of it is
    text. Who only begins beside it, or a microphone that hums, is waited for no longer than `max_wait_s`.

    Args:
        deliver: Takes a turn, on the event loop.
        clock: Time.
        detector: Says how long to wait.
        end_of_turn_s: Silence that ends a turn whose text is not known yet.
        max_wait_s: The longest wait.
        ignore: Asked about every text: whether it is nobody's turn.
    """

    def __init__(
        self,
        deliver: Callable[[SpokenTurn], None],
        clock: Clock,
        detector: TurnDetector,
        *,
        end_of_turn_s: float,
        max_wait_s: float,
        ignore: Callable[[Heard], bool] = lambda _: False,
    ) -> None:
        self._ignore = ignore
        self._deliver = deliver
        self._clock = clock
        self._detector = detector
        self._end_of_turn_s = end_of_turn_s
        self._max_wait_s = max_wait_s
        self._open: dict[int, str] = {}  # who speaks, and the utterance
        self._said: dict[str, _Said] = {}  # by the piece's key
        self._understood_s = self._recogniser_s = 0.0
        self._waits = 0
        self._notices: asyncio.Queue[Notice] = asyncio.Queue()
        self._tasks = Tasks("floor")

    def tell(self, notice: Notice) -> None:
        """Take in what happened; returns at once."""
        self._notices.put_nowait(notice)
        if not self._tasks.running("notices"):
            self._tasks.start(self._run(), "notices")

    async def _run(self) -> None:
        while not self._notices.empty():
            await self._take(self._notices.get_nowait())

    async def _take(self, notice: Notice) -> None:
        match notice:
            case Began():
                self._open[notice.user_id] = notice.utterance_id
            case Ended():
                self._ended(notice)
            case Heard(final=True):
                await self._heard(notice)
            case NotUnderstood():
                self._settle(notice.utterance.key, None)
            case Forgotten():
                self._forget(notice)
            case _:
                return
        self._look()

    def waits_for_others(self, user_id: int) -> bool:
        """Whether a turn would hold more than what this person says now."""
        return bool(self._said) or any(other != user_id for other in self._open)

    async def close(self) -> None:
        """Deliver nothing any more."""
        self._said.clear()
        await self._tasks.cancel_all()

    def _ended(self, notice: Ended) -> None:
        utterance = notice.utterance
        if not utterance.goes_on and self._open.get(utterance.user_id) == utterance.id:
            del self._open[utterance.user_id]
        until_s = utterance.spoken_until_s
        self._said[utterance.key] = _Said(utterance.user_id, utterance.started_s, until_s, self._end_of_turn_s)
        if len(self._said) > MOST_LINES:
            del self._said[next(iter(self._said))]

    async def _heard(self, heard: Heard) -> None:
        utterance, understood = heard.utterance, heard.transcription
        if not understood.text or self._ignore(heard):
            self._settle(utterance.key, None)
            return
        self._understood_s, self._recogniser_s = self._clock.monotonic(), heard.took_s
        line = line_of(heard)
        if utterance.key in self._said:
            self._said[utterance.key].wait_s = await self._detector.wait_s(line.text, utterance.samples)
        self._settle(utterance.key, line)

    def _settle(self, key: str, line: SpokenLine | None) -> None:
        said = self._said.get(key)
        if said is not None:
            said.line, said.settled = line, True

    def _forget(self, notice: Forgotten) -> None:
        """Somebody may not be heard any more: what they said and nobody has taken yet goes too."""
        self._open.pop(notice.user_id, None)
        self._said = {key: said for key, said in self._said.items() if said.user_id != notice.user_id}

    def _look(self) -> None:
        """Deliver the turn if it is over, or wait until it may be."""
        self._waits += 1  # an earlier wait is void
        if not self._said or not all(said.settled for said in self._said.values()):
            return
        lines = [said.line for said in self._said.values() if said.line is not None]
        if not lines:
            self._said.clear()
            return
        due_s = max(said.ended_s + said.wait_s for said in self._said.values() if said.line is not None)
        for user_id in self._open:
            due_s = max(due_s, self._patience_until_s(user_id, lines))
        wait_s = due_s - self._clock.monotonic()
        if due_s == float("inf"):
            return
        if wait_s > 1e-6:
            self._tasks.start(self._later(wait_s, self._waits), "wait", replace=True)
            return
        self._said.clear()
        lines.sort(key=lambda line: line.started_s)
        ended_s = max(line.ended_s for line in lines)
        now_s = self._clock.monotonic()
        self._deliver(SpokenTurn(_joined(lines), ended_s, self._understood_s, now_s, self._recogniser_s))

    def _patience_until_s(self, user_id: int, lines: list[SpokenLine]) -> float:
        """Until when somebody who speaks is waited for: it is their own turn, they take part in it, or they do not."""
        others = [line.ended_s for line in lines if line.user_id != user_id]
        if not others:
            return float("inf")
        return max(others) + (MOST_PATIENCE_S if len(others) < len(lines) else self._max_wait_s)

    async def _later(self, wait_s: float, number: int) -> None:
        await self._clock.sleep(wait_s)
        if number == self._waits:
            self._look()


def line_of(heard: Heard) -> SpokenLine:
    """What somebody said, as a line of a turn."""
    utterance, understood = heard.utterance, heard.transcription
    return SpokenLine(
        utterance.user_id,
        understood.text,
        understood.hinted or understood.text,
        utterance.started_s,
        utterance.spoken_until_s,
        understood.language,
    )


def _joined(lines: list[SpokenLine]) -> tuple[SpokenLine, ...]:
    """The pieces of who goes on speaking as one line."""
    joined: list[SpokenLine] = []
    for line in lines:
        last = joined[-1] if joined else None
        if last is None or last.user_id != line.user_id:
            joined.append(line)
            continue
        joined[-1] = SpokenLine(
            last.user_id,
            f"{last.text} {line.text}",
            f"{last.hinted} {line.hinted}",
            last.started_s,
            line.ended_s,
            line.language or last.language,
        )
    return tuple(joined)
