"""The runtime by the name that the documents give it; it lives in `core.bot.runtime`."""

from __future__ import annotations

from core.bot.runtime import Runtime, of

__all__ = ["Runtime", "of"]
