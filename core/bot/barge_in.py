"""Somebody speaks while the bot does: it holds its breath, and gives way to words, not to coughs and assent."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from core.hearing.addressed import is_filler
from core.hearing.hearing import Forgotten, Heard, NotUnderstood
from core.hearing.utterance_finder import Began
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.clock import Clock
    from core.conversation.turn import Turn
    from core.hearing.hearing import Notice

_log = logging.getLogger(__name__)

WORDS_S = 2.0  # within which words must come
LOOK_EVERY_S = 0.5  # how often the interruption is looked at for words
LEAST_LOOK_S = (
    1.2  # of an utterance that goes on, pre-roll included: a recogniser makes words of the beginning of a hum
)
MOST_REMEMBERED = 100

Mode = Literal["pause", "duck", "off"]


class BargeIn:
    """Watches over one session.

    Args:
        speaking: The turn that is under way, if any.
        clock: Time.
        mode: `[hearing] barge_in`.
        watch: Called with True to have what is being said recognised while it is said, with False when that is over.
        is_own: Whether a text is what the bot itself said.
    """

    def __init__(
        self,
        speaking: Callable[[], Turn | None],
        clock: Clock,
        mode: Mode,
        *,
        watch: Callable[[bool], None],
        is_own: Callable[[str], bool],
    ) -> None:
        self._speaking = speaking
        self._clock = clock
        self._mode = mode
        self._watch = watch
        self._is_own = is_own
        self._held: Turn | None = None
        self._interrupting: dict[str, int] = {}  # utterances that hold it, and whose they are
        self._into: dict[str, Turn] = {}  # utterances that began while the bot spoke, and into what
        self._echoing: tuple[Turn | None, set[int]] = (None, set())  # whose microphones give the bot's own voice back
        self._tasks = Tasks("barge-in")

    def began_into(self, utterance_id: str) -> bool:
        """Whether an utterance began while the bot spoke."""
        return utterance_id in self._into

    def tell(self, notice: Notice) -> None:
        """Take in what happened."""
        match notice:
            case Began():
                self._began(notice)
            case Heard():
                self._heard(notice)
            case NotUnderstood():
                self._over(notice.utterance.id)
            case Forgotten():
                for utterance_id in [key for key, user in self._interrupting.items() if user == notice.user_id]:
                    self._over(utterance_id)
            case _:
                pass

    async def close(self) -> None:
        """Let go of what is held."""
        self._let_go()
        await self._tasks.cancel_all()

    def _began(self, began: Began) -> None:
        turn = self._speaking()
        if turn is None or turn.line is None or not turn.line.begun or turn.line.done:
            return
        self._into[began.utterance_id] = turn
        if len(self._into) > MOST_REMEMBERED:
            del self._into[next(iter(self._into))]
        if self._mode == "off" or not turn.interruptible or self._echoes(turn, began.user_id):
            return
        self._interrupting[began.utterance_id] = began.user_id
        if self._held is not None:
            return
        self._held = turn
        if self._mode == "pause":
            turn.pause()
        else:
            turn.duck(on=True)
        self._watch(True)
        self._tasks.start(self._wait(), "words", replace=True)

    def _heard(self, heard: Heard) -> None:
        utterance, text = heard.utterance, heard.transcription.text
        turn = self._into.get(utterance.id)
        if turn is None or self._mode == "off" or not turn.interruptible:
            return
        if text and self._is_own(text):
            known, users = self._echoing
            self._echoing = (turn, {*(users if turn is known else ()), utterance.user_id})
            self._over(utterance.id)
        elif not is_filler(text):
            if heard.final or utterance.duration_s >= LEAST_LOOK_S:
                self._cut(turn)
        elif heard.final and not utterance.goes_on:
            self._over(utterance.id)

    def _cut(self, turn: Turn) -> None:
        """Somebody means it; also if a slow recogniser says so when the turn has gone on already."""
        if turn is self._held:
            self._held = None
            self._interrupting.clear()
            self._watch(False)
            self._tasks.cancel("words")
        if turn is self._speaking():
            _log.info("turn %s is interrupted", turn.id)
            turn.stop()

    def _over(self, utterance_id: str) -> None:
        """An utterance turned out to be nothing that the bot gives way to."""
        if self._interrupting.pop(utterance_id, None) is not None and not self._interrupting:
            self._let_go()

    def _let_go(self) -> None:
        turn, self._held = self._held, None
        self._interrupting.clear()
        if turn is None:
            return
        if self._mode == "pause":
            turn.resume()
        else:
            turn.duck(on=False)
        self._watch(False)

    async def _wait(self) -> None:
        await self._clock.sleep(WORDS_S)
        self._let_go()

    def _echoes(self, turn: Turn, user_id: int) -> bool:
        known, users = self._echoing
        return known is turn and user_id in users
