"""`[recording]`: what is recorded, how, and for how long."""

from __future__ import annotations

from core.config.section import Section


class RecordingSection(Section):
    """How recordings are made."""
