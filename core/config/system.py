"""`[store]`, `[workers]` and `[log]`: where things are kept and who does the heavy work."""

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


class WorkersSection(Section):
    """Who renders and transcribes."""

    processes: int = Field(
        default=0, ge=0, le=64, description="Worker processes; 0 is one fewer than there are cores, at least 1."
    )
    scheduler: str = Field(
        default="", description="Address of a Dask scheduler (tcp://host:8786) that does the work instead."
    )


class LogSection(Section):
    """What is logged."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
