"""When the model is asked ahead of the end of a turn: once a turn, when one person may be finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.hearing.hearing import Forgotten, Heard
from core.hearing.utterance_finder import Began, WentOn

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.hearing.hearing import Notice


class Speculation:
    """Watches over one session.

    Args:
        foresee: Asks the model what somebody would be answered now; gives whether it did.
        drop: Throws that away.
        on: `[hearing] speculate`.
    """

    def __init__(self, foresee: Callable[[Heard], bool], drop: Callable[[], None], *, on: bool) -> None:
        self._foresee = foresee
        self._drop = drop
        self._on = on
        self._asked = False  # in this turn
        self._pending = False  # and neither used nor thrown away

    def tell(self, notice: Notice) -> None:
        """Take in what happened."""
        match notice:
            case Heard(final=False, silent=True) if self._on and not self._asked:
                self._asked = self._pending = self._foresee(notice)
            case WentOn() | Began() | Forgotten() if self._pending:
                self._pending = False
                self._drop()
            case _:
                pass

    def over(self, *, used: bool = True) -> None:
        """The turn is over; who answers it uses what was asked, or throws it away."""
        if self._pending and not used:
            self._drop()
        self._asked = self._pending = False
