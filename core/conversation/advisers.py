"""Asks everybody who has something to add to a turn, before the model is asked."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from core.conversation.advice import Advice
from core.errors import ParleyError
from core.handles import Handle

if TYPE_CHECKING:
    from core.conversation.turn import Turn

_log = logging.getLogger(__name__)

DEADLINE_S = 0.25  # a turn does not wait longer for one adviser


class Adviser(Protocol):
    """Says what holds for a turn; asked each time, at the moment of the answer."""

    async def advise(self, turn: Turn) -> Advice | None:
        """What to add to a turn whose prompt is as it will be answered; None for nothing. Must be quick."""
        ...


class Advisers:
    """All who add to turns, asked one after the other."""

    def __init__(self) -> None:
        self._advisers: list[Adviser] = []

    def add(self, adviser: Adviser) -> Handle:
        """Ask `adviser` about each turn from now on, behind those there are."""
        self._advisers.append(adviser)
        return Handle(lambda: self._advisers.remove(adviser), f"adviser {type(adviser).__name__}")

    async def ask(self, turn: Turn) -> Advice:
        """What all of them say. One that fails, or takes too long, is left out: the turn is answered all the same."""
        advice = Advice()
        for adviser in tuple(self._advisers):
            try:
                async with asyncio.timeout(DEADLINE_S):
                    said = await adviser.advise(turn)
            except TimeoutError:
                _log.warning("turn %s: %s took too long, and was left out", turn.id, type(adviser).__name__)
            except ParleyError as error:
                _log.warning("turn %s: %s: %s", turn.id, type(adviser).__name__, error.sentence, exc_info=error)
            except Exception:  # noqa: BLE001 - an adviser may be foreign; the log has the cause
                _log.exception("turn %s: %s failed, and was left out", turn.id, type(adviser).__name__)
            else:
                advice = advice.joined(said) if said is not None else advice
        return advice
