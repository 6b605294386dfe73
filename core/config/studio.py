"""`[studio]`: looking at pictures and drawing them."""

from __future__ import annotations

from core.config.section import Section


class StudioSection(Section):
    """Which servers see and draw."""
