"""`[store]` and `[log]`: where things are kept, and what is told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.config.section import Section


class StoreSection(Section):
    """Where tables are kept."""

    url: str = Field(
        default="sqlite+aiosqlite:///data/parley.db",
        pattern=r"^(sqlite\+aiosqlite|postgresql\+\w+)://",
        description="SQLAlchemy URL; a relative SQLite path starts at the checkout.",
    )


class LogSection(Section):
    """What is logged."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
