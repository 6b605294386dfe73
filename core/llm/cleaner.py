"""All filters between a model's raw text and what may be spoken, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.llm.cleaning import Chain, Pairs
from core.llm.reasoning_filter import ReasoningFilter
from core.llm.role_prefix import RolePrefixFilter
from core.llm.special_tokens import SpecialTokens
from core.llm.stop_filter import StopFilter

if TYPE_CHECKING:
    from collections.abc import Iterable


class Cleaner:
    """Takes an answer piece by piece; one for each answer."""

    def __init__(
        self, names: Iterable[str], stops: Iterable[str], *, starts_inside: bool = False, unless_unended: bool = False
    ) -> None:
        names = tuple(names)
        self._stops = StopFilter(stops)
        self._tokens = SpecialTokens()
        self.thinking = ReasoningFilter(starts_inside=starts_inside, unless_unended=unless_unended)
        # A name may stand in front of a thought and behind it; a stop string inside of one does not count.
        self.filters = (
            Pairs(),
            RolePrefixFilter(names),
            self.thinking,
            self._stops,
            self._tokens,
            RolePrefixFilter(names),
        )
        self._chain = Chain(*self.filters)

    @property
    def ended(self) -> bool:
        """Whether nothing more will pass: a stop string came, or the turn of somebody else."""
        return self._stops.reached or self._tokens.ended

    def feed(self, text: str) -> str:
        """What may be spoken now."""
        return self._chain.feed(text)

    def flush(self) -> str:
        """What was held back."""
        return self._chain.flush()
