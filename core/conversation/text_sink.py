"""Where a written reply goes while it grows."""

from __future__ import annotations

from typing import Protocol


class TextSink(Protocol):
    """Where the written reply appears, as it grows."""

    async def update(self, text: str) -> None:
        """Show the whole reply so far; called often, must return soon."""
        ...

    async def finish(self, text: str) -> None:
        """Show the final text."""
        ...


class Unwritten:
    """A `TextSink` that shows nothing, for what is only said."""

    async def update(self, text: str) -> None:
        """Show nothing."""

    async def finish(self, text: str) -> None:
        """Show nothing."""
