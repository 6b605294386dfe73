"""`[lockdown]`: what gives way during a voice session."""

from __future__ import annotations

from core.config.section import Section


class LockdownSection(Section):
    """What a voice session switches and locks."""
