"""`[watch]`: pages and feeds that are looked at for servers."""

from __future__ import annotations

from pydantic import Field

from core.config.section import Section


class WatchSection(Section):
    """How often pages and feeds are looked at, and when that is given up."""

    max_watches: int = Field(default=20, ge=0, le=500, description="Pages and feeds that one server may watch.")
    interval_s: float = Field(
        default=900,
        ge=60,
        le=86400,
        description="How long after one look at an address the next comes, at the earliest.",
    )
    confirm_s: float = Field(
        default=120,
        ge=10,
        le=86400,
        description="The same while a page looks changed and is looked at again to be sure.",
    )
    host_gap_s: float = Field(default=5, ge=0, le=600, description="The same between two addresses of one host.")
    at_once: int = Field(default=4, ge=1, le=50, description="Addresses looked at at once.")
    max_posts: int = Field(default=5, ge=1, le=20, description="News of one look that are posted; the newest.")
    give_up_days: float = Field(
        default=3, gt=0, le=60, description="What failed for this long is told, once, and not looked at any more."
    )
    robots: bool = Field(default=True, description="Look at nothing that a site's robots.txt forbids.")
